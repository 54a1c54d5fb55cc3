"""Bringing up to date equals mining again: the law of moving data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining import incremental
from basketry.associations.mining.incremental import at_least, downdate, update
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from basketry.kernels.trees import ItemsetTree
from basketry.store.arrays import read_arrays, write_arrays

worlds = st.lists(st.sets(st.sampled_from("abcde")), max_size=10)
supports = st.one_of(st.integers(1, 6), st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.5, 1.0]))


def mined_from(baskets, min_support):
    return Itemsets(min_support).fit(Transactions.from_lists(baskets), Run())


def rows(mined: MinedItemsets):
    """Everything it says: itemsets by name with their counts, and the two numbers."""
    nodes = mined.tree.members
    named = [frozenset(names) for names in mined.named(nodes).to_list()]
    counts = dict(zip(named, mined.tree.support[nodes].tolist(), strict=True))
    assert len(counts) == len(named)
    return counts, mined.n_baskets, mined.min_count


@given(worlds, worlds, supports, supports, st.booleans(), st.sampled_from([1, 2, 8]))
@settings(max_examples=400, deadline=None)
def test_an_update_is_mining_all_again(old, new, kept_at, asked, given_old, least):
    before = mined_from(old, kept_at)
    expected = rows(mined_from([*old, *new], asked))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental, "_LEAST", least)
        try:
            after = update(
                before, Transactions.from_lists(new), asked, Run(), old=Transactions.from_lists(old) if given_old else None
            )
        except RequestError:
            assert not given_old
            return
    assert rows(after) == expected
    assert after.names.to_list()[: len(before.names)] == before.names.to_list()


@given(st.data(), worlds, supports, supports, st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_downdate_is_mining_what_remains(data, baskets, kept_at, asked, given_rest):
    gone = [data.draw(st.booleans()) for _ in baskets]
    removed = [basket for basket, away in zip(baskets, gone, strict=True) if away]
    rest = [basket for basket, away in zip(baskets, gone, strict=True) if not away]
    remaining = Transactions.from_lists(rest) if given_rest else None
    try:
        after = downdate(mined_from(baskets, kept_at), Transactions.from_lists(removed), asked, Run(), remaining=remaining)
    except RequestError:
        assert not given_rest
        return
    assert rows(after) == rows(mined_from(rest, asked))


@given(worlds, supports, supports)
def test_at_least_is_mining_at_a_higher_support(baskets, kept_at, asked):
    try:
        found = at_least(mined_from(baskets, kept_at), asked)
    except RequestError:
        assert mined_from(baskets, asked).min_count < mined_from(baskets, kept_at).min_count
    else:
        assert rows(found) == rows(mined_from(baskets, asked))


def test_a_margin_of_support_spares_the_old_baskets():
    old = [["bread", "butter"]] * 60 + [["tea"]] * 40
    kept = mined_from(old, 40)  # used at 60 of 100, kept at 40
    after = update(kept, Transactions.from_lists([["tea", "honey"]] * 20), 60, Run())  # t = 21 > 20 added
    assert rows(after) == (
        {frozenset(["bread"]): 60, frozenset(["butter"]): 60, frozenset(["bread", "butter"]): 60, frozenset(["tea"]): 60},
        120,
        60,
    )
    with pytest.raises(RequestError, match="only the old baskets can tell"):
        update(kept, Transactions.from_lists([["tea", "honey"]] * 21), 60, Run())


def test_a_new_item_gets_the_next_code_and_may_emerge():
    old, new = [["a", "b"]] * 30, [["b", "0new"]] * 12
    after = update(mined_from(old, 10), Transactions.from_lists(new), 12, Run(), old=Transactions.from_lists(old))
    assert after.names.to_list() == ["a", "b", "0new"]
    assert rows(after)[0][frozenset(["b", "0new"])] == 12


def test_the_wrong_baskets_or_kind_are_refused():
    kept = mined_from([["a", "b"]] * 30, 20)
    ten = Transactions.from_lists([["a"]] * 10)
    with pytest.raises(DataError, match="10 old baskets are given, and there are 30"):
        update(kept, ten, 20, Run(), old=ten)
    with pytest.raises(DataError, match="10 remaining baskets are given, and there are 20"):
        downdate(kept, ten, 20, Run(), remaining=ten)
    with pytest.raises(DataError, match="not among those that were mined"):
        downdate(kept, Transactions.from_lists([["a"]] * 31), 20, Run())
    other = Transactions.from_lists([["c"]] * 30)
    with pytest.raises(DataError, match="frequent in the old baskets"):
        update(kept, Transactions.from_lists([["c"]] * 20), 30, Run(), old=other)
    maximal = ItemsetTree(np.array([-1, 0], np.int32), np.array([0, 1], np.int32), np.array([0, 30], np.int32))
    with pytest.raises(DataError, match="not all frequent itemsets"):
        update(MinedItemsets(maximal, kept.names, 30, 20), ten, 20, Run())


@pytest.mark.parametrize("names", [["a", "Käse 🧀", ""], [3, 1, 2**40], []])
def test_a_kept_answer_comes_back_and_is_updated_as_the_first(tmp_path, names):
    old, new = [names] * 20, [names[:2]] * 10
    kept = mined_from(old, 15)
    write_arrays(tmp_path / "itemsets.safetensors", kept.state())
    back = MinedItemsets.from_state(read_arrays(tmp_path / "itemsets.safetensors"))
    assert rows(back) == rows(kept) and back.names.to_list() == kept.names.to_list()
    added = Transactions.from_lists(new)
    assert rows(update(back, added, 26, Run())) == rows(mined_from([*old, *new], 26))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("parent", np.array([0], np.int32)),
        ("parent", np.array([-2], np.int32)),
        ("item", np.array([1], np.int32)),
        ("item", np.array([0, 0], np.int32)),
        ("support", np.array([-1], np.int32)),
        ("n_baskets", np.array([], np.int64)),
        ("name_ends", np.array([2], np.int64)),
        ("names", np.array([255], np.uint8)),
    ],
)
def test_arrays_of_no_model_are_refused(name, array):
    state = dict(mined_from([["a"]] * 3, 1).state())
    with pytest.raises(DataError):
        MinedItemsets.from_state({**state, name: array})
    with pytest.raises(DataError, match="missing"):
        MinedItemsets.from_state({key: value for key, value in state.items() if key != name} if name != "name_ends" else {})
