from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.redundancy import closures, improvement_p, remove_redundant
from basketry.associations.mining.rules import Rules
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.kernels.trees import ItemsetTree
from mining_worlds import baskets, subsets, supports, tree_of

NAMES = pl.Series("item", list("abcdef"))


def mined(rows, min_count=1, seed=0):
    tree, itemsets = tree_of(supports(rows, min_count), seed)
    return MinedItemsets(tree, NAMES, len(rows), min_count), itemsets


def told(rules, names):
    return {(names[x], names[y]) for x, y in zip(rules.antecedent, rules.consequent, strict=True)}


def confidence(held, x, y):
    return Fraction(held[x | y], held[x])


def tail(k, good, drawn, population):
    ways = sum(comb(good, j) * comb(population - good, drawn - j) for j in range(k, min(good, drawn) + 1))
    return Fraction(ways, comb(population, drawn))


@settings(deadline=None)
@given(baskets(5), st.integers(1, 2), st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.2, 0.25, 1 / 3, 0.5]))
def test_improvement_keeps_what_beats_every_more_general_rule(rows, min_count, seed, least):
    itemsets, names = mined(rows, min_count, seed)
    held = supports(rows) | {frozenset(): len(rows)}
    rules = Rules().fit(itemsets, Run())
    wanted = set()
    for x, y in told(rules, names):
        gain = confidence(held, x, y) - max(confidence(held, part, y) for part in subsets(x)[:-1])
        if gain > 0 and gain >= Fraction(repr(least)):
            wanted.add((x, y))
    assert told(remove_redundant(rules, "improvement", min_improvement=least), names) == wanted


def test_an_improvement_that_ties_with_the_least_is_kept():
    """Of 6 baskets 5 hold a, 3 of them b too: a => b gains 3/5 - 3/6 = 0.1, a little less in floating point; b => a 1/6."""
    rows = [frozenset(each) for each in ([0, 1], [0, 1], [0, 1], [0], [0], [])]
    rules = Rules().fit(mined(rows)[0], Run())
    assert rules.measure("improvement").min() < 0.1
    for least, kept in ((0.1, 2), (0.1000000000000001, 1), (0.17, 0)):
        assert len(remove_redundant(rules, min_improvement=least)) == kept


@settings(deadline=None)
@given(baskets(5), st.integers(1, 3), st.integers(0, 99))
def test_closures(rows, min_count, seed):
    itemsets, names = mined(rows, min_count, seed)
    held = supports(rows) | {frozenset(): len(rows)}
    generator, closed = closures(Rules().fit(itemsets, Run()))
    for i, name in enumerate(names):
        assert generator[i] == all(held[part] > held[name] for part in subsets(name)[:-1])
        assert closed[i] == all(held[other] < held[name] for other in held if other > name)


@settings(deadline=None)
@given(baskets(5), st.integers(1, 2), st.integers(0, 99))
def test_closed_loses_nothing(rows, min_count, seed):
    """Every rule has the counts of a kept one with no more in the antecedent and no less in all; a kept one, only its own."""
    itemsets, names = mined(rows, min_count, seed)
    held = supports(rows)
    rules = Rules().fit(itemsets, Run())
    kept = told(remove_redundant(rules, "closed"), names)
    everywhere = {frozenset()} | {each for each, count in held.items() if count == len(rows)}
    for x, y in told(rules, names):
        if x in everywhere:
            continue  # the generator of what every basket holds is the empty itemset, the antecedent of no rule
        alike = {(p, q) for p, q in kept if p <= x and p | q >= x | y and held[p] == held[x] and held[p | q] == held[x | y]}
        assert alike
        assert (x, y) not in kept or alike == {(x, y)}


@settings(deadline=None)
@given(baskets(5), st.integers(0, 99), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_statistical_keeps_the_productive(rows, seed, alpha):
    itemsets, names = mined(rows, 1, seed)
    held = supports(rows) | {frozenset(): len(rows)}
    rules = Rules().fit(itemsets, Run())
    p = improvement_p(rules)
    for i, nodes in enumerate(zip(rules.antecedent, rules.consequent, strict=True)):
        x, y = (names[node] for node in nodes)
        exact = max(tail(held[x | y], held[(x - {item}) | y], held[x], held[x - {item}]) for item in x)
        assert p[i] == pytest.approx(float(exact), rel=1e-9)
    assert len(remove_redundant(rules, "statistical", alpha=alpha)) == (p <= alpha).sum()


def test_a_planted_pair_is_productive_and_a_passenger_is_not():
    """b follows a; c comes by itself in half of all baskets, so a, c => b is no more than a => b."""
    random = np.random.default_rng(1)
    rows = []
    for _ in range(2000):
        a = random.random() < 0.3
        b = random.random() < (0.6 if a else 0.1)
        rows.append(frozenset([0] * a + [1] * b + [2] * (random.random() < 0.5)))
    itemsets, names = mined(rows)
    kept = told(remove_redundant(Rules(max_consequent=1).fit(itemsets, Run()), "statistical", alpha=0.01), names)
    assert kept == {(frozenset({0}), frozenset({1})), (frozenset({1}), frozenset({0}))}


def test_what_is_not_known_is_refused():
    rules = Rules().fit(mined([frozenset({0, 1})])[0], Run())
    for arguments, words in (
        ({"by": "magic"}, "redundancy 'magic' is not known"),
        ({"min_improvement": 2.0}, "min_improvement is 2.0"),
        ({"alpha": -1.0}, "alpha is -1.0"),
    ):
        with pytest.raises(RequestError, match=words):
            remove_redundant(rules, **arguments)


def test_order_is_kept_and_so_is_nothing():
    rows = [frozenset({0, 1}), frozenset({0, 1, 2}), frozenset({2}), frozenset({1}), frozenset()]
    rules = Rules().fit(mined(rows)[0], Run()).sort_by("lift")
    for by in ("improvement", "closed", "statistical"):
        kept = remove_redundant(rules, by, alpha=0.5)
        assert (np.diff(kept.measure("lift")) <= 0).all()
        assert len(remove_redundant(rules.head(0), by)) == 0


def test_a_tree_with_gaps_is_refused():
    closed = ItemsetTree(*(np.array(x, dtype=np.int32) for x in ([-1, -1, 0], [0, 1, 1], [5, 4, 3])))
    rules = Rules().fit(MinedItemsets(closed, NAMES, 9, 1), Run())
    gap = ItemsetTree(closed.parent, closed.item, np.array([0, 4, 3], dtype=np.int32))
    broken = type(rules)(MinedItemsets(gap, NAMES, 9, 1), rules.antecedent, rules.consequent, rules.whole)
    for by in ("closed", "statistical"):
        with pytest.raises(RequestError, match="without all of its subsets"):
            remove_redundant(broken, by)
