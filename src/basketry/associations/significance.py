"""Whether a pair or a rule is more than chance: exact p, honest about repeat customers, corrected for all that was tried.

Every correction takes the p-values that are known and `tested`, how many hypotheses there were: those not given (their counts
failed a floor) stand as p = 1, which can only raise a result. `tested` must not depend on the counts under test. Three honest
choices, the first the smallest:

- what could have passed the floors by its margins alone: `pairs_within_reach` in behaviour.py, `rules_within_reach` here;
- the whole space that was searched, whatever its margins: `rule_space` (Webb 2007, Discovering significant patterns);
- hypotheses whose least attainable p could have been small enough at all: `tarone` (Tarone 1990; Terada et al. 2013).

The number of rules that were *mined* is not among them: they were chosen by the very counts that are tested.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from basketry.kernels.tails import hypergeometric_upper_tail

if TYPE_CHECKING:
    from basketry.kernels.trees import ItemsetTree

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_SAME: Final = 1e-9  # two p-values nearer than this (relative) are one: the tails are right to that much


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


def rule_p_values(n_xy: Counts, n_x: Counts, n_y: Counts, n: int) -> Floats:
    """P(at least so many baskets hold X and Y | n_x, n_y, independence): Fisher's exact test, one-sided, of each rule.

    p = P(K >= n_xy) for K hypergeometric(n, n_x, n_y). X -> Y and Y -> X have the same p. Every basket counts as fresh
    evidence; where customers are known and return, prefer `pair_p_values`. Arrays are aligned.
    Raises ValueError unless 0 <= n_xy <= min(n_x, n_y) and max(n_x, n_y) <= n.
    """
    xy, x, y = (np.asarray(counts, dtype=np.int64) for counts in (n_xy, n_x, n_y))
    return hypergeometric_upper_tail(xy, x, y, np.full(len(xy), n, dtype=np.int64))


def improvement_p_values(n_xy: Counts, n_x: Counts, part_y: Counts, part: Counts) -> Floats:
    """P(at least so many of the baskets with X hold Y | a part W of X, and Y independent of the rest of X among them).

    Whether the longer antecedent says more than its part: `part` baskets hold W, a proper subset of X, `part_y` of them Y too;
    p = P(K >= n_xy) for K hypergeometric(part, n_x, part_y). A rule is productive where this is small for every W one item
    shorter (Webb 2007): take the largest of those p. Arrays are aligned.
    Raises ValueError unless 0 <= n_xy <= min(n_x, part_y) and max(n_x, part_y) <= part.
    """
    return hypergeometric_upper_tail(*(np.asarray(counts, dtype=np.int64) for counts in (n_xy, n_x, part_y, part)))


def least_p_values(n_x: Counts, n_y: Counts, n: int) -> Floats:
    """The least p that `rule_p_values` could give under these margins: that of n_xy = min(n_x, n_y)."""
    return rule_p_values(np.minimum(n_x, n_y), n_x, n_y, n)


def rules_within_reach(tree: ItemsetTree, max_antecedent: int = 0, max_consequent: int = 0) -> int:
    """Rules X -> Y that could have passed a floor on support, judged by the frequencies of X and of Y alone.

    Each frequent X of at most `max_antecedent` items (0: any) with each frequent Y of at most `max_consequent` items that
    shares none with it, in `tree`, which holds all frequent itemsets: X and Y joined need not be in it. Exact for consequents
    of one item; for longer ones, pairs that do share an item are counted too, which errs on the safe side.
    """
    lengths = tree.lengths[tree.members].astype(np.int64)
    longest = int(lengths.max(initial=0))
    left = lengths[lengths <= (max_antecedent or longest)]
    if max_consequent == 1:
        return int((int((lengths == 1).sum()) - left).sum())
    return len(left) * int((lengths <= (max_consequent or longest)).sum())


def rule_space(n_items: int, max_antecedent: int, max_consequent: int) -> int:
    """All rules with 1 to `max_antecedent` of `n_items` items on the left and 1 to `max_consequent` others on the right.

    sum over i, j of C(n, i) C(n - i, j) (Webb 2007). It is known before any basket is read, so that nothing can be held against
    it, and it costs power: 1,000 items with two on the left give 5e8 rules, and Holm then asks p < 1e-10.
    """
    return sum(
        comb(n_items, i) * comb(n_items - i, j) for i in range(1, max_antecedent + 1) for j in range(1, max_consequent + 1)
    )


def holm(p: Floats, tested: int) -> Floats:
    """Adjusted p: calling all with one <= a lets any false call happen in at most a share a of worlds, however they depend.

    max over j <= i of min(1, (tested - j + 1) p_(j)) (Holm 1979). Raises ValueError as `benjamini_hochberg` does.
    """
    p, order = _ordered(p, tested)
    return _restored(np.maximum.accumulate(p[order] * (float(tested) - np.arange(len(p)))), order)


def benjamini_yekutieli(p: Floats, tested: int) -> Floats:
    """The q of Benjamini and Hochberg times 1 + 1/2 + ... + 1/tested: the false discovery rate holds however the tests depend.

    Benjamini and Yekutieli 2001, theorem 1.3. Rules share items, and some are negatively dependent, so this is the q that is
    proved for them. Raises ValueError as `benjamini_hochberg` does.
    """
    from scipy.special import digamma

    return _stepped_up(p, tested, float(digamma(float(tested) + 1.0)) + float(np.euler_gamma))


def tarone(p: Floats, least: Floats) -> Floats:
    """Adjusted p of discrete tests: p times the number of hypotheses that could have reached it, at most 1.

    `least` holds the least attainable p of *every* hypothesis (`least_p_values`); one that cannot come down to p can do no
    harm at p, so K(p) = #{least <= p} takes the place of Bonferroni's number and p K(p) bounds the chance of any false call
    (Tarone 1990; for itemsets Terada et al. 2013). `least` may be longer than p, in any order. Raises ValueError where it is
    shorter, or a p lies outside [0, 1].
    """
    p, _ = _ordered(p, len(least))
    return np.minimum(1.0, p * np.searchsorted(np.sort(least), p * (1 + _SAME), side="right"))


def benjamini_hochberg(p: Floats, tested: int) -> Floats:
    """The q of each p: the false discovery rate at which it would be the last one called, among `tested` hypotheses.

    q_(i) = min over j >= i of min(1, p_(j) tested / j), with p_(1) <= p_(2) <= ... (Benjamini and Hochberg 1995). `tested`
    counts also the hypotheses whose p is not given (those that failed the support floor): they stand as p = 1, which can only
    raise q. It must not depend on the outcomes; a count from the margins alone does not.
    Raises ValueError where tested < len(p) or a p lies outside [0, 1].
    """
    return _stepped_up(p, tested, 1.0)


def _stepped_up(p: Floats, tested: int, factor: float) -> Floats:
    """The least of factor p_(j) tested / j over j >= i, at most 1."""
    p, order = _ordered(p, tested)
    ranks = np.arange(1, len(p) + 1)
    stepped = np.minimum.accumulate((p[order] * (factor * float(tested) / ranks))[::-1])[::-1]
    return _restored(stepped, order)


def _ordered(p: Floats, tested: int) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The p-values, found sound, and their order."""
    p = np.asarray(p, dtype=np.float64)
    if tested < len(p):
        raise ValueError(f"{len(p)} p-values cannot come from {tested} tests")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a p-value lies in [0, 1]")
    return p, np.argsort(p, kind="stable")


def _restored(adjusted: Floats, order: npt.NDArray[np.intp]) -> Floats:
    """What was computed in the order of p, at most 1, in the order given."""
    out = np.empty(len(adjusted))
    out[order] = np.minimum(adjusted, 1.0)
    return out
