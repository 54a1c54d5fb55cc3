"""Itemsets found by their items: an index beside a prefix tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

EMPTY: Final = -1  # the node of the empty itemset, which no tree holds
MISSING: Final = -2  # an itemset that the tree does not hold
_BLOCK: Final = 1 << 18  # nodes between two chances to stop: some milliseconds
_SEEDS: Final = 8


@dataclass(frozen=True, eq=False)
class Lattice:
    """A tree, the number of items `depth` int32 [m] of each node, and the table in which a node is found by its items.

    Looking up an itemset of the tree is exact. One that is not there is reported missing, or mistaken for another with a
    chance of m / 2**64. Memory: 12 bytes a node, and 8 to 16 of table. Cost: some 10 to 50 ns a node to build, about as much
    a look-up.
    """

    tree: ItemsetTree
    depth: Int32s
    struct: object
    owners: tuple[object, ...]

    @classmethod
    def of(cls, tree: ItemsetTree) -> Lattice:
        """Index a tree. Raises ValueError where its arrays break the tree's contract, or an itemset stands in it twice."""
        _check(tree)
        for seed in range(1, _SEEDS):
            found = _hashed(tree, seed)
            if found is not None:
                return found
        raise ValueError("the itemsets cannot be told apart by hashing; no random input does this")

    def find(self, indptr: Int64s, items: Int32s) -> Int32s:
        """The node of each itemset `items[indptr[i]:indptr[i + 1]]`, its items in any order; -1 where the tree has none."""
        if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(items) or (np.diff(indptr) < 0).any():
            raise ValueError("indptr must start at 0, never fall and end at len(items)")
        start, codes = np.ascontiguousarray(indptr, dtype=np.int64), np.ascontiguousarray(items, dtype=np.int32)
        out = np.empty(len(start) - 1, dtype=np.int32)
        lib.find_itemsets(self.struct, len(out), pointer(start), pointer(codes), pointer(out))
        return out

    def without_each(self, nodes: Int32s, base: Int32s | None = None) -> tuple[Int64s, Int32s]:
        """For each item of each node: the node of the itemset without it; as compressed rows indptr [k + 1] and nodes.

        With `base` [k], the items of `nodes[i]` are left out of `base[i]` instead, which must hold them; rows stay as long as
        `nodes[i]`. Items stand in the same order for the same node, so the rows of two bases are aligned. `EMPTY` is the empty
        itemset. Raises RequestError where an itemset that is needed is not in the tree.
        """
        of = self.checked(nodes)
        source = of if base is None else self.checked(base)
        if len(of) != len(source):
            raise ValueError(f"{len(of)} nodes and {len(source)} bases")
        start, out = self._dropped(of, source)
        lacking = np.flatnonzero(out == MISSING)
        if len(lacking):
            raise not_closed(self.tree, int(source[np.searchsorted(start, lacking[0], side="right") - 1]))
        return start, out

    def subsets(self, nodes: Int32s) -> tuple[Int64s, Int32s]:
        """The same of the nodes themselves, `MISSING` standing for an itemset that is not in the tree."""
        of = self.checked(nodes)
        return self._dropped(of, of)

    def _dropped(self, of: Int32s, source: Int32s) -> tuple[Int64s, Int32s]:
        start = np.concatenate([[0], np.cumsum(self.depth[of], dtype=np.int64)])
        out = np.empty(start[-1], dtype=np.int32)
        for first in range(0, len(of), _BLOCK):
            last = min(first + _BLOCK, len(of))
            lib.drop_each(self.struct, first, last, pointer(of), pointer(source), pointer(start), pointer(out))
        return start, out

    def checked(self, nodes: Int32s) -> Int32s:
        """The ids as the kernels take them. Raises ValueError for one that is no node."""
        ids = np.ascontiguousarray(nodes, dtype=np.int32)
        if ids.ndim != 1 or (len(ids) and not (ids.min() >= 0 and ids.max() < len(self.depth))):
            raise ValueError(f"nodes must lie in [0, {len(self.depth)}), one a place")
        return ids


def not_closed(tree: ItemsetTree, node: int) -> RequestError:
    """What to say where the supports of an itemset's subsets are not all known."""
    items = tree.flatten(np.array([node], dtype=np.int32))[1].tolist()
    return RequestError(
        f"the itemset of codes {items} is here without all of its subsets, and a rule needs their supports",
        "mine itemsets of kind 'all', without constraints on what they contain; limits on length do no harm",
    )


def pointer(array: npt.NDArray[np.generic]) -> object:
    """The array's memory as a C pointer of its own element type; the pointer keeps the array alive."""
    return ffi.from_buffer(f"{array.dtype.name}_t[]", array)


def _check(tree: ItemsetTree) -> None:
    m = len(tree.parent)
    for name, array in (("parent", tree.parent), ("item", tree.item), ("support", tree.support)):
        if array.ndim != 1 or array.dtype != np.int32 or not array.flags.c_contiguous or len(array) != m:
            raise ValueError(f"{name} must be a contiguous int32 array [{m}], got {array.dtype}{array.shape}")
    if m and not ((tree.parent >= -1) & (tree.parent < np.arange(m))).all():
        raise ValueError("a parent must be -1 or a node before its child")
    if m and (tree.item.min() < 0 or tree.support.min() < 0):
        raise ValueError("items and supports are never negative")


def _hashed(tree: ItemsetTree, seed: int) -> Lattice | None:
    """The index under one seed, or None if two itemsets share a hash."""
    m = len(tree.parent)
    bits = max(4, (2 * m - 1).bit_length())
    hashes, depth = np.empty(m, dtype=np.uint64), np.empty(m, dtype=np.int32)
    slots = np.full(1 << bits, -1, dtype=np.int32)
    other = np.zeros(1, dtype=np.int64)
    parent, item, support, hashed, lengths, table, twin = (
        pointer(array) for array in (tree.parent, tree.item, tree.support, hashes, depth, slots, other)
    )
    for first in range(0, m, _BLOCK):
        last = min(first + _BLOCK, m)
        clash = lib.hash_itemsets(first, last, parent, item, seed, bits, hashed, lengths, table, twin)
        if clash >= 0:
            itemsets = [tree.flatten(np.array([node], dtype=np.int32))[1].tolist() for node in (clash, int(other[0]))]
            if clash != other[0] and itemsets[0] == itemsets[1]:
                raise ValueError(f"the itemset of codes {itemsets[0]} stands in the tree twice, as {other[0]} and as {clash}")
            return None
    struct = ffi.new("lattice *", (parent, item, support, hashed, table, seed, bits))
    return Lattice(tree, depth, struct, (parent, item, support, hashed, table))
