"""Sequences of itemsets as arrays, what an occurrence of a pattern keeps to, and patterns as a prefix tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import lib
from basketry.kernels.pointers import pointer

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

LARGEST = 2**31 - 2
FOREVER = 2**62
_REFUSALS = {
    1: "starts must begin at 0, never fall and end at the number of elements; they break at sequence {where}",
    2: "elements must begin at 0, never fall and end at len(items); they break at sequence {where}",
    3: "sequence {where} holds an item outside [0, n_items)",
    4: "an element of sequence {where} does not hold its items ascending, each once",
    5: "the clock goes backwards in sequence {where}",
}


@dataclass(frozen=True, eq=False)
class SequenceRows:
    """Sequences of itemsets, in compressed rows of compressed rows.

    Sequence i holds the elements [starts[i], starts[i + 1]) in the order of time, and element e the items
    `items[elements[e]:elements[e + 1]]`, ascending codes in [0, n_items). `starts` int64 [n + 1], `elements` int64
    [n_elements + 1], `items` int32. `clock` int64 [n_elements] is when each element happened, in any unit, never falling within
    a sequence; without one an element's time is its number within its sequence.
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
            if value is not None and not least <= value <= FOREVER:
                raise RequestError(f"{name} is {value}", f"give a whole number from {least} up, or nothing for no limit")
        if self.max_gap is not None and self.max_gap < self.min_gap:
            raise RequestError(f"max_gap {self.max_gap} is below min_gap {self.min_gap}", "no pattern of two elements fits")


UNLIMITED = Limits()


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
        lib.measure_sequences(len(length), *(pointer(array) for array in (self.parent, self.joins, length, elements)))
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


def scan(rows: SequenceRows) -> Int32s:
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
    if min(n, n_elements) < 0 or max(n, n_elements, rows.n_items) > LARGEST or rows.n_items < 0:
        raise ValueError(f"0 to {LARGEST} sequences, elements and items can be mined, got {n}, {n_elements}, {rows.n_items}")
    if rows.clock is not None and len(rows.clock) != n_elements:
        raise ValueError(f"the clock has {len(rows.clock)} entries for {n_elements} elements")
    if rows.clock is not None and len(rows.clock) and np.abs(rows.clock).max() > FOREVER // 4:
        raise ValueError(f"times lie within {FOREVER // 4} of 0")
    frequency, last = np.zeros(rows.n_items, dtype=np.int32), np.full(rows.n_items, -1, dtype=np.int32)
    where = np.zeros(1, dtype=np.int64)
    arrays = (rows.starts, rows.elements, rows.items, rows.clock, last, frequency, where)
    refusal = lib.scan_sequences(n, n_elements, rows.n_items, len(rows.items), *map(pointer, arrays))
    if refusal:
        raise ValueError(_REFUSALS[refusal].format(where=where[0]))
    return frequency
