"""Frequent itemsets: all of them, or the closed, the maximal, the generators."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from basketry.associations.mining.constraints import (
    ItemFacts,
    Restricted,
    barred_items,
    joined,
    k_best,
    pushed,
    restricted,
    satisfying,
)
from basketry.associations.mining.distributed import distributed_itemsets
from basketry.associations.mining.lists import lists
from basketry.associations.mining.names import names_from_arrays, names_to_arrays
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.kernels.condense import condensed
from basketry.kernels.itemsets import MOST, Limits, mine_itemsets
from basketry.kernels.trees import KINDS, Int32s, ItemsetTree, Kind

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Run

_NOTHING: Final = ItemFacts()


@dataclass(frozen=True)
class Itemsets:
    """The estimator: its fields are the hyperparameters.

    Constraints hold for kind "all" as pushed into the search. For closed and maximal itemsets `must_contain`, `only` and
    `must_not_contain` choose the baskets' items first (closed among those items), length and totals filter what was found.
    """

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts baskets, a fraction is a share"})
    kind: Kind = field(default="all", metadata={"doc": "all, closed, maximal or generators"})
    k: int = field(default=0, metadata={"doc": "only the k itemsets in the most baskets; 0: all"})
    min_length: int = field(default=1, metadata={"doc": "least number of items"})
    max_length: int = field(default=0, metadata={"doc": "greatest number of items; 0: any"})
    must_contain: tuple[object, ...] = field(default=(), metadata={"doc": "names of items that each itemset holds"})
    must_not_contain: tuple[object, ...] = field(default=(), metadata={"doc": "names of items that none holds"})
    only: tuple[object, ...] | None = field(default=None, metadata={"doc": "names of all items that one may hold; None: any"})
    min_total: float | None = field(default=None, metadata={"doc": "least sum of the items' values; None: any"})
    max_total: float | None = field(default=None, metadata={"doc": "greatest sum of the items' values; None: any"})
    max_itemsets: int = field(default=100_000_000, metadata={"doc": "more are an error that suggests a support"})
    max_bytes: int = field(default=0, metadata={"doc": "the same by what they take, 12 bytes each; 0: by max_itemsets alone"})

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"kind {self.kind!r} is not known", f"choose one of {', '.join(KINDS)}")
        for name, least in (("k", 0), ("min_length", 1), ("max_length", 0), ("max_itemsets", 1), ("max_bytes", 0)):
            if getattr(self, name) < least:
                raise RequestError(f"{name} is {getattr(self, name)}", f"give a whole number from {least} up")
        if self.max_length and self.max_length < self.min_length:
            raise RequestError(
                f"max_length {self.max_length} is below min_length {self.min_length}", "raise one or lower the other"
            )
        if self.must_contain and self.kind == "generators":
            raise RequestError(
                "must_contain does not go with generators", "a generator's own subsets decide: mine all, then filter"
            )

    def fit(self, transactions: Transactions, run: Run, facts: ItemFacts = _NOTHING) -> MinedItemsets:
        """Mine them. Raises RequestError past `max_itemsets` or `max_bytes`.

        `run.threads` changes nothing but the time. On `run.cluster` the itemsets are the same in another order of nodes; sizes,
        sums and facts of items are pushed into the search on this machine alone, so with those it is done here.
        """
        count = min_count(self.min_support, len(transactions))
        required = sorted(set(transactions.codes(self.must_contain)))
        only = None if self.only is None else [*transactions.codes(self.only), *required]
        barred = barred_items(transactions.baskets.n_products, transactions.codes(self.must_not_contain), only, required, facts)
        search = restricted(transactions, required, barred)
        limits = pushed(facts, self.kind, self.max_length, self.max_total, required)

        def mined(least: int) -> ItemsetTree:
            return self._mined(search, least, limits, facts, run)

        most = int(np.bincount(search.items, minlength=1).max()) if not required else len(search)
        tree = k_best(mined, self.k, count, most) if self.k else mined(count)
        return MinedItemsets(tree, transactions.names, len(transactions), count)

    def _most(self) -> int:
        """Itemsets past which to give up."""
        return min(self.max_itemsets, max(1, self.max_bytes // 12) if self.max_bytes else MOST)

    def _mined(self, search: Restricted, least: int, limits: Limits, facts: ItemFacts, run: Run) -> ItemsetTree:
        """All that the constraints allow, in at least `least` baskets."""
        alone = self.kind == "all" and bool(self.max_length) and self.max_length <= len(search.required)
        fits = limits.weights is None or limits.budget >= 0
        tree = ItemsetTree(*(np.empty(0, dtype=np.int32) for _ in range(3)))
        if run.cluster is not None and limits.free:
            parted = (search.indptr, search.items, search.n_items)
            everything = distributed_itemsets(run.cluster, *parted, parts=run.parts, min_count=least)
            tree = condensed(everything, self.kind, len(search))
        elif not alone and fits:
            tree = mine_itemsets(
                search.indptr,
                search.items,
                search.n_items,
                min_count=least,
                kind=self.kind,
                limits=replace(limits, max_itemsets=self._most()),
                threads=run.threads,
            )
        whole = joined(tree, search, self.kind, least)
        return satisfying(whole, (self.min_length, self.max_length), facts.values, (self.min_total, self.max_total))


@dataclass(frozen=True, eq=False)
class MinedItemsets:
    """Itemsets with their supports: a tree of codes, and the names behind the codes. `len` is how many there are."""

    tree: ItemsetTree
    names: pl.Series
    n_baskets: int
    min_count: int

    def __len__(self) -> int:
        return len(self.tree)

    def state(self) -> Arrays:
        """The arrays that hold all of it: the tree, `n_baskets` and `min_count` int64 [1], the names as uint8 or int64."""
        tree = {"parent": self.tree.parent, "item": self.tree.item, "support": self.tree.support}
        numbers = {"n_baskets": np.array([self.n_baskets]), "min_count": np.array([self.min_count])}
        return {**tree, **numbers, **names_to_arrays(self.names)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The itemsets back from `state`. Raises DataError if the arrays are none that `state` gives."""
        try:
            tree = ItemsetTree(*(state[name].astype(np.int32, copy=False) for name in ("parent", "item", "support")))
            n_baskets, min_count = (int(state[name][0]) for name in ("n_baskets", "min_count"))
            names = names_from_arrays(state)
        except (KeyError, IndexError) as error:
            raise DataError(f"no mined itemsets: {error} is missing", "give the arrays that state() gives") from error
        m, nodes = len(tree.parent), np.arange(len(tree.parent))
        whole = len(tree.item) == m == len(tree.support) and (tree.parent < nodes).all() and (tree.parent >= -1).all()
        if not whole or (m and not (tree.item.min() >= 0 and tree.item.max() < len(names) and tree.support.min() >= 0)):
            raise DataError("no mined itemsets: the arrays are no prefix tree", "give the arrays that state() gives")
        return cls(tree, names, n_baskets, min_count)

    def named(self, nodes: Int32s) -> pl.Series:
        """The itemsets of `nodes` as a list column of names, in the order of their codes."""
        indptr, items = self.tree.flatten(nodes)
        return lists(self.names, items, indptr).alias("itemset")

    def frame(self) -> pl.DataFrame:
        """One row an itemset: `itemset` (list of names), `length`, `baskets` (count) and `support` (share of all baskets)."""
        nodes = self.tree.members
        baskets = self.tree.support[nodes]
        return pl.DataFrame(
            {
                "itemset": self.named(nodes),
                "length": self.tree.lengths[nodes],
                "baskets": baskets,
                "support": baskets / max(self.n_baskets, 1),  # numpy divides; Polars multiplies by 1 / n, and 3 / 5 is not 0.6
            }
        )


def min_count(min_support: int | float, n_baskets: int) -> int:
    """The least whole number of baskets that is at least `min_support`; a share is taken exactly as it is written.

    A share that was worked out by division stands for the count it came from: 20 / 88162 of 88,162 baskets are 20, although
    that float is a little more than the fraction. Raises RequestError unless it is a whole number from 1 up or a share
    in (0, 1].
    """
    if isinstance(min_support, bool) or not isinstance(min_support, int | float):
        raise RequestError(f"min_support is {min_support!r}", "give a count of baskets such as 20, or a share such as 0.01")
    if isinstance(min_support, int):
        if min_support < 1:
            raise RequestError(f"min_support is {min_support}", "a count of baskets starts at 1")
        return min_support
    if not 0 < min_support <= 1:
        raise RequestError(f"min_support is {min_support}", "a share lies above 0 and at most at 1; a count is a whole number")
    count = max(1, ceil(Fraction(repr(float(min_support))) * n_baskets))
    return count - 1 if count > 1 and (count - 1) / n_baskets >= min_support else count
