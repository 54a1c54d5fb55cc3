"""Cells of short codes: vectors by their nearest of some thousand centres, and what is left of each in codes of 4 bits.

Inverted lists with product codes of residuals (Jégou, Douze and Schmid, 2011), scanned in registers (André, Kermarrec and Le
Scouarnec, 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import faiss
import numpy as np

from basketry.core.telemetry import span
from basketry.vectors.structure import Sieve, evenly, faiss_threads, in_blocks
from basketry.vectors.unit import padded

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Run, Vectors
    from basketry.vectors.exact import Mask, Rows
    from basketry.vectors.structure import Kind

_LEARNED: Final = 50  # vectors a cell that its centre is learned from
_ROUNDS: Final = 10  # of k-means: more changed recall by less than its interval
_WIDTH: Final = 4  # dimensions that share one code of 4 bits
_WORDS: Final = 16  # that 4 bits tell apart
_CODES: Final = 2**16  # vectors that codes are learned from
_NEARLY_ALL: Final = 0.9  # share allowed above which cells are chosen as if all were
_SHARE: Final = 1.25  # how the share allowed counts for what is looked at: see `_cells_for`
_QUERIES: Final = 1024  # whose cells are ordered at a time


@dataclass(frozen=True, eq=False)
class Ivf:
    """A faiss index, which puts zeros behind vectors whose dimensions 4 does not divide.

    `source`: the mapped bytes that its centres stay in, where it was read from a file.
    """

    index: Any
    source: npt.NDArray[np.uint8] | None = None

    @classmethod
    def empty(cls, vectors: Vectors, rows: Rows, cells: int, run: Run) -> Self:
        """Centres and codes learned from a sample, no vector in any cell.

        `cells` 0: 4 sqrt(n) rounded down to a power of two, and no more than leave 40 vectors a cell.
        """
        n, dim = len(rows), vectors.shape[1]
        cells = min(cells or max(1, min(2 ** int(math.log2(4 * math.sqrt(n))), n // 40)), n)
        whole = -(-dim // _WIDTH) * _WIDTH
        index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(whole), whole, cells, whole // _WIDTH, 4, faiss.METRIC_INNER_PRODUCT)
        for clustering in (index.cp, index.pq.cp):
            clustering.seed, clustering.niter, clustering.min_points_per_centroid = run.seed % 2**31, _ROUNDS, 1
        index.cp.max_points_per_centroid = _LEARNED
        with faiss_threads(run.threads), span("learn cells", total=1, unit="steps"):
            sample = padded(evenly(vectors, rows, max(_LEARNED * cells, _CODES)), whole)
            index.train(np.resize(sample, (max(len(sample), _WORDS), whole)))  # repeated, where they are fewer than words
        return cls(index)

    @property
    def kind(self) -> Kind:
        """Which structure it is."""
        return "ivf"

    @property
    def rows(self) -> int:
        """How many vectors it knows."""
        return int(self.index.ntotal)

    @property
    def widest(self) -> int:
        """All of its cells."""
        return int(self.index.nlist)

    def spared(self, k: int) -> tuple[int, int]:
        """See Structure. Short codes misplace many, so that several times k are compared."""
        return 4 * k + 60, k

    def add(self, vectors: Vectors, rows: Rows) -> None:
        """See Structure."""
        for block in in_blocks(rows):
            self.index.add_with_ids(padded(vectors[block], self.index.d), block)

    def sieve(self, allowed: Mask) -> Sieve:
        """See Structure."""
        return Sieve.of(allowed, np.bincount(self._cell_of[allowed], minlength=self.widest))

    def candidates(self, queries: Vectors, wanted: int, breadth: float, sieve: Sieve | None, threads: int) -> Rows:
        """See Structure; where fewer are allowed, the cells of each query are chosen by how many of them each holds."""
        asked, probes = min(wanted, self.rows), min(int(np.ceil(breadth)), self.widest)
        queries = padded(queries, self.index.d)
        with faiss_threads(threads):
            if sieve is None or sieve.share > _NEARLY_ALL:
                parameters = faiss.SearchParametersIVF(nprobe=probes, sel=sieve.selector if sieve else None)
                rows: Rows = self.index.search(queries, asked, params=parameters)[1]
                return rows
            parts = [queries[start : start + _QUERIES] for start in range(0, len(queries), _QUERIES)]
            return np.concatenate([self._among(part, asked, probes, sieve) for part in parts])

    def to_bytes(self) -> npt.NDArray[np.uint8]:
        """See Structure."""
        written: npt.NDArray[np.uint8] = faiss.serialize_index(self.index)
        return written

    def _among(self, queries: Vectors, asked: int, probes: int, sieve: Sieve) -> Rows:
        """Candidates that are allowed, from cells chosen query by query."""
        near, cells = self.index.quantizer.search(queries, self.widest)
        used = self._cells_for(cells, probes, sieve.held)
        most = int(used.sum(axis=1).max())
        order = np.argsort(~used, axis=1, kind="stable")[:, :most]  # chosen cells first, nearest first
        chosen = np.where(np.take_along_axis(used, order, 1), np.take_along_axis(cells, order, 1), -1)
        near = np.ascontiguousarray(np.take_along_axis(near, order, 1))
        cosine, rows = np.empty((len(queries), asked), dtype=np.float32), np.empty((len(queries), asked), dtype=np.int64)
        arrays = (faiss.swig_ptr(each) for each in (chosen, near, cosine, rows))
        parameters = faiss.SearchParametersIVF(nprobe=most, sel=sieve.selector)
        self.index.search_preassigned_c(len(queries), faiss.swig_ptr(queries), asked, *arrays, False, parameters)
        return rows

    def _cells_for(self, cells: Rows, probes: int, held: Rows) -> Mask:
        """Which of each query's cells (all of them, nearest first) to look into: bool like `cells`. `held`: allowed in each.

        Of cells that hold an allowed vector, the nearest until A f^(s-1) reaches what `probes` cells of mean size hold: A
        allowed vectors met, a share f of those passed, s = 1.25 as measured. Where all are allowed this is `probes` cells;
        where they are a share f everywhere, f^-s times as many; where they lie far off, as many as it takes to reach them.
        """
        passed, met = np.cumsum(self._sizes[cells], axis=1), np.cumsum(held[cells], axis=1)
        enough = probes * self.rows / self.widest
        reached = met * (met / np.maximum(passed, 1)) ** (_SHARE - 1)
        before = np.pad(reached[:, :-1], ((0, 0), (1, 0)))
        chosen: Mask = (before < enough) & (held[cells] > 0)
        return chosen

    @cached_property
    def _sizes(self) -> Rows:
        return np.array([self.index.invlists.list_size(cell) for cell in range(self.widest)], dtype=np.int64)

    @cached_property
    def _cell_of(self) -> Rows:
        """The cell of each row."""
        found = np.empty(self.rows, dtype=np.int64)
        for cell, size in enumerate(self._sizes):
            if size:
                found[faiss.rev_swig_ptr(self.index.invlists.get_ids(cell), int(size))] = cell
        return found
