"""Item-item neighbours: products are near whose buyers, or whose baskets, are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.space import one_of, within
from basketry.recommendation.item_graph import ItemGraph, in_blocks
from basketry.recommendation.recency import Recency
from basketry.recommendation.visits import customers_of, visits_of

if TYPE_CHECKING:
    from basketry.core.histories import Histories
    from basketry.core.protocols import Run

UNITS: Final = ("customer", "visit")


@dataclass(frozen=True)
class ItemNeighbours:
    """B[i, j] = n_ij / ((n_i n_j) ** 0.5 + shrink), of each row the `neighbours` largest.

    n_i counts the customers (or, by `unit` "visit", the visits) with product i, n_ij those with both. At shrink 0 that is the
    cosine. Source: Sarwar et al., Item-based collaborative filtering (2001). The cost is an
    addition a co-occurrence and direction; memory holds a block of rows beside what is kept.
    """

    neighbours: int = within(200, 10, 2_000, "entries of a row", log=True)
    shrink: float = within(0.0, 0.0, 50.0, "added to the divisor, against rare products")
    unit: str = one_of("customer", UNITS, "what two products must share")
    recency: Recency = field(default_factory=lambda: Recency(decay=0.8))

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        """Count and scale. Raises RequestError for a hyperparameter out of range."""
        from scipy.sparse import csr_array

        del run
        if self.neighbours < 1 or self.shrink < 0 or self.unit not in UNITS:
            raise RequestError(f"{self} cannot be fitted", f"neighbours start at 1, shrink at 0, unit is one of {UNITS}")
        held = visits_of(histories).held if self.unit == "visit" else customers_of(histories)
        n = histories.n_products
        root = np.sqrt(np.bincount(held.indices, minlength=n))
        holders = csr_array(held.T)

        def near(first: int, last: int) -> csr_array:
            both = csr_array(holders[first:last] @ held)
            row = np.repeat(np.arange(first, last), np.diff(both.indptr))
            both.data = np.where(both.indices == row, 0, both.data / (root[row] * root[both.indices] + self.shrink))
            return both

        return ItemGraph(in_blocks(n, near, self.neighbours), self.recency)
