"""What another policy would have earned, from what was shown by this one: IPS, SNIPS and doubly robust estimates.

Of n shown things, each with reward r, logged probability p of showing it there, and probability t that the other policy would
have shown it there, and w = t / p:

    ips = mean(w r)        snips = sum(w r) / sum(w)        dr = mean(E_t[q] + w (r - q))

where q is what a model expected of the thing shown and E_t[q] what it expects of the other policy's choice in the same place.
ips is unbiased where p is right and above 0 wherever t is; snips trades a little bias for much less variance; dr is unbiased if
either p or q is right. Intervals resample clusters: give a customer's rows one cluster.

Sources: Horvitz and Thompson (1952); Swaminathan and Joachims, The self-normalized estimator for counterfactual learning
(2015); Dudik, Langford and Li, Doubly robust policy evaluation and learning (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError
from basketry.evaluation.bootstrap import Draws, Resampled

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Logged:
    """What was shown: `reward`, `propensity` in (0, 1], `target` in [0, 1], all float64 [n], and `cluster` int64 [n].

    For dr also what a model expected: `expected` of each shown thing, `expected_target` of the other policy's choice there.
    Raises DataError for anything else.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    cluster: Integers
    expected: Floats | None = None
    expected_target: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.reward)
        if not n:
            raise DataError("nothing was shown, so nothing is known of another policy", "log impressions first")
        given = (self.propensity, self.target, self.cluster, self.expected, self.expected_target)
        if any(each is not None and each.shape != (n,) for each in given):
            raise DataError(f"arrays that do not fit {n} rewards", "give one number of each for every thing shown")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise DataError("a propensity lies outside (0, 1]", "log the probability with which each thing was shown")
        if not ((self.target >= 0) & (self.target <= 1)).all():
            raise DataError(
                "a target probability lies outside [0, 1]", "give the other policy's probability of the thing shown"
            )
        if (self.expected is None) != (self.expected_target is None):
            raise DataError("dr needs both expectations", "give expected and expected_target, or neither")

    @property
    def importance(self) -> Floats:
        """W = target / propensity."""
        return self.target / self.propensity

    @property
    def effective(self) -> float:
        """How many rows' worth of evidence the weights leave: sum(w) ** 2 / sum(w ** 2), 0 where the policies never agree."""
        w = self.importance
        return float(w.sum() ** 2 / (w**2).sum()) if w.any() else 0.0


def off_policy(logged: Logged, most: float = np.inf, resamples: int = 500, seed: int = 0) -> Resampled:
    """`logged` (what this policy earned: mean r), `ips`, `snips`, and `dr` where expectations are given, with resamples.

    `most` caps w, which trades variance for a bias towards what is shown often. snips is NaN where no weight is above 0.
    """
    w = np.minimum(logged.importance, most)
    columns = [np.ones(len(w)), logged.reward, w * logged.reward, w]
    if logged.expected is not None and logged.expected_target is not None:
        columns.append(logged.expected_target + w * (logged.reward - logged.expected))
    n, earned, gained, shares, *robust = Draws.of(logged.cluster, resamples, seed).totals(np.column_stack(columns)).T
    figures = {"logged": _over(earned, n), "ips": _over(gained, n), "snips": _over(gained, shares)}
    return Resampled(figures | ({"dr": _over(robust[0], n)} if robust else {}))


def _over(value: Floats, by: Floats) -> Floats:
    ratio: Floats = np.divide(value, by, out=np.full(len(value), np.nan), where=by > 0)
    return ratio
