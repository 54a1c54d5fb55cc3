"""Rankers whose reasons are known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from basketry.core.histories import Candidates, Evidence, Histories, Queries, Rankings
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.item_graph import ItemGraph, rows_of
from basketry.recommendation.recency import Recency


def asked_after(rows: list[list[int]], n_products: int) -> Queries:
    """Queries of sequences, each on the day after its last event."""
    histories = Histories.from_rows(rows, n_products)
    return Queries(histories, histories.lengths.astype(np.int32))


def additive(matrix: np.ndarray, decay: float = 1.0) -> ItemGraph:
    """The sum over the history of rows of `matrix`."""
    return ItemGraph(rows_of(csr_array(matrix)), Recency(decay=decay))


@dataclass(frozen=True, eq=False)
class Conjunctive:
    """scores(q, j) = (the sum of `matrix`[i, j] over distinct products i of q) ** power + bias[j]: no sum unless power is 1.

    `flipped`: its `explain` says the opposite of the truth.
    """

    matrix: np.ndarray
    power: int = 2
    bias: float = 0.0
    flipped: bool = False

    @property
    def n_products(self) -> int:
        return len(self.matrix)

    def scores(self, queries: Queries) -> np.ndarray:
        held = np.zeros((len(queries), self.n_products))
        held[queries.histories.rows, queries.histories.products] = 1
        return ((held @ self.matrix) ** self.power + self.bias).astype(np.float32)

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        histories = queries.histories
        seen = Seen(histories.indptr, histories.products, self.n_products, candidates.allowed, candidates.repeats)
        scores = self.scores(queries)
        return Rankings(*rank_dense(np.where(scores > 0, scores, -np.inf).astype(np.float32), seen, k))

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        evidence = additive(self.matrix).explain(queries, rankings)
        return Evidence(evidence.start, evidence.events * (-1 if self.flipped else 1), evidence.rest, exact=False)
