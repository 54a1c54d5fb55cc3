"""Patterns that follow one another: subsequences of itemsets that stand in enough sequences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

SequenceKind = Literal["all", "closed", "maximal"]
SEQUENCE_KINDS: Final = ("all", "closed", "maximal")

_BUDGET = 1 << 22  # row entries read between two chances to stop: some ten milliseconds
_COVERED = 64  # subtrees of the first level looked through between two chances to stop
_ROOM = 1 << 16  # nodes, ends and pending patterns reserved at first
_SPARE = 2  # and so many times the data, for ends and for narrowed rows
_LARGEST = 2**31 - 2
_FOREVER = 2**62
_MAX_PATTERNS: Final = 20_000_000
_REFUSALS = {
    1: "starts must begin at 0, never fall and end at the number of elements; they break at sequence {where}",
    2: "elements must begin at 0, never fall and end at len(items); they break at sequence {where}",
    3: "sequence {where} holds an item outside [0, n_items)",
    4: "an element of sequence {where} does not hold its items ascending, each once",
    5: "the clock goes backwards in sequence {where}",
}
_PAUSED, _NODES, _ENDS, _ROWS, _PENDING = 1, 2, 3, 4, 5


@dataclass(frozen=True, eq=False)
class SequenceRows:
    """Sequences of itemsets: sequence i holds the elements [starts[i], starts[i + 1]) in the order of time, and element e the
    items `items[elements[e]:elements[e + 1]]`, ascending codes in [0, n_items).

    `starts` int64 [n + 1], `elements` int64 [n_elements + 1], `items` int32. `clock` int64 [n_elements] is when each element
    happened, in any unit, never falling within a sequence; without one an element's time is its number within its sequence.
    """

    starts: Int64s
    elements: Int64s
    items: Int32s
    n_items: int
    clock: Int64s | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def reversed(self) -> SequenceRows:
        """The same sequences run backwards: last element first, its time negated."""
        n_elements = np.diff(self.starts)
        order = np.repeat(self.starts[:-1] + self.starts[1:] - 1, n_elements) - np.arange(len(self.elements) - 1)
        sizes = np.diff(self.elements)[order]
        elements = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        within = np.arange(len(self.items)) - np.repeat(elements[:-1], sizes)
        items = self.items[np.repeat(self.elements[:-1][order], sizes) + within]
        clock = None if self.clock is None else np.ascontiguousarray(-self.clock[order])
        return SequenceRows(self.starts, elements, items, self.n_items, clock)


@dataclass(frozen=True)
class Limits:
    """What an occurrence of a pattern must keep to; None is no limit.

    Between two successive elements at least `min_gap` and at most `max_gap` pass, from the first to the last at most `window`,
    in the unit of the clock (or in elements). A pattern has at most `max_length` items and `max_elements` elements.
    """

    min_gap: int = 0
    max_gap: int | None = None
    window: int | None = None
    max_length: int | None = None
    max_elements: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("min_gap", 0), ("max_gap", 0), ("window", 0), ("max_length", 1), ("max_elements", 1)):
            value = getattr(self, name)
            if value is not None and not least <= value <= _FOREVER:
                raise RequestError(f"{name} is {value}", f"give a whole number from {least} up, or nothing for no limit")
        if self.max_gap is not None and self.max_gap < self.min_gap:
            raise RequestError(f"max_gap {self.max_gap} is below min_gap {self.min_gap}", "no pattern of two elements fits")


@dataclass(frozen=True, eq=False)
class SequenceTree:
    """Node i is the pattern of `parent[i]` and one item more: in its last element where `joins[i]`, else in a new one after it.

    Aligned arrays [m], int32 but for `joins` uint8; -1 is the parent of patterns of one item, which join nothing, and parent[i]
    < i. `support` counts sequences; a node whose support is 0 is no member: it only lies on the way to members. Thirteen bytes
    a pattern.
    """

    parent: Int32s
    item: Int32s
    support: Int32s
    joins: Bytes

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def members(self) -> Int32s:
        """Nodes that are patterns of the answer, ascending."""
        return np.flatnonzero(self.support > 0).astype(np.int32)

    @cached_property
    def _measures(self) -> tuple[Int32s, Int32s]:
        length, elements = np.empty_like(self.parent), np.empty_like(self.parent)
        lib.measure_sequences(len(length), *map(_pointer, (self.parent, self.joins, length, elements)))
        return length, elements

    @property
    def lengths(self) -> Int32s:
        """Items of each node's pattern, int32 [m]."""
        return self._measures[0]

    @property
    def widths(self) -> Int32s:
        """Elements of each node's pattern, int32 [m]."""
        return self._measures[1]

    def flatten(self, nodes: Int32s) -> tuple[Int64s, Int64s, Int32s]:
        """The patterns of `nodes` [k] as rows of elements of items: starts int64 [k + 1], elements int64, items int32."""
        lengths = self.lengths[nodes].astype(np.int64)
        ends = np.cumsum(lengths)
        items = np.empty(int(lengths.sum()), dtype=np.int32)
        opens = np.empty(len(items), dtype=np.bool_)
        at, place = nodes, ends - 1
        while len(at):
            items[place], opens[place] = self.item[at], self.joins[at] == 0
            above = self.parent[at]
            at, place = above[above >= 0], place[above >= 0] - 1
        begin = np.flatnonzero(opens)
        elements = np.append(begin, len(items)).astype(np.int64)
        starts = np.searchsorted(begin, np.concatenate([[0], ends])).astype(np.int64)
        return starts, elements, items

    @cached_property
    def children(self) -> tuple[Int64s, Int32s]:
        """Where the children of node i - 1 stand, int64 [m + 2], and the nodes in that order: joining ones first, by item."""
        order = np.lexsort((self.item, self.joins == 0, self.parent)).astype(np.int32)
        counts = np.bincount(self.parent + 1, minlength=len(self.parent) + 1)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order


@dataclass(frozen=True, eq=False)
class Twins:
    """For each node the sequences that hold its pattern forwards, backwards (in reversed time) and both ways; int32 [m]."""

    forward: Int32s
    backward: Int32s
    both: Int32s


def mine_sequences(
    rows: SequenceRows,
    *,
    min_count: int,
    kind: SequenceKind = "all",
    limits: Limits = Limits(),
    max_patterns: int = _MAX_PATTERNS,
) -> SequenceTree:
    """Every pattern of `kind` in at least `min_count` sequences, each sequence counted once.

    A pattern <p1, ..., pk> of itemsets stands in a sequence if elements e1 < ... < ek of it hold p1, ..., pk, within `limits`.
    `closed`: no pattern one item longer has the same support; `maximal`: none one item longer is frequent. With a largest gap
    "one item longer" means longer without filling a gap: an item more in an element, or an element more at either end
    (contiguous subsequences: Srikant and Agrawal 1996), since there the support of other shorter patterns may be smaller. Both
    are exact within what was mined, limits on length included, and found by looking each shorter pattern up afterwards: they
    cost the memory of all patterns, and about 20 ns an item of a pattern.

    Source: J. Pei et al., PrefixSpan, ICDE 2001, with all end positions instead of the first. Cost: some nanoseconds for each
    item behind the ends of each pattern. Memory: 13 bytes a pattern, 8 an entry of the data at each level of the search at most,
    less where rows narrow. Limits: 2**31 - 2 sequences, elements, entries and patterns. An interrupt takes effect after some
    ten milliseconds.
    Raises RequestError for more than `max_patterns` patterns, ValueError for arrays that break SequenceRows.
    """
    if min_count < 1 or max_patterns < 1:
        raise ValueError(f"min_count and max_patterns start at 1, got {min_count} and {max_patterns}")
    if kind not in SEQUENCE_KINDS:
        raise RequestError(f"kind {kind!r} is not known", f"choose one of {', '.join(SEQUENCE_KINDS)}")
    frequency = _scan(rows)
    code = np.flatnonzero(frequency >= min_count).astype(np.int32)
    room = min(max_patterns, _ROOM)
    columns: dict[str, npt.NDArray[np.generic]] = {
        name: np.empty(room, dtype=kind)
        for name, kind in (
            ("node_parent", np.int32),
            ("node_item", np.int32),
            ("node_support", np.int32),
            ("node_joins", np.uint8),
        )
    }
    search = _Search(rows, code, limits, columns, min_count, max_patterns)
    search.run()
    parent, item, support, joins = (array[: search.miner.nodes_used] for array in search.columns())
    tree = SequenceTree(parent, code[item] if len(item) else item, support, joins)
    return tree if kind == "all" else _uncovered(tree, kind == "maximal", limits.max_gap is not None)


def count_sequences(rows: SequenceRows, tree: SequenceTree, *, limits: Limits = Limits()) -> Int32s:
    """Sequences of `rows` that hold each node of `tree`, int32 [m], members or not; the limits on length do not matter.

    Costs what mining them would, without the candidates that fail. Errors as for `mine_sequences`.
    """
    return _guided(rows, tree, limits, twins=False)[0]


def count_both_ways(rows: SequenceRows, tree: SequenceTree, *, limits: Limits = Limits()) -> Twins:
    """The same, and how many sequences hold each node once every sequence is run backwards, and how many do both ways.

    A pattern stands backwards in a sequence if the pattern with its elements in reversed order stands forwards in it.
    """
    back = rows.reversed()
    n = len(rows)
    lengths = np.repeat(np.diff(rows.starts), 2)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    pick = np.arange(2 * n)
    offset = np.where(pick % 2 == 0, 0, len(rows.elements) - 1) + rows.starts[:-1][pick // 2]
    order = np.repeat(offset - starts[:-1], lengths) + np.arange(starts[-1])
    sizes = np.concatenate([np.diff(rows.elements), np.diff(back.elements)])[order]
    first = np.concatenate([rows.elements[:-1], back.elements[:-1] + len(rows.items)])[order]
    elements = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    within = np.arange(elements[-1]) - np.repeat(elements[:-1], sizes)
    items = np.concatenate([rows.items, back.items])[np.repeat(first, sizes) + within]
    clock = None
    if rows.clock is not None and back.clock is not None:
        clock = np.ascontiguousarray(np.concatenate([rows.clock, back.clock])[order])
    support, odd, both = _guided(SequenceRows(starts, elements, items, rows.n_items, clock), tree, limits, twins=True)
    return Twins(support - odd, odd, both)


def _guided(rows: SequenceRows, tree: SequenceTree, limits: Limits, *, twins: bool) -> tuple[Int32s, Int32s, Int32s]:
    _check_tree(tree, rows.n_items)
    _scan(rows)
    code = np.unique(tree.item).astype(np.int32)
    m = len(tree.parent)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "node_parent": np.ascontiguousarray(tree.parent),
        "node_item": np.searchsorted(code, tree.item).astype(np.int32),
        "node_support": np.zeros(m, dtype=np.int32),
        "node_joins": np.ascontiguousarray(tree.joins),
        "node_odd": np.zeros(m, dtype=np.int32),
        "node_both": np.zeros(m, dtype=np.int32),
    }
    free = Limits(limits.min_gap, limits.max_gap, limits.window)
    search = _Search(rows, code, free, columns, 1, m, guide=tree.children, twins=twins)
    search.run()
    found = search.arrays
    return found["node_support"], found["node_odd"], found["node_both"]


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
        columns: dict[str, npt.NDArray[np.generic]],
        min_count: int,
        max_patterns: int,
        guide: tuple[Int64s, Int32s] | None = None,
        *,
        twins: bool = False,
    ) -> None:
        self._max_patterns = max_patterns
        self._min_count = min_count
        self.miner = ffi.new("sequence_miner *")
        self.arrays: dict[str, npt.NDArray[np.generic]] = {}
        self._owners: dict[str, object] = {}
        n_ranks = len(code)
        gapped = limits.min_gap > 0 or limits.max_gap is not None or limits.window is not None
        widest = self._fill(rows, code, plain_if_narrow=not gapped and guide is None, spare=guide is None)
        plain = widest <= 1 and not gapped and guide is None
        self._hold(columns)
        for name in ("ends", "starts") if limits.window is not None else ("ends",):
            self._hold({name: np.empty(min(_LARGEST, _ROOM + _SPARE * len(rows.items)), dtype=np.int32)})
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
        miner.max_gap = _FOREVER if limits.max_gap is None else limits.max_gap
        miner.window = _FOREVER if limits.window is None else limits.window
        most = [2**31 - 1 if limit is None else min(limit, 2**31 - 1) for limit in (limits.max_length, limits.max_elements)]
        miner.max_length, miner.max_elements = min(most) if plain else most[0], most[1]
        miner.min_count, miner.plain, miner.gapped = min_count, plain, gapped
        miner.narrowing = guide is None and limits.max_gap is None

    def columns(self) -> tuple[Any, Any, Any, Any]:
        """Parent, item, support and joins of the nodes, with what room is left behind them."""
        return tuple(self.arrays[name] for name in ("node_parent", "node_item", "node_support", "node_joins"))  # type: ignore[return-value]

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
        if room > _LARGEST:
            raise ValueError(f"{room} entries of sequences are more than {_LARGEST}")
        reserved = min(_LARGEST, (1 + _SPARE) * room) if spare else room
        item, element, previous = (
            np.empty(size, dtype=np.int32) for size in (reserved, reserved, reserved if plain_if_narrow else room)
        )
        sequence, clock = np.empty(n_elements, dtype=np.int32), np.empty(n_elements, dtype=np.int64)
        before = np.full(len(code) + 1, -1, dtype=np.int32)
        used, widest = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        arrays = (rows.starts, rows.elements, rows.items, rows.clock, rank, item, element, previous, before, sequence, clock)
        lib.fill_sequences(len(rows), *map(_pointer, (*arrays, used, widest)))
        plain = plain_if_narrow and widest[0] <= 1
        self._hold({"item": item, "link": previous if plain else element, "sequence": sequence, "clock": clock})
        self.miner.rows_used, self.miner.rows_room = int(used[0]), reserved
        return int(widest[0])

    def _hold(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        for name, array in arrays.items():
            self.arrays[name] = array
            self._owners[name] = _pointer(array)
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
        if need > _LARGEST:
            raise RequestError(f"the search needs {need} places in one array, which ends at {_LARGEST}", "raise min_support")
        room = min(2 * need, _LARGEST)
        if status == _PENDING:
            self._room_for_pending(room)
        elif status == _NODES:
            room = min(room, self._max_patterns)
            self._lengthen(("node_parent", "node_item", "node_support", "node_joins"), int(self.miner.nodes_used), room)
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


def _uncovered(tree: SequenceTree, any_support: bool, contiguous: bool) -> SequenceTree:
    """The tree without the patterns that a longer one covers, and without nodes that lead nowhere."""
    m = len(tree.parent)
    if not m:
        return tree
    depth = int(tree.lengths.max())
    child_start, children = tree.children
    covered = np.zeros(m, dtype=np.uint8)
    scratch = (
        np.empty(depth * (depth + 1) // 2 + depth + 1, dtype=np.int32),
        np.empty(depth + 2, dtype=np.int32),
        np.empty(depth + 2, dtype=np.int64),
    )
    arrays = [_pointer(array) for array in (child_start, children, tree.item, tree.support, tree.joins)]
    roots = int(child_start[1])
    for first in range(0, roots, _COVERED):
        lib.cover_sequences(
            first, min(first + _COVERED, roots), *arrays, any_support, contiguous, *map(_pointer, (*scratch, covered))
        )
    kept = 1 - covered
    lib.keep_ways(m, _pointer(tree.parent), _pointer(kept))
    on_the_way = kept.astype(np.bool_)
    number = np.cumsum(on_the_way) - 1
    parent = tree.parent[on_the_way]
    return SequenceTree(
        np.where(parent >= 0, number[parent], -1).astype(np.int32),
        tree.item[on_the_way],
        np.where(covered, 0, tree.support)[on_the_way].astype(np.int32),
        tree.joins[on_the_way],
    )


def _scan(rows: SequenceRows) -> Int32s:
    """Sequences of each item, or ValueError for a broken database."""
    n, n_elements = len(rows.starts) - 1, len(rows.elements) - 1
    expected: list[tuple[str, npt.NDArray[np.generic] | None, type[np.generic]]] = [
        ("starts", rows.starts, np.int64),
        ("elements", rows.elements, np.int64),
        ("items", rows.items, np.int32),
        ("clock", rows.clock, np.int64),
    ]
    for name, array, dtype in expected:
        if array is not None and (array.ndim != 1 or array.dtype != dtype or not array.flags.c_contiguous):
            raise ValueError(
                f"{name} must be a contiguous one-dimensional {np.dtype(dtype)} array, got {array.dtype}{array.shape}"
            )
    if min(n, n_elements) < 0 or max(n, n_elements, rows.n_items) > _LARGEST or rows.n_items < 0:
        raise ValueError(f"0 to {_LARGEST} sequences, elements and items can be mined, got {n}, {n_elements}, {rows.n_items}")
    if rows.clock is not None and len(rows.clock) != n_elements:
        raise ValueError(f"the clock has {len(rows.clock)} entries for {n_elements} elements")
    if rows.clock is not None and len(rows.clock) and np.abs(rows.clock).max() > _FOREVER // 4:
        raise ValueError(f"times lie within {_FOREVER // 4} of 0")
    frequency, last = np.zeros(rows.n_items, dtype=np.int32), np.full(rows.n_items, -1, dtype=np.int32)
    where = np.zeros(1, dtype=np.int64)
    arrays = (rows.starts, rows.elements, rows.items, rows.clock, last, frequency, where)
    refusal = lib.scan_sequences(n, n_elements, rows.n_items, len(rows.items), *map(_pointer, arrays))
    if refusal:
        raise ValueError(_REFUSALS[refusal].format(where=where[0]))
    return frequency


def _pointer(array: npt.NDArray[np.generic] | None) -> object:
    """The array's memory as a C pointer of its own element type; the pointer keeps the array alive."""
    if array is None:
        return ffi.NULL
    return ffi.from_buffer(f"{_C_NAMES[array.dtype.char]}[]", array)


_C_NAMES = {
    np.dtype(np.int32).char: "int32_t",
    np.dtype(np.int64).char: "int64_t",
    np.dtype(np.uint8).char: "uint8_t",
}
