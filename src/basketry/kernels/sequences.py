"""Patterns that follow one another: subsequences of itemsets that stand in enough sequences."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pointers import pointer
from basketry.kernels.sequence_rows import (
    FOREVER,
    LARGEST,
    UNLIMITED,
    Bytes,
    Int32s,
    Int64s,
    Limits,
    SequenceRows,
    SequenceTree,
    Twins,
    scan,
)

SequenceKind = Literal["all", "closed", "maximal"]
SEQUENCE_KINDS: Final = ("all", "closed", "maximal")

_BUDGET = 1 << 22  # row entries read between two chances to stop: some ten milliseconds
_MARKED = 64  # subtrees of the first level walked between two chances to stop
_ROOM = 1 << 16  # nodes, ends and pending patterns reserved at first
_SPARE = 2  # and so many times the data, for ends and for narrowed rows
MAX_PATTERNS: Final = 20_000_000
_EQUAL, _ANY, _NEAR = 0, 1, 2
_PAUSED, _NODES, _ENDS, _ROWS, _PENDING = 1, 2, 3, 4, 5


def mine_sequences(
    rows: SequenceRows,
    *,
    min_count: int,
    kind: SequenceKind = "all",
    limits: Limits = UNLIMITED,
    max_patterns: int = MAX_PATTERNS,
) -> SequenceTree:
    """Every pattern of `kind` in at least `min_count` sequences, each sequence counted once.

    A pattern <p1, ..., pk> of itemsets stands in a sequence if elements e1 < ... < ek of it hold p1, ..., pk, within `limits`.
    `closed`: no pattern one item longer has the same support; `maximal`: none one item longer is frequent. With a largest gap
    "one item longer" means longer without filling a gap: an item more in an element, or an element more at either end
    (contiguous subsequences: Srikant and Agrawal 1996), since there the support of other shorter patterns may be smaller. Both
    are exact within what was mined, limits on length included, and found by looking each shorter pattern up afterwards: they
    cost the memory of all patterns, and about 20 ns an item of a pattern.

    Source: J. Pei et al., PrefixSpan, ICDE 2001, with all end positions instead of the first. Cost: some nanoseconds for each
    item behind the ends of each pattern. Memory: 13 bytes a pattern, 8 an entry of the data at each level of the search at
    most, less where rows narrow. Limits: 2**31 - 2 sequences, elements, entries and patterns. An interrupt takes effect after
    some ten milliseconds.
    Raises RequestError for more than `max_patterns` patterns, ValueError for arrays that break SequenceRows.
    """
    if min_count < 1 or max_patterns < 1:
        raise ValueError(f"min_count and max_patterns start at 1, got {min_count} and {max_patterns}")
    if kind not in SEQUENCE_KINDS:
        raise RequestError(f"kind {kind!r} is not known", f"choose one of {', '.join(SEQUENCE_KINDS)}")
    frequency = scan(rows)
    code = np.flatnonzero(frequency >= min_count).astype(np.int32)
    columns = _columns(("node_parent", "node_item", "node_support"), min(max_patterns, _ROOM))
    search = _Search(rows, code, limits, columns, min_count, max_patterns)
    search.run()
    parent, item, support, joins = (search.arrays[name][: search.miner.nodes_used] for name in columns)
    tree = SequenceTree(parent, code[item] if len(item) else item, support, joins)
    return tree if kind == "all" else only_sequences(tree, ~covered_sequences(tree, kind, limits=limits))


def count_sequences(rows: SequenceRows, tree: SequenceTree, *, limits: Limits = UNLIMITED) -> Int32s:
    """Sequences of `rows` that hold each node of `tree`, int32 [m], members or not; the limits on length do not matter.

    Costs what mining them would, without the candidates that fail. Errors as for `mine_sequences`.
    """
    _check_tree(tree, rows.n_items)
    scan(rows)
    code = np.unique(tree.item).astype(np.int32)
    columns: dict[str, npt.NDArray[Any]] = {
        "node_parent": np.ascontiguousarray(tree.parent),
        "node_item": np.searchsorted(code, tree.item).astype(np.int32),
        "node_support": np.zeros(len(tree.parent), dtype=np.int32),
        "node_joins": np.ascontiguousarray(tree.joins),
    }
    free = Limits(limits.min_gap, limits.max_gap, limits.window)
    search = _Search(rows, code, free, columns, 1, len(tree.parent), guide=tree.children)
    search.run()
    return search.arrays["node_support"]


def mine_both_ways(
    rows: SequenceRows, *, min_count: int, limits: Limits = UNLIMITED, max_patterns: int = MAX_PATTERNS
) -> tuple[SequenceTree, Twins]:
    """Every pattern that at least `min_count` sequences hold forwards or backwards, and how many hold it in which way.

    A pattern stands backwards in a sequence if it stands in the sequence run backwards. `support` counts the sequences that
    hold it either way. That number does not change when any sequences are turned round, so it chooses patterns without regard
    to their order, which is what a test of their order asks for. Costs some three times mining; errors as there.
    """
    if min_count < 1 or max_patterns < 1:
        raise ValueError(f"min_count and max_patterns start at 1, got {min_count} and {max_patterns}")
    code = np.flatnonzero(scan(rows) >= min_count).astype(np.int32)
    columns = _columns(("node_parent", "node_item", "node_support", "node_odd", "node_both"), min(max_patterns, _ROOM))
    search = _Search(_interleaved(rows), code, limits, columns, min_count, max_patterns, twins=True)
    search.run()
    parent, item, support, odd, both, joins = (search.arrays[name][: search.miner.nodes_used] for name in columns)
    twins = Twins(support - odd, odd, both)
    return SequenceTree(parent, code[item] if len(item) else item, support - both, joins), twins


def _interleaved(rows: SequenceRows) -> SequenceRows:
    """Each sequence, and then the same run backwards."""
    back = rows.reversed()
    lengths = np.repeat(np.diff(rows.starts), 2)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    way = np.arange(2 * len(rows))
    first = rows.starts[:-1][way // 2] + np.where(way % 2 == 0, 0, len(rows.elements) - 1)
    order = np.repeat(first - starts[:-1], lengths) + np.arange(starts[-1])
    sizes = np.concatenate([np.diff(rows.elements), np.diff(back.elements)])[order]
    begin = np.concatenate([rows.elements[:-1], back.elements[:-1] + len(rows.items)])[order]
    elements = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    within = np.arange(elements[-1]) - np.repeat(elements[:-1], sizes)
    items = np.concatenate([rows.items, back.items])[np.repeat(begin, sizes) + within]
    clock = None
    if rows.clock is not None and back.clock is not None:
        clock = np.ascontiguousarray(np.concatenate([rows.clock, back.clock])[order])
    return SequenceRows(starts, elements, items, rows.n_items, clock)


def _columns(names: tuple[str, ...], room: int) -> dict[str, npt.NDArray[Any]]:
    """Columns of nodes, `names` as int32, and `node_joins`."""
    return {name: np.empty(room, dtype=np.int32) for name in names} | {"node_joins": np.empty(room, dtype=np.uint8)}


def _check_tree(tree: SequenceTree, n_items: int) -> None:
    for name, dtype in (("parent", np.int32), ("item", np.int32), ("support", np.int32), ("joins", np.uint8)):
        array = getattr(tree, name)
        if array.dtype != dtype or array.shape != tree.parent.shape or array.ndim != 1:
            raise ValueError(f"{name} must be a one-dimensional {np.dtype(dtype)} array, one entry a node")
    if not len(tree.parent):
        return
    before = np.arange(len(tree.parent))
    if (tree.parent >= before).any() or tree.parent.min() < -1:
        raise ValueError("a node's parent stands before it, or is -1")
    if tree.item.min() < 0 or tree.item.max() >= n_items or (tree.joins[tree.parent < 0] != 0).any():
        raise ValueError(f"items lie in [0, {n_items}), and a pattern of one item joins nothing")


class _Search:
    """The miner struct, the arrays it points to, and the loop that makes room for it."""

    def __init__(
        self,
        rows: SequenceRows,
        code: Int32s,
        limits: Limits,
        columns: dict[str, npt.NDArray[Any]],
        min_count: int,
        max_patterns: int,
        guide: tuple[Int64s, Int32s] | None = None,
        *,
        twins: bool = False,
    ) -> None:
        self._max_patterns = max_patterns
        self._min_count = min_count
        self.miner = ffi.new("sequence_miner *")
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        self._owners: dict[str, object] = {}
        n_ranks = len(code)
        gapped = limits.min_gap > 0 or limits.max_gap is not None or limits.window is not None
        simple = not gapped and not twins and guide is None
        widest = self._fill(rows, code, plain_if_narrow=simple, spare=guide is None)
        plain = simple and widest <= 1
        self._hold(columns)
        self._columns = tuple(columns)
        for name in ("ends", "starts") if limits.window is not None else ("ends",):
            self._hold({name: np.empty(min(LARGEST, _ROOM + _SPARE * len(rows.items)), dtype=np.int32)})
        tallies = np.tile(np.array([0, 0, -(2**31), -1], dtype=np.int32), (2 * n_ranks + 2, 1))
        self._hold(
            {
                "touched_joining": np.empty(2 * n_ranks + 2, dtype=np.int32),
                "touched_following": np.empty(2 * n_ranks + 2, dtype=np.int32),
                "where": np.full(n_ranks + 1, -1, dtype=np.int32),
            }
        )
        if twins:
            self._hold({"twins": np.zeros(4 * n_ranks + 4, dtype=np.int32)})
        if guide is not None:
            self._hold({"guide_start": guide[0], "guide": guide[1]})
        held = ffi.from_buffer("sequence_tally[]", tallies)
        self._owners["tallies"] = (held, tallies)
        self.miner.joining, self.miner.following = held, held + n_ranks + 1
        self._room_for_pending(min(_ROOM, 4 * n_ranks + 64))
        miner = self.miner
        miner.n_ranks = n_ranks
        miner.ends_room, miner.nodes_room = len(self.arrays["ends"]), len(columns["node_parent"])
        miner.min_gap = limits.min_gap
        miner.max_gap = FOREVER if limits.max_gap is None else limits.max_gap
        miner.window = FOREVER if limits.window is None else limits.window
        most = [2**31 - 1 if limit is None else min(limit, 2**31 - 1) for limit in (limits.max_length, limits.max_elements)]
        miner.max_length, miner.max_elements = min(most) if plain else most[0], most[1]
        miner.min_count, miner.plain, miner.gapped = min_count, plain, gapped
        miner.narrowing = guide is None and limits.max_gap is None

    def run(self) -> None:
        """Search to the end; between two calls of the kernel an interrupt is heard."""
        if not self.miner.n_ranks:
            return
        while status := lib.plant_patterns(self.miner):
            self._make_room(status)
        while status := lib.extend_patterns(self.miner, _BUDGET):
            if status != _PAUSED:
                self._make_room(status)

    def _fill(self, rows: SequenceRows, code: Int32s, *, plain_if_narrow: bool, spare: bool) -> int:
        """Write the rows of the items that are followed; returns the size of the largest element."""
        rank = np.full(rows.n_items, -1, dtype=np.int32)
        rank[code] = np.arange(len(code), dtype=np.int32)
        n_elements = len(rows.elements) - 1
        room = len(rows.items) + len(rows)
        if room > LARGEST:
            raise ValueError(f"{room} entries of sequences are more than {LARGEST}")
        reserved = min(LARGEST, (1 + _SPARE) * room) if spare else room
        item, element, previous = (
            np.empty(size, dtype=np.int32) for size in (reserved, reserved, reserved if plain_if_narrow else room)
        )
        sequence, clock = np.empty(n_elements, dtype=np.int32), np.empty(n_elements, dtype=np.int64)
        before = np.full(len(code) + 1, -1, dtype=np.int32)
        used, widest = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        arrays = (rows.starts, rows.elements, rows.items, rows.clock, rank, item, element, previous, before, sequence, clock)
        lib.fill_sequences(len(rows), *map(pointer, (*arrays, used, widest)))
        plain = plain_if_narrow and widest[0] <= 1
        self._hold({"item": item, "link": previous if plain else element, "sequence": sequence, "clock": clock})
        self.miner.rows_used, self.miner.rows_room = int(used[0]), reserved
        return int(widest[0])

    def _hold(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        for name, array in arrays.items():
            self.arrays[name] = array
            self._owners[name] = pointer(array)
            setattr(self.miner, name, self._owners[name])

    def _room_for_pending(self, room: int) -> None:
        longer = ffi.new("pending_pattern[]", room)
        if self.miner.pending_used:
            ffi.memmove(longer, self.miner.pending, self.miner.pending_used * ffi.sizeof("pending_pattern"))
        self._owners["pending"] = longer
        self.miner.pending, self.miner.pending_room = longer, room

    def _make_room(self, status: int) -> None:
        need = int(self.miner.need)
        if status == _NODES and need > self._max_patterns:
            raise RequestError(
                f"more than {self._max_patterns} patterns stand in at least {self._min_count} sequences",
                "raise min_support, set a window, a largest gap or a greatest length, or raise max_patterns",
            )
        if need > LARGEST:
            raise RequestError(f"the search needs {need} places in one array, which ends at {LARGEST}", "raise min_support")
        room = min(2 * need, LARGEST)
        if status == _PENDING:
            self._room_for_pending(room)
        elif status == _NODES:
            room = min(room, self._max_patterns)
            self._lengthen(self._columns, int(self.miner.nodes_used), room)
            self.miner.nodes_room = room
        elif status == _ENDS:
            names = ("ends", "starts") if "starts" in self.arrays else ("ends",)
            self._lengthen(names, int(self.miner.ends_room), room)
            self.miner.ends_room = room
        else:
            self._lengthen(("item", "link"), int(self.miner.rows_room), room)
            self.miner.rows_room = room

    def _lengthen(self, names: tuple[str, ...], used: int, room: int) -> None:
        for name in names:
            longer = np.empty(room, dtype=self.arrays[name].dtype)
            longer[:used] = self.arrays[name][:used]
            self._hold({name: longer})


def covered_sequences(tree: SequenceTree, kind: SequenceKind, *, limits: Limits = UNLIMITED) -> npt.NDArray[np.bool_]:
    """Which patterns of a tree that holds all are not closed, or not maximal; bool [m]. See `mine_sequences`."""
    if kind == "all" or not len(tree.parent):
        return np.zeros(len(tree.parent), dtype=np.bool_)
    covered = _Marks(tree, limits.max_gap is not None)
    covered.mark(_EQUAL if kind == "closed" else _ANY)
    return covered.marked.astype(np.bool_)


def near_sequences(tree: SequenceTree, floor: int, *, limits: Limits = UNLIMITED) -> npt.NDArray[np.bool_]:
    """Which patterns of a tree that holds all must be withheld lest counts tell of a group smaller than `floor`; bool [m].

    The sequences that hold a pattern and not one of an item more are a group, whose size two counts tell. A pattern is marked
    where that difference to any pattern one item shorter lies between 0 and `floor`, and where a shorter one is marked: then
    counts of any two patterns left, the one within the other, are equal or at least `floor` apart.
    """
    if not len(tree.parent):
        return np.zeros(0, dtype=np.bool_)
    near = _Marks(tree, limits.max_gap is not None)
    while near.mark(_NEAR, floor):
        pass
    return near.marked.astype(np.bool_)


def only_sequences(tree: SequenceTree, chosen: npt.NDArray[np.bool_]) -> SequenceTree:
    """The tree with the nodes `chosen` [m] as its members, and without nodes that lead to none."""
    kept = (chosen & (tree.support > 0)).astype(np.uint8)
    member = kept.astype(np.bool_)
    lib.keep_ways(len(kept), pointer(tree.parent), pointer(kept))
    way = kept.astype(np.bool_)
    number = np.cumsum(way) - 1
    parent = tree.parent[way]
    return SequenceTree(
        np.where(parent >= 0, number[parent], -1).astype(np.int32),
        tree.item[way],
        np.where(member, tree.support, 0)[way].astype(np.int32),
        tree.joins[way],
    )


class _Marks:
    """Marks on the nodes of a tree, made by comparing patterns with those one item shorter."""

    def __init__(self, tree: SequenceTree, contiguous: bool) -> None:
        depth = int(tree.lengths.max())
        child_start, children = tree.children
        self._roots = int(child_start[1])
        self._contiguous = contiguous
        self._tree = [pointer(array) for array in (child_start, children, tree.item, tree.support, tree.joins)]
        scratch = (
            np.empty((depth + 1) * (depth + 2) // 2, dtype=np.int32),
            np.empty(depth + 2, dtype=np.int32),
            np.empty(depth + 2, dtype=np.int64),
        )
        self.marked: Bytes = np.zeros(len(tree.parent), dtype=np.uint8)
        self._scratch = [pointer(array) for array in (*scratch, self.marked)]

    def mark(self, how: int, floor: int = 0) -> int:
        """One walk over the tree; returns how many marks are new. Between some subtrees an interrupt is heard."""
        return sum(
            lib.mark_sequences(
                first, min(first + _MARKED, self._roots), *self._tree, how, floor, self._contiguous, *self._scratch
            )
            for first in range(0, self._roots, _MARKED)
        )
