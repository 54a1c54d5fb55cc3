"""Frequent itemsets: all of them, or the closed, the maximal, the generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import polars as pl

from basketry.associations.mining.lists import lists
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.kernels.itemsets import KINDS, Kind, mine_itemsets
from basketry.kernels.trees import Int32s, ItemsetTree

if TYPE_CHECKING:
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class Itemsets:
    """The estimator: its fields are the hyperparameters."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts baskets, a fraction is a share"})
    kind: Kind = field(default="all", metadata={"doc": "all, closed, maximal or generators"})

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"kind {self.kind!r} is not known", f"choose one of {', '.join(KINDS)}")

    def fit(self, transactions: Transactions, run: Run) -> MinedItemsets:
        """Mine them. `run.threads` changes nothing but the time."""
        baskets = transactions.baskets
        count = min_count(self.min_support, len(transactions))
        tree = mine_itemsets(
            baskets.indptr, baskets.items, baskets.n_products, min_count=count, kind=self.kind, threads=run.threads
        )
        return MinedItemsets(tree, transactions.names, len(transactions), count)


@dataclass(frozen=True, eq=False)
class MinedItemsets:
    """Itemsets with their supports: a tree of codes, and the names behind the codes. `len` is how many there are."""

    tree: ItemsetTree
    names: pl.Series
    n_baskets: int
    min_count: int

    def __len__(self) -> int:
        return len(self.tree)

    def named(self, nodes: Int32s) -> pl.Series:
        """The itemsets of `nodes` as a list column of names, in the order of their codes."""
        indptr, items = self.tree.flatten(nodes)
        return lists(self.names, items, indptr).alias("itemset")

    def frame(self) -> pl.DataFrame:
        """One row an itemset: `itemset` (list of names), `length`, `baskets` (count) and `support` (share of all baskets)."""
        nodes = self.tree.members
        baskets = pl.Series("baskets", self.tree.support[nodes])
        return pl.DataFrame(
            {
                "itemset": self.named(nodes),
                "length": self.tree.lengths[nodes],
                "baskets": baskets,
                "support": baskets / self.n_baskets if self.n_baskets else baskets.cast(pl.Float64),
            }
        )


def min_count(min_support: int | float, n_baskets: int) -> int:
    """The least whole number of baskets that is at least `min_support`, exactly; a share is taken as it is written.

    Raises RequestError unless it is a whole number from 1 up, or a share in (0, 1].
    """
    if isinstance(min_support, bool) or not isinstance(min_support, int | float):
        raise RequestError(f"min_support is {min_support!r}", "give a count of baskets such as 20, or a share such as 0.01")
    if isinstance(min_support, int):
        if min_support < 1:
            raise RequestError(f"min_support is {min_support}", "a count of baskets starts at 1")
        return min_support
    if not 0 < min_support <= 1:
        raise RequestError(f"min_support is {min_support}", "a share lies above 0 and at most at 1; a count is a whole number")
    return max(1, ceil(Fraction(repr(float(min_support))) * n_baskets))
