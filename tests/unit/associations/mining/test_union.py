"""Joined trees against dictionaries of frozensets, and one tree written out by hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.union import recounted, union_trees
from basketry.kernels.trees import ItemsetTree


def tree(parent, item, support):
    return ItemsetTree(*(np.array(column, dtype=np.int32) for column in (parent, item, support)))


def rows(found):
    """The itemset of every node, in the order of the nodes."""
    indptr, items = found.flatten(np.arange(len(found.parent), dtype=np.int32))
    return [tuple(items[a:b].tolist()) for a, b in pairwise(indptr)]


def members(found):
    every = rows(found)
    return {every[node]: int(found.support[node]) for node in found.members}


def path(found, node):
    """Items from the root to the node, as they stand."""
    way = []
    while node >= 0:
        way.append(int(found.item[node]))
        node = int(found.parent[node])
    return way[::-1]


@st.composite
def trees(draw):
    """A tree with its nodes in no particular order of items; no itemset twice."""
    wanted = draw(st.dictionaries(st.frozensets(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 9), max_size=12))
    order = draw(st.permutations(range(7)))
    nodes = {}
    for itemset in wanted:
        way = sorted(itemset, key=order.index)
        for length in range(1, len(way) + 1):
            nodes.setdefault(tuple(way[:length]), len(nodes))
    parent = [nodes.get(way[:-1], -1) for way in nodes]
    return tree(parent, [way[-1] for way in nodes], [wanted.get(frozenset(way), 0) for way in nodes])


def test_two_trees_by_hand():
    one = tree([-1, 0, -1], [2, 1, 0], [5, 3, 4])  # {2}: 5, {1, 2}: 3, {0}: 4
    two = tree([-1, 0, 1], [0, 1, 2], [2, 0, 1])  # {0}: 2, {0, 1}: on the way only, {0, 1, 2}: 1
    joined = union_trees([one, two])
    assert rows(joined) == [(0,), (0, 1), (0, 1, 2), (1,), (1, 2), (2,)]
    assert joined.support.tolist() == [6, 0, 1, 0, 3, 5]
    assert joined.parent.tolist() == [-1, 0, 1, -1, 3, -1]
    assert joined.item.tolist() == [0, 1, 2, 1, 2, 2]


def test_of_nothing_it_is_the_empty_tree():
    for several in ([], [tree([], [], [])], [tree([-1], [3], [0])]):
        joined = union_trees(several)
        assert len(joined) == len(joined.parent) == 0
        assert joined.parent.dtype == joined.item.dtype == joined.support.dtype == np.int32


def test_a_sum_beyond_31_bits_is_refused():
    one = tree([-1], [0], [2**31 - 1])
    assert members(union_trees([one])) == {(0,): 2**31 - 1}
    with pytest.raises(ValueError, match="2147483648"):
        union_trees([one, tree([-1], [0], [1])])


@given(st.lists(trees(), max_size=4))
def test_it_is_the_sum_of_the_members(several):
    expected = Counter()
    for each in several:
        expected.update(members(each))
    joined = union_trees(several)
    assert members(joined) == expected


@given(st.lists(trees(), max_size=4), st.randoms())
def test_it_is_canonical(several, random):
    joined = union_trees(several)
    every = rows(joined)
    assert every == sorted(every) and len(set(every)) == len(every)
    assert all(path(joined, node) == list(every[node]) for node in range(len(every)))
    assert (joined.parent < np.arange(len(every))).all()
    on_a_way = {member[:length] for member in members(joined) for length in range(1, len(member) + 1)}
    assert set(every) == on_a_way
    shuffled = random.sample(several, len(several))
    cut = random.randint(0, len(several))
    for again in (union_trees(shuffled), union_trees([joined]), union_trees([union_trees(several[:cut]), *several[cut:]])):
        for name in ("parent", "item", "support"):
            assert np.array_equal(getattr(again, name), getattr(joined, name))
            assert getattr(again, name).dtype == np.int32


@given(trees(), st.integers(0, 8), st.data())
def test_recounted_keeps_what_reaches_the_floor(found, floor, data):
    counts = []
    for above in found.parent.tolist():
        counts.append(data.draw(st.integers(0, counts[above] if above >= 0 else 9)))
    kept = recounted(found, np.array(counts, dtype=np.int32), floor)
    expected = {row: count for row, count in zip(rows(found), counts, strict=True) if count >= max(floor, 1)}
    assert members(kept) == expected
    assert rows(kept) == [row for row in rows(found) if row in expected]


def test_counts_of_another_tree_are_refused():
    found = tree([-1, 0], [0, 1], [3, 2])
    with pytest.raises(ValueError, match="3 counts for 2 nodes"):
        recounted(found, np.array([1, 1, 1], dtype=np.int32), 1)
    with pytest.raises(ValueError, match="more baskets than its prefix"):
        recounted(found, np.array([1, 2], dtype=np.int32), 1)
