"""Items one below the other: who is above whom, as arrays of codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from basketry.kernels.trees import Int32s, Int64s

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Forest:
    """`parent` int32 [n]: the item right above each item, -1 for none, in any order; `cycle_of(parent)` must be empty.

    `place` numbers the items from 0 so that an item's descendants are exactly those of the places behind its own, up to `end`
    (depth first, siblings by code). So whether a is above b is one comparison of whole numbers, whatever the depth.
    """

    parent: Int32s

    @cached_property
    def depth(self) -> Int32s:
        """How many items are above each, int32 [n]."""
        depth = np.zeros(len(self.parent), dtype=np.int32)
        above = self.parent
        while (there := above >= 0).any():
            depth += there
            above = np.where(there, self.parent[above], -1)
        return depth

    @cached_property
    def _walk(self) -> tuple[Int32s, Int32s]:
        """Place of each item and of its last descendant."""
        levels = [np.flatnonzero(self.depth == each) for each in range(int(self.depth.max(initial=-1)) + 1)]
        size = np.ones(len(self.parent), dtype=np.int64)  # of an item with all below it
        for level in reversed(levels[1:]):
            np.add.at(size, self.parent[level], size[level])
        place = np.zeros(len(self.parent), dtype=np.int64)
        for level in levels:
            family = level[np.argsort(self.parent[level], kind="stable")]  # siblings stand together
            above = self.parent[family]
            before = np.cumsum(size[family]) - size[family]
            eldest = np.searchsorted(above, above)
            place[family] = np.where(above >= 0, place[above] + 1, 0) + before - before[eldest]
        return place.astype(np.int32), (place + size - 1).astype(np.int32)

    @property
    def place(self) -> Int32s:
        """The number of each item on a walk through the forest, int32 [n]; an ancestor comes before its descendants."""
        return self._walk[0]

    @property
    def end(self) -> Int32s:
        """The place of the last of each item's descendants, int32 [n]; its own where it has none."""
        return self._walk[1]

    def within(self, chosen: Mask) -> Forest:
        """The same items, each right below the nearest of its ancestors that is `chosen` [n]; nobody is below the others."""
        above = self.parent
        while (skipped := (above >= 0) & ~chosen[above]).any():
            above = np.where(skipped, self.parent[above], above)
        return Forest(above.astype(np.int32))

    def lines(self, codes: Int32s, starts: Mask | None = None) -> tuple[Int64s, Int32s]:
        """Each of `codes` [k] with all of its ancestors, nearest first, as compressed rows: int64 [k + 1] and int32.

        Where `starts` [n] is false of an item, only its ancestors. Memory: 12 bytes an item and ancestor.
        """
        own = np.ones(len(codes), dtype=np.bool_) if starts is None else starts[codes]
        rows, found = [np.flatnonzero(own)], [codes[own]]
        row, above = np.arange(len(codes)), self.parent[codes]
        while (there := above >= 0).any():
            row, above = row[there], above[there]
            rows.append(row)
            found.append(above)
            above = self.parent[above]
        owner = np.concatenate(rows)
        order = np.argsort(owner, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(codes)))]).astype(np.int64)
        return start, np.concatenate(found)[order].astype(np.int32)

    def relatives(self) -> tuple[Int64s, Int32s]:
        """For each item its ancestors and descendants, ascending, as compressed rows: int64 [n + 1] and int32."""
        n = len(self.parent)
        start, above = self.lines(np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.bool_))
        below = np.repeat(np.arange(n, dtype=np.int64), np.diff(start))
        keys = np.sort(np.concatenate([below * n + above, above.astype(np.int64) * n + below]))
        sizes = np.bincount(keys // max(n, 1), minlength=n)
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), (keys % max(n, 1)).astype(np.int32)


def cycle_of(parent: Int32s) -> list[int]:
    """Items of which each is the parent of the one before it, and the first of the last; empty where there are none.

    Steps are doubled, so that n items take log2(n) passes whatever their depth.
    """
    above = parent.copy()
    for _ in range(max(len(parent), 1).bit_length()):
        above = np.where(above >= 0, above[above], -1)
    lost = np.flatnonzero(above >= 0)
    if not len(lost):
        return []
    item, seen = int(lost[0]), dict[int, None]()
    while item not in seen:
        seen[item] = None
        item = int(parent[item])
    walked = list(seen)
    return walked[walked.index(item) :]
