"""Itemsets as a prefix tree: twelve bytes an itemset, written out as lists only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


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
        return len(self.members)

    @cached_property
    def members(self) -> Int32s:
        """Nodes that are itemsets of the answer, ascending."""
        return np.flatnonzero(self.support > 0).astype(np.int32)

    @cached_property
    def lengths(self) -> Int32s:
        """Items of each node's itemset, int32 [m]."""
        depth = np.ones(len(self.parent), dtype=np.int32)
        for i in range(len(depth)):
            if self.parent[i] >= 0:
                depth[i] = depth[self.parent[i]] + 1
        return depth

    def flatten(self, nodes: Int32s) -> tuple[Int64s, Int32s]:
        """The itemsets of `nodes` [k] as compressed rows: indptr int64 [k + 1], items int32, ascending within a row."""
        rows = []
        for node in nodes.tolist():
            row = []
            while node >= 0:
                row.append(int(self.item[node]))
                node = int(self.parent[node])
            rows.append(sorted(row))
        indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return indptr, np.array([code for row in rows for code in row], dtype=np.int32)
