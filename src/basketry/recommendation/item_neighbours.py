"""Item-item neighbours: products are near whose buyers, or whose baskets, are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.kernels.pairs import count_pairs
from basketry.recommendation.item_graph import ItemGraph, rows_of
from basketry.recommendation.recency import Recency
from basketry.recommendation.visits import visits_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Histories
    from basketry.core.protocols import Run

UNITS: Final = ("customer", "visit")


@dataclass(frozen=True)
class ItemNeighbours:
    """B[i, j] = n_ij / ((n_i n_j) ** 0.5 + shrink), of each row the `neighbours` largest.

    n_i counts the customers (or, by `unit` "visit", the visits) with product i, n_ij those with both. At shrink 0 that is the
    cosine. Source: Sarwar et al., Item-based collaborative filtering (2001). The cost is an increment a co-occurrence.
    """

    neighbours: int = 200
    shrink: float = 0.0
    unit: str = "customer"
    recency: Recency = field(default_factory=lambda: Recency(decay=0.8))

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        """Count and scale. Raises RequestError for a hyperparameter out of range."""
        from scipy.sparse import csr_array

        if self.neighbours < 1 or self.shrink < 0 or self.unit not in UNITS:
            raise RequestError(f"{self} cannot be fitted", f"neighbours start at 1, shrink at 0, unit is one of {UNITS}")
        held = _held(histories, self.unit)
        n = histories.n_products
        count = np.bincount(held.indices, minlength=n).astype(np.float64)
        pairs = count_pairs(held.indptr.astype(np.int64), held.indices.astype(np.int32), n, threads=run.threads)
        near = pairs.count / (np.sqrt(count[pairs.a] * count[pairs.b]) + self.shrink)
        both = csr_array(
            (np.concatenate([near, near]), (np.concatenate([pairs.a, pairs.b]), np.concatenate([pairs.b, pairs.a]))),
            shape=(n, n),
        )
        return ItemGraph(rows_of(both, self.neighbours), self.recency)


def _held(histories: Histories, unit: str) -> csr_array:
    """Distinct products of each customer, or of each visit."""
    from scipy.sparse import csr_array

    if unit == "visit":
        return visits_of(histories).held
    held = csr_array(
        (np.ones(len(histories.products), dtype=np.int8), histories.products, histories.indptr),
        shape=(len(histories), histories.n_products),
        copy=True,  # summing duplicates works in place, and histories are not ours to change
    )
    held.sum_duplicates()
    return held
