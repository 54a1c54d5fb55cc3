"""Whether a pair is more than chance: exact p, honest about repeat customers, and corrected for the number of pairs tried."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketry.kernels.tails import hypergeometric_upper_tail

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def pair_p_values(n_ab: Counts, customers: Counts, n_a: Counts, n_b: Counts, n: int) -> Floats:
    """P(at least so many baskets hold both | margins, independence), with the counts deflated to distinct customers.

    Fisher's exact test on (n_ab, n_a, n_b, n) would take the same household's weekly basket for fresh evidence each time.
    Following Rao and Scott (1981, The analysis of categorical data from complex sample surveys) the counts are divided by a
    design effect, here the pair's baskets per customer, deff = n_ab / customers: k = customers, n_a' = ceil(n_a / deff), n_b'
    = ceil(n_b / deff), n' = floor(n / deff) (each rounded against the pair), and p = P(X >= k) for X hypergeometric(n', n_a',
    n_b'). Where every basket has its own customer this is the classical test. Arrays are aligned; p lies in [0, 1].
    Raises ValueError unless 1 <= customers <= n_ab <= min(n_a, n_b) and max(n_a, n_b) <= n.
    """
    ab, k, a, b = (np.asarray(counts, dtype=np.int64) for counts in (n_ab, customers, n_a, n_b))
    if ((k < 1) | (k > ab) | (ab > np.minimum(a, b)) | (np.maximum(a, b) > n)).any():
        raise ValueError("1 <= customers <= n_ab <= min(n_a, n_b) and max(n_a, n_b) <= n must hold for every pair")
    good, drawn = -(-a * k // ab), -(-b * k // ab)
    population = np.maximum(n * k // ab, np.maximum(good, drawn))
    return hypergeometric_upper_tail(k, good, drawn, population)


def benjamini_hochberg(p: Floats, tested: int) -> Floats:
    """The q of each p: the false discovery rate at which it would be the last one called, among `tested` hypotheses.

    q_(i) = min over j >= i of min(1, p_(j) tested / j), with p_(1) <= p_(2) <= ... (Benjamini and Hochberg 1995). `tested`
    counts also the hypotheses whose p is not given (those that failed the support floor): they stand as p = 1, which can only
    raise q. It must not depend on the outcomes; a count from the margins alone does not.
    Raises ValueError where tested < len(p) or a p lies outside [0, 1].
    """
    p = np.asarray(p, dtype=np.float64)
    if tested < len(p):
        raise ValueError(f"{len(p)} p-values cannot come from {tested} tests")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a p-value lies in [0, 1]")
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, len(p) + 1)
    stepped = np.minimum.accumulate((p[order] * (tested / ranks))[::-1])[::-1]
    q = np.empty(len(p))
    q[order] = np.minimum(stepped, 1.0)
    return q
