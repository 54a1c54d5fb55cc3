"""Prefix trees: lengths, lists and pruning, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels.trees import ItemsetTree


@st.composite
def trees(draw):
    size = draw(st.integers(0, 30))
    parent = [draw(st.integers(-1, i - 1)) for i in range(size)]
    support = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    item = list(range(size))
    return ItemsetTree(*(np.array(each, dtype=np.int32) for each in (parent, item, support)))


def listed(tree: ItemsetTree) -> list[list[int]]:
    found: list[list[int]] = []
    for above, item in zip(tree.parent.tolist(), tree.item.tolist(), strict=True):
        found.append(sorted([*(found[above] if above >= 0 else []), item]))
    return found


@given(trees())
def test_lengths_and_lists(tree):
    rows = listed(tree)
    assert tree.lengths.tolist() == [len(row) for row in rows]
    nodes = np.arange(len(rows), dtype=np.int32)[::-1]
    indptr, items = tree.flatten(nodes)
    assert [items[a:b].tolist() for a, b in zip(indptr[:-1], indptr[1:], strict=True)] == rows[::-1]
    assert len(tree) == len(tree.members) == sum(support > 0 for support in tree.support.tolist())


@given(trees(), st.randoms())
def test_keeping_some_keeps_their_itemsets_and_nothing_idle(tree, random):
    wanted = np.array([random.random() < 0.5 for _ in tree.parent], dtype=np.bool_)
    kept = tree.keep(wanted)
    before = {tuple(row): s for row, s, w in zip(listed(tree), tree.support.tolist(), wanted, strict=True) if w and s}
    after = {tuple(row): s for row, s in zip(listed(kept), kept.support.tolist(), strict=True) if s}
    assert after == before
    leaves = set(range(len(kept.parent))) - set(kept.parent.tolist())
    assert all(kept.support[leaf] > 0 for leaf in leaves)


def test_what_is_no_tree_is_refused():
    column = np.array([0], dtype=np.int32)
    with pytest.raises(ValueError, match="parent comes before it"):
        _ = ItemsetTree(column, column, column).lengths
    with pytest.raises(ValueError, match="support must be int32"):
        _ = ItemsetTree(column - 1, column, column.astype(np.int64)).lengths
    with pytest.raises(ValueError, match=r"nodes lie in \[0, 1\)"):
        ItemsetTree(column - 1, column, column).flatten(np.array([1], dtype=np.int32))
