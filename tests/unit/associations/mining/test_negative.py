from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.negative import NegativePairs, expected_within
from basketry.associations.mining.negative_itemsets import NegativeItemsets, count_without
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from worlds import trips


def bought(rows):
    """Transactions of (customer, items), customers in order."""
    rows = sorted(rows, key=lambda row: row[0])
    plain = Transactions.from_lists([items for _, items in rows])
    customers = np.array([customer for customer, _ in rows], dtype=np.int32)
    baskets = plain.baskets
    return Transactions(BasketMatrix(baskets.indptr, baskets.items, customers, baskets.days, baskets.n_products), plain.names)


@pytest.fixture(scope="module")
def grocer():
    orders = itertools.groupby(trips(customers=400), key=lambda line: line[0])
    baskets = [list(lines) for _, lines in orders]
    return bought([(int(lines[0][1][1:]), [product for _, _, product, _ in lines]) for lines in baskets])


def test_the_two_milks_and_no_others(grocer):
    """The grocer's world has one planted pair of substitutes among 325 pairs."""
    frame = NegativePairs(0.01).fit(grocer, Run()).frame()
    assert frame.select("item", "other").rows() == [("milk1", "milk2")]
    row = frame.row(0, named=True)
    assert (row["baskets"], row["exclusive"], row["yule_q"], row["odds_ratio"]) == (0, 1.0, -1.0, 0.0)
    assert row["high"] < 0.1 and row["adjusted_high"] < 0.1 and row["within_high"] < 0.1
    assert row["within_q"] < 1e-9


def test_both_rules_of_the_pair(grocer):
    rules = NegativePairs(0.01).fit(grocer, Run()).rules()
    assert rules.select("antecedent", "absent").rows() == [(["milk1"], ["milk2"]), (["milk2"], ["milk1"])] or rules.select(
        "antecedent", "absent"
    ).rows() == [(["milk2"], ["milk1"]), (["milk1"], ["milk2"])]
    assert rules["confidence"].to_list() == [1.0, 1.0]
    held = dict(zip(grocer.names.to_list(), np.bincount(grocer.baskets.items).tolist(), strict=True))
    first = rules.row(0, named=True)
    other = held[first["absent"][0]]
    assert first["lift"] == pytest.approx(len(grocer) / (len(grocer) - other))
    assert first["baskets"] == held[first["antecedent"][0]]


def test_tastes_that_differ_deplete_pairs_but_not_within_customers():
    """Tea drinkers and coffee drinkers, and one in five who takes either on any trip, independently."""
    rng = np.random.default_rng(4)
    rows = []
    for customer in range(500):
        tea, coffee = [(0.4, 0.0), (0.0, 0.4), (0.4, 0.0), (0.0, 0.4), (0.4, 0.4)][customer % 5]
        for _ in range(10):
            items = [name for name, chance in (("tea", tea), ("coffee", coffee)) if rng.random() < chance]
            rows.append((customer, [*items, "bread"]))
    model = NegativePairs(0.01).fit(bought(rows), Run())
    row = model.frame().row(0, named=True)
    assert {row["item"], row["other"]} == {"tea", "coffee"}
    assert row["q"] < 0.05
    assert row["within_low"] < 1 < row["within_high"]
    assert row["within_q"] > 0.05
    assert not model.depleted(within=True).any()


def test_independent_items_are_rarely_called():
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(200):
        baskets = [np.flatnonzero(rng.random(10) < rng.uniform(0.1, 0.5, 10)).tolist() for _ in range(150)]
        called += bool(NegativePairs(5, min_expected=3).fit(Transactions.from_lists(baskets), Run()).depleted().any())
    assert called / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_independent_items_are_rarely_called_within_customers():
    rng = np.random.default_rng(6)
    called = 0
    for _ in range(100):
        habits = rng.uniform(0.05, 0.6, (25, 8))
        rows = [(c, np.flatnonzero(rng.random(8) < habits[c]).tolist()) for c in range(25) for _ in range(8)]
        called += bool(NegativePairs(5, min_expected=3).fit(bought(rows), Run()).depleted(within=True).any())
    assert called / 100 <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


small = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 6), min_size=1)), min_size=1, max_size=20)


@settings(deadline=None)
@given(small, st.integers(1, 3), st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_the_family_and_its_counts_equal_those_by_hand(rows, floor, least):
    world = bought(rows)
    model = NegativePairs(floor, min_expected=least).fit(world, Run())
    rows, n = sorted(rows, key=lambda row: row[0]), len(rows)
    code = {name: i for i, name in enumerate(world.names.to_list())}
    wanted = {}
    for x, y in itertools.combinations(sorted(code), 2):
        n_x, n_y = (sum(name in items for _, items in rows) for name in (x, y))
        if min(n_x, n_y) < floor or n_x * n_y < least * n:
            continue
        within = 0.0
        for customer in {customer for customer, _ in rows}:
            own = [items for each, items in rows if each == customer]
            within += sum(x in items for items in own) * sum(y in items for items in own) / len(own)
        wanted[code[x], code[y]] = (sum({x, y} <= items for _, items in rows), within)
    pairs = zip(model.pairs.a.tolist(), model.pairs.b.tolist(), strict=True)
    assert dict(zip(pairs, model.n_ab.tolist(), strict=True)) == {pair: counts[0] for pair, counts in wanted.items()}
    assert expected_within(world.baskets, model.pairs) == pytest.approx([wanted[pair][1] for pair in sorted(wanted)])


def test_customers_that_are_not_known_give_no_within():
    frame = NegativePairs(3, min_expected=1).fit(Transactions.from_lists([["a"]] * 20 + [["b"]] * 20), Run()).frame()
    assert frame.height == 1
    assert frame.select(pl.col("^within_.*$").is_null().all()).row(0) == (True,) * 6


def test_limits_are_kept():
    world = Transactions.from_lists([["a", "b", "c"]] * 10)
    with pytest.raises(RequestError, match="3 pairs are frequent enough"):
        NegativePairs(1, max_pairs=2).fit(world, Run())
    with pytest.raises(RequestError, match="min_expected"):
        NegativePairs(1, min_expected=0)
    with pytest.raises(RequestError, match="patterns are frequent enough"):
        NegativeItemsets(max_patterns=2).fit(Itemsets(1).fit(world, Run()), world, Run())
    with pytest.raises(RequestError, match="cannot be met"):
        NegativeItemsets(max_present=3)


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=15), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_inclusion_and_exclusion_equal_direct_counting(baskets, present, absent):
    world = Transactions.from_lists([*baskets, range(6)])
    absent -= present
    direct = sum(present <= basket and not absent & basket for basket in [*baskets, set(range(6))])
    assert count_without(world.baskets, sorted(present), sorted(absent)) == direct


def test_items_on_both_sides_are_refused():
    world = Transactions.from_lists([["a", "b"]])
    with pytest.raises(RequestError, match="cannot be counted"):
        count_without(world.baskets, [0], [0])


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 5)), min_size=4, max_size=20), st.integers(1, 3), st.sampled_from([0.3, 1.0]))
def test_patterns_with_an_absent_item_equal_direct_counting(baskets, floor, least):
    world = Transactions.from_lists(baskets)
    model = NegativeItemsets(min_expected=least).fit(Itemsets(floor).fit(world, Run()), world, Run())
    names, n = world.names.to_list(), len(baskets)

    def held(items):
        return sum(set(items) <= basket for basket in baskets)

    wanted = {}
    for x in [*itertools.combinations(names, 1), *itertools.combinations(names, 2)]:
        for y in names:
            if y not in x and min(held(x), held([y])) >= floor and held(x) * held([y]) >= least * n:
                wanted[x, y] = (held(x), held([y]), held([*x, y]))
    present = [tuple(sorted(x)) for x in model.itemsets.named(model.node).to_list()]
    found = zip(present, [names[y] for y in model.absent], strict=True)
    counts = zip(model.n_x.tolist(), model.n_y.tolist(), model.n_xy.tolist(), strict=True)
    assert dict(zip(found, counts, strict=True)) == wanted
    assert (np.isnan(model.gain_p) == np.array([len(x) == 1 for x in present], dtype=bool)).all()


def test_only_two_items_together_keep_a_third_away():
    """Bread or butter alone leave toast alone; bread and butter together are never bought with it."""
    rng = np.random.default_rng(2)
    baskets = []
    for _ in range(3000):
        items = {name for name in ("bread", "butter", "salt", "soap") if rng.random() < 0.4}
        if not {"bread", "butter"} <= items and rng.random() < 0.4:
            items.add("toast")
        baskets.append(items)
    world = Transactions.from_lists([sorted(items) for items in baskets])
    frame = NegativeItemsets().fit(Itemsets(0.02).fit(world, Run()), world, Run()).frame()
    pairs = frame.filter(pl.col("itemset").list.len() == 2)
    assert {(*sorted(x), y) for x, y in pairs.select("itemset", "absent").rows()} >= {("bread", "butter", "toast")}
    assert not any("soap" in x or "salt" in x for x in pairs["itemset"].to_list())
