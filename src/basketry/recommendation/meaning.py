"""Likeness of meaning as a ranker: what reads, or looks, like what a history holds, whether anybody ever bought it or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Rankings
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.events import added
from basketry.recommendation.recency import Recency
from basketry.recommendation.voices import chunks

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Candidates, Evidence, Floats, Int32s, Queries
    from basketry.core.protocols import Arrays, Vectors

_PAIRS: Final = 8_192  # event and product compared at a time in reasons: 32 MB at 512 dimensions
_ROUNDING: Final = 1e-5  # of the longest vector: what is left of one that is the mean itself


@dataclass(frozen=True)
class Meaning:
    """B[i, j] = x_i . x_j, the cosine of two products' vectors v once their mean is taken away: x = (v - mean) / |v - mean|.

    All texts of one catalogue share a direction that tells none of them from another; without it 0 is the likeness of any two.
    """

    recency: Recency = field(default_factory=lambda: Recency(decay=0.7))

    def fit(self, vectors: Vectors, document: Int32s | None = None) -> MeaningRanker:
        """From vectors float32 [documents, dim], of texts or pictures, of any encoder; no history is needed.

        `document` int32 [n_products] is the row of each product, -1 where it has none; without it row i is product i. Cost: one
        pass and a copy of the vectors. Raises RequestError for arrays that do not fit each other.
        """
        if vectors.ndim != 2:
            raise RequestError(f"vectors of shape {vectors.shape}", "give one row a document")
        document = np.arange(len(vectors), dtype=np.int32) if document is None else document.astype(np.int32)
        if int(document.max(initial=-1)) >= len(vectors) or int(document.min(initial=-1)) < -1:
            raise RequestError(
                f"documents {document.min()} to {document.max()} of {len(vectors)} vectors", "number them from 0, -1 for none"
            )
        mean = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else 0.0
        centred = (vectors - mean).astype(np.float32)
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        told = norms > _ROUNDING * np.linalg.norm(vectors, axis=1, keepdims=True).max(initial=0)
        return MeaningRanker(np.divide(centred, norms, out=np.zeros_like(centred), where=told), document, self.recency)


@dataclass(frozen=True, eq=False)
class MeaningRanker:
    """score(q, j) = sum over events e of weight(e) * x of e's product . x_j; ranked is what scores above 0.

    `vectors` float32 [documents, dim], unit norm or 0; `document` int32 [n_products], -1 for a product that is never ranked and
    says nothing. Cost: dim multiplications a query and document.
    """

    vectors: Vectors
    document: Int32s
    recency: Recency

    @property
    def n_products(self) -> int:
        """How many products there are."""
        return len(self.document)

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products]: below 0 what is less like the history than any two products are. Ask in parts."""
        like: Vectors = np.ascontiguousarray(self._weighed(queries) @ self.vectors) @ self.vectors.T
        scores = np.zeros((len(queries), self.n_products), dtype=np.float32)
        known = self.document >= 0
        scores[:, known] = like[:, self.document[known]]
        return scores

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of those that are like the history. Memory: 4 bytes a product and query, 256 at a time."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.zeros((len(queries), k), dtype=np.float64)
        for rows in chunks(len(queries)):
            part, may = queries.select(rows), candidates.select(rows)
            said = self.scores(part)
            said[said <= 0] = -np.inf
            seen = Seen(part.histories.indptr, part.histories.products, self.n_products, may.allowed, may.repeats)
            products[rows], _ = rank_dense(said, seen, k)
            scores[rows] = self._summed(part, products[rows])
        return Rankings(products, scores)

    def _summed(self, queries: Queries, products: Int32s) -> Floats:
        """Scores of ranked products in double precision, so that reasons add up to them; none above the one before it."""
        history = self._weighed(queries, np.float64) @ self.vectors.astype(np.float64)
        there = products >= 0
        ranked = self.vectors[self.document[np.maximum(products, 0)]]
        found = np.where(there, np.einsum("nd,nkd->nk", history, ranked, dtype=np.float64), np.inf)
        summed: Floats = np.where(there, np.minimum.accumulate(found, axis=1), 0.0)
        return summed

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) * x of e's product . x_j for each event e and ranked product j: exact."""
        return added(queries, rankings, self.recency.weights(queries), self._entries)

    def _entries(self, of: Int32s, other: Int32s) -> Floats:
        """B[of, other], pair by pair."""
        one, two = self.document[of], self.document[other]
        found = np.zeros(len(of), dtype=np.float64)
        known = np.flatnonzero((one >= 0) & (two >= 0))
        for first in range(0, len(known), _PAIRS):
            some = known[first : first + _PAIRS]
            found[some] = np.einsum("nd,nd->n", self.vectors[one[some]], self.vectors[two[some]], dtype=np.float64)
        return found

    def _weighed(self, queries: Queries, kind: type[np.floating[Any]] = np.float32) -> csr_array:
        """The weight of each document in each history, [n, documents]."""
        from scipy.sparse import csr_array

        histories = queries.histories
        weights = self.recency.weights(queries).astype(kind)
        known = self.document[histories.products] >= 0
        read = histories.where(known)
        return csr_array((weights[known], self.document[read.products], read.indptr), shape=(len(histories), len(self.vectors)))

    def state(self) -> Arrays:
        """Vectors, whose they are, and the recency."""
        return {"vectors": self.vectors, "document": self.document, **self.recency.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises RequestError for documents that are not there."""
        vectors, document = state["vectors"].astype(np.float32, copy=False), state["document"].astype(np.int32)
        if vectors.ndim != 2 or int(document.max(initial=-1)) >= len(vectors):
            raise RequestError(f"vectors of shape {vectors.shape} for documents to {document.max()}", "publish it again")
        return cls(vectors, document, Recency.from_state(state))
