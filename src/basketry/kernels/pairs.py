"""How often two items stand in one basket, or in two baskets that follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib
from basketry.kernels.itemsets import mine_pairs

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_BLOCK = 1 << 18  # co-occurrences counted between two chances to stop: some milliseconds, and pairs that fit the cache
_RESERVED = 1 << 27  # entries a column of the answer reserves at first, where it may need as many
_LARGEST = 2**31 - 2
_REFUSALS = {
    1: "indptr must start at 0, never fall and end at len(items); it breaks at basket {where}",
    2: "basket {where} holds an item outside [0, n_items)",
    3: "basket {where} holds an item twice; keep each item of a basket once",
    4: "groups must be non-negative and never fall from one basket to the next; they break at basket {where}",
}


@dataclass(frozen=True)
class PairCounts:
    """Aligned arrays, one row a pair; `groups` and `marked` are empty unless asked for.

    The order of the rows is the same for any number of threads, and otherwise unspecified.
    """

    a: Int32s
    b: Int32s
    count: Int32s
    groups: Int32s
    marked: Int32s


@dataclass(frozen=True)
class Annotations:
    """What is known of each of the n baskets besides its items; every array is [n] or None.

    `groups`: who filled it (never falling, so that a group's baskets are neighbours); asks for distinct groups a pair.
    `partner`: index of the basket it is counted against, or -1 for none; no basket is the partner of two, and partners share
    their group. `marks`: 1 for the baskets to count apart as well, else 0.
    """

    groups: Int32s | None = None
    partner: Int32s | None = None
    marks: Bytes | None = None

    @property
    def nothing(self) -> bool:
        """Whether nothing is known besides the items."""
        return self.groups is None and self.partner is None and self.marks is None


@dataclass(frozen=True)
class Floors:
    """Pairs below `count` baskets or `groups` distinct groups are left out, and cost no memory."""

    count: int = 1
    groups: int = 1


@dataclass(frozen=True)
class _Index:
    """Baskets by rank and ranks by basket, as the C struct; `owners` keep its arrays alive; `work`: co-items met an anchor."""

    struct: object
    owners: tuple[object, ...]
    work: Int64s


@dataclass(frozen=True)
class _Workspace:
    """One thread's counters and columns, as the C struct; `owners` keep its arrays alive."""

    struct: object
    owners: tuple[object, ...]
    columns: tuple[Int32s | None, ...]


def count_pairs(
    indptr: Int64s,
    items: Int32s,
    n_items: int,
    *,
    about: Annotations = Annotations(),
    floors: Floors = Floors(),
    threads: int = 2,
    anchors: tuple[int, int] | None = None,
) -> PairCounts:
    """Count, for every pair of items, the baskets that hold both and the distinct groups behind them.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`, codes in [0, n_items), each at most once. Without `about.partner` pairs are
    unordered (a < b). With it pairs are ordered: the count is of baskets i with a in i, b in `partner[i]` and a != b; the group
    and the mark are those of i.

    `anchors` (first, last) asks for the unordered pairs alone whose larger code lies in [first, last): the pairs of one pass
    over data too large for memory. Items are then taken in the order of their codes, so let the frequent ones have the small.

    Cost: one increment a co-occurrence (1 to 5 ns) on counters of at most 16 bytes an item and thread; where nothing but items
    is known, by the walk of `mine_pairs`, which does not notice a repeat of an item below `floors.count`.
    Memory: two int32 an item occurrence and 12 bytes a basket, plus the pairs that pass the floors (to twice over while they
    outgrow 2**27). Limits: 2**31 - 2 baskets and items. An interrupt takes effect after the block under way, some
    milliseconds.
    Raises ValueError for arrays that break any of the above.
    """
    n = len(indptr) - 1
    _check_arrays(indptr, items, n_items, about)
    if floors.count < 1 or floors.groups < 1 or threads < 1:
        raise ValueError(f"floors and threads start at 1, got {floors} and threads={threads}")
    if anchors is None and floors.groups == 1 and about.nothing:
        counted = mine_pairs(indptr, items, n_items, min_count=floors.count, threads=threads)
        return PairCounts(*counted, _empty(), _empty())
    frequency, group_frequency = _scan(n, n_items, indptr, items, about.groups)
    kept = frequency >= floors.count
    if about.groups is not None:
        kept &= group_frequency >= floors.groups
    elif floors.groups > 1:
        raise ValueError("a floor on groups needs groups")
    if anchors is not None and about.partner is not None:
        raise ValueError("anchors are for unordered pairs")
    index = _invert(n, indptr, items, _ranked(frequency, kept, by_frequency=anchors is None), about)
    wanted = (0, len(index.work)) if anchors is None else np.searchsorted(np.flatnonzero(kept), anchors).tolist()
    return _count(index, wanted, floors, about, threads)


def count_items(indptr: Int64s, items: Int32s, n_items: int, groups: Int32s) -> tuple[Int32s, Int32s]:
    """Baskets and distinct groups of each item, int32 [n_items]; arguments and errors as for `count_pairs`."""
    _check_arrays(indptr, items, n_items, Annotations(groups=groups))
    return _scan(len(indptr) - 1, n_items, indptr, items, groups)


def scan_items(indptr: Int64s, items: Int32s, n_items: int, groups: Int32s | None = None) -> Int32s:
    """Baskets of each item, int32 [n_items], of baskets that are checked on the way; arguments and errors as above."""
    _check_arrays(indptr, items, n_items, Annotations(groups=groups))
    return _scan(len(indptr) - 1, n_items, indptr, items, groups)[0]


def _check_arrays(indptr: Int64s, items: Int32s, n_items: int, about: Annotations) -> None:
    n = len(indptr) - 1
    expected: list[tuple[str, npt.NDArray[np.generic], type[np.generic], int]] = [
        ("indptr", indptr, np.int64, n + 1),
        ("items", items, np.int32, len(items)),
    ]
    for name, values, kind in (
        ("groups", about.groups, np.int32),
        ("partner", about.partner, np.int32),
        ("marks", about.marks, np.uint8),
    ):
        if values is not None:
            expected.append((name, values, kind, n))
    for name, array, dtype, length in expected:
        if array.ndim != 1 or array.dtype != dtype or not array.flags.c_contiguous:
            raise ValueError(
                f"{name} must be a contiguous one-dimensional {np.dtype(dtype)} array, got {array.dtype}{array.shape}"
            )
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} entries for {n} baskets")
    if n < 0 or n > _LARGEST or not 0 <= n_items <= _LARGEST:
        raise ValueError(f"0 to {_LARGEST} baskets and items can be counted, got {n} and {n_items}")
    if about.partner is not None:
        _check_partner(about.partner, about.groups, n)
    if about.marks is not None and len(about.marks) and about.marks.max() > 1:
        raise ValueError("marks are 0 or 1")


def _check_partner(partner: Int32s, groups: Int32s | None, n: int) -> None:
    if not len(partner):
        return
    if partner.min() < -1 or partner.max() >= n:
        raise ValueError(f"partner must lie in [-1, {n})")
    has = np.flatnonzero(partner >= 0)
    if np.bincount(partner[has], minlength=1).max() > 1:
        raise ValueError("no basket may be the partner of two others")
    if groups is not None and (groups[has] != groups[partner[has]]).any():
        raise ValueError("a basket and its partner must share their group")


def _scan(n: int, n_items: int, indptr: Int64s, items: Int32s, groups: Int32s | None) -> tuple[Int32s, Int32s]:
    """Baskets and distinct groups of each item, or ValueError for a broken CSR."""
    frequency = np.zeros(n_items, dtype=np.int32)
    group_frequency = np.zeros(n_items if groups is not None else 0, dtype=np.int32)
    last_basket = np.full(n_items, -1, dtype=np.int32)
    where = np.zeros(1, dtype=np.int64)
    refusal = lib.scan_baskets(
        n,
        n_items,
        len(items),
        *(_pointer(array) for array in (indptr, items, groups, last_basket, frequency, group_frequency, where)),
    )
    if refusal:
        raise ValueError(_REFUSALS[refusal].format(where=where[0]))
    return frequency, group_frequency


def _ranked(frequency: Int32s, kept: npt.NDArray[np.bool_], *, by_frequency: bool) -> tuple[Int32s, Int32s, Int64s]:
    """Code of each rank, rank of each code (-1 where left out), and where each rank's occurrences start."""
    code = np.flatnonzero(kept).astype(np.int32)
    if by_frequency:
        code = code[np.argsort(-frequency[code], kind="stable")]
    rank = np.full(len(frequency), -1, dtype=np.int32)
    rank[code] = np.arange(len(code), dtype=np.int32)
    return code, rank, np.concatenate([[0], np.cumsum(frequency[code], dtype=np.int64)])


def _invert(n: int, indptr: Int64s, items: Int32s, ranks: tuple[Int32s, Int32s, Int64s], about: Annotations) -> _Index:
    code, rank, occ_start = ranks
    row_start = np.empty(n + 1, dtype=np.int64)
    rows = np.empty(occ_start[-1], dtype=np.int32)
    occ = np.empty(occ_start[-1], dtype=np.int32)
    work = np.empty(len(code), dtype=np.int64)
    fill = np.zeros(n, dtype=np.int32)
    arrays = (indptr, items, rank, occ_start, occ_start[:-1].copy(), fill, row_start, rows, occ, work)
    lib.invert_baskets(n, len(code), *(_pointer(array) for array in arrays))
    pointers = tuple(_pointer(x) for x in (row_start, rows, occ_start, occ, code, about.groups, about.partner, about.marks))
    struct = ffi.new("basket_index *", pointers)
    if about.partner is not None:
        lib.partner_work(struct, len(code), _pointer(work))
    return _Index(struct, pointers, work)


def _blocks(work: Int64s, wanted: tuple[int, int], floors: Floors) -> tuple[list[tuple[int, int]], int, int]:
    """Runs (first, last) of the wanted anchors of about `_BLOCK` co-occurrences; the most pairs one, and all, can give."""
    most = np.concatenate([[0], np.cumsum(np.minimum(work // floors.count, len(work)))])
    done = np.concatenate([[0], np.cumsum(work)])
    blocks = []
    first, end = wanted
    largest, least = 0, int(most[first])
    while first < end:
        last = min(end, max(first + 1, int(np.searchsorted(done, done[first] + _BLOCK, side="right")) - 1))
        blocks.append((first, last))
        largest = max(largest, int(most[last] - most[first]))
        first = last
    return blocks, largest, int(most[first]) - least


class _Workspaces:
    """Counters and room for one block's pairs, one set a thread at work, handed out and taken back."""

    def __init__(self, n_ranks: int, largest: int, about: Annotations) -> None:
        self._n_ranks = n_ranks
        self._largest = largest
        self._grouped = about.groups is not None
        self._marked = about.marks is not None
        self._plain = not (self._grouped or self._marked or about.partner is not None)
        self._idle: list[_Workspace] = []

    def take(self) -> _Workspace:
        try:
            return self._idle.pop()
        except IndexError:
            counters = np.zeros(self._n_ranks * (1 if self._plain else 4), dtype=np.int32)
            touched = np.empty(self._n_ranks + 1, dtype=np.int32)
            columns = tuple(
                np.empty(self._largest + 1, dtype=np.int32) if asked else None
                for asked in (True, True, True, self._grouped, self._marked)
            )
            room = _pointer(counters)
            pointers = (
                room if self._plain else ffi.NULL,
                ffi.NULL if self._plain else ffi.cast("tally *", room),
                _pointer(touched),
                *(_pointer(column) for column in columns),
            )
            return _Workspace(ffi.new("workspace *", pointers), (room, *pointers), columns)

    def give_back(self, workspace: _Workspace) -> None:
        self._idle.append(workspace)


def _count(index: _Index, wanted: tuple[int, int], floors: Floors, about: Annotations, threads: int) -> PairCounts:
    blocks, largest, most = _blocks(index.work, wanted, floors)
    workspaces = _Workspaces(len(index.work), largest, about)

    def count_block(block: tuple[int, int]) -> tuple[_Workspace, int]:
        space = workspaces.take()
        return space, lib.count_anchors(index.struct, *block, floors.count, floors.groups, space.struct)

    found = 0
    grown = [_empty()] * 5
    for space, written in _in_order(count_block, blocks, threads):
        for i, part in enumerate(space.columns):
            if part is not None:
                grown[i] = _with_room(grown[i], found, found + written, most)
                grown[i][found : found + written] = part[:written]
        found += written
        workspaces.give_back(space)
    return PairCounts(*(column[:found] for column in grown))


def _empty() -> Int32s:
    return np.empty(0, dtype=np.int32)


def _with_room(column: Int32s, used: int, needed: int, most: int) -> Int32s:
    """The column itself, or a longer copy. Address space is taken generously: memory never written to is never used."""
    if needed <= len(column):
        return column
    longer = np.empty(max(needed, min(most, max(_RESERVED, 2 * needed))), dtype=np.int32)
    longer[:used] = column[:used]
    return longer


def _in_order(
    task: Callable[[tuple[int, int]], tuple[_Workspace, int]], blocks: list[tuple[int, int]], threads: int
) -> Iterator[tuple[_Workspace, int]]:
    """The task's results in the order of the blocks; an exception or an interrupt drops the blocks not yet begun."""
    if threads == 1:
        yield from map(task, blocks)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(task, blocks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pointer(array: npt.NDArray[np.generic] | None) -> object:
    """The array's memory as a C pointer of its own element type; the pointer keeps the array alive."""
    if array is None:
        return ffi.NULL
    return ffi.from_buffer(f"{_C_NAMES[array.dtype.char]}[]", array)


_C_NAMES = {
    np.dtype(np.int32).char: "int32_t",
    np.dtype(np.int64).char: "int64_t",
    np.dtype(np.uint8).char: "uint8_t",
    "d": "double",
}
