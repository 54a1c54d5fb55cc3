"""Supports of given itemsets against a plain count, and against what the miner says of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.kernels.test_itemsets import csr, planted

from basketry.kernels.counting import count_groups, count_itemsets
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.trees import ItemsetTree


def paths(tree: ItemsetTree) -> list[frozenset[int]]:
    found: list[frozenset[int]] = []
    for above, item in zip(tree.parent.tolist(), tree.item.tolist(), strict=True):
        found.append((found[above] if above >= 0 else frozenset()) | {item})
    return found


@st.composite
def worlds(draw):
    n_items = draw(st.integers(1, 8))
    rows = draw(st.lists(st.sets(st.integers(0, n_items - 1)), max_size=90))
    size = draw(st.integers(0, 25))
    parent = [draw(st.integers(-1, i - 1)) for i in range(size)]
    item = [draw(st.integers(0, n_items + 1)) for _ in range(size)]
    groups = sorted(draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows))))
    return rows, ItemsetTree(*(np.array(each, dtype=np.int32) for each in (parent, item, [1] * size))), groups


@settings(max_examples=400, deadline=None)
@given(worlds(), st.integers(1, 2))
def test_equal_to_counting_one_by_one(world, threads):
    rows, tree, groups = world
    wanted = [sum(path <= row for row in rows) for path in paths(tree)]
    behind = [len({group for group, row in zip(groups, rows, strict=True) if path <= row}) for path in paths(tree)]
    assert count_itemsets(*csr(rows), tree, threads=threads).tolist() == wanted
    counted = count_groups(*csr(rows), tree, np.array(groups, dtype=np.int32), threads=threads)
    assert [column.tolist() for column in counted] == [wanted, behind]


@pytest.mark.parametrize(("n", "n_items", "size", "min_count"), [(1500, 300, 12, 12), (4000, 4000, 25, 10), (300, 100, 10, 8)])
def test_the_miner_and_the_counter_agree(n, n_items, size, min_count):
    """The second world has so many items below one node that its children are listed one by one first."""
    baskets = csr(planted(7, n, n_items, 0.2, size))
    tree = mine_itemsets(*baskets, n_items, min_count=min_count)
    assert len(tree) > 500
    np.testing.assert_array_equal(count_itemsets(*baskets, tree), tree.support)
    each = np.arange(n, dtype=np.int32)
    counted, distinct = count_groups(*baskets, tree, each, threads=2)
    np.testing.assert_array_equal(counted, tree.support)
    np.testing.assert_array_equal(distinct, tree.support)
    assert (count_groups(*baskets, tree, np.zeros_like(each))[1] == 1).all()


def test_broken_input_is_refused():
    tree = ItemsetTree(*(np.array([value], dtype=np.int32) for value in (-1, 0, 1)))
    with pytest.raises(ValueError, match="basket 0 holds an item twice"):
        count_itemsets(np.array([0, 2]), np.array([0, 0], dtype=np.int32), tree)
    with pytest.raises(ValueError, match="groups must be non-negative and never fall"):
        count_groups(*csr([{0}, {0}]), tree, np.array([1, 0], dtype=np.int32))
    itself = ItemsetTree(*(np.array([value], dtype=np.int32) for value in (0, 0, 1)))
    with pytest.raises(ValueError, match="parent comes before it"):
        count_itemsets(*csr([{0}]), itself)
    with pytest.raises(ValueError, match="items are codes from 0"):
        count_itemsets(*csr([{0}]), ItemsetTree(tree.parent, tree.item - 1, tree.support))
