"""Shares and odds ratios of two groups: exact tests, intervals of the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import erfc

from basketry.kernels.tails import hypergeometric_upper_tail

if TYPE_CHECKING:
    from basketry.associations.mining.rule_counts import RuleCounts

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_Z: Final = 1.959963984540054  # 97.5% of the normal


def equal_shares_p(k_one: Counts, n_one: Counts, k_two: Counts, n_two: Counts) -> Floats:
    """Fisher's exact test that k_one of n_one and k_two of n_two come of one share: twice the smaller tail, at most 1.

    Given k_one + k_two, K_one is hypergeometric whatever the share is, so that choosing cases by the sum biases nothing.
    Raises ValueError unless 0 <= k <= n on both sides.
    """
    both, all_ = k_one + k_two, n_one + n_two
    tails = [hypergeometric_upper_tail(k, both, n, all_) for k, n in ((k_one, n_one), (k_two, n_two))]
    return np.minimum(1.0, 2.0 * np.minimum(*tails))


def difference_interval(
    k_one: Counts | Floats, n_one: Counts | Floats, k_two: Counts | Floats, n_two: Counts | Floats
) -> tuple[Floats, Floats, Floats]:
    """k_two / n_two - k_one / n_one and the ends of its 95% interval, by the two Wilson intervals (Newcombe 1998, method 10).

    Counts need not be whole: deflated ones widen the interval. NaN where a group is empty.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two = k_one / n_one, k_two / n_two
        (low_one, high_one), (low_two, high_two) = _wilson(one, n_one), _wilson(two, n_two)
        difference = two - one
        return (
            np.asarray(difference),
            np.asarray(difference - np.hypot(two - low_two, high_one - one)),
            np.asarray(difference + np.hypot(high_two - two, one - low_one)),
        )


def odds_ratio(k_one: Counts, n_one: Counts, k_two: Counts, n_two: Counts) -> Floats:
    """Odds of the second share over those of the first, half a case added to each of the four counts (Haldane, Anscombe)."""
    return np.asarray(((k_two + 0.5) / (n_two - k_two + 0.5)) / ((k_one + 0.5) / (n_one - k_one + 0.5)))


def woolf_p(one: RuleCounts, n_one: Counts, two: RuleCounts, n_two: Counts) -> Floats:
    """Woolf's (1955) test that X and Y have the same odds ratio in both: z = difference of log odds ratios over its error.

    `n_one` and `n_two` [m] are the baskets in all, for each rule; half a basket is added to each cell. Unlike confidence, the
    odds ratio does not move because Y became more frequent everywhere.
    """
    (log_one, variance_one), (log_two, variance_two) = _log_odds_ratio(one, n_one), _log_odds_ratio(two, n_two)
    z = (log_two - log_one) / np.sqrt(variance_one + variance_two)
    return np.asarray(erfc(np.abs(z) / np.sqrt(2.0)))


def _log_odds_ratio(counts: RuleCounts, n: Counts) -> tuple[Floats, Floats]:
    """The logarithm and its variance; counts rounded against each other may leave a cell one short of nothing."""
    neither = np.maximum(n - counts.n_x - counts.n_y + counts.n_xy, 0)
    cells = np.array([counts.n_xy, counts.n_x - counts.n_xy, counts.n_y - counts.n_xy, neither]) + 0.5
    return np.log(cells[0] * cells[3] / (cells[1] * cells[2])), (1 / cells).sum(axis=0)


def _wilson(share: Floats, n: Counts | Floats) -> tuple[Floats, Floats]:
    middle = share + _Z**2 / (2 * n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4.0 * n * n))
    below = 1 + _Z**2 / n
    return (middle - half) / below, (middle + half) / below
