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


def gathered_block(surveyed: Survey, first: int, last: int) -> Projection:
    """The baskets of the pieces [first, last) as ranks; those that hold no ranked item are left out."""
    pieces = surveyed.pieces[first:last]
    room = Projection(0, len(surveyed.code), pieces[-1][1] - pieces[0][0], sum(surveyed.kept[first:last]))
    for part in _read(surveyed.file, pieces, "gather_block"):
        room.add(part.indptr, part.items, surveyed.rank)
    return room


def anchor_ranges(surveyed: Survey, cost: Cost, memory: int, extra: Int64s | None = None) -> list[tuple[int, int]]:
    """Runs (first, last) of ranks, each of which costs at most `memory` bytes; `extra` [r] is what each costs besides.

    Baskets that several anchors of a range share are counted for each of them, so the cost is a bound from above; it never
    exceeds that of all baskets cut to the ranks below `last`. Raises RequestError if one anchor alone costs more.
    """
    more = _summed(np.zeros_like(surveyed.held) if extra is None else extra)
    held, baskets = _summed(surveyed.held), _summed(surveyed.baskets)

    def needed(first: int, last: int) -> int:
        n_items, n_baskets = _room(surveyed, held, baskets, first, last)
        return cost.of(n_items, n_baskets) + int(more[last] - more[first])

    ranges, first, end = [], 0, len(surveyed.code)
    while first < end:
        last = bisect_right(range(end + 1), memory, lo=first + 1, key=partial(needed, first)) - 1
        if last <= first:
            enough = max(needed(r, r + 1) for r in range(end))
            raise RequestError(
                f"{memory} bytes do not hold the {surveyed.baskets[first]} baskets with product {surveyed.code[first]}",
                f"give at least {enough} bytes, or raise the least count",
            )
        ranges.append((first, last))
        first = last
    return ranges


def gathered_anchors(surveyed: Survey, first: int, last: int) -> tuple[Projection, Int32s]:
    """The baskets with a rank in [first, last), cut to the ranks below `last`, and their customers: one read of the file."""
    n_items, n_baskets = _room(surveyed, _summed(surveyed.held), _summed(surveyed.baskets), first, last)
    room, customers = Projection(first, last, n_baskets, n_items), np.empty(n_baskets, dtype=np.int32)
    found = 0
    for part in _read(surveyed.file, surveyed.pieces, "gather_anchors"):
        which = room.add(part.indptr, part.items, surveyed.rank)
        customers[found : found + len(which)] = part.customers[which]
        found += len(which)
    return room, customers[:found]


def _room(surveyed: Survey, held: Int64s, baskets: Int64s, first: int, last: int) -> tuple[int, int]:
    """Item occurrences and baskets that a range of anchors gathers, at most."""
    n_items = min(int(held[last] - held[first]), int(baskets[last]))
    return n_items, min(int(baskets[last] - baskets[first]), len(surveyed.file))


def _summed(values: Int64s) -> Int64s:
    return np.concatenate([[0], np.cumsum(values)])


def _pieces(file: BasketFile, most: int) -> Iterator[tuple[int, int]]:
    """Runs of baskets with at most `most` items and baskets, or one basket alone. Looks at a few pages of `indptr` each."""
    first = 0
    while first < len(file):
        end = min(len(file), first + most)
        last = bisect_right(range(end + 1), int(file.indptr[first]) + most, lo=first + 1, key=file.indptr.__getitem__) - 1
        last = max(last, first + 1)
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
