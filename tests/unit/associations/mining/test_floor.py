from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.floor import itemsets_within_floor, within_floor
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.taxonomy import Taxonomy
from basketry.associations.mining.transactions import Transactions
from basketry.core.protocols import Run
from mining_worlds import baskets, subsets, supports, tree_of
from taxonomy_worlds import NAMES as LETTERS
from taxonomy_worlds import forests, generalized, line, parents

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


def is_above(above, one, other):
    """Whether whoever has all of `other` has all of `one`."""
    return one != other and one <= {up for name in other for up in line(above, name)}


@st.composite
def leveled_visits(draw):
    above = draw(forests(LETTERS[:6]))
    rows = draw(st.lists(st.frozensets(st.sampled_from(LETTERS[:6]), max_size=3), min_size=1, max_size=20))
    customers = sorted(draw(st.lists(st.integers(0, 6), min_size=len(rows), max_size=len(rows))))
    return above, rows, customers


@settings(max_examples=200, deadline=None)
@given(
    leveled_visits(),
    st.integers(1, 3),
    st.integers(1, 6),
    st.sampled_from([{}, {"max_length": 1}, {"min_length": 2}, {"k": 5}]),
)
def test_no_difference_to_a_more_general_itemset_tells_of_few(visited, least, floor, limits):
    """Twin: every pair of itemsets that are shown, one above the other, by any number of steps."""
    above, rows, customers = visited
    taxonomy = Taxonomy.from_parents(parents(above))
    plain = Transactions.from_lists(rows)
    own = BasketMatrix(
        plain.baskets.indptr, plain.baskets.items, np.array(customers, np.int32), plain.baskets.days, len(plain.names)
    )
    transactions, facts = taxonomy.extended(Transactions(own, plain.names))
    mined = Itemsets(least, **limits).fit(transactions, Run(), facts)
    shown = itemsets_within_floor(mined, transactions.baskets, floor, taxonomy=taxonomy)
    extended = [frozenset(up for name in row for up in line(above, name)) for row in rows]
    held = generalized(above, rows, least)
    bought = {each: buyers(extended, customers, each) for each in held}

    def tells(pair):
        return any(0 < count[pair[0]] - count[pair[1]] < floor for count in (held, bought))

    safe = {
        each
        for each in held
        if bought[each] >= floor
        and not any(
            tells((one, other))
            for other in (each, *(o for o in held if is_above(above, o, each)))
            for one in held
            if is_above(above, one, other)
        )
    }
    published = {frozenset(each) for each, is_shown in zip(mined.frame()["itemset"], shown, strict=True) if is_shown}
    if not limits:
        assert published == safe
        rules = Rules().fit(mined, Run())
        kept = within_floor(rules, transactions.baskets, floor, taxonomy=taxonomy)
        sides = rules.frame().select("antecedent", "consequent").rows()
        assert [frozenset(x) | frozenset(y) in safe for x, y in sides] == kept.tolist()
    for other in published:
        assert bought[other] >= floor
        assert not any(tells((one, other)) for one in published if is_above(above, one, other))


def test_those_who_buy_dairy_but_no_milk_are_a_group():
    """25 customers buy milk, 30 buy dairy: the difference tells of 5, so milk is held back with all that has it."""
    taxonomy = Taxonomy.from_parents(parents({"milk": "dairy", "cheese": "dairy", "bread": None, "dairy": None}))
    plain = Transactions.from_lists([["milk", "bread"]] * 25 + [["cheese", "bread"]] * 5 + [["bread"]] * 20)
    transactions, facts = taxonomy.extended(plain)
    mined = Itemsets(20).fit(transactions, Run(), facts)
    shown = itemsets_within_floor(mined, transactions.baskets, 20, taxonomy=taxonomy)
    told = {tuple(sorted(each)) for each, is_shown in zip(mined.frame()["itemset"], shown, strict=True) if is_shown}
    assert len(mined) == 5 and told == {("bread",), ("dairy",), ("bread", "dairy")}
    rules = Rules().fit(mined, Run())
    assert within_floor(rules, transactions.baskets, 20).all()
    kept = rules.take(within_floor(rules, transactions.baskets, 20, taxonomy=taxonomy)).frame()
    assert set(kept["antecedent"].list.first()) == {"bread", "dairy"} and len(kept) == 2


def test_a_level_that_is_left_out_hides_nothing_above_it():
    """As before, but milk is drinks below dairy, and drinks are not mined."""
    taxonomy = Taxonomy.from_parents(parents({"milk": "drinks", "drinks": "dairy", "cheese": "dairy", "dairy": None}))
    transactions, facts = taxonomy.extended(Transactions.from_lists([["milk"]] * 25 + [["cheese"]] * 5))
    mined = Itemsets(20, must_not_contain=("drinks",)).fit(transactions, Run(), facts)
    shown = itemsets_within_floor(mined, transactions.baskets, 20, taxonomy=taxonomy)
    assert dict(zip(mined.frame()["itemset"].list.first(), shown.tolist(), strict=True)) == {"dairy": True, "milk": False}
