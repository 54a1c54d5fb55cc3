"""Ten baskets whose every measure is counted by hand, as exact fractions."""

from __future__ import annotations

from fractions import Fraction as F
from math import comb, inf, sqrt

import numpy as np
import pytest

from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour import BoughtNext, BoughtTogether
from basketry.associations.measures import measures
from basketry.core.protocols import Run

BREAD, BUTTER, JAM, TEA = range(4)
BASKETS = (
    (BREAD, BUTTER),
    (BREAD, BUTTER),
    (BREAD, BUTTER, JAM),
    (BREAD, BUTTER, JAM, TEA),
    (BREAD, JAM),
    (BREAD,),
    (BREAD, TEA),
    (JAM, TEA),
    (TEA,),
    (BUTTER, TEA),
)
# n = 10; bread 7, butter 5, jam 4, tea 5.
# Together: bread+butter 4, bread+jam 3, bread+tea 2, butter+jam 2, butter+tea 2, jam+tea 2.
# sizes 2 2 3 4 2 1 2 2 1 2. Of the six baskets of two (12 places to meet): bread 4, butter 3, jam 2, tea 3. The one of three
# (6 places) holds bread, butter and jam, 2 each; the one of four (12 places) all, 3 each.

BREAD_BUTTER = {
    "support": F(4, 10),
    "confidence": F(4, 7),
    "confidence_back": F(4, 5),
    "lift": F(4, 10) / (F(7, 10) * F(5, 10)),
    "leverage": F(4, 10) - F(35, 100),
    "conviction": (1 - F(5, 10)) / (1 - F(4, 7)),
    "zhang": F(5, 100) / F(12, 100),  # max(.4 * .3, .7 * .1)
    "cosine": 4 / sqrt(35),
    "jaccard": F(4, 8),
    "kulczynski": (F(4, 7) + F(4, 5)) / 2,
    "imbalance": F(2, 8),
    "joint_ratio": F(4, 12),
}
BREAD_TEA = {
    "support": F(2, 10),
    "confidence": F(2, 7),
    "confidence_back": F(2, 5),
    "lift": F(20, 35),
    "leverage": F(20 - 35, 100),
    "conviction": F(1, 2) / F(5, 7),
    "zhang": F(-15, 100) / F(21, 100),  # max(.2 * .3, .7 * .3)
    "cosine": 2 / sqrt(35),
    "jaccard": F(2, 10),
    "kulczynski": (F(2, 7) + F(2, 5)) / 2,
    "imbalance": F(2, 10),
    "joint_ratio": F(2, 12),
}
# What only a perfect pair shows: jam as if it stood in butter's baskets 1 to 4 and nowhere else.
JAM_WITHIN_BUTTER = {
    "support": F(4, 10),
    "confidence": F(1),
    "confidence_back": F(4, 5),
    "lift": F(2),
    "leverage": F(2, 10),
    "conviction": inf,
    "zhang": F(20, 24),  # .2 / max(.4 * .6, .4 * .1)
    "cosine": 4 / sqrt(20),
    "jaccard": F(4, 5),
    "kulczynski": F(9, 10),
    "imbalance": F(1, 5),
    "joint_ratio": F(4, 9),
}


def matrix(customers, days=range(10)):
    indptr = np.cumsum([0, *map(len, BASKETS)])
    items = np.array([item for basket in BASKETS for item in basket], dtype=np.int32)
    return BasketMatrix(indptr, items, np.array(customers, dtype=np.int32), np.array(days, dtype=np.int32), 4)


@pytest.fixture(scope="module")
def together():
    return BoughtTogether(min_customers=1).fit(matrix(range(10)), Run())


@pytest.mark.parametrize(
    ("counts", "truth"), [((4, 7, 5), BREAD_BUTTER), ((2, 7, 5), BREAD_TEA), ((4, 4, 5), JAM_WITHIN_BUTTER)]
)
def test_measures(counts, truth):
    found = measures(*(np.array([count]) for count in counts), 10)
    assert found.keys() == truth.keys()
    for name, value in truth.items():
        assert found[name][0] == pytest.approx(float(value), rel=1e-12, abs=1e-12), name


@pytest.mark.parametrize(("other", "truth"), [(BUTTER, BREAD_BUTTER), (TEA, BREAD_TEA)])
def test_edges(together, other, truth):
    row = together.lookup(np.array([other]), np.array([BREAD]))[0]
    assert (together.a[row], together.b[row]) == (BREAD, other)
    for name, value in truth.items():
        assert getattr(together, name)[row] == pytest.approx(float(value), rel=1e-12, abs=1e-12), name


def test_every_pair_is_counted_once(together):
    found = dict(zip(zip(together.a.tolist(), together.b.tolist(), strict=True), together.baskets.tolist(), strict=True))
    assert found == {(0, 1): 4, (0, 2): 3, (0, 3): 2, (1, 2): 2, (1, 3): 2, (2, 3): 2}
    assert together.customers.tolist() == together.baskets.tolist()
    assert together.baskets_of.tolist() == together.customers_of.tolist() == [7, 5, 4, 5]
    assert (together.n_baskets, together.n_tested) == (10, 6)


def test_adjusted_lift(together):
    expected = 4 * 3 / sqrt((12 - 4) * (12 - 3)) + 2 * 2 / (6 - 2) + 3 * 3 / (12 - 3)
    row = together.lookup(np.array([BREAD]), np.array([BUTTER]))
    assert together.expected(np.array([BREAD]), np.array([BUTTER]))[0] == pytest.approx(expected, rel=1e-12)
    assert together.adjusted_lift[row][0] == pytest.approx(4 / expected, rel=1e-12)
    # Garwood's interval of a count of 4 is (1.0899, 10.2416), as any table of it says.
    assert together.adjusted_low[row][0] == pytest.approx(1.0899 / expected, rel=1e-4)
    assert together.adjusted_high[row][0] == pytest.approx(10.2416 / expected, rel=1e-4)


def test_exact_p_and_q(together):
    """P(X >= k): k of the 5 (or 4) baskets with the one among the 7 (5, 4) with the other, of 10."""

    def tail(k, good, drawn):
        return F(sum(comb(good, j) * comb(10 - good, drawn - j) for j in range(k, min(good, drawn) + 1)), comb(10, drawn))

    truth = [tail(4, 7, 5), tail(3, 7, 4), tail(2, 7, 5), tail(2, 5, 4), tail(2, 5, 5), tail(2, 4, 5)]
    assert together.p == pytest.approx([float(p) for p in truth], rel=1e-12)
    assert truth[0] == F(1, 2)
    ordered = sorted(truth)
    q = [min(min(1, ordered[j] * F(6, j + 1)) for j in range(6) if ordered[j] >= p) for p in truth]
    assert together.q == pytest.approx([float(value) for value in q], rel=1e-12)


def test_stability(together):
    """Baskets 0 to 4 against 5 to 9: bread and butter meet in the first half alone, bread and tea once in each."""
    rows = together.lookup(np.array([BREAD, BREAD]), np.array([BUTTER, TEA]))
    early = 1 / 1  # tea is in the basket of four alone, where all must meet
    late = 1 / (1 * 3 / sqrt((6 - 1) * (6 - 3)))  # three baskets of two: bread in one, tea in all
    assert together.stability[rows] == pytest.approx([0, min(early, late) / max(early, late)], rel=1e-12)


def test_bought_next():
    """One customer with baskets 0 to 4, one with 5 to 9: eight steps from an order to the next."""
    edges = BoughtNext(min_customers=1).fit(matrix([0] * 5 + [1] * 5), Run())
    assert edges.n_baskets == 12  # and the steps to each customer's first order, and from the last
    row = edges.lookup(np.array([BREAD, TEA]), np.array([JAM, BREAD]))
    # bread then jam: 1>2, 2>3, 3>4, 6>7; by both customers. Bread is in seven orders, jam in four.
    assert (edges.baskets[row[0]], edges.customers[row[0]]) == (4, 2)
    assert edges.confidence[row[0]] == pytest.approx(4 / 7, rel=1e-12)
    assert edges.confidence_back[row[0]] == pytest.approx(1, rel=1e-12)
    assert edges.lift[row[0]] == pytest.approx(float(F(4, 12) / (F(7, 12) * F(4, 12))), rel=1e-12)
    # tea then bread: 3>4 alone. Sizes: 2>2 2>3 3>4 4>2 | 1>2 2>2 2>1 1>2. Earlier tea: in 2 of 4 of size two, in the one of
    # four, in 1 of 2 of size one. Later bread: in 3 of 5 of size two, in those of three and of four, not in that of one.
    # 2>2 twice: 2 * 1/2 * 3/5; 2>3: 1/2 * 1; 4>2: 1 * 3/5; 1>2 twice: 2 * 1/2 * 3/5; the others 0.
    assert edges.baskets[row[1]] == 1
    assert edges.adjusted_lift[row[1]] == pytest.approx(1 / (0.6 + 0.5 + 0.6 + 0.6), rel=1e-12)
    assert edges.lookup(np.array([BREAD]), np.array([BREAD]))[0] == -1
