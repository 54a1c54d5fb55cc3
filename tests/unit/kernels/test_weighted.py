from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels import weighted
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.pairs import count_pairs
from basketry.kernels.trees import ItemsetTree
from basketry.kernels.weighted import weigh_itemsets, weigh_pairs

N_ITEMS = 7

worlds = st.lists(
    st.tuples(st.sets(st.integers(0, N_ITEMS - 1)), st.integers(-8, 64).map(lambda eighths: eighths / 8)), max_size=14
)


def arrays(world):
    indptr = np.cumsum([0] + [len(chosen) for chosen, _ in world]).astype(np.int64)
    items = np.array([item for chosen, _ in world for item in sorted(chosen, reverse=True)], dtype=np.int32)
    return indptr, items, np.array([weight for _, weight in world], dtype=np.float64)


def by_hand(world, itemset):
    inside = [weight for chosen, weight in world if set(itemset) <= chosen]
    return len(inside), sum(inside)  # eighths add up exactly


@given(worlds, st.sampled_from([1, 10, 1 << 18]))
def test_pairs_equal_a_count_by_hand(world, block):
    indptr, items, weights = arrays(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basketry.kernels.pairs._BLOCK", block)
        found = weigh_pairs(indptr, items, N_ITEMS, weights)
    rows = {(a, b): (n, w) for a, b, n, w in zip(*(column.tolist() for column in vars(found).values()), strict=True)}
    wanted = {pair: by_hand(world, pair) for pair in combinations(range(N_ITEMS), 2)}
    assert rows == {pair: count for pair, count in wanted.items() if count[0]}
    assert len(rows) == len(found.a)


trees = st.lists(st.tuples(st.integers(-1, 30), st.integers(0, N_ITEMS + 1)), max_size=30).map(
    lambda nodes: [(min(above, i - 1), item) for i, (above, item) in enumerate(nodes)]
)


@given(worlds, trees, st.sampled_from([1, 3, 1 << 12]))
def test_nodes_of_any_tree_equal_a_count_by_hand(world, nodes, at_once):
    indptr, items, weights = arrays(world)
    parent, item = (np.array([node[i] for node in nodes], dtype=np.int32) for i in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighted, "_NODES", at_once)
        count, weight = weigh_itemsets(indptr, items, ItemsetTree(parent, item, np.zeros_like(item)), weights)
    ways = []
    for above, code in nodes:
        ways.append(({*ways[above]} if above >= 0 else set()) | {code})
    assert list(zip(count.tolist(), weight.tolist(), strict=True)) == [by_hand(world, way) for way in ways]


def test_a_larger_world_agrees_with_the_counting_kernels():
    random = np.random.default_rng(0)
    chosen = [np.flatnonzero(random.random(30) < np.linspace(0.9, 0.02, 30)) for _ in range(3000)]
    indptr, items = np.cumsum([0, *map(len, chosen)]), np.concatenate(chosen).astype(np.int32)
    tree = mine_itemsets(indptr, items, 30, min_count=150)
    ones = np.ones(3000)
    count, weight = weigh_itemsets(indptr, items, tree, ones)
    assert np.array_equal(count, count_itemsets(indptr, items, tree)) and np.array_equal(weight, count)
    pairs, reference = weigh_pairs(indptr, items, 30, ones), count_pairs(indptr, items, 30)
    mine, theirs = np.lexsort((pairs.b, pairs.a)), np.lexsort((reference.b, reference.a))
    for name in ("a", "b", "count"):
        assert np.array_equal(getattr(pairs, name)[mine], getattr(reference, name)[theirs])
    assert np.array_equal(pairs.weight[mine], reference.count[theirs])


NO_ITEMS = np.zeros(0, np.int32)


@pytest.mark.parametrize("weights", [np.ones(1), np.ones(3), np.ones(2, np.float32), np.array([1, np.inf]), np.ones(4)[::2]])
def test_weights_of_another_shape_or_kind_are_refused(weights):
    tree = ItemsetTree(NO_ITEMS, NO_ITEMS, NO_ITEMS)
    for work in (
        lambda: weigh_pairs(np.zeros(3, np.int64), NO_ITEMS, 1, weights),
        lambda: weigh_itemsets(np.zeros(3, np.int64), NO_ITEMS, tree, weights),
    ):
        with pytest.raises(ValueError, match="weights must be"):
            work()


@pytest.mark.parametrize(
    ("parent", "item"),
    [([0], [0]), ([-2], [0]), ([-1, 1], [0, 1]), ([-1], [-1]), ([-1, 0], [0])],
)
def test_what_is_no_tree_is_refused(parent, item):
    tree = ItemsetTree(np.array(parent, np.int32), np.array(item, np.int32), np.zeros(len(parent), np.int32))
    with pytest.raises(ValueError, match=r"parent comes before|must be an int32"):
        weigh_itemsets(np.array([0, 1]), np.zeros(1, np.int32), tree, np.ones(1))
