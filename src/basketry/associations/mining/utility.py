"""Itemsets by what they are worth: those that bring in enough revenue or margin, or the k that bring in most."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from basketry.associations.mining.itemsets import MinedItemsets
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree
from basketry.kernels.utility import UtilityLimits, UtilityTree, mine_utility, utility_of_kth

if TYPE_CHECKING:
    from basketry.associations.mining.transactions import Transactions
    from basketry.associations.mining.values import ValuedTransactions, Values
    from basketry.core.protocols import Run

Amount = int | float | Decimal


def _field(default: int, doc: str) -> int:
    value: int = field(default=default, metadata={"doc": doc})
    return value


@dataclass(frozen=True)
class HighUtility:
    """Finds every itemset X with u(X) >= min_utility: u(X) adds up what X's items brought in the baskets with all of X.

    Not every part of such an itemset need be one itself, so support plays no role, and long baskets of great value hold very
    many: bound `max_length` (2 to 4 suits most shops, and is far quicker), or ask for the `k` best. With k the threshold is
    found by the search itself, not below `min_utility`; of itemsets with the same utility the shorter, then the one of lower
    codes, is taken first.
    """

    min_utility: Amount | None = field(
        default=None,
        metadata={
            "doc": "an amount (whole or decimal) in the currency; a float is a share of all value; None: 0.01, or with k 0"
        },
    )
    k: int = _field(0, "the so many of highest utility; 0 for all that reach min_utility")
    max_length: int = _field(0, "most items of an itemset; 0 for no limit")
    max_itemsets: int = _field(10_000_000, "beyond so many the search ends with an error that suggests a threshold")

    def __post_init__(self) -> None:
        for name in ("k", "max_length"):
            if getattr(self, name) < 0:
                raise RequestError(f"{name} is {getattr(self, name)}", "give a whole number, 0 for none")
        if self.max_itemsets < max(1, self.k):
            raise RequestError(f"max_itemsets is {self.max_itemsets}", f"it starts at 1 and at k, which is {self.k}")

    def fit(self, valued: ValuedTransactions, run: Run) -> MinedUtility:
        """Mine them. `run.threads` changes nothing but the time. Raises RequestError above `max_itemsets`."""
        baskets, values = valued.transactions.baskets, valued.values
        asked = self.min_utility if self.min_utility is not None or self.k else 0.01
        floor = 1 if asked is None else least_amount(asked, values)
        limits = UtilityLimits(self.max_length, self.max_itemsets)
        data = (baskets.indptr, baskets.items, values.amounts, baskets.n_products)
        with span("mine by utility", total=2 if self.k else 1, unit="searches") as progress:
            if self.k:
                floor = max(floor, utility_of_kth(*data, k=self.k, limits=limits, threads=run.threads))
                progress.advance()
            found = mine_utility(*data, min_utility=floor, limits=limits, threads=run.threads)
            progress.advance()
            progress.note(itemsets=len(found))
        if self.k:
            found = _best(found, self.k)
        return MinedUtility(found, valued.transactions, values, floor)


@dataclass(frozen=True, eq=False)
class MinedUtility:
    """Itemsets of high utility, in units of `values`; `min_utility` is the threshold that was met. `len`: how many."""

    found: UtilityTree
    transactions: Transactions
    values: Values
    min_utility: int

    def __len__(self) -> int:
        return len(self.found)

    @property
    def itemsets(self) -> MinedItemsets:
        """The same itemsets with their supports alone."""
        return MinedItemsets(self.found.tree, self.transactions.names, len(self.transactions), 1)

    def ranked(self) -> Int32s:
        """Nodes of the itemsets: the highest utility first, then the shortest, then the lowest codes."""
        return _ranked(self.found)

    def frame(self) -> pl.DataFrame:
        """One row an itemset, the best first: `itemset`, `length`, `baskets`, `support`, `utility`, `utility_share`.

        `utility` is a decimal in the currency where the values were decimals; `utility_share` is utility over all value sold,
        null where that is not above zero. Shares of itemsets overlap: they do not add up to 1.
        """
        nodes = self.ranked()
        tree, utility, whole = self.found.tree, self.found.utility[nodes], int(self.values.amounts.sum())
        baskets = pl.Series("baskets", tree.support[nodes])
        return pl.DataFrame(
            {
                "itemset": self.itemsets.named(nodes),
                "length": tree.lengths[nodes],
                "baskets": baskets,
                "support": baskets / max(1, len(self.transactions)),
                "utility": self.values.money(utility),
                "utility_share": pl.Series(utility / whole if whole > 0 else [None] * len(nodes), dtype=pl.Float64),
            }
        )


def least_amount(min_utility: Amount, values: Values) -> int:
    """The least whole amount, in units of `values`, that is at least `min_utility`; exact, a share is taken as it is written.

    Raises RequestError unless it is above 0, and a float a share of at most 1 of a total above 0.
    """
    if isinstance(min_utility, bool) or not isinstance(min_utility, int | float | Decimal):
        raise RequestError(f"min_utility is {min_utility!r}", "give an amount such as 500, or a share such as 0.01")
    if not min_utility > 0 or min_utility == float("inf"):
        raise RequestError(f"min_utility is {min_utility}", "an amount or a share lies above 0")
    if not isinstance(min_utility, float):
        return _within(ceil(Fraction(min_utility) * 10**values.scale), min_utility)
    if min_utility > 1:
        raise RequestError(f"min_utility is {min_utility}", "a share is at most 1; give an amount as a whole number or Decimal")
    whole = int(values.amounts.sum())
    if whole <= 0:
        raise RequestError(f"a share of all value is asked for, and that is {whole}", "give an amount instead")
    return max(1, ceil(Fraction(repr(min_utility)) * whole))


def _within(amount: int, asked: Amount) -> int:
    if amount > 2**61:
        raise RequestError(f"min_utility is {asked}", "amounts go up to 2**61 of the smallest unit")
    return amount


def _ranked(found: UtilityTree) -> Int32s:
    nodes = found.tree.members
    order = np.lexsort((found.tree.lengths[nodes], -found.utility[nodes]))
    nodes = nodes[order]
    return nodes[_by_codes_within_ties(found, nodes)]


def _by_codes_within_ties(found: UtilityTree, nodes: Int32s) -> Int64s:
    """Positions of `nodes`, sorted by utility and length, with those alike in both put in the order of their codes."""
    place = np.arange(len(nodes))
    keys = np.stack([found.utility[nodes], found.tree.lengths[nodes].astype(np.int64)])
    starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))) if len(nodes) else place
    ends = np.append(starts[1:], len(nodes))
    for first, last in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        _, items = found.tree.flatten(nodes[first:last])
        place[first:last] = first + np.lexsort(items.reshape(last - first, -1).T[::-1])
    return place


def _best(found: UtilityTree, k: int) -> UtilityTree:
    """The tree with only the k best as members. Nodes that lead to no member any more remain, as paths."""
    chosen = np.zeros(len(found.utility), dtype=np.bool_)
    chosen[_ranked(found)[:k]] = True
    tree = ItemsetTree(found.tree.parent, found.tree.item, np.where(chosen, found.tree.support, 0).astype(np.int32))
    return UtilityTree(tree, np.where(chosen, found.utility, 0))
