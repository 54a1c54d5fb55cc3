"""A comparison of two arms that may be looked at as often as one likes: always-valid p values and intervals.

After any number of visitors let d be the difference of the two means and s2 = var_a / n_a + var_b / n_b its variance. Against
the hypothesis of no difference stands a mixture of all, normal around 0 with variance t2:

    ratio = sqrt(s2 / (s2 + t2)) exp(t2 d ** 2 / (2 s2 (s2 + t2)))        p = min over all looks so far of 1 / ratio

The probability that p ever falls to alpha where there is no difference is at most alpha, however often and for whatever reason
one looks and stops; a common test looked at again and again errs several times as often. The price is an interval about twice
as wide at a given moment. It rests on means being nearly normal, so nothing is said before `least` visitors in each arm.

Sources: Robbins, Statistical methods related to the law of the iterated logarithm (1970); Johari, Pekelis and Walsh, Always
valid inference (2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError, RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Looks:
    """What each look saw, float64 [looks]: `difference` (b - a), its interval `low` to `high`, and the always-valid `p`.

    The true difference lies in all of the intervals at once with probability 1 - alpha. NaN, -inf, inf and 1 before there are
    enough visitors.
    """

    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    alpha: float

    @property
    def decided(self) -> int | None:
        """The first look at which p was at most alpha, or None."""
        there = np.flatnonzero(self.p <= self.alpha)
        return int(there[0]) if len(there) else None


@dataclass(frozen=True)
class SequentialTest:
    """`alpha`, `scale` (the square root of t2: the size of difference it is quickest to find) and `least` visitors an arm."""

    alpha: float = 0.05
    scale: float = 0.02
    least: int = 100

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and self.scale > 0 and self.least >= 2):
            raise RequestError(f"{self} is no test", "alpha lies in (0, 1), scale above 0, least from 2")

    def looks(self, reward: Floats, arm: Integers, at: Integers) -> Looks:
        """Of `reward` [n] in `arm` [n], 0 or 1, in the order they came, look after each number of visitors in `at`, rising.

        Rewards of one visitor are one row. Raises DataError for other arms, RequestError for looks out of order.
        """
        if not np.isin(arm, (0, 1)).all() or arm.shape != reward.shape:
            raise DataError("arms are not 0 or 1, one for each reward", "assign every visitor to one of two arms")
        if len(at) and (at[0] < 0 or at[-1] > len(reward) or (np.diff(at) <= 0).any()):
            raise RequestError("looks must rise from 0 to the number of visitors", "sort them, each once")
        n, mean, variance = (np.stack(each) for each in zip(*(_running(reward, arm == a, at) for a in (0, 1)), strict=True))
        enough = (n >= self.least).all(axis=0)
        difference = np.where(enough, mean[1] - mean[0], np.nan)
        s2 = np.where(enough, (variance / np.maximum(n, 1)).sum(axis=0), np.inf)
        return self._judged(difference, s2)

    def _judged(self, difference: Floats, s2: Floats) -> Looks:
        t2, known = self.scale**2, np.isfinite(s2) & (s2 > 0)
        d, s = difference[known], s2[known]
        log_ratio = np.zeros(len(s2))
        log_ratio[known] = 0.5 * np.log(s / (s + t2)) + t2 * d**2 / (2 * s * (s + t2))
        half = np.full(len(s2), np.inf)
        half[known] = np.sqrt(s * (s + t2) / t2 * (2 * np.log(1 / self.alpha) + np.log((s + t2) / s)))
        centre = np.nan_to_num(difference)
        p = np.minimum.accumulate(np.minimum(1.0, np.exp(-log_ratio)))
        return Looks(difference, centre - half, centre + half, p, self.alpha)


def _running(reward: Floats, mine: npt.NDArray[np.bool_], at: Integers) -> tuple[Floats, Floats, Floats]:
    """Number, mean and variance of the arm's rewards among the first `at`."""
    n, total, squares = (np.concatenate([[0.0], np.cumsum(values)])[at] for values in (mine, mine * reward, mine * reward**2))
    some = np.maximum(n, 1)
    mean = total / some
    return n, mean, np.maximum(squares / some - mean**2, 0.0) * some / np.maximum(n - 1, 1)
