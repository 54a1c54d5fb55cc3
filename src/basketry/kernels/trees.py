"""Itemsets as a prefix tree: twelve bytes an itemset, written out as lists only when asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ItemsetTree:
    """Node i is the itemset of `parent[i]` and `item[i]` besides; -1 is the parent of single items, and parent[i] < i.

    Aligned int32 arrays [m]; items are the caller's codes, never one twice on a way to the root, in no particular order.
    `support` counts baskets; a node whose support is 0 is no member: it only lies on the way to members. The empty itemset is
    never a member.
    """

    parent: Int32s
    item: Int32s
    support: Int32s

    def __len__(self) -> int:
        return int(np.count_nonzero(self.support))

    @cached_property
    def members(self) -> Int32s:
        """Nodes that are itemsets of the answer, ascending."""
        return np.flatnonzero(self.support > 0).astype(np.int32)

    @cached_property
    def lengths(self) -> Int32s:
        """Items of each node's itemset, int32 [m]."""
        self._check()
        length = np.empty(len(self.parent), dtype=np.int32)
        lib.tree_lengths(len(length), _ints(self.parent), _ints(length))
        return length

    def flatten(self, nodes: Int32s) -> tuple[Int64s, Int32s]:
        """The itemsets of `nodes` [k] as compressed rows: indptr int64 [k + 1], items int32, ascending within a row.

        Some nanoseconds an item; 8 bytes a node and 4 an item. Raises ValueError for a node outside [0, m).
        """
        asked = np.ascontiguousarray(nodes, dtype=np.int32)
        if len(asked) and not (asked.min() >= 0 and asked.max() < len(self.parent)):
            raise ValueError(f"nodes lie in [0, {len(self.parent)})")
        indptr = np.concatenate([[0], np.cumsum(self.lengths[asked], dtype=np.int64)])
        items = np.empty(indptr[-1], dtype=np.int32)
        start = ffi.from_buffer("int64_t[]", indptr)
        lib.tree_flatten(len(asked), _ints(asked), _ints(self.parent), _ints(self.item), start, _ints(items))
        return indptr, items

    def keep(self, wanted: Mask) -> ItemsetTree:
        """The members among the nodes where `wanted` [m] is true; other nodes stay only on the way to them."""
        self._check()
        chosen = replace(self, support=np.where(wanted, self.support, 0).astype(np.int32))
        needed = np.zeros(len(self.parent), dtype=np.uint8)
        lib.tree_needed(len(needed), _ints(self.parent), _ints(chosen.support), ffi.from_buffer("uint8_t[]", needed))
        rows = np.flatnonzero(needed)
        moved = np.full(len(needed) + 1, -1, dtype=np.int32)
        moved[rows] = np.arange(len(rows), dtype=np.int32)
        return ItemsetTree(moved[self.parent[rows]], self.item[rows], chosen.support[rows])

    def _check(self) -> None:
        m = len(self.parent)
        for name, column in (("parent", self.parent), ("item", self.item), ("support", self.support)):
            if column.dtype != np.int32 or column.shape != (m,):
                raise ValueError(f"{name} must be int32 [{m}], got {column.dtype}{column.shape}")
        if m and (self.parent.min() < -1 or (self.parent >= np.arange(m, dtype=np.int32)).any()):
            raise ValueError("each node's parent comes before it, or is -1")


def _ints(column: Int32s) -> object:
    return ffi.from_buffer("int32_t[]", np.ascontiguousarray(column))
