"""The directed transition graph: what customers buy after what, soon after counting more than late."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.space import within
from basketry.recommendation.item_graph import ItemGraph, in_blocks
from basketry.recommendation.recency import Recency
from basketry.recommendation.visits import visits_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Histories
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class Transitions:
    """T[i, j] = sum over i in one visit and j in a later one of the same customer, d <= window visits on, of 1 / d.

    P[i, j] = T[i, j] / (sum over j of T[i, j]) ** damping: at 1 a probability; below 1 products with much behind them speak
    louder. B = P + hop * P P, so that what follows what follows counts too. Nothing follows itself unless `repeats`.
    `neighbours` bounds the entries of a row of B, before and after squaring; besides them memory holds a block of rows
    and the visits. The cost is that of the sparse products.
    """

    window: int = within(10, 1, 20, "visits on that still follow")
    damping: float = within(0.75, 0.0, 1.0, "power of the row total that divides")
    hop: float = within(0.3, 0.0, 1.0, "weight of the second step")
    neighbours: int = within(200, 50, 5_000, "entries of a row", log=True)
    repeats: bool = False
    recency: Recency = field(default_factory=lambda: Recency(decay=0.5))

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        """Count and scale. Raises RequestError for a hyperparameter out of range."""
        from scipy.sparse import csr_array, diags_array

        del run
        if not (self.window >= 1 and 0 <= self.damping <= 1 and self.hop >= 0 and self.neighbours >= 1):
            raise RequestError(
                f"{self} cannot be fitted", "window and neighbours start at 1, damping lies in [0, 1], hop from 0"
            )
        visits = visits_of(histories)
        n = histories.n_products
        later = csr_array(visits.held.shape, dtype=np.float32)
        for lag in range(1, self.window + 1):
            later = later + visits.shifted(lag) / np.float32(lag)
        earlier = csr_array(visits.held.T)

        def step(first: int, last: int) -> csr_array:
            counted = self._cut(csr_array(earlier[first:last] @ later), first)
            total = np.asarray(counted.sum(axis=1)).ravel()
            scale = np.divide(1, total**self.damping, out=np.zeros(last - first), where=total > 0)
            return csr_array(diags_array(scale.astype(np.float32)) @ counted)

        near = in_blocks(n, step, self.neighbours)
        if not self.hop:
            return ItemGraph(near, self.recency)
        short = csr_array((near.values, near.others, near.indptr), shape=(n, n))

        def two_steps(first: int, last: int) -> csr_array:
            some = short[first:last]
            return self._cut(csr_array(some + np.float32(self.hop) * (some @ short)), first)

        return ItemGraph(in_blocks(n, two_steps, self.neighbours), self.recency)

    def _cut(self, rows: csr_array, first: int) -> csr_array:
        """Rows from `first` on, without what leads back to itself, unless it may."""
        return rows if self.repeats else _without_diagonal(rows, first)


def _without_diagonal(matrix: csr_array, first: int) -> csr_array:
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(first, first + matrix.shape[0]), np.diff(matrix.indptr))
    kept = matrix.indices != rows
    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_array((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)
