"""The estimator of itemsets: supports as counts and shares, constraints, the k best, against a plain filter of everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.constraints import ItemFacts
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets, min_count
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import NotFound, RequestError
from basketry.core.protocols import Run

Found = dict[frozenset[str], int]
RUN = Run(threads=1)
NAMES = "abcdefg"


def named(mined: MinedItemsets) -> Found:
    rows = list(mined.frame().select("itemset", "baskets").iter_rows())
    found = {frozenset(itemset): baskets for itemset, baskets in rows}
    assert len(found) == len(rows) == len(mined)
    return found


def brute(rows: list[str]) -> Found:
    """Every itemset that stands in a basket."""
    found: Found = {}
    for row in rows:
        for chosen in range(1, 1 << len(row)):
            itemset = frozenset(name for k, name in enumerate(row) if chosen >> k & 1)
            found[itemset] = found.get(itemset, 0) + 1
    return found


def of_kind(found: Found, kind: str) -> Found:
    if kind == "closed":
        return {x: s for x, s in found.items() if not any(x < y and s == found[y] for y in found)}
    if kind == "maximal":
        return {x: s for x, s in found.items() if not any(x < y for y in found)}
    return found


rows_of_baskets = st.lists(st.sets(st.sampled_from(NAMES)).map(lambda row: "".join(sorted(row))), min_size=1, max_size=30)
some = st.sets(st.sampled_from(NAMES), max_size=2)


@settings(max_examples=300, deadline=None)
@given(
    rows_of_baskets,
    st.integers(1, 5),
    st.sampled_from(["all", "closed", "maximal"]),
    some,
    some,
    st.none() | st.sets(st.sampled_from(NAMES), min_size=1, max_size=5),
)
def test_constraints_on_items_are_filters(rows, least, kind, must, without, only):
    transactions = Transactions.from_lists([*rows, NAMES])
    estimator = Itemsets(
        least, kind, must_contain=tuple(must), must_not_contain=tuple(without), only=None if only is None else tuple(only)
    )
    if must & without or (only is not None and must & without):
        with pytest.raises(RequestError, match="also ruled out"):
            estimator.fit(transactions, RUN)
        return
    allowed = set(NAMES if only is None else only | must) - without
    narrowed = ["".join(name for name in row if name in allowed) for row in [*rows, NAMES]]
    frequent = {x: s for x, s in brute(narrowed).items() if s >= least}
    wanted = {x: s for x, s in of_kind(frequent, kind).items() if must <= x}
    assert named(estimator.fit(transactions, RUN)) == wanted


@settings(max_examples=300, deadline=None)
@given(rows_of_baskets, st.integers(1, 4), st.sampled_from(["all", "closed", "maximal"]), some, st.data())
def test_constraints_on_sizes_and_sums_are_filters(rows, least, kind, must, data):
    transactions = Transactions.from_lists([*rows, NAMES])
    values = np.array(data.draw(st.lists(st.integers(-2, 6), min_size=7, max_size=7)), dtype=np.float64)
    values = values if data.draw(st.booleans()) else np.abs(values)
    lengths = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([0, 3, 4]))
    totals = data.draw(st.none() | st.integers(0, 9)), data.draw(st.none() | st.integers(0, 15))
    estimator = Itemsets(
        least,
        kind,
        must_contain=tuple(must),
        min_length=lengths[0],
        max_length=lengths[1],
        min_total=totals[0],
        max_total=totals[1],
    )
    value = dict(zip(NAMES, values, strict=True))
    frequent = {x: s for x, s in brute([*rows, NAMES]).items() if s >= least}
    wanted = {
        x: s
        for x, s in of_kind(frequent, kind).items()
        if must <= x
        and len(x) >= lengths[0]
        and (not lengths[1] or len(x) <= lengths[1])
        and (totals[0] is None or sum(value[i] for i in x) >= totals[0])
        and (totals[1] is None or sum(value[i] for i in x) <= totals[1])
    }
    assert named(estimator.fit(transactions, RUN, ItemFacts(values=values))) == wanted


@settings(max_examples=300, deadline=None)
@given(rows_of_baskets, st.integers(1, 40), st.integers(1, 3), st.integers(1, 3))
def test_the_k_best_are_the_first_of_all(rows, k, least, min_length):
    transactions = Transactions.from_lists([*rows, NAMES])
    best = named(Itemsets(least, k=k, min_length=min_length).fit(transactions, RUN))
    everything = {x: s for x, s in brute([*rows, NAMES]).items() if s >= least and len(x) >= min_length}
    order = sorted(everything, key=lambda x: (-everything[x], len(x), sorted(x)))
    assert best == {x: everything[x] for x in order[:k]}


def test_rare_items_have_their_own_floor():
    rows = ["ab"] * 50 + ["abz"] * 2 + ["cz"] * 2 + ["c"] * 9
    transactions = Transactions.from_lists(rows)
    floors = np.array([30, 30, 30, 2], dtype=np.int32)  # a, b, c, z
    found = named(Itemsets(30).fit(transactions, RUN, ItemFacts(floors=floors)))
    assert found == {
        frozenset(x): s for x, s in {"a": 52, "b": 52, "ab": 52, "z": 4, "az": 2, "bz": 2, "abz": 2, "cz": 2}.items()
    }


def test_relatives_never_meet_and_a_required_items_relatives_are_barred():
    transactions = Transactions.from_lists([["tea", "drinks", "jam"]] * 3)
    start, relatives = np.array([0, 1, 1, 2]), np.array([2, 0], dtype=np.int32)  # drinks, jam, tea
    facts = ItemFacts(relatives=(start, relatives))
    assert frozenset({"drinks", "tea"}) not in named(Itemsets(2).fit(transactions, RUN, facts))
    held = named(Itemsets(2, must_contain=("tea",)).fit(transactions, RUN, facts))
    assert set(held) == {frozenset({"tea"}), frozenset({"tea", "jam"})}
    with pytest.raises(RequestError, match="do not go with kind 'closed'"):
        Itemsets(2, "closed").fit(transactions, RUN, facts)


def test_what_cannot_be_is_said():
    transactions = Transactions.from_lists(["ab"])
    with pytest.raises(NotFound, match="no item is called 'q'"):
        Itemsets(1, must_contain=("q",)).fit(transactions, RUN)
    with pytest.raises(RequestError, match="max_length 1 is below min_length 2"):
        Itemsets(1, min_length=2, max_length=1)
    with pytest.raises(RequestError, match="does not go with generators"):
        Itemsets(1, "generators", must_contain=("a",))
    with pytest.raises(RequestError, match="need the items' values"):
        Itemsets(1, max_total=3).fit(transactions, RUN)
    with pytest.raises(RequestError, match="more than 2 itemsets"):
        Itemsets(1, max_bytes=24).fit(transactions, RUN)


@pytest.mark.parametrize(
    ("support", "n", "count"),
    [(3, 10, 3), (0.3, 10, 3), (0.31, 10, 4), (1.0, 7, 7), (1, 7, 1), (0.001, 9835, 10), (1e-9, 10, 1), (0.1, 30, 3)],
)
def test_a_share_is_taken_as_it_is_written(support, n, count):
    assert min_count(support, n) == count
