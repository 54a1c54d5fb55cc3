"""How much pairs and itemsets weigh, where every basket has a weight of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pairs import Annotations, Floors, _blocks, _check_arrays, _Index, _invert, _pointer, _ranked, _scan
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

Floats = npt.NDArray[np.float64]

_NODES = 1 << 12  # nodes weighed between two chances to stop


@dataclass(frozen=True)
class WeighedPairs:
    """Aligned arrays, one row a pair, a < b: the baskets with both and the sum of their weights. In no particular order."""

    a: Int32s
    b: Int32s
    count: Int32s
    weight: Floats


def weigh_pairs(indptr: Int64s, items: Int32s, n_items: int, weights: Floats) -> WeighedPairs:
    """Every pair of items that stand in one basket: baskets, and sum of `weights` float64 [n] over them.

    Baskets as for `count_pairs`; weights are finite. Sums are taken in the order of the baskets. Cost: an increment and an
    addition a co-occurrence (some 8 ns on a 2.4 GHz core), one thread. Memory: two int32 an item occurrence, 20 bytes a basket
    and 20 bytes a pair (twice that at the end). Raises ValueError for arrays that break any of this.
    """
    index = _indexed(indptr, items, n_items, weights, by_frequency=True)
    n_ranks = len(index.work)
    blocks, largest, _ = _blocks(index.work, (0, n_ranks), Floors())
    sums = ffi.new("weighed[]", n_ranks + 1)
    touched = np.empty(n_ranks + 1, dtype=np.int32)
    kinds = (np.int32, np.int32, np.int32, np.float64)
    columns: list[npt.NDArray[Any]] = [np.empty(largest, dtype=kind) for kind in kinds]
    pointers = [_pointer(column) for column in (touched, *columns)]
    parts = []
    for block in blocks:
        found = lib.weigh_anchors(index.struct, *block, _pointer(weights), sums, *pointers)
        parts.append([column[:found].copy() for column in columns])
    return WeighedPairs(*(np.concatenate(column) for column in zip(*parts, strict=True)) if parts else columns)


def weigh_itemsets(indptr: Int64s, items: Int32s, tree: ItemsetTree, weights: Floats) -> tuple[Int32s, Floats]:
    """Baskets that hold each node of `tree`, members or not, and the sum of `weights` float64 [n] over them; both [m].

    The counts are those of `count_itemsets`. Each node meets the baskets of its parent with those of its item, so the cost is
    that of walking the shorter list, a bisection each where the other is over 16 times as long. Memory: two int32 an item
    occurrence, 20 bytes a basket, 24 bytes a node, and the lists of one way down. Items of the tree that no basket holds have
    no baskets. Raises ValueError for arrays that break the rules of `count_pairs`, or a tree whose parents do not come first.
    """
    m, nodes = len(tree.parent), np.arange(len(tree.parent))
    for name, column in (("parent", tree.parent), ("item", tree.item)):
        if column.dtype != np.int32 or column.shape != (m,):
            raise ValueError(f"{name} must be an int32 array [{m}]")
    if m and not (tree.parent.min() >= -1 and (tree.parent < nodes).all() and tree.item.min() >= 0):
        raise ValueError("a parent comes before its node, and items are codes from 0")
    n_items = 1 + max(int(tree.item.max(initial=-1)), int(items.max(initial=-1)))
    index = _indexed(indptr, items, n_items, weights, by_frequency=False)
    order, depth, small, least = (np.empty(m, dtype=np.int32) for _ in range(4))
    wide = np.empty(m, dtype=np.int64)
    tree_columns = [_pointer(np.ascontiguousarray(column)) for column in (tree.parent, tree.item)]
    longest = lib.walk_tree(
        index.struct, m, *tree_columns, *(_pointer(column) for column in (small, least, wide, order, depth))
    )
    held = np.zeros(int(depth.max(initial=0)) + 1, dtype=np.int64)
    lists = np.empty(longest, dtype=np.int32)
    count, weight = np.zeros(m, dtype=np.int32), np.zeros(m)
    walk = [_pointer(order), _pointer(depth), tree_columns[1]]
    columns = [_pointer(column) for column in (weights, held, lists, count, weight)]
    for first in range(0, m, _NODES):
        lib.weigh_nodes(index.struct, first, min(m, first + _NODES), *walk, *columns)
    return count, weight


def _indexed(indptr: Int64s, items: Int32s, n_items: int, weights: Floats, *, by_frequency: bool) -> _Index:
    """Baskets and items in both directions; ranks are the items themselves, or follow falling frequency."""
    _check_arrays(indptr, items, n_items, Annotations())
    n = len(indptr) - 1
    if weights.dtype != np.float64 or weights.shape != (n,) or not weights.flags.c_contiguous:
        raise ValueError(f"weights must be a contiguous float64 array [{n}], got {weights.dtype}{weights.shape}")
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite")
    frequency, _ = _scan(n, n_items, indptr, items, None)
    every = np.ones(n_items, dtype=np.bool_)
    return _invert(n, indptr, items, _ranked(frequency, every, by_frequency=by_frequency), Annotations())
