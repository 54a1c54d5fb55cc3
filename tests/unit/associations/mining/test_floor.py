from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.floor import within_floor
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rules import Rules
from basketry.core.protocols import Run
from mining_worlds import baskets, subsets, supports, tree_of

NAMES = pl.Series("item", list("abcdef"))


def matrix(rows, customers):
    order = np.argsort(customers, kind="stable")
    rows, who = [rows[i] for i in order], np.array(customers, dtype=np.int32)[order]
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    items = np.array([item for row in rows for item in sorted(row)], dtype=np.int32)
    return BasketMatrix(indptr, items, who, np.zeros_like(who), 6)


def buyers(rows, customers, items):
    return len({who for row, who in zip(rows, customers, strict=True) if items <= row})


@st.composite
def visits(draw):
    rows = draw(baskets(5, 30))
    return rows, draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))


@settings(deadline=None)
@given(visits(), st.integers(0, 99), st.integers(1, 6))
def test_no_count_and_no_difference_tells_of_few(visited, seed, floor):
    rows, customers = visited
    held = supports(rows)
    tree, names = tree_of(held, seed)
    rules = Rules().fit(MinedItemsets(tree, NAMES, len(rows), 1), Run())
    shown = within_floor(rules, matrix(rows, customers), floor)
    for whole in {names[node] for node in rules.whole}:
        parts = [part for part in subsets(whole) if part]
        apart = [
            count(small) - count(large)
            for small, large in combinations(parts, 2)
            if small < large
            for count in (held.__getitem__, lambda each: buyers(rows, customers, each))
        ]
        safe = buyers(rows, customers, whole) >= floor and not any(0 < gap < floor for gap in apart)
        here = [shown[i] for i, node in enumerate(rules.whole) if names[node] == whole]
        assert here == [safe] * len(here)


@pytest.mark.parametrize(("alone", "shown"), [(0, True), (1, False), (19, False), (20, True)])
def test_twenty_buy_both_and_some_only_the_one(alone, shown):
    rows = [frozenset({0, 1})] * 20 + [frozenset({0})] * alone + [frozenset({2})] * 30
    tree, _ = tree_of(supports(rows))
    rules = Rules().fit(MinedItemsets(tree, NAMES, len(rows), 1), Run())
    assert within_floor(rules, matrix(rows, list(range(len(rows)))), 20).tolist() == [shown, shown]


def test_a_household_that_comes_every_week_is_one_customer():
    rows = [frozenset({0, 1})] * 60
    tree, _ = tree_of(supports(rows))
    rules = Rules().fit(MinedItemsets(tree, NAMES, 60, 1), Run())
    assert not within_floor(rules, matrix(rows, [each // 20 for each in range(60)]), 20).any()
    assert within_floor(rules, matrix(rows, [each // 3 for each in range(60)]), 20).all()
    assert len(within_floor(rules.head(0), matrix(rows, [0] * 60), 20)) == 0
