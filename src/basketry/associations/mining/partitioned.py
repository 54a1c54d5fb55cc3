"""Exact mining and counting of baskets that do not fit memory, on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from basketry.associations.mining.passes import (
    Cost,
    Ranges,
    Survey,
    anchor_ranges,
    blocks,
    gathered_anchors,
    gathered_block,
    headed,
    survey,
)
from basketry.associations.mining.union import recounted, union_trees
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.core.telemetry import span
from basketry.kernels.condense import condensed
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_few_itemsets, mine_itemsets
from basketry.kernels.pairs import Annotations, Floors, PairCounts, count_pairs
from basketry.kernels.trees import ItemsetTree, Kind
from basketry.store.basket_file import BasketFile

_MINING: Final = Cost(item=16, basket=24)  # gathered ranks and offsets, and the kernel's own index of them
_COUNTING: Final = Cost(item=12, basket=40)  # gathered ranks, and the kernel's baskets by rank and ranks by basket
_NO_FLOORS: Final = Floors()
_CANDIDATE: Final = 100  # bytes an itemset while candidates are united and counted
_SQUARE: Final = 16  # bytes a pair of the most frequent products: a counter of baskets, one of customers, and a block's pairs
_PAIR: Final = 16  # bytes a pair of the answer: two codes, baskets and customers
_LEAST_LOCAL: Final = 8  # baskets; a block mined at a lower count gives more accidents than candidates


def mine_partitioned(baskets: BasketFile, min_count: int, run: Run, *, memory: int, kind: Kind = "all") -> ItemsetTree:
    """Every itemset of `kind` in at least `min_count` baskets, from a file of any size, in canonical form (`union_trees`).

    Equal to `mine_itemsets` on all baskets at once, whatever the bound. Items below `min_count` are left out from the start,
    then one of two ways is taken:

    - *Two passes over blocks* (Savasere, Omiecinski and Navathe, VLDB 1995). The n baskets are parted into blocks; an itemset
      that reaches `min_count` among all reaches ceil(min_count * block / n) in some block, so mining each block at that count
      gives all candidates; a second pass counts them everywhere and drops those that fall short.
    - *A pass for each range of anchors*, where the blocks would be mined at fewer than 8 baskets, or the candidates outgrow
      their half of the bound: there, chance makes more candidates than the answer has itemsets. The baskets that hold an
      item of the range are gathered, cut to items no rarer, and mined at `min_count`; what belongs to the range is exact. What
      the few most frequent items make among themselves, if the baskets of one exceed the bound, is mined by blocks still.

    `memory` (bytes, from 1 MiB up) is reckoned so: 16 bytes for each occurrence of a frequent item and 24 for each basket under
    work, within half of it in the first way and all of it in the second; 100 for each candidate, within the other half. On top
    come the answer itself (some 100 bytes an itemset while it is put in order), 32 bytes a product, and about 16 MiB for the
    piece of the file being read and what the interpreter takes. Closed, maximal and generators are chosen from all itemsets
    afterwards (`condensed`), so all of them are held.

    Raises RequestError if some items have more baskets than the bound holds and give more candidates among themselves than
    half of it, naming a bound that is enough; or if `min_count` is below 1.
    """
    if min_count < 1:
        raise RequestError(f"min_count is {min_count}", "a count of baskets starts at 1")
    with span("mine_partitioned", total=1, unit="mining") as progress:
        surveyed = survey(baskets, min_count, memory)
        tree = None
        if len(blocks(surveyed, _MINING, memory // 2)) > 1:
            tree = _by_blocks(surveyed, min_count, memory, _LEAST_LOCAL, run)
        progress.note(way="blocks" if tree is not None else "anchors")
        if tree is None:
            tree = _by_anchors(surveyed, min_count, memory, run)
        named = ItemsetTree(tree.parent, surveyed.code[tree.item], tree.support)
        answer = union_trees([condensed(named, kind, len(baskets))])
        progress.advance()
    return answer


def _by_blocks(surveyed: Survey, min_count: int, memory: int, least: int, run: Run) -> ItemsetTree | None:
    """Two passes; None where blocks would be mined at fewer than `least` baskets, or candidates are too many."""
    n = len(surveyed.file)
    parts = blocks(surveyed, _MINING, memory // 2)
    sizes = [surveyed.pieces[last - 1][1] - surveyed.pieces[first][0] for first, last in parts]
    local = [-(-min_count * size // n) for size in sizes]
    if min(local, default=0) < least:
        return None
    candidates, most = union_trees([]), memory // 2 // _CANDIDATE
    with span("mine_blocks", total=len(parts), unit="blocks") as progress:
        for (first, last), count in zip(parts, local, strict=True):
            block, _ = gathered_block(surveyed, first, last)
            found = mine_few_itemsets(
                block.indptr, block.items, len(surveyed.code), min_count=count, most=most, threads=run.threads
            )
            candidates = candidates if found is None else union_trees([candidates, found])
            if found is None or len(candidates) > most:
                return None
            progress.advance()
    counts = np.zeros(len(candidates.parent), dtype=np.int64)
    with span("count_blocks", total=len(parts), unit="blocks") as progress:
        for first, last in parts:
            block, _ = gathered_block(surveyed, first, last)
            counts += count_itemsets(block.indptr, block.items, candidates, threads=run.threads)
            del block
            progress.advance()
    return recounted(candidates, counts.astype(np.int32), min_count)


def _by_anchors(surveyed: Survey, min_count: int, memory: int, run: Run) -> ItemsetTree:
    """A pass over the file for each range of anchors; the ranges' answers have no itemset in common.

    What belongs to the few most frequent items, where one alone exceeds the bound, is mined by blocks, whatever the count.
    """
    ranges = anchor_ranges(surveyed, _MINING, memory)
    found = []
    if ranges.head:
        head = _by_blocks(headed(surveyed, ranges.head), min_count, memory, 1, run)
        if head is None:
            raise _too_little(memory, ranges)
        found.append(head)
    with span("mine_anchors", total=len(ranges.runs), unit="passes") as progress:
        for first, last in ranges.runs:
            block, _ = gathered_anchors(surveyed, first, last)
            tree = mine_itemsets(block.indptr, block.items, last, min_count=min_count, threads=run.threads)
            del block
            found.append(_anchored(tree, first))
            progress.advance()
    return union_trees(found)


def _too_little(memory: int, ranges: Ranges) -> RequestError:
    return RequestError(
        f"{memory} bytes do not hold the baskets of some products, nor what those {ranges.head} give among themselves",
        f"give at least {ranges.enough} bytes, or raise the least count",
    )


def _anchored(tree: ItemsetTree, first: int) -> ItemsetTree:
    """Those members alone that hold a rank of `first` or above: the others are not counted whole here."""
    indptr, items = tree.flatten(np.arange(len(tree.parent), dtype=np.int32))
    return tree.keep(items[indptr[1:] - 1] >= first)


def count_pairs_partitioned(
    baskets: BasketFile, run: Run, *, memory: int, floors: Floors = _NO_FLOORS, customers: bool = True
) -> Iterator[PairCounts]:
    """Every pair of products with the baskets that hold both, and the distinct `customers` behind them, pass by pass.

    The passes together give exactly the rows of `count_pairs` on all baskets at once: each pair once, a < b, those below the
    floors left out. A pass takes the pairs whose rarer product lies in one range of anchors; write each out before you ask for
    the next. Anonymous baskets are customers of their own, as in the file.

    `memory` (bytes, from 1 MiB up) is reckoned so: 12 bytes for each item occurrence gathered, 40 for each basket, and 16 for
    each pair that a pass could give, at the most: no more than there are co-occurrences, divided by the floor. The few most
    frequent products, if one alone exceeds that, are counted in a square, block by block. On top come 48 bytes a product and
    thread, and about 24 MiB for the piece of the file being read, the pairs of a block under count and what the interpreter
    takes. Cost: a read of the file a pass, and the counting itself, once.
    Raises RequestError if that square exceeds half the bound, naming a bound that is enough.
    """
    surveyed = survey(baskets, floors.count, memory)
    met = (surveyed.held - surveyed.baskets) // floors.count
    pairs = np.minimum(met, np.arange(len(met)))  # that each anchor can give
    ranges = anchor_ranges(surveyed, _COUNTING, memory, _PAIR * pairs)
    if ranges.head**2 * _SQUARE > memory // 2:
        raise _too_little(memory, ranges)
    with span("count_pairs_partitioned", total=len(ranges.runs), unit="passes") as progress:
        if ranges.head:
            yield _named(_head_pairs(headed(surveyed, ranges.head), memory, floors, customers=customers, run=run), surveyed)
        for anchors in ranges.runs:
            block, who = gathered_anchors(surveyed, *anchors)
            about = Annotations(groups=who if customers else None)
            counts = count_pairs(
                block.indptr, block.items, anchors[1], about=about, floors=floors, threads=run.threads, anchors=anchors
            )
            del block, who, about
            yield _named(counts, surveyed)
            del counts
            progress.advance()


def _head_pairs(head: Survey, memory: int, floors: Floors, *, customers: bool, run: Run) -> PairCounts:
    """Pairs of the few most frequent products: a square of counters, filled block by block; blocks are of whole customers."""
    n = len(head.code)
    square = np.zeros((2, n * n), dtype=np.int32)
    for first, last in blocks(head, _COUNTING, memory // 2):
        block, who = gathered_block(head, first, last)
        about = Annotations(groups=who if customers else None)
        counts = count_pairs(block.indptr, block.items, n, about=about, threads=run.threads)
        place = counts.a.astype(np.int64) * n + counts.b
        square[0, place] += counts.count
        if customers:
            square[1, place] += counts.groups
    kept = np.flatnonzero(
        (square[0] >= floors.count) & (square[1] >= floors.groups) if customers else square[0] >= floors.count
    )
    a, b = (kept // n).astype(np.int32), (kept % n).astype(np.int32)
    nothing = np.empty(0, dtype=np.int32)
    return PairCounts(a, b, square[0, kept], square[1, kept] if customers else nothing, nothing)


def _named(counts: PairCounts, surveyed: Survey) -> PairCounts:
    """Products in place of ranks, the smaller code first."""
    x, y = surveyed.code[counts.a], surveyed.code[counts.b]
    return PairCounts(np.minimum(x, y), np.maximum(x, y), counts.count, counts.groups, counts.marked)
