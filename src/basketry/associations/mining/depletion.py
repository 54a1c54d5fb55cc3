"""Whether two things meet less often than chance: the mathematics of negative patterns, over aligned arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv
from scipy.stats import poisson

from basketry.kernels.tails import hypergeometric_upper_tail

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def depletion_p_values(n_ab: Counts, n_a: Counts, n_b: Counts, n: Counts | int, per_customer: Floats | float = 1.0) -> Floats:
    """P(at most so many baskets hold both | margins, independence): the exact lower hypergeometric tail.

    The baskets with A and without B are hypergeometric too, so P(X <= n_ab) = P(n_a - X >= n_a - n_ab). `per_customer` is a
    design effect d >= 1 (Rao and Scott, 1981): baskets of one customer are no fresh evidence each, so all counts are divided by
    it, each rounded against the claim: n_ab up, n_a and n_b down, n up. At d = 1 it is Fisher's one-sided test.
    Raises ValueError unless max(0, n_a + n_b - n) <= n_ab <= min(n_a, n_b), max(n_a, n_b) <= n and d >= 1.
    """
    ab, a, b, whole = (np.asarray(each, dtype=np.int64) for each in np.broadcast_arrays(n_ab, n_a, n_b, n))
    deff = np.asarray(per_customer, dtype=np.float64)
    wrong = (ab < 0) | (ab < a + b - whole) | (ab > np.minimum(a, b)) | (np.maximum(a, b) > whole) | (deff < 1)
    if wrong.any():
        raise ValueError("n_ab must be a count that the margins n_a, n_b and n allow, and the design effect at least 1")
    fewer_a, fewer_b = (np.floor(each / deff).astype(np.int64) for each in (a, b))
    more = np.maximum(np.ceil(whole / deff).astype(np.int64), np.maximum(fewer_a, fewer_b))
    both = np.clip(np.ceil(ab / deff).astype(np.int64), np.maximum(0, fewer_a + fewer_b - more), np.minimum(fewer_a, fewer_b))
    return hypergeometric_upper_tail(fewer_a - both, more - fewer_b, fewer_a, more)


@dataclass(frozen=True, eq=False)
class Ratio:
    """Counted over expected, with the ends of its 95% interval; NaN where nothing was expected."""

    value: Floats
    low: Floats
    high: Floats


def ratio(counted: Counts, expected: Floats, per_customer: Floats | float = 1.0) -> Ratio:
    """Of counts to expectations, with the exact interval of a Poisson count (Garwood, 1936); a count of none has low 0.

    The interval is that of counted / d independent meetings, d the design effect as in `depletion_p_values`.
    """
    deff = np.asarray(per_customer, dtype=np.float64)
    independent = counted / deff
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(expected > 0, deff / expected, np.nan)
        low = np.where(counted > 0, gammaincinv(np.maximum(independent, 1e-9), 0.025), 0.0)
    return Ratio(independent * unit, low * unit, gammaincinv(independent + 1, 0.975) * unit)


def stratified_p_values(n_ab: Counts, expected: Floats) -> Floats:
    """An upper bound of P(at most n_ab meetings), for meetings counted in strata (customers) that expect `expected` in all.

    Within a stratum the meetings are hypergeometric, hence a sum of independent yes-or-no events, and so is their total over
    the strata. Of all such sums with one mean the Poisson has the heavier tail: P(X <= k) <= Poisson(k; expected) wherever k <=
    expected - 1 (Hoeffding, 1956; Anderson and Samuels, 1967). Elsewhere p is 1. So the test never calls too much, and is a
    little shy where single customers expect many meetings.
    """
    k = np.asarray(n_ab, dtype=np.int64)
    return np.where(k <= expected - 1, poisson.cdf(k, expected), 1.0)


def odds_ratio(n_ab: Counts, n_a: Counts, n_b: Counts, n: int) -> Floats:
    """n_ab n_neither / (n_a_alone n_b_alone): 0 where they never meet, infinite where one is never alone, NaN where both."""
    joint, alone = _diagonals(n_ab, n_a, n_b, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = joint / alone
    return found


def yule_q(n_ab: Counts, n_a: Counts, n_b: Counts, n: int) -> Floats:
    """(odds ratio - 1) / (odds ratio + 1): -1 for pairs that never meet, 0 for independent ones (Yule, 1900)."""
    joint, alone = _diagonals(n_ab, n_a, n_b, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = (joint - alone) / (joint + alone)
    return found


def _diagonals(n_ab: Counts, n_a: Counts, n_b: Counts, n: int) -> tuple[Floats, Floats]:
    ab, a, b = (np.asarray(each, dtype=np.float64) for each in (n_ab, n_a, n_b))
    return ab * (n - a - b + ab), (a - ab) * (b - ab)
