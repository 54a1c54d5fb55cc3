"""Semantic edges: for each product, the others whose texts mean the most alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from threadpoolctl import threadpool_limits

from basketry.associations.similarity import METRICS, Metric, from_cosine, weighted_unit
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.core.telemetry import span
from basketry.vectors.exact import DECIMALS, close_pairs
from basketry.vectors.indexing import VectorIndexing

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors
    from basketry.vectors.index import VectorIndex

    Codes = npt.NDArray[np.int64]
    Products = npt.NDArray[np.int32]

_BLOCK: Final = 512  # documents whose neighbours become edges at a time
_SPARE: Final = 16  # neighbours beyond k that an approximate search is asked for: ties go to the popular


@dataclass(frozen=True)
class SimilarPairs:
    """Directed edges, ordered by `a`, then best first: `b` is among the k most similar to `a`.

    `a`, `b` int32 product codes and `similarity` float32, all [edges]. `recall` is the share of the exact nearest documents
    that the approximate index found, on a sample; 1 where the search was exact.
    """

    a: Products
    b: Products
    similarity: Vectors
    recall: float

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        return {"a": self.a, "b": self.b, "similarity": self.similarity, "recall": np.array([self.recall])}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The edges back from their arrays."""
        a, b = (np.asarray(state[name], dtype=np.int32) for name in ("a", "b"))
        return cls(
            a, b, np.asarray(state["similarity"], dtype=np.float32), float(np.asarray(state["recall"], dtype=np.float64)[0])
        )


@dataclass(frozen=True)
class Similar:
    """The `k` most similar other products of each, among those of similarity `theta` or more.

    `metric` is cosine, euclidean (1 / (1 + distance)) or weighted (see `similarity`). Set `k` high and `theta` to taste for
    all pairs above a threshold. Above `approximate_above` distinct documents a vector index (see `vectors`) takes the
    place of comparing all pairs. 20,770 documents of 512 dimensions behind 92,331 products cost 10 s of CPU and 150 MB
    either way; exact time grows with the square of the documents, that of the index in proportion.
    """

    k: int = 10
    theta: float = 0.0
    metric: Metric = "cosine"
    approximate_above: int = 50_000

    def __post_init__(self) -> None:
        if self.k < 1:
            raise RequestError(f"k is {self.k}", "ask for at least one neighbour")
        if self.metric not in METRICS:
            raise RequestError(f"no metric is called {self.metric!r}", f"use one of {', '.join(METRICS)}")

    def fit(
        self,
        vectors: Vectors,
        document_of_product: Products,
        run: Run,
        popularity: Codes | None = None,
        weights: Vectors | None = None,
        index: VectorIndex | None = None,
    ) -> SimilarPairs:
        """Edges between the products of `document_of_product` (int32 [products], a row of `vectors`, or -1 for no text).

        `vectors` is float32 [documents, dim] of unit norm. Products of one document are at similarity 1. Ties (cosines equal to
        5 decimals) go to the larger `popularity` (int64 [products], 0 where not given), then to the smaller code. `weights`
        (float32 [dim], not negative) are needed by the metric `weighted` and by it alone. `index`: one of all the vectors under
        their row numbers, where there is one, so that it need not be built again.

        Raises RequestError where shapes disagree, a vector is not of unit norm, or weights are missing or not called for.
        """
        _check(vectors, document_of_product)
        if (weights is not None) != (self.metric == "weighted"):
            raise RequestError(
                f"metric {self.metric!r} with{'out' if weights is None else ''} weights", "learn_weights gives them"
            )
        unit = vectors if weights is None else weighted_unit(vectors, weights)
        popular = np.zeros(len(document_of_product), dtype=np.int64) if popularity is None else popularity
        shelf = _Shelf.of(document_of_product, popular, self.k + 1)
        used = np.ascontiguousarray(unit[shelf.documents])
        recall = 1.0
        parts = []
        with span("similar", total=len(used), unit="texts") as progress, threadpool_limits(run.threads):
            if len(used) > self.approximate_above:
                whole = index if weights is None and len(used) == len(vectors) else None
                if whole is not None and not (whole.dim == used.shape[1] and np.array_equal(whole.held, np.arange(len(used)))):
                    raise RequestError(
                        f"an index of {len(whole)} vectors of {whole.dim} dimensions for {len(used)} of {used.shape[1]}",
                        "give the index of these vectors under their row numbers, or none",
                    )
                source, recall = _approximate(used, self.k + 1, self.approximate_above, whole, run)
            else:
                source = close_pairs(used, used, self.k + 1)
            for row, column, cosine in source:
                parts.append(self._edges(shelf, row, column, cosine))
                progress.advance(int(row.max() - row.min()) + 1)
        a, b, similarity = (np.concatenate([part[i] for part in parts]) if parts else np.empty(0) for i in range(3))
        order = np.argsort(a, kind="stable")
        return SimilarPairs(a[order].astype(np.int32), b[order].astype(np.int32), similarity[order].astype(np.float32), recall)

    def _edges(self, shelf: _Shelf, row: Codes, column: Codes, cosine: Vectors) -> tuple[Codes, Codes, Vectors]:
        """Edges of the products of some documents, from those documents' neighbours."""
        alike = np.where(row == column, np.float32(1), np.clip(np.round(cosine, DECIMALS), -1, 1)).astype(np.float32)
        similarity = from_cosine(alike, self.metric)
        near = (similarity >= self.theta) | (row == column)
        owner, other, score = shelf.spread(row[near], column[near], similarity[near])
        order = np.lexsort((other, -shelf.popularity[other], -score, owner))
        owner, other, score = owner[order], other[order], score[order]
        first = _rank(owner) <= self.k  # k + 1 of them: a product is its own document's neighbour
        owner, other, score = owner[first], other[first], score[first]
        member, place = shelf.members(owner)
        a, b, s = member, other[place], score[place]
        keep = (a != b) & (s >= self.theta)
        a, b, s = a[keep], b[keep], s[keep]
        order = np.argsort(a, kind="stable")
        a, b, s = a[order], b[order], s[order]
        best = _rank(a) < self.k
        return a[best], b[best], s[best]


@dataclass(frozen=True)
class _Shelf:
    """Products by the document they share. Documents are counted from 0 among those in use."""

    documents: Codes  # rows of the vectors in use
    products: Codes  # product codes, document by document, best first
    starts: Codes  # where each document's products begin; one more at the end
    popularity: Codes
    few: int  # products of a document that can be anyone's neighbours

    @classmethod
    def of(cls, document_of_product: Products, popularity: Codes, few: int) -> Self:
        products = np.flatnonzero(document_of_product >= 0)
        documents, number = np.unique(document_of_product[products], return_inverse=True)
        order = np.lexsort((products, -popularity[products], number))
        starts = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(documents)))])
        return cls(documents.astype(np.int64), products[order], starts.astype(np.int64), popularity, few)

    def spread(self, row: Codes, column: Codes, score: Vectors) -> tuple[Codes, Codes, Vectors]:
        """Turn (document, document, score) into (document, product, score), the best `few` products of each."""
        counts = np.minimum(np.diff(self.starts)[column], self.few)
        entry, offset = _counted(counts)
        return row[entry], self.products[self.starts[column[entry]] + offset], score[entry]

    def members(self, owner: Codes) -> tuple[Codes, Codes]:
        """For every product of each entry's document: the product, and the entry."""
        entry, offset = _counted(np.diff(self.starts)[owner])
        return self.products[self.starts[owner[entry]] + offset], entry


def _approximate(
    vectors: Vectors, k: int, approximate_above: int, index: VectorIndex | None, run: Run
) -> tuple[Iterator[tuple[Codes, Codes, Vectors]], float]:
    """The same from an index that may miss some, with the share of the k - 1 others that it finds."""
    if index is None:
        index = VectorIndexing(exact_up_to=approximate_above, k=max(k - 1, 1)).fit(vectors, run)
    found = index.search(vectors, min(k + _SPARE, len(vectors)), threads=run.threads)
    return _blocks(found.ids, found.cosine), index.recall.value


def _blocks(row: Codes, cosine: Vectors) -> Iterator[tuple[Codes, Codes, Vectors]]:
    for start in range(0, len(row), _BLOCK):
        found, score = row[start : start + _BLOCK], cosine[start : start + _BLOCK]
        itself = np.arange(start, start + len(found), dtype=np.int64)[:, None]
        keep = (found >= 0) & (found != itself)
        query = np.concatenate([np.repeat(itself, found.shape[1], axis=1)[keep], itself[:, 0]])
        yield (
            query,
            np.concatenate([found[keep], itself[:, 0]]),
            np.concatenate([score[keep], np.ones(len(found), dtype=np.float32)]),
        )


def _counted(counts: Codes) -> tuple[Codes, Codes]:
    """Entry i repeated counts[i] times, and the number of each repetition from 0."""
    entry = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
    return entry, offset


def _rank(sorted_keys: Codes) -> Codes:
    """Position of each entry among those of its key, from 0; equal keys stand together."""
    if len(sorted_keys) == 0:
        return np.empty(0, dtype=np.int64)
    begins = np.flatnonzero(np.concatenate([[True], sorted_keys[1:] != sorted_keys[:-1]]))
    return _counted(np.diff(np.concatenate([begins, [len(sorted_keys)]])))[1]


def _check(vectors: Vectors, document_of_product: Products) -> None:
    if vectors.ndim != 2 or document_of_product.ndim != 1:
        raise RequestError(
            f"vectors of shape {vectors.shape}, products of {document_of_product.shape}", "give [n, dim] and [m]"
        )
    if len(document_of_product) and int(document_of_product.max()) >= len(vectors):
        raise RequestError(f"document {int(document_of_product.max())} of {len(vectors)}", "give one vector per document")
    norms = np.linalg.norm(vectors, axis=1)
    if len(vectors) and not bool((np.abs(norms - 1) <= 1e-3).all()):
        raise RequestError(f"a vector has norm {norms[np.abs(norms - 1).argmax()]:.4f}", "divide each vector by its norm")
