from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels import rules as kernel
from basketry.kernels.lattice import Lattice
from basketry.kernels.rules import Sizes, best_general_rules, least_fraction, split_itemsets
from basketry.kernels.trees import ItemsetTree
from mining_worlds import baskets, subsets, supports, tree_of

confidences = st.one_of(
    st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 2), Fraction(2, 3)]),
    st.fractions(0, 1, max_denominator=30),
    st.floats(0, 1).map(lambda c: Fraction(repr(c))),
)
sizes = st.builds(Sizes, st.integers(0, 4), st.integers(0, 4))


def brute(counted, min_confidence, limits):
    """Every rule, by trying every split of every itemset, in fractions."""
    return {
        (x, whole - x, whole)
        for whole, count in counted.items()
        for x in subsets(whole)[1:-1]
        if len(x) <= (limits.antecedent or 99) and len(whole - x) <= (limits.consequent or 99)
        if Fraction(count, counted[x]) >= min_confidence
    }


def told(splits, names):
    found = [tuple(names[i] for i in rule) for rule in zip(splits.antecedent, splits.consequent, splits.whole, strict=True)]
    assert len(found) == len(set(found)), "no rule stands twice"
    return set(found)


def of_items(count, support=3):
    """The tree of all subsets of so many items, each with the same support."""
    counted = dict.fromkeys([each for each in subsets(range(count)) if each], support)
    return Lattice.of(tree_of(counted)[0])


@settings(deadline=None)
@given(baskets(), st.integers(1, 3), st.integers(0, 99), confidences, sizes)
def test_equals_brute_force(rows, min_count, seed, min_confidence, limits):
    counted = supports(rows, min_count)
    mined, names = tree_of(counted, seed)
    splits = split_itemsets(Lattice.of(mined), min_confidence=min_confidence, sizes=limits)
    assert told(splits, names) == brute(counted, min_confidence, limits)
    assert splits.tried == len(brute(counted, Fraction(0), limits))


@settings(deadline=None)
@given(baskets(), st.integers(0, 99), confidences, sizes)
def test_both_ways_to_split_agree(rows, seed, min_confidence, limits):
    mined, names = tree_of(supports(rows), seed)
    found = []
    for small in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "_few_splits", lambda *_, small=small: small)
            patch.setattr(kernel, "_BUDGET", 3)  # nearly every itemset in a call of its own
            found.append(told(split_itemsets(Lattice.of(mined), min_confidence=min_confidence, sizes=limits), names))
    assert found[0] == found[1]


@pytest.mark.parametrize(("count", "whole"), [(6, 3), (7, 7), (10, 1), (10, 7), (9, 3), (2**31 - 1, 2**31 - 2)])
def test_a_tie_with_the_least_confidence_is_kept(count, whole):
    tree = ItemsetTree(*(np.array(x, dtype=np.int32) for x in ([-1, -1, 0], [0, 1, 1], [count, count, whole])))
    exactly, little = Fraction(whole, count), Fraction(1, 10**25)
    for bound, kept in ((exactly, 2), (exactly + little, 0), (exactly - little, 2)):
        if bound <= 1:
            assert len(split_itemsets(Lattice.of(tree), min_confidence=bound).whole) == kept


@settings(deadline=None)
@given(st.fractions(0, 1, max_denominator=10**20), st.integers(1, 200))
def test_the_least_fraction_is_the_least(bound, most):
    best = min(Fraction(ceil(bound * q), q) for q in range(1, most + 1))
    assert least_fraction(bound, most) == best


@settings(deadline=None)
@given(baskets(5, 16), st.integers(0, 99))
def test_the_best_more_general_rule(rows, seed):
    counted = supports(rows)
    mined, names = tree_of(counted, seed)
    lattice = Lattice.of(mined)
    splits = split_itemsets(lattice)
    all_of_them = counted | {frozenset(): len(rows)}
    best_xy, best_x = best_general_rules(lattice, splits, len(rows))
    for i, (x, y) in enumerate(zip(splits.antecedent, splits.consequent, strict=True)):
        general = [Fraction(all_of_them[part | names[y]], all_of_them[part]) for part in subsets(names[x])[:-1]]
        assert Fraction(int(best_xy[i]), int(best_x[i])) == max(general)


def test_the_cap_is_exact():
    lattice = of_items(5)  # 180 rules: 3^5 - 2 2^5 + 1
    assert len(split_itemsets(lattice, max_rules=180).whole) == 180
    with pytest.raises(RequestError, match="there are 180 rules, and 179 are allowed"):
        split_itemsets(lattice, max_rules=179)
    half = Fraction(1, 2)
    assert len(split_itemsets(lattice, min_confidence=half, max_rules=180).whole) == 180
    for limits in (Sizes(), Sizes(4, 4), Sizes(4, 1)):
        total = len(split_itemsets(lattice, min_confidence=half, sizes=limits).whole)
        assert len(split_itemsets(lattice, min_confidence=half, sizes=limits, max_rules=total).whole) == total
        with pytest.raises(RequestError, match=f"there are more than {total - 1} rules"):
            split_itemsets(lattice, min_confidence=half, sizes=limits, max_rules=total - 1)


def test_long_itemsets_are_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(kernel, "_LONGEST", 6)
    lattice = of_items(7)
    with pytest.raises(RequestError, match="an itemset of 7 items alone can be split in 126 ways") as caught:
        split_itemsets(lattice, min_confidence=Fraction(1, 2))
    assert "max_consequent" in caught.value.hint
    assert len(split_itemsets(lattice, sizes=Sizes(consequent=1)).whole) == 7 * 2**6 - 7
    with pytest.raises(RequestError, match="antecedent of 7 items"):
        monkeypatch.setattr(kernel, "_LONGEST", 5)
        deep = int(np.argmax(lattice.depth))
        alone = np.array([deep], dtype=np.int32)
        best_general_rules(lattice, kernel.Splits(alone, alone, alone, 1), 9)


@pytest.mark.parametrize("limits", [Sizes(), Sizes(2, 2), Sizes(0, 1), Sizes(1, 0)])
def test_a_tree_without_all_subsets_is_refused(limits):
    closed = ItemsetTree(*(np.array(x, dtype=np.int32) for x in ([-1, 0, 1], [0, 1, 2], [0, 0, 5])))
    with pytest.raises(RequestError, match=r"codes \[0, 1, 2\] is here without all of its subsets"):
        split_itemsets(Lattice.of(closed), sizes=limits)


def test_limits_of_sizes_are_counted():
    assert Sizes().splits(5) == 30
    assert Sizes(0, 1).splits(5) == Sizes(1, 0).splits(5) == 5
    assert Sizes(2, 2).splits(5) == 0
    assert Sizes(2, 3).splits(5) == 10
    assert Sizes().splits(1) == Sizes().splits(0) == 0


@pytest.mark.parametrize("bad", [{"min_confidence": Fraction(2)}, {"max_rules": -1}, {"sizes": Sizes(-1, 0)}])
def test_impossible_limits_are_refused(bad):
    with pytest.raises(ValueError, match="no such limits"):
        split_itemsets(of_items(2), **bad)


def test_nothing_to_split():
    empty = ItemsetTree(*(np.empty(0, dtype=np.int32) for _ in range(3)))
    assert len(split_itemsets(Lattice.of(empty)).whole) == 0
    assert len(split_itemsets(of_items(1)).whole) == 0
