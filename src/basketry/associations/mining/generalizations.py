"""Itemsets made more general: an item gives way to what is right above it, {skimmed milk, bread} to {milk, bread}."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.forest import Forest
from basketry.core.errors import RequestError
from basketry.kernels.lattice import Lattice
from basketry.kernels.trees import Int32s, Int64s

if TYPE_CHECKING:
    import polars as pl

    from basketry.associations.mining.taxonomy import Taxonomy

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Generalizations:
    """The itemsets of a lattice, and `forest`: which of the items that stand in it are above which.

    Itemsets are rows of codes, all of one length, in the order of the items' places in the forest, and none with an item and
    its own ancestor. Raising an item then leaves the order as it is: nothing else of the itemset stands below the ancestor, or
    the row would be no itemset. So a row and one that it came from are aligned, item by item.
    """

    lattice: Lattice
    forest: Forest

    @classmethod
    def of(cls, lattice: Lattice, names: pl.Series, taxonomy: Taxonomy) -> Self:
        """Of a tree whose item codes stand for `names`. Raises DataError for a name that the taxonomy does not have."""
        there = np.zeros(len(names), dtype=np.bool_)
        there[lattice.tree.item] = True
        return cls(lattice, taxonomy.forest(names).within(there))

    def rows(self, nodes: Int32s) -> Int32s:
        """The itemsets of nodes [k] that all have L items, int32 [k, L].

        Raises RequestError for one with an item and its own ancestor.
        """
        if not len(nodes):
            return np.empty((0, 0), dtype=np.int32)
        items = self.lattice.tree.flatten(nodes)[1].reshape(len(nodes), -1)
        rows = np.take_along_axis(items, np.argsort(self.forest.place[items], axis=1), axis=1)
        both = self.forest.place[rows[:, 1:]] <= self.forest.end[rows[:, :-1]]
        if both.any():
            raise RequestError(
                f"the itemset of codes {rows[both.any(axis=1)][0].tolist()} holds an item and its own ancestor",
                "give the facts that Taxonomy.extended returns to Itemsets.fit",
            )
        return rows

    def heights(self, rows: Int32s) -> Int64s:
        """How many times items can be raised, one at a time, until nothing is above any: int64 [k]."""
        heights: Int64s = self.forest.depth[rows].sum(axis=1, dtype=np.int64)
        return heights

    def raised(self, rows: Int32s) -> tuple[Int64s, Int32s, Int32s]:
        """Every itemset of the tree that is a row with one item raised by one step: number of the row, new row, and node.

        Where another item of the row is below the ancestor too there is none: without the raised item it would say the same.
        """
        above = self.forest.parent[rows]
        which, column = np.nonzero(above >= 0)
        new = rows[which]
        new[np.arange(len(which)), column] = above[which, column]
        start = np.arange(len(which) + 1, dtype=np.int64) * rows.shape[1]
        nodes = self.lattice.find(start, new.ravel())
        found = nodes >= 0
        return which[found], new[found], nodes[found]

    def are_above(self, rows: Int32s, others: Int32s) -> Mask:
        """Whether each row [k, L] is another one with one item or more raised, bool [k]."""
        at = self.forest.place[others]
        below = (self.forest.place[rows] <= at) & (at <= self.forest.end[rows])
        above: Mask = below.all(axis=1) & (rows != others).any(axis=1)
        return above
