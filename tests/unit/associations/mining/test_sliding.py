"""A window that slides equals mining what it holds, at any time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining import sliding
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.sliding import SlidingItemsets, blocks_of_days
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run

RUN = Run()
block = st.lists(st.sets(st.sampled_from("abcde")), max_size=7)
supports = st.one_of(st.integers(1, 8), st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0]))


def rows(mined):
    nodes = mined.tree.members
    named = [frozenset(names) for names in mined.named(nodes).to_list()]
    counts = dict(zip(named, mined.tree.support[nodes].tolist(), strict=True))
    assert len(counts) == len(named)
    return counts, mined.n_baskets, mined.min_count


@given(st.lists(block, max_size=8), supports, st.integers(1, 4), st.sampled_from([1, 2, 8]))
@settings(max_examples=300, deadline=None)
def test_at_any_time_it_is_mining_the_window(pushed, min_support, blocks, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sliding, "_LEAST", least)
        window = SlidingItemsets(min_support, blocks).begin()
        for i, each in enumerate(pushed):
            window = window.push(Transactions.from_lists(each), RUN)
            inside = [basket for part in pushed[max(0, i + 1 - blocks) : i + 1] for basket in part]
            mined = Itemsets(min_support).fit(Transactions.from_lists(inside), RUN)
            assert rows(window.result(RUN)) == rows(mined)
            assert window.n_baskets == len(inside)


def test_with_blocks_large_enough_the_window_is_never_mined_again(monkeypatch):
    random = np.random.default_rng(0)
    days = [[np.flatnonzero(random.random(8) < 0.3).tolist() for _ in range(100)] for _ in range(12)]
    window = SlidingItemsets(0.2, 4).begin()
    for day in days:
        window = window.push(Transactions.from_lists(day), RUN)
    expected = rows(Itemsets(0.2).fit(Transactions.from_lists([basket for day in days[-4:] for basket in day]), RUN))
    monkeypatch.setattr(sliding, "mine_itemsets", None)
    assert rows(window.result(RUN)) == expected and len(expected[0]) > 5


def test_a_window_before_a_push_stays_as_it_was():
    first = SlidingItemsets(1, 1).begin().push(Transactions.from_lists([["a"]]), RUN)
    second = first.push(Transactions.from_lists([["b", "a"]]), RUN)
    assert rows(first.result(RUN))[0] == {frozenset("a"): 1}
    assert rows(second.result(RUN))[0] == {frozenset("a"): 1, frozenset("b"): 1, frozenset("ab"): 1}
    assert second.names.to_list() == ["a", "b"]


def test_blocks_of_days_hold_every_basket_once_and_empty_spans_too():
    each = np.arange(4, dtype=np.int32)
    baskets = BasketMatrix(np.arange(5), np.zeros(4, np.int32), each, np.array([19, 10, 11, 10], np.int32), 1)
    blocks = list(blocks_of_days(Transactions(baskets, Transactions.from_lists([["a"]]).names), 2))
    assert [block.baskets.days.tolist() for block in blocks] == [[10, 11, 10], [], [], [], [19]]
    assert list(blocks_of_days(Transactions.from_lists([]), 2)) == []


def test_what_makes_no_sense_is_refused():
    with pytest.raises(RequestError, match="window of 0 blocks"):
        SlidingItemsets(1, 0)
    with pytest.raises(RequestError, match="min_support"):
        SlidingItemsets(0, 1)
    with pytest.raises(RequestError, match="blocks of 0 days"):
        next(blocks_of_days(Transactions.from_lists([["a"]]), 0))
