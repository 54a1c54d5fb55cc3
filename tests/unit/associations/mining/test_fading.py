"""Fading counts equal weighing every basket directly, in whatever order and parts the baskets come."""

from __future__ import annotations

import datetime as dt
import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining import decay
from basketry.associations.mining.fading import FadedItemsets, FadedPairs, FadingItemsets, FadingPairs
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.kernels.trees import ItemsetTree
from basketry.store.arrays import read_arrays, write_arrays

EPOCH = dt.date(1970, 1, 1)
batch = st.lists(st.tuples(st.integers(19000, 19400), st.sets(st.sampled_from("abcd"))), max_size=6)
half_lives = st.sampled_from([0.7, 7.0, 28.0, 400.0])


def dated(rows) -> Transactions:
    """Baskets of (day, names)."""
    plain = Transactions.from_lists([names for _, names in rows])
    days = np.array([day for day, _ in rows], dtype=np.int32)
    baskets = plain.baskets
    return Transactions(BasketMatrix(baskets.indptr, baskets.items, baskets.customers, days, baskets.n_products), plain.names)


def by_hand(rows, itemset, as_of, half_life):
    """Baskets with the itemset, and their weights 2^(-age / half-life), added up exactly."""
    ages = [as_of - day for day, names in rows if set(itemset) <= names]
    return len(ages), math.fsum(2 ** (-age / half_life) for age in ages)


@given(st.lists(batch, min_size=1, max_size=4), half_lives, st.integers(0, 300), st.sampled_from([500.0, 3.0, 0.0]))
@example([[(19000, set())], [(19359, {"a", "b"})]], 0.7, 0, 500.0)  # sums whose product would overflow
@settings(max_examples=200, deadline=None)
def test_pairs_in_any_parts_weigh_what_all_of_them_do(batches, half_life, later, largest):
    rows = [row for part in batches for row in part]
    assume(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decay, "_LARGEST", largest)
        model = FadingPairs(half_life).fit(dated(batches[0]))
        for part in batches[1:]:
            model = model.add(dated(part))
    as_of = max(day for day, _ in rows) + later
    frame = model.frame(as_of=EPOCH + dt.timedelta(days=as_of))
    found = {frozenset((a, b)): (n, w) for a, b, n, w in frame.select("product_id", "other_id", "baskets", "weight").rows()}
    wanted = {frozenset(pair): by_hand(rows, pair, as_of, half_life) for pair in combinations("abcd", 2)}
    assert len(found) == frame.height
    assert found.keys() == {pair for pair, (n, _) in wanted.items() if n}
    everything = by_hand(rows, (), as_of, half_life)[1]
    for (a, b), support, lift in zip(map(tuple, found), frame["support"], frame["lift"], strict=True):
        n, weight = wanted[frozenset((a, b))]
        assert found[frozenset((a, b))][0] == n
        if weight > 1e-150:
            alone = [by_hand(rows, each, as_of, half_life)[1] for each in (a, b)]
            assert found[frozenset((a, b))][1] == pytest.approx(weight, rel=1e-9)
            assert support == pytest.approx(weight / everything, rel=1e-9)
            assert lift == pytest.approx(weight * everything / math.prod(alone), rel=1e-9)
    assert frame["weight"].is_sorted(descending=True)


@given(batch, batch, half_lives, st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_itemsets_weigh_what_their_baskets_do(first, second, half_life, min_count):
    rows = [*first, *second]
    mined = Itemsets(min_count).fit(dated(rows), Run())
    model = FadingItemsets(half_life).fit(mined, dated(first)).add(dated(second))
    assert model.counted.n_baskets == len(rows)
    frame = model.frame()
    assert frame.height == len(mined)
    latest = max((day for day, _ in rows), default=0)
    for names, length, n, weight in frame.select("itemset", "length", "baskets", "weight").rows():
        count, expected = by_hand(rows, names, latest, half_life)
        assert (length, n) == (len(names), count)
        assert weight == pytest.approx(expected, rel=1e-9)
    heavy = {
        names
        for k in range(1, 5)
        for names in combinations("abcd", k)
        if by_hand(rows, names, latest, half_life)[1] >= min_count
    }
    shown = {tuple(sorted(names)) for names in model.frame(min_weight=min_count * (1 + 1e-9))["itemset"].to_list()}
    assert shown <= heavy and all(
        tuple(sorted(names)) in {tuple(sorted(x)) for x in frame["itemset"].to_list()} for names in heavy
    )


def test_a_worked_example():
    rows = [(19000, {"tea", "jam"}), (19028, {"tea", "jam"}), (19056, {"tea"})]
    frame = FadingPairs(28.0).fit(dated(rows)).frame()
    assert frame.select("baskets", "weight").rows() == [(2, 0.75)]  # a quarter and a half
    assert frame["support"][0] == pytest.approx(0.75 / 1.75) and frame["lift"][0] == pytest.approx(1.0)
    later = FadingPairs(28.0).fit(dated(rows)).frame(as_of=EPOCH + dt.timedelta(days=19084))
    assert later["weight"][0] == pytest.approx(0.375)


def test_years_of_hours_do_not_overflow():
    model = FadingPairs(1 / 24).fit(dated([(0, {"a", "b"})]))
    for day in range(300, 40000, 300):
        model = model.add(dated([(day, {"a", "b"})]))
    frame = model.frame()
    assert frame["weight"].to_list() == [1.0] and frame["baskets"].to_list() == [134] and frame["lift"].to_list() == [1.0]


def test_a_day_before_the_latest_basket_is_refused():
    model = FadingPairs().fit(dated([(19000, {"a", "b"})]))
    with pytest.raises(RequestError, match="2022-01-08"):
        model.frame(as_of=dt.date(2022, 1, 7))
    for half_life in (0, -1, math.inf, math.nan):
        with pytest.raises(RequestError, match="half-life"):
            FadingPairs(half_life).fit(dated([]))
    assert FadingPairs().fit(dated([])).frame().height == 0


def test_prefixes_that_are_no_itemsets_are_not_shown():
    rows = dated([(19000, {"a", "b"})])
    maximal = ItemsetTree(np.array([-1, 0], np.int32), np.array([0, 1], np.int32), np.array([0, 1], np.int32))
    frame = FadingItemsets().fit(MinedItemsets(maximal, rows.names, 1, 1), rows).frame()
    assert frame["itemset"].to_list() == [["a", "b"]]


def test_a_model_comes_back_from_its_arrays(tmp_path):
    first, second = dated([(19000, {"a", "ü"})]), dated([(19100, {"ü", "z"}), (19000, {"a", "ü"})])
    model = FadingPairs().fit(first)
    write_arrays(tmp_path / "faded.safetensors", model.state())
    back = FadedPairs.from_state(read_arrays(tmp_path / "faded.safetensors"))
    assert back.add(second).frame().equals(model.add(second).frame())
    assert FadedPairs.from_state(FadingPairs().fit(dated([])).state()).add(first).frame().height == 1
    faded = FadingItemsets().fit(Itemsets(1).fit(first, Run()), first)
    write_arrays(tmp_path / "itemsets.safetensors", faded.state())
    again = FadedItemsets.from_state(read_arrays(tmp_path / "itemsets.safetensors"))
    assert again.add(second).frame().equals(faded.add(second).frame()) and faded.frame().height == 3
