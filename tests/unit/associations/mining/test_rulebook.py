"""What a release says of itemsets and rules: true, tested over customers, and telling of no small group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour import BoughtTogether
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rulebook import RuleBook
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.core.tables import Rules as Contract
from basketry.store.arrays import read_arrays, write_arrays

RUN = Run(threads=1)
LOOSE = RuleBook(min_customers=1, min_support=1, min_confidence=0.0, alpha=1.0)


def visits(rows, customers, names="abcdef"):
    """Baskets (sets of letters) and whose they are, in the order of customers."""
    order = np.argsort(customers, kind="stable")
    code = {name: at for at, name in enumerate(names)}
    indptr = np.cumsum([0, *(len(rows[at]) for at in order)], dtype=np.int64)
    items = np.array([code[item] for at in order for item in sorted(rows[at])], dtype=np.int32)
    who = np.array(customers, dtype=np.int32)[order]
    return Transactions(BasketMatrix(indptr, items, who, np.zeros_like(who), len(names)), pl.Series("item", list(names)))


def published(found):
    """The itemsets of a release with their supports."""
    frame = found.itemsets.frame()
    return {frozenset(items): baskets for items, baskets in frame.select("itemset", "baskets").iter_rows()}


@st.composite
def shops(draw):
    rows = draw(st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), min_size=5, max_size=50))
    return rows, draw(st.lists(st.integers(0, 12), min_size=len(rows), max_size=len(rows)))


@settings(deadline=None, max_examples=200)
@given(shops(), st.integers(1, 5))
def test_no_release_lets_a_small_group_be_worked_out(shop, floor):
    """An adversary with all published counts: every cell of every table of published items that they can fill."""
    rows, customers = shop
    found = replace(LOOSE, min_customers=floor).fit(visits(rows, customers), RUN)
    known = published(found) | {frozenset(): len(rows)}
    for whole in known:
        cells = Counter(frozenset(whole & row) for row in rows)
        for held, baskets in cells.items():
            told = sum(
                (-1) ** (size - len(held)) * known[held | frozenset(more)]
                for size in range(len(held), len(whole) + 1)
                for more in combinations(sorted(whole - held), size - len(held))
            )
            assert told == baskets and not 0 < told < floor
        if whole:
            assert len({who for row, who in zip(rows, customers, strict=True) if whole <= row}) >= floor
    assert all(frozenset(row["antecedent"] + row["consequent"]) in known for row in found.rules.iter_rows(named=True))


@settings(deadline=None)
@given(shops())
def test_figures_are_those_of_the_baskets_and_every_rule_is_worth_its_place(shop):
    rows, customers = shop
    found = LOOSE.fit(visits(rows, customers), RUN)
    assert published(found) == {
        frozenset(items): count
        for size in range(1, 5)
        for items in combinations("abcdef", size)
        if (count := sum(set(items) <= row for row in rows))
    }
    for rule in Contract.validate(found.rules).iter_rows(named=True):
        x, y = frozenset(rule["antecedent"]), frozenset(rule["consequent"])
        n_xy, n_x, n_y = (sum(part <= row for row in rows) for part in (x | y, x, y))
        assert (rule["baskets"], rule["antecedent_baskets"], rule["consequent_baskets"]) == (n_xy, n_x, n_y)
        assert rule["customers"] == len({who for row, who in zip(rows, customers, strict=True) if x | y <= row})
        assert rule["lift"] == pytest.approx(n_xy * len(rows) / n_x / n_y) and rule["lift"] > 1
        assert sum(rule["contribution"]) == pytest.approx(np.log(rule["lift"]), abs=1e-9)
        assert rule["improvement"] > 0 and len(y) == 1
        for size in range(len(x)):
            for part in map(frozenset, combinations(sorted(x), size)):
                assert n_xy * sum(part <= row for row in rows) > n_x * sum(part | y <= row for row in rows)


def test_cells_of_three_products_are_looked_at_too():
    """Two baskets hold a without b and without c: no two counts differ by so few, but four together tell of them."""
    rows = [frozenset("abc")] * 30 + [frozenset("ab")] * 30 + [frozenset("ac")] * 30 + [frozenset("a")] * 2
    rows += [frozenset("bc")] * 30 + [frozenset("b")] * 30 + [frozenset("c")] * 30 + [frozenset("d")] * 30
    told = published(RuleBook(min_customers=20, min_support=1).fit(visits(rows, [*range(len(rows))]), RUN))
    assert frozenset("ab") in told and frozenset("ac") in told and frozenset("abc") not in told
    more = rows + [frozenset("a")] * 18
    told = published(RuleBook(min_customers=20, min_support=1).fit(visits(more, [*range(len(more))]), RUN))
    assert told[frozenset("abc")] == 30


def household(weeks):
    """Twenty-five customers who buy a with b once, and one who does so every week; c stands by itself."""
    rows = [frozenset("ab")] * 25 + [frozenset("ef")] * weeks + [frozenset("c")] * 600 + [frozenset("d")] * 600
    return rows, [*range(25), *([2000] * weeks), *range(25, 1225)]


def test_one_household_makes_no_rule_however_often_it_comes():
    found = RuleBook(min_support=1).fit(visits(*household(300)), RUN)
    assert {(*row[0], *row[1]) for row in found.rules.select("antecedent", "consequent").iter_rows()} == {
        ("a", "b"),
        ("b", "a"),
    }
    assert found.rules["customers"].to_list() == [25, 25]


def test_a_rule_of_two_products_has_the_figures_of_their_edge():
    random = np.random.default_rng(3)
    rows = [frozenset(np.array(list("abcdef"))[random.random(6) < 0.3].tolist()) or frozenset("c") for _ in range(900)]
    rows += [frozenset("ab")] * 300
    taken = visits(rows, random.integers(0, 400, len(rows)).tolist())
    limits = BoughtTogether(min_customers=5, max_baskets_per_customer=4, max_basket_size=4)
    edges = limits.fit(taken.baskets, RUN)
    kept = Transactions(limits.kept(taken.baskets), taken.names)
    assert len(kept) < len(taken)
    found = RuleBook(min_customers=5, min_support=5).fit(kept, RUN)
    rules = {
        (*x, *y): row for x, y, *row in found.rules.select("antecedent", "consequent", "baskets", "customers", "p").iter_rows()
    }
    row = int(edges.lookup(np.array([0], dtype=np.int32), np.array([1], dtype=np.int32))[0])
    edge = [int(edges.baskets[row]), int(edges.customers[row]), pytest.approx(edges.p[row], rel=1e-9)]
    assert rules["a", "b"] == edge == rules["b", "a"]


def test_many_itemsets_raise_the_support_and_many_rules_lose_the_least_sure():
    random = np.random.default_rng(1)
    rows = [frozenset(np.array(list("abcdef"))[random.random(6) < 0.5].tolist()) or frozenset("a") for _ in range(500)]
    taken = visits(rows + [frozenset("ab")] * 100 + [frozenset("cd")] * 60, [*range(660)])
    every = LOOSE.fit(taken, RUN)
    few = RuleBook(min_customers=1, min_support=1, min_confidence=0.0, alpha=1.0, max_itemsets=20, max_rules=3).fit(taken, RUN)
    assert len(few.itemsets) < 20 < len(every.itemsets) and few.itemsets.min_count > 1
    assert published(few) == {items: n for items, n in published(every).items() if n >= few.itemsets.min_count}
    assert len(few.rules) == 3 and few.over_cap > 0 and few.rules["p"].is_sorted()
    assert every.over_cap == 0 and every.rules["p"].is_sorted()


def test_state_is_read_back_with_the_names_of_its_own_products_alone(tmp_path):
    found = RuleBook(min_customers=2, min_support=2).fit(
        visits([frozenset("bd")] * 3 + [frozenset("f"), frozenset("e")], [1, 2, 3, 4, 5]), RUN
    )
    assert found.itemsets.names.to_list() == ["b", "d"]
    write_arrays(tmp_path / "i.safetensors", found.itemsets.state())
    back = MinedItemsets.from_state(read_arrays(tmp_path / "i.safetensors"))
    assert back.frame().equals(found.itemsets.frame()) and (back.n_baskets, back.min_count) == (5, 2)


@pytest.mark.parametrize("rows", [[], [frozenset("ab")], [frozenset("ab")] * 19])
def test_too_few_baskets_make_an_empty_book(rows, tmp_path):
    found = RuleBook().fit(visits(rows, [*range(len(rows))]), RUN)
    assert len(found.itemsets) == len(found.rules) == 0 and Contract.validate(found.rules).is_empty()
    write_arrays(tmp_path / "i.safetensors", found.itemsets.state())
    assert len(MinedItemsets.from_state(read_arrays(tmp_path / "i.safetensors"))) == 0


@pytest.mark.parametrize(
    "wrong", [{"min_customers": 0}, {"max_length": 1}, {"max_length": 9}, {"alpha": 0.0}, {"max_rules": 0}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(RequestError):
        RuleBook(**wrong)


def test_threads_change_nothing():
    random = np.random.default_rng(2)
    rows = [frozenset(np.array(list("abcdef"))[random.random(6) < 0.4].tolist()) or frozenset("a") for _ in range(500)]
    taken = visits(rows, random.integers(0, 90, 500).tolist())
    one, two = (RuleBook(min_customers=3, alpha=1.0).fit(taken, Run(threads=threads)) for threads in (1, 2))
    assert one.rules.equals(two.rules) and len(one.rules)
    assert all(np.array_equal(value, two.itemsets.state()[name]) for name, value in one.itemsets.state().items())
