"""Itemsets of the latest blocks of baskets: a window that slides, equal at any time to mining what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
import polars as pl

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.incremental import joined_rows
from basketry.associations.mining.itemsets import MinedItemsets, min_count
from basketry.associations.mining.lookup import extended, located
from basketry.associations.mining.names import recoded
from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.union import recounted
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.trees import Int32s, ItemsetTree

_LEAST: Final = 8  # baskets; a block mined at a lower count gives more accidents than candidates
_NOTHING: Final = ItemsetTree(*[np.empty(0, dtype=np.int32)] * 3)


@dataclass(frozen=True)
class SlidingItemsets:
    """The estimator: its fields are the hyperparameters. A block is whatever is pushed at once: a day, a week, n baskets."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts baskets, a fraction is a share"})
    blocks: int = field(default=12, metadata={"doc": "how many of the latest blocks the window holds"})

    def __post_init__(self) -> None:
        min_count(self.min_support, 1)
        if self.blocks < 1:
            raise RequestError(f"a window of {self.blocks} blocks", "it holds at least one")

    def begin(self) -> ItemsetWindow:
        """The empty window."""
        return ItemsetWindow(self, pl.Series("item", [], dtype=pl.String), (), _NOTHING, _NOTHING.support)


@dataclass(frozen=True, eq=False)
class _Block:
    """One block: its baskets, the itemsets found in it, and the most of them another can be in."""

    baskets: BasketMatrix
    found: ItemsetTree
    unseen: int


@dataclass(frozen=True, eq=False)
class ItemsetWindow:
    """The latest blocks, what was found in each of them, and each of that counted in the whole window.

    Immutable: `push` gives a new window that shares what stays. A block is mined once, as it comes, at its part of the support;
    an itemset not found in block b is in at most u_b of its baskets, so every itemset in more baskets of the window than the
    sum of the u_b is known, with its count. Coming, a block is counted for what is known and its own finds are counted in the
    others; going, it is counted once more and taken off. So a push costs a mining of the block, two counts of a block and one
    of the window for what is new.

    Limits: the rule needs blocks of some 10 / min_support baskets. A smaller block is mined at 8 baskets, below which chance
    has the word; where the sum of the u_b then reaches the count asked for, `result` mines the window again. It is exact either
    way. `holders` [m] is how many blocks found each node of `known`. Memory: the baskets of the window, the trees of its
    blocks, and 16 bytes a node of `known`.
    """

    estimator: SlidingItemsets
    names: pl.Series
    held: tuple[_Block, ...]
    known: ItemsetTree
    holders: Int32s

    @property
    def n_baskets(self) -> int:
        """Baskets in the window."""
        return sum(len(block.baskets) for block in self.held)

    def push(self, transactions: Transactions, run: Run) -> Self:
        """The window with one more block, and without its oldest if it was full. New names get the codes after the known."""
        coming = recoded(transactions, self.names)
        block = _mined(coming.baskets, self._local(len(coming)), run)
        gone = self.held[: max(0, len(self.held) + 1 - self.estimator.blocks)]
        stay = self.held[len(gone) :]
        known, n_known = self.known, len(self.known.parent)
        tree, place = extended(known, block.found)
        new = block.found.keep(place >= n_known)
        counts = tree.support.copy()
        counts[:n_known] += _counted((block,), known, run) - _counted(gone, known, run)
        counts[n_known:] += _counted(stay, new, run)[new.support > 0]
        holders = np.pad(self.holders, (0, len(counts) - n_known))
        holders[place] += 1
        for each in gone:
            holders[located(tree, each.found)] -= 1
        kept = replace(tree, support=counts).keep(holders > 0)
        return replace(self, names=coming.names, held=(*stay, block), known=kept, holders=holders[holders > 0])

    def result(self, run: Run) -> MinedItemsets:
        """All frequent itemsets of the baskets in the window."""
        count = min_count(self.estimator.min_support, self.n_baskets)
        if sum(block.unseen for block in self.held) < count:
            tree = recounted(self.known, self.known.support, count)
        else:
            whole = joined_rows([block.baskets for block in self.held])
            tree = mine_itemsets(*whole, len(self.names), min_count=count, threads=run.threads)
        return MinedItemsets(tree, self.names, self.n_baskets, count)

    def _local(self, n_baskets: int) -> int:
        """The count to mine a block at: its part of the support, so that the unseen of all blocks stay below the whole."""
        support = self.estimator.min_support
        share = -(-support // self.estimator.blocks) if isinstance(support, int) else min_count(support, n_baskets)
        return max(_LEAST, share)


def blocks_of_days(transactions: Transactions, days: int) -> Iterator[Transactions]:
    """The baskets in blocks of `days` local days, from the first day on; a span without baskets is an empty block.

    Raises RequestError for less than a day.
    """
    if days < 1:
        raise RequestError(f"blocks of {days} days", "a block takes at least one day")
    if not len(transactions):
        return
    number = (transactions.baskets.days - transactions.baskets.days.min()) // days
    for each in range(int(number.max()) + 1):
        yield transactions.select(number == each)


def _mined(baskets: BasketMatrix, count: int, run: Run) -> _Block:
    if count > len(baskets):
        return _Block(baskets, _NOTHING, len(baskets))
    tree = mine_itemsets(baskets.indptr, baskets.items, baskets.n_products, min_count=count, threads=run.threads)
    return _Block(baskets, tree, count - 1)


def _counted(blocks: Sequence[_Block], tree: ItemsetTree, run: Run) -> Int32s:
    counts = np.zeros(len(tree.parent), dtype=np.int32)
    for block in blocks:
        counts += count_itemsets(block.baskets.indptr, block.baskets.items, tree, threads=run.threads)
    return counts
