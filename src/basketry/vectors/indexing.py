"""The estimator of a vector index: which way to search, and how hard an approximate search must try to miss few."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.vectors.exact import nearest_allowed
from basketry.vectors.index import Tuning, VectorIndex, checked_ids
from basketry.vectors.recall import Recall, shares_found
from basketry.vectors.unit import checked_unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Run, Vectors
    from basketry.vectors.index import Ids
    from basketry.vectors.structure import Kind

Way = Literal["auto", "exact", "hnsw", "ivf"]

_NARROWEST: Final = 8
_STEP: Final = 1.4  # breadth grows by this much until recall is met
_LITTLE: Final = 0.002  # recall gained by a step: less, and more candidates are compared instead
_DEEPEST: Final = 16


@dataclass(frozen=True)
class VectorIndexing:
    """Fit gives a VectorIndex: exact to `exact_up_to` vectors, beyond with cells of short codes (`ivf`), unless `way` says.

    `hnsw`: a graph over int8 copies: dim + 8 `links` + 24 bytes a vector, cheap for one query at a time, two to three times the
    time to build. `ivf`: `cells` of product codes (0: about 4 sqrt(n)), dim / 8 bytes a vector and some 13 to 40 for its place,
    cheapest for many queries at once. Both compare their candidates with the vectors themselves, which therefore stay at hand
    (mapped from a file: read where touched).

    The breadth of the search is raised until `recall` of the `k` nearest is met, at the lower end of its 95% interval on
    `sample` vectors (at most a twentieth) that the structure does not know yet; reported is the recall on as many others. For
    queries of another kind (a search text among titles) `VectorIndex.measured` says how many they miss. Below 20 vectors, an
    approximate search looks at everything, and its recall is given as 1.

    100,000 x 384: 6 s of CPU by `ivf`, 14 by `hnsw`. The same seed gives the same index on the same machine.
    """

    way: Way = "auto"
    exact_up_to: int = 50_000
    k: int = 10
    recall: float = 0.98
    sample: int = 500
    links: int = 32
    cells: int = 0

    def __post_init__(self) -> None:
        if self.way not in get_args(Way):
            raise RequestError(f"no way to search is called {self.way!r}", f"use one of {', '.join(get_args(Way))}")
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise RequestError(f"{name} is {getattr(self, name)}", f"give a number from {least} to {most}")

    def fit(self, vectors: Vectors, run: Run, ids: npt.ArrayLike | None = None) -> VectorIndex:
        """An index of `vectors` (unit float32 [n, dim]) under `ids` (int64 [n], each once; default: row numbers).

        Raises RequestError if a vector is not finite or not of unit norm, or ids do not fit.
        """
        whole = checked_unit(vectors)
        whole, named = (whole, np.arange(len(whole), dtype=np.int64)) if ids is None else _in_order(whole, ids)
        index = VectorIndex(self, whole, named, None, Tuning(), Recall.exact(self.k))
        kind = self._kind(len(whole))
        return index if kind is None else self._approximate(index, kind, run)

    def _kind(self, n: int) -> Kind | None:
        if self.way == "auto":
            return "ivf" if n > self.exact_up_to else None
        return None if self.way == "exact" or n == 0 else self.way

    def _approximate(self, index: VectorIndex, kind: Kind, run: Run) -> VectorIndex:
        """The index with a structure at the least breadth that meets the recall.

        Vectors held out of the structure are its questions: half to find the breadth, half to tell the recall. Then they are
        added. A vector that the structure knows would be easier to find its way to than a new one.
        """
        from basketry.vectors.structure import built

        n = len(index.vectors)
        half = min(self.sample, n // 20)
        held = np.random.default_rng(run.seed).permutation(n)[: 2 * half]
        known = np.delete(np.arange(n, dtype=np.int64), held)
        structure = built(kind, index.vectors, known, self.links, self.cells, run)
        index = replace(index, structure=structure, tuning=Tuning(max(structure.widest, 1), _DEEPEST))
        if half:
            with span("recall", total=2, unit="samples") as progress:
                asked = [_Sample.of(index.vectors, np.sort(rows), held, self.k) for rows in (held[:half], held[half:])]
                index = self._raised(index, structure.widest, asked[0], run)
                progress.advance()
                index = replace(index, recall=asked[1].recall(index, run))
                progress.advance()
                progress.note(recall=index.recall.value)
            structure.add(index.vectors, np.sort(held))
        return index

    def _raised(self, index: VectorIndex, widest: int, sample: _Sample, run: Run) -> VectorIndex:
        """Look at more until enough is found; where looking at more finds no more, compare more of what was looked at.

        Then, comparing so many, look at as little as still finds enough.
        """
        breadth, depth, before = min(_NARROWEST, widest), 1, 0.0
        while True:
            index = replace(index, tuning=Tuning(breadth, depth))
            recall = sample.recall(index, run)
            if recall.low >= self.recall or (breadth >= widest and depth >= _DEEPEST):
                break
            stuck = recall.value - before < _LITTLE or breadth >= widest
            if stuck and depth < _DEEPEST:
                depth *= 2
            else:
                breadth = min(math.ceil(breadth * _STEP), widest)
            before = recall.value
        while recall.low >= self.recall and breadth > _NARROWEST:
            breadth = max(int(breadth / _STEP), _NARROWEST)
            narrower = replace(index, tuning=Tuning(breadth, depth))
            recall = sample.recall(narrower, run)
            index = narrower if recall.low >= self.recall else index
        return index


_RANGES: Final = {
    "exact_up_to": (0, 10**9),
    "k": (1, 10_000),
    "recall": (0.0, 1.0),
    "sample": (1, 1_000_000),
    "links": (2, 512),
    "cells": (0, 1_000_000),
}


def _in_order(vectors: Vectors, ids: npt.ArrayLike) -> tuple[Vectors, Ids]:
    """Vectors and ids by increasing id, so that a tie between rows is one between ids; copied only where they are not."""
    named = checked_ids(ids, len(vectors))
    if not len(named) or bool((np.diff(named) > 0).all()):
        return vectors, named
    order = np.argsort(named)
    return vectors[order], named[order]


@dataclass(frozen=True, eq=False)
class _Sample:
    """Queries, and the cosines of their true neighbours among the vectors that are not held out."""

    queries: Vectors
    true: Vectors

    @classmethod
    def of(cls, vectors: Vectors, rows: Ids, held: Ids, k: int) -> _Sample:
        queries = np.ascontiguousarray(vectors[rows])
        known = np.ones(len(vectors), dtype=np.bool_)
        known[held] = False
        return cls(queries, nearest_allowed(vectors, queries, k, known)[1])

    def recall(self, index: VectorIndex, run: Run) -> Recall:
        """Of the index as tuned."""
        k = self.true.shape[1]
        found = index.search(self.queries, k, threads=run.threads)
        return Recall.of_shares(shares_found(found.cosine, self.true), k)
