"""A graph of neighbours over int8 copies of the vectors, walked from afar to near (HNSW: Malkov and Yashunin, 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import faiss
import numpy as np

from basketry.vectors.structure import Sieve, evenly, faiss_threads, in_blocks

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors
    from basketry.vectors.exact import Mask, Rows
    from basketry.vectors.structure import Kind

_BUILD_BREADTH: Final = 80  # nodes looked at for each that is added
_RANGES: Final = 2**16  # vectors that the ranges of the int8 copies are taken from
_SPARE: Final = 16  # candidates beyond k: int8 misplaces few


@dataclass(frozen=True, eq=False)
class Hnsw:
    """A faiss index; `source` the mapped bytes it looks into, where it was read from a file."""

    index: Any
    source: npt.NDArray[np.uint8] | None = None

    @classmethod
    def empty(cls, vectors: Vectors, rows: Rows, links: int) -> Self:
        """A graph that knows nothing yet but the ranges of each dimension, from a sample."""
        graph = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = _BUILD_BREADTH
        graph.train(evenly(vectors, rows, _RANGES))
        return cls(faiss.IndexIDMap(graph))

    @property
    def kind(self) -> Kind:
        """Which structure it is."""
        return "hnsw"

    @property
    def rows(self) -> int:
        """How many vectors it knows."""
        return int(self.index.ntotal)

    @property
    def widest(self) -> int:
        """All of its nodes."""
        return self.rows

    def spared(self, k: int) -> tuple[int, int]:
        """See Structure."""
        return k + _SPARE, _SPARE

    def add(self, vectors: Vectors, rows: Rows) -> None:
        """By one thread: its links would otherwise depend on timing."""
        with faiss_threads(1):
            for block in in_blocks(rows):
                self.index.add_with_ids(np.ascontiguousarray(vectors[block]), block)

    def sieve(self, allowed: Mask) -> Sieve:
        """See Structure."""
        return Sieve.of(allowed, np.empty(0, dtype=np.int64))

    def candidates(self, queries: Vectors, wanted: int, breadth: float, sieve: Sieve | None, threads: int) -> Rows:
        """The walk passes nodes that are not allowed; as many more are looked at as leave the usual number that are."""
        asked = min(wanted, self.rows)
        wider = breadth if sieve is None else breadth / max(sieve.share, 1 / self.rows)
        effort = int(np.ceil(wider)) + asked
        parameters = faiss.SearchParametersHNSW(efSearch=min(effort, self.rows), sel=sieve.selector if sieve else None)
        with faiss_threads(threads):
            rows: Rows = self.index.search(np.ascontiguousarray(queries), asked, params=parameters)[1]
        return rows

    def to_bytes(self) -> npt.NDArray[np.uint8]:
        """See Structure."""
        written: npt.NDArray[np.uint8] = faiss.serialize_index(self.index)
        return written
