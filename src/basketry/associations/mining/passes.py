"""Passes over baskets on the disk, and what each may hold in memory.

Items are ranked by falling frequency, the infrequent left out; an itemset or a pair belongs to its rarest item, its *anchor*.
The work is parted in one of two ways: by baskets (a block of baskets a turn), or by anchors (a range of ranks a turn, for which
the baskets with such an anchor are gathered from the whole file, and of those only the items no rarer). Either way the sizes
are known exactly beforehand, from one survey of the file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.projection import Int32s, Int64s, Projection, measure_anchors
from basketry.store.basket_file import BasketFile, BasketPart

_PIECE: Final = 1 << 18  # items or baskets of the file touched at a time: a few MiB, let go of before the next
_LEAST: Final = 1 << 20  # bytes below which a bound means nothing beside the interpreter's own


@dataclass(frozen=True)
class Cost:
    """Bytes that the work on gathered baskets takes: for each item occurrence and for each basket."""

    item: int
    basket: int

    def of(self, n_items: int, n_baskets: int) -> int:
        """Bytes for so many."""
        return self.item * n_items + self.basket * n_baskets


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of the file after two reads of it, for items in at least `min_count` baskets.

    `code` [r] is the product of each rank and `rank` [n_products] the reverse, -1 where left out; `held` [r] counts the items
    that baskets with each rank hold up to itself, `baskets` [r] the baskets with it. `pieces` are runs (first, last) of
    baskets small enough to be touched at once, `kept` their item occurrences that have a rank.
    """

    file: BasketFile
    code: Int32s
    rank: Int32s
    held: Int64s
    baskets: Int64s
    pieces: tuple[tuple[int, int], ...]
    kept: tuple[int, ...]


def survey(file: BasketFile, min_count: int, memory: int) -> Survey:
    """Count each item, rank those in at least `min_count` baskets, and measure what each would need as an anchor.

    Raises RequestError for a bound below 1 MiB.
    """
    if memory < _LEAST:
        raise RequestError(f"a memory bound of {memory} bytes is too small to work in", f"give at least {_LEAST}, 1 MiB")
    pieces = tuple(_pieces(file, max(1, min(_PIECE, memory // 64))))
    frequency = np.zeros(file.n_products, dtype=np.int64)
    for part in _read(file, pieces, "count_items"):
        frequency += np.bincount(part.items, minlength=file.n_products)
    code = np.flatnonzero(frequency >= min_count).astype(np.int32)
    code = code[np.argsort(-frequency[code], kind="stable")]
    rank = np.full(file.n_products, -1, dtype=np.int32)
    rank[code] = np.arange(len(code), dtype=np.int32)
    return _measured(file, pieces, code, rank)


def headed(surveyed: Survey, head: int) -> Survey:
    """The same file with no item rarer than the ranks below `head`: one read of it."""
    rank = np.where(surveyed.rank < head, surveyed.rank, -1).astype(np.int32)
    return _measured(surveyed.file, surveyed.pieces, surveyed.code[:head], rank)


def _measured(file: BasketFile, pieces: tuple[tuple[int, int], ...], code: Int32s, rank: Int32s) -> Survey:
    held, baskets = np.zeros(len(code), dtype=np.int64), np.zeros(len(code), dtype=np.int64)
    kept, before = [], 0
    for part in _read(file, pieces, "measure_anchors"):
        measure_anchors(part.indptr, part.items, rank, held, baskets)
        kept.append(int(baskets.sum()) - before)
        before += kept[-1]
    return Survey(file, code, rank, held, baskets, pieces, tuple(kept))


def blocks(surveyed: Survey, cost: Cost, memory: int) -> list[tuple[int, int]]:
    """Runs (first, last) of pieces that cost at most `memory` bytes each to work on."""
    found = []
    first, used = 0, 0
    for i, (kept, (begin, end)) in enumerate(zip(surveyed.kept, surveyed.pieces, strict=True)):
        needed = cost.of(kept, end - begin)
        if used and used + needed > memory:
            found.append((first, i))
            first, used = i, 0
        used += needed
    return [*found, (first, len(surveyed.pieces))] if surveyed.pieces else found


def gathered_block(surveyed: Survey, first: int, last: int) -> tuple[Projection, Int32s]:
    """The baskets of the pieces [first, last) as ranks, and the customer of each; those without a ranked item are left out."""
    pieces = surveyed.pieces[first:last]
    room = Projection(0, len(surveyed.code), pieces[-1][1] - pieces[0][0], sum(surveyed.kept[first:last]))
    return room, _gathered(surveyed, pieces, room, "gather_block")


@dataclass(frozen=True)
class Ranges:
    """Runs (first, last) of ranks, each within the bound; the ranks below `head` are in none, for some of them exceed it alone.

    `enough` is the bound, in bytes, at which no rank would.
    """

    head: int
    runs: list[tuple[int, int]]
    enough: int


def anchor_ranges(surveyed: Survey, cost: Cost, memory: int, extra: Int64s | None = None) -> Ranges:
    """Ranges of anchors that cost at most `memory` bytes each; `extra` [r] is what each rank costs besides.

    Baskets that several anchors of a range share are counted for each of them, so the cost is a bound from above; it never
    exceeds that of all baskets cut to the ranks below `last`.
    """
    more = _summed(np.zeros_like(surveyed.held) if extra is None else extra)
    held, baskets = _summed(surveyed.held), _summed(surveyed.baskets)

    def needed(first: int, last: int) -> int:
        n_items, n_baskets = _room(surveyed, held, baskets, first, last)
        return cost.of(n_items, n_baskets) + int(more[last] - more[first])

    end = len(surveyed.code)
    alone = [needed(r, r + 1) for r in range(end)]
    head = 1 + max((r for r in range(end) if alone[r] > memory), default=-1)
    runs, first = [], head
    while first < end:
        last = bisect_right(range(end + 1), memory, lo=first + 1, key=partial(needed, first)) - 1
        runs.append((first, last))
        first = last
    return Ranges(head, runs, max(alone, default=0))


def gathered_anchors(surveyed: Survey, first: int, last: int) -> tuple[Projection, Int32s]:
    """The baskets with a rank in [first, last), cut to the ranks below `last`, and their customers: one read of the file."""
    n_items, n_baskets = _room(surveyed, _summed(surveyed.held), _summed(surveyed.baskets), first, last)
    room = Projection(first, last, n_baskets, n_items)
    return room, _gathered(surveyed, surveyed.pieces, room, "gather_anchors")


def _gathered(surveyed: Survey, pieces: tuple[tuple[int, int], ...], room: Projection, name: str) -> Int32s:
    """Fill the room from the pieces; the customer of each basket taken."""
    customers = np.empty(room.capacity, dtype=np.int32)
    found = 0
    for part in _read(surveyed.file, pieces, name):
        which = room.add(part.indptr, part.items, surveyed.rank)
        customers[found : found + len(which)] = part.customers[which]
        found += len(which)
    return customers[:found]


def _room(surveyed: Survey, held: Int64s, baskets: Int64s, first: int, last: int) -> tuple[int, int]:
    """Item occurrences and baskets that a range of anchors gathers, at most."""
    n_items = min(int(held[last] - held[first]), int(baskets[last]))
    return n_items, min(int(baskets[last] - baskets[first]), len(surveyed.file))


def _summed(values: Int64s) -> Int64s:
    return np.concatenate([[0], np.cumsum(values)])


def _pieces(file: BasketFile, most: int) -> Iterator[tuple[int, int]]:
    """Runs of whole customers with at most `most` items and baskets, or one customer more. Touches a few pages for each."""
    first, n = 0, len(file)
    while first < n:
        reach = bisect_right(file.indptr, int(file.indptr[first]) + most, lo=first + 1, hi=min(n, first + most) + 1) - 1
        last = bisect_right(file.customers, file.customers[max(reach, first + 1) - 1], lo=first, hi=n)
        yield first, last
        first = last
    file.forget()


def _read(file: BasketFile, pieces: tuple[tuple[int, int], ...], name: str) -> Iterator[BasketPart]:
    """The pieces one after the other; each is let go of once the next is asked for."""
    with span(name, total=len(pieces), unit="pieces") as progress:
        for first, last in pieces:
            yield file.part(first, last)
            file.forget()
            progress.advance()
