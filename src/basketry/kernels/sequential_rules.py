"""Rules between sets of items whose order is in time: all of the one before all of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pointers import pointer
from basketry.kernels.sequence_rows import LARGEST, Bytes, Int32s, Int64s, SequenceRows, Twins, scan

_BUDGET = 1 << 22  # places read between two chances to stop: some ten milliseconds
_ROOM = 1 << 16  # nodes and pending rules reserved at first, and entries besides the data
MAX_RULES: Final = 20_000_000
_PAUSED, _NODES, _ENTRIES, _PENDING = 1, 2, 3, 4

SEED, AFTER, BEFORE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class RuleTree:
    """Node i is the rule of `parent[i]` with `item[i]` added to its consequent (`side` 1) or to its antecedent (2).

    Side 0 is an antecedent of one item still without a consequent, and no rule. Aligned arrays [m], int32 but for `side` uint8;
    parent[i] < i. `support` counts sequences in which the rule holds forwards or backwards, `ways` which.
    """

    parent: Int32s
    item: Int32s
    side: Bytes
    support: Int32s
    ways: Twins

    def sides(self) -> tuple[Int32s, Int32s, Int32s, Int32s]:
        """Antecedents and consequents as two prefix trees: their parents, items, and each node's place in them, stacked.

        Returns parent and item of one tree of itemsets [k], and for each rule the node of its antecedent and of its consequent
        in it (-1 where empty).
        """
        m = len(self.parent)
        at = np.full((2, m), -1, dtype=np.int32)
        parents, items = [], []
        k = 0
        n_items = int(self.item.max()) + 1 if m else 1
        for nodes in self._levels():
            above = self.parent[nodes]
            for side in (0, 1):
                at[side, nodes] = np.where(above >= 0, at[side, above], -1)
            side = (self.side[nodes] == AFTER).astype(np.intp)
            base = at[side, nodes].astype(np.int64)
            keys, found = np.unique((base + 1) * n_items + self.item[nodes], return_inverse=True)
            parents.append((keys // n_items - 1).astype(np.int32))
            items.append((keys % n_items).astype(np.int32))
            at[side, nodes] = (k + found).astype(np.int32)
            k += len(keys)
        none = [np.empty(0, dtype=np.int32)]
        return np.concatenate(parents or none), np.concatenate(items or none), at[0], at[1]

    def _levels(self) -> list[Int32s]:
        """Nodes by depth."""
        levels = []
        nodes = np.flatnonzero(self.parent < 0).astype(np.int32)
        order = np.argsort(self.parent, kind="stable").astype(np.int32)
        ranked = self.parent[order]
        while len(nodes):
            levels.append(nodes)
            low, high = np.searchsorted(ranked, nodes), np.searchsorted(ranked, nodes, side="right")
            sizes = high - low
            begin = np.cumsum(sizes) - sizes
            nodes = np.sort(order[np.repeat(low - begin, sizes) + np.arange(int(sizes.sum()))])
        return levels


def mine_sequential_rules(
    rows: SequenceRows,
    *,
    min_count: int,
    window: int | None = None,
    max_antecedent: int = 3,
    max_consequent: int = 3,
    max_rules: int = MAX_RULES,
) -> RuleTree:
    """Every rule X => Y that at least `min_count` sequences hold forwards or backwards, and how many hold it in which way.

    A sequence holds X => Y (disjoint, unordered) if some point of it has every item of X in elements before and every item of Y
    in elements after it, all within `window` on its clock from the first of them to the last. Backwards: Y => X. The floor is
    on sequences that hold either, for that number does not depend on order, which is what a test of order asks for.

    Source: P. Fournier-Viger, R. Nkambou, V. Tseng, RuleGrowth, SAC 2011; the window: TRuleGrowth, FLAIRS 2012, there in
    elements. With a window a sequence is looked at through every window that no other holds: memory is 12 bytes for each item
    of each. Cost: some nanoseconds for each item of each span of each rule. An interrupt takes effect after some ten
    milliseconds. Limits: 2**31 - 2 entries, rules and items in windows.
    Raises RequestError for more than `max_rules`, ValueError for arrays that break SequenceRows.
    """
    if min(min_count, max_antecedent, max_consequent, max_rules) < 1 or (window is not None and window < 0):
        raise ValueError(f"counts and sizes start at 1, windows at 0: {min_count, max_antecedent, max_consequent, window}")
    code = np.flatnonzero(scan(rows) >= min_count).astype(np.int32)
    spans = _spans(rows, code, window)
    search = _Search(spans, len(code), min_count, (max_antecedent, max_consequent), max_rules)
    search.run()
    names = ("node_parent", "node_item", "node_side", "node_support", "node_odd", "node_both")
    parent, item, side, support, odd, both = (search.arrays[name][: search.miner.nodes_used] for name in names)
    return RuleTree(parent, code[item] if len(item) else item, side, support - both, Twins(support - odd, odd, both))


def _spans(rows: SequenceRows, code: Int32s, window: int | None) -> tuple[npt.NDArray[Any], ...]:
    """start, item, first, last and owner of the spans, forwards and backwards by turns."""
    rank = np.full(rows.n_items + 1, -1, dtype=np.int32)
    rank[code] = np.arange(len(code), dtype=np.int32)
    sequence = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    if window is None:
        low, high, whose = rows.starts[:-1], rows.starts[1:], np.arange(len(rows))
    else:
        low, high, whose = _windows(rows, sequence, window)
    sizes = rows.elements[high] - rows.elements[low]
    if sizes.sum() > LARGEST:
        raise RequestError(
            f"windows of {window} hold {sizes.sum()} items", f"at most {LARGEST} can be mined: narrow the window"
        )
    span = np.repeat(np.arange(len(low)), sizes)
    entry = np.arange(int(sizes.sum())) + np.repeat(rows.elements[low] - (np.cumsum(sizes) - sizes), sizes)
    element = np.repeat(np.arange(len(rows.elements) - 1), np.diff(rows.elements))
    item = rank[rows.items[entry]]
    kept = item >= 0
    span, item, place = span[kept], item[kept], element[entry[kept]]
    order = np.lexsort((place, item, span))
    span, item, place = span[order], item[order], place[order]
    new = np.append(True, (np.diff(span) != 0) | (np.diff(item) != 0))[: len(span)]
    begin = np.flatnonzero(new)
    end = np.append(begin[1:], len(span)) - 1
    first, last = place[begin].astype(np.int32), place[end[: len(begin)]].astype(np.int32)
    span, item = span[begin], item[begin]
    counts = np.bincount(span, minlength=len(low))
    twice = np.argsort(np.concatenate([2 * whose, 2 * whose + 1]), kind="stable")
    owner = np.concatenate([2 * whose, 2 * whose + 1])[twice].astype(np.int32)
    sizes = np.concatenate([counts, counts])[twice]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    offset = np.cumsum(counts) - counts
    pick = np.repeat(np.concatenate([offset, offset + len(item)])[twice] - start[:-1], sizes) + np.arange(start[-1])
    double = (np.concatenate(pair)[pick] for pair in ((item, item), (first, -last), (last, -first)))
    return (start, *(np.ascontiguousarray(column, dtype=np.int32) for column in double), owner)


def _windows(rows: SequenceRows, sequence: npt.NDArray[np.int64], window: int) -> tuple[Int64s, Int64s, Int64s]:
    """First element, end and sequence of each window that no other window of its sequence holds."""
    n = len(sequence)
    clock = np.arange(n, dtype=np.int64) if rows.clock is None else rows.clock
    # Elements stand by sequence, then by time: one sorted key, in which a window that reaches past its sequence ends with it.
    clock = clock - (clock.min() if n else 0)
    wide = min(window, int(clock.max()) if n else 0)
    stride = (int(clock.max()) if n else 0) + wide + 1
    if (len(rows) + 1) * stride > 2**62:
        raise ValueError(f"{len(rows)} sequences on a clock of {stride} units are too long; use a coarser clock")
    key = sequence * stride + clock
    high = np.searchsorted(key, key + wide, side="right")
    whole = np.append(True, (np.diff(high) != 0) | (np.diff(sequence) != 0))[:n]
    low = np.flatnonzero(whole)
    return low.astype(np.int64), high[low].astype(np.int64), sequence[low]


class _Search:
    """The miner struct, the arrays it points to, and the loop that makes room for it."""

    def __init__(
        self, spans: tuple[npt.NDArray[Any], ...], n_ranks: int, min_count: int, most: tuple[int, int], max_rules: int
    ) -> None:
        self._max_rules, self._min_count = max_rules, min_count
        self.miner = ffi.new("rule_miner *")
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        self._owners: dict[str, object] = {}
        start, owner = spans[0], spans[4]
        self._spans = [pointer(array) for array in spans]
        self.index = ffi.new("span_index *", (*self._spans, len(owner), n_ranks))
        nodes = min(max_rules, _ROOM)
        for name in ("node_parent", "node_item", "node_support", "node_odd", "node_both"):
            self._hold(name, np.empty(nodes, dtype=np.int32))
        self._hold("node_side", np.empty(nodes, dtype=np.uint8))
        entries = min(LARGEST, _ROOM + 2 * int(start[-1]))
        for name in ("span", "from", "until"):
            self._hold(name, np.empty(entries, dtype=np.int32))
        for name in ("touched_before", "touched_after"):
            self._hold(name, np.empty(2 * n_ranks + 2, dtype=np.int32))
        for name in ("before", "after"):
            tallies = np.tile(np.array([0, 0, -(2**31), 0, 0, -1], dtype=np.int32), (n_ranks + 1, 1))
            self._owners[name] = ffi.from_buffer("rule_tally[]", tallies)
            setattr(self.miner, name, self._owners[name])
        self.miner.nodes_room, self.miner.entries_room = nodes, entries
        self.miner.min_count = min_count
        self.miner.max_before, self.miner.max_after = most
        self._room_for_pending(_ROOM)

    def run(self) -> None:
        """Search to the end; between two calls of the kernel an interrupt is heard."""
        while status := lib.plant_rules(self.index, self.miner):
            self._make_room(status)
        while status := lib.extend_rules(self.index, self.miner, _BUDGET):
            if status != _PAUSED:
                self._make_room(status)

    def _hold(self, name: str, array: npt.NDArray[Any]) -> None:
        self.arrays[name] = array
        self._owners[name] = pointer(array)
        setattr(self.miner, name, self._owners[name])

    def _room_for_pending(self, room: int) -> None:
        longer = ffi.new("pending_rule[]", room)
        if self.miner.pending_used:
            ffi.memmove(longer, self.miner.pending, self.miner.pending_used * ffi.sizeof("pending_rule"))
        self._owners["pending"] = longer
        self.miner.pending, self.miner.pending_room = longer, room

    def _make_room(self, status: int) -> None:
        need = int(self.miner.need)
        if status == _NODES and need > self._max_rules:
            raise RequestError(
                f"more than {self._max_rules} rules hold in at least {self._min_count} sequences",
                "raise min_support, set a window or smaller sides, or raise max_rules",
            )
        if need > LARGEST:
            raise RequestError(f"the search needs {need} places in one array, which ends at {LARGEST}", "raise min_support")
        room = min(2 * need, LARGEST)
        if status == _PENDING:
            self._room_for_pending(room)
            return
        if status == _NODES:
            room = min(room, self._max_rules)
            self.miner.nodes_room = room
        else:
            self.miner.entries_room = room
        names = [name for name in self.arrays if name.startswith("node_")] if status == _NODES else ["span", "from", "until"]
        for name in names:
            longer = np.empty(room, dtype=self.arrays[name].dtype)
            longer[: len(self.arrays[name])] = self.arrays[name]
            self._hold(name, longer)
