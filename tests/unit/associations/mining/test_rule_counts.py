from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.rule_counts import RuleCounts, counted, itemset_keys, rule_keys
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError
from rule_worlds import RUN, OneItemRules, packed


def shop(rows, n_items=4):
    return Transactions(packed(rows, n_items), pl.Series([f"i{i}" for i in range(n_items)]))


def found(rows, min_count=1):
    return OneItemRules().fit(Itemsets(min_count).fit(shop(rows), RUN), RUN)


def test_rules_counted_elsewhere_by_hand():
    rules = found([[0, 1], [0, 1], [0], [2]], 2)
    assert len(rules.whole) == 2
    counts = counted(rules, packed([[0, 1, 3], [1], [1], [0], []], 4))
    forward = rules.itemsets.tree.item[rules.consequent] == 1
    assert (counts.n_xy.tolist(), counts.n) == ([1, 1], 5)
    assert counts.take(forward).n_x.tolist() == [2] and counts.take(forward).n_y.tolist() == [3]
    assert counts.take(forward).confidence[0] == 0.5 and counts.lift == pytest.approx([1 * 5 / (2 * 3)] * 2)
    rest = RuleCounts.mined(rules) - counts
    assert (rest.n, rest.n_xy.tolist()) == (-1, [1, 1])


def test_where_x_never_stands_nothing_is_known():
    counts = RuleCounts(*(np.array(x) for x in ([0, 0], [0, 3], [2, 0])), 9)
    assert np.isnan(counts.confidence).tolist() == [True, False] and np.isnan(counts.lift).all()


def test_floors_are_compared_as_whole_numbers():
    """4 of 5 is 0.8, 57 of 100 is 0.57, 7 of 10 is not 0.71."""
    counts = RuleCounts(*(np.array(x) for x in ([4, 57, 7, 1], [5, 100, 10, 1], [9, 99, 99, 1])), 1000)
    assert [counts.passing(1, share)[i] for i, share in enumerate((0.8, 0.57, 0.71))] == [True, True, False]
    assert counts.passing(5, 0.0).tolist() == [False, True, True, False]
    assert counts.passing(1, 1 / 3).all()


def test_keys_depend_on_the_sets_alone():
    rows = [[0, 1, 2], [0, 1, 2], [0, 2], [1, 3], [1, 3]]
    one, two = found(rows), found([row[::-1] for row in rows[:3]], 1)

    def by_name(rules):
        keys = rule_keys(rules).tolist()
        x, y = (rules.itemsets.named(nodes).to_list() for nodes in (rules.antecedent, rules.consequent))
        return {(frozenset(a), frozenset(b)): key for a, b, key in zip(x, y, keys, strict=True)}

    first, second = by_name(one), by_name(two)
    shared = first.keys() & second.keys()
    assert len(shared) == 9 and all(first[each] == second[each] for each in shared)
    assert len(set(first.values())) == len(first), "X -> Y and Y -> X differ"
    assert len(np.unique(itemset_keys(one.itemsets.tree, 4))) == len(one.itemsets.tree.parent)


def test_baskets_of_other_items_are_refused():
    with pytest.raises(DataError, match="of 4 items, the baskets of 5"):
        counted(found([[0, 1]]), packed([[0]], 5))
