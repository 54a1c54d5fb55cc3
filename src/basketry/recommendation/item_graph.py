"""Rankers that add up what each event of a history says: score(q, j) = sum over events e of weight(e) * B[product of e, j].

Item-item neighbours, transitions and reordering differ in B alone, which is sparse here. The score is a sum over the history,
so what each event added is exact and costs a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.histories import Evidence, Rankings
from basketry.kernels.ranking import Rows, Seen, rank_sparse
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Candidates, Queries
    from basketry.core.protocols import Arrays, Vectors


@dataclass(frozen=True, eq=False)
class ItemGraph:
    """B as sparse rows of positive weights, and the recency of events. Memory: 8 bytes an entry of B."""

    rows: Rows
    recency: Recency

    @property
    def n_products(self) -> int:
        """Rows, and columns, of B."""
        return self.rows.n

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], 0 where no event says anything. Memory: 4 bytes a query and product; ask in parts."""
        dense: Vectors = (self._weighed(queries) @ self._matrix()).toarray()
        return dense

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of each query among those that some event points to."""
        histories = queries.histories
        seen = Seen(histories.indptr, histories.products, self.n_products, candidates.allowed, candidates.repeats)
        return Rankings(*rank_sparse(self.rows, self.recency.weights(queries), seen, k))

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) * B[product of e, j] for each event e and ranked product j: exact."""
        histories = queries.histories
        k = rankings.products.shape[1]
        lengths = histories.lengths
        start = np.concatenate([[0], np.cumsum(lengths * k)[:-1]]).astype(np.int64) if len(lengths) else lengths
        pairs = np.repeat(np.arange(len(histories)), lengths * k)
        place = np.arange(len(pairs)) - start[pairs]
        rank, event = np.divmod(place, np.maximum(lengths[pairs], 1))
        event += histories.indptr[:-1][pairs]
        other = rankings.products[pairs, rank]
        there = other >= 0
        added = np.zeros(len(pairs), dtype=np.float64)
        added[there] = self.recency.weights(queries)[event[there]] * self._entries(
            histories.products[event[there]], other[there]
        )
        return Evidence(start, added, np.zeros(rankings.products.shape, dtype=np.float64), exact=True)

    def _entries(self, of: np.ndarray, other: np.ndarray) -> np.ndarray:
        """B[of, other], pair by pair."""
        n = np.int64(self.n_products)
        rows = np.repeat(np.arange(n), np.diff(self.rows.indptr))
        keys = rows * n + self.rows.others
        wanted = of.astype(np.int64) * n + other
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return np.zeros(len(of), dtype=np.float64)
        return np.where(keys[place] == wanted, self.rows.values[place], 0.0)

    def _matrix(self) -> csr_array:
        from scipy.sparse import csr_array

        return csr_array((self.rows.values, self.rows.others, self.rows.indptr), shape=(self.n_products, self.n_products))

    def _weighed(self, queries: Queries) -> csr_array:
        from scipy.sparse import csr_array

        histories = queries.histories
        weights = self.recency.weights(queries).astype(np.float32)
        return csr_array((weights, histories.products, histories.indptr), shape=(len(histories), self.n_products))

    def state(self) -> Arrays:
        """B and the recency."""
        return {"indptr": self.rows.indptr, "others": self.rows.others, "values": self.rows.values, **self.recency.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises ValueError for arrays that are no such matrix."""
        return cls(Rows(state["indptr"], state["others"], state["values"]), Recency.from_state(state))  # type: ignore[arg-type]


def rows_of(matrix: csr_array, most: int | None = None) -> Rows:
    """The positive entries of a square sparse matrix, of each row the `most` largest, columns ascending."""
    from scipy.sparse import csr_array

    matrix = csr_array(matrix)
    matrix.sum_duplicates()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    values = matrix.data.astype(np.float32)
    kept = values > 0
    if most is not None and np.diff(matrix.indptr).max(initial=0) > most:
        order = np.lexsort((matrix.indices, -values, rows))
        place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
        near = np.zeros(len(order), dtype=np.bool_)
        near[order] = place < most
        kept &= near
    counts = np.bincount(rows[kept], minlength=matrix.shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Rows(indptr, matrix.indices[kept].astype(np.int32), values[kept])
