from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels.lattice import EMPTY, Lattice
from basketry.kernels.trees import ItemsetTree
from mining_worlds import baskets, subsets, supports, tree_of


def rows_of(itemsets):
    indptr = np.cumsum([0, *map(len, itemsets)], dtype=np.int64)
    return indptr, np.array([item for each in itemsets for item in each], dtype=np.int32)


def tree(parent, item, support):
    return ItemsetTree(*(np.array(column, dtype=np.int32) for column in (parent, item, support)))


@settings(deadline=None)
@given(baskets(), st.integers(0, 99), st.randoms(use_true_random=False))
def test_every_itemset_is_found_whatever_the_order_of_its_items(rows, seed, dice):
    mined, names = tree_of(supports(rows, 2), seed)
    lattice = Lattice.of(mined)
    assert lattice.depth.tolist() == [len(each) for each in names]
    asked = [dice.sample(sorted(each), len(each)) for each in names]
    assert lattice.find(*rows_of(asked)).tolist() == list(range(len(names)))
    unknown = [each for each in subsets(range(6)) if each not in names]
    assert (lattice.find(*rows_of(unknown)) == -1).all()


@settings(deadline=None)
@given(baskets(), st.integers(0, 99))
def test_leaving_each_item_out(rows, seed):
    mined, names = tree_of(supports(rows), seed)
    indptr, nodes = Lattice.of(mined).without_each(np.arange(len(names), dtype=np.int32))
    for i, name in enumerate(names):
        found = [frozenset() if node == EMPTY else names[node] for node in nodes[indptr[i] : indptr[i + 1]]]
        assert sorted(map(sorted, found)) == sorted(sorted(name - {item}) for item in name)


@settings(deadline=None)
@given(baskets(), st.integers(0, 99))
def test_leaving_the_items_of_one_node_out_of_another(rows, seed):
    mined, names = tree_of(supports(rows), seed)
    lattice = Lattice.of(mined)
    pairs = [(x, z) for z, whole in enumerate(names) for x, part in enumerate(names) if part < whole]
    nodes, base = (np.array(column, dtype=np.int32) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    indptr, of_itself = lattice.without_each(nodes)
    _, of_base = lattice.without_each(nodes, base)
    for i, (x, z) in enumerate(pairs):
        for small, large in zip(of_itself[indptr[i] : indptr[i + 1]], of_base[indptr[i] : indptr[i + 1]], strict=True):
            item = names[x] - (frozenset() if small == EMPTY else names[small])
            assert len(item) == 1 and names[large] == names[z] - item, "rows are aligned by the item left out"


def test_a_tree_of_nothing():
    lattice = Lattice.of(tree([], [], []))
    assert lattice.find(*rows_of([(1, 2), ()])).tolist() == [-1, -1]
    assert lattice.without_each(np.empty(0, dtype=np.int32))[0].tolist() == [0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([0], [1], [1]), "a parent must be"),
        (([-2], [1], [1]), "a parent must be"),
        (([-1], [-1], [1]), "never negative"),
        (([-1], [1], [-1]), "never negative"),
        (([-1, -1, 0, 1], [1, 2, 2, 1], [3, 3, 2, 2]), r"codes \[1, 2\] stands in the tree twice, as 2 and as 3"),
    ],
)
def test_a_broken_tree_is_refused(columns, words):
    with pytest.raises(ValueError, match=words):
        Lattice.of(tree(*columns))


def test_arrays_of_another_type_are_refused():
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="parent must be a contiguous int32"):
        Lattice.of(ItemsetTree(one, one, one))


def test_a_subset_that_is_only_on_the_way_is_missing():
    lattice = Lattice.of(tree([-1, -1, 0], [1, 2, 2], [0, 3, 2]))
    with pytest.raises(RequestError, match=r"codes \[1, 2\] is here without all of its subsets"):
        lattice.without_each(np.array([2], dtype=np.int32))


@pytest.mark.parametrize("nodes", [[-1], [3]])
def test_what_is_no_node_is_refused(nodes):
    with pytest.raises(ValueError, match=r"nodes must lie in \[0, 3\)"):
        Lattice.of(tree([-1, -1, 0], [1, 2, 2], [3, 3, 2])).without_each(np.array(nodes, dtype=np.int32))


@pytest.mark.parametrize("indptr", [[], [1, 2], [0, 1], [0, 2, 1, 3]])
def test_itemsets_that_are_no_rows_are_refused(indptr):
    with pytest.raises(ValueError, match="indptr must start at 0"):
        Lattice.of(tree([-1], [1], [3])).find(np.array(indptr, dtype=np.int64), np.zeros(3, dtype=np.int32))
