"""What an approximate structure is: given queries, it proposes rows that may be nearest. Made and searched by faiss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self

import faiss
import numpy as np

from basketry.core.telemetry import span

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Run, Vectors
    from basketry.vectors.exact import Mask, Rows

Kind = Literal["hnsw", "ivf"]
_ADDED: Final = 50_000  # rows given to faiss at a time


@dataclass(frozen=True, eq=False)
class Sieve:
    """The rows that a search may answer with: faiss's selector, their share of all, and how many stand in each cell (`ivf`)."""

    selector: Any
    share: float
    held: Rows

    @classmethod
    def of(cls, allowed: Mask, held: Rows) -> Self:
        """From the rows marked in `allowed` (bool [n])."""
        share = float(np.count_nonzero(allowed)) / max(len(allowed), 1)
        return cls(faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little")), share, held)


class Structure(Protocol):
    """Rows in, rows out: whoever asks compares the candidates with the vectors themselves."""

    @property
    def kind(self) -> Kind:
        """Which one it is."""
        ...

    @property
    def rows(self) -> int:
        """How many vectors it knows."""
        ...

    @property
    def widest(self) -> int:
        """The breadth beyond which there is nothing more to look at."""
        ...

    def spared(self, k: int) -> tuple[int, int]:
        """Candidates to compare for `k` neighbours, and how many more than k must be met for the answer to be trusted."""
        ...

    def sieve(self, allowed: Mask) -> Sieve:
        """What `candidates` asks of a filter (bool, of all rows): worked out once, used for any number of searches."""
        ...

    def candidates(self, queries: Vectors, wanted: int, breadth: float, sieve: Sieve | None, threads: int) -> Rows:
        """Rows int64 [q, wanted] of those the sieve lets through that may be nearest, -1 where it met no more.

        `breadth` is how much it looks at where all are allowed; the fewer are, the more it looks at.
        """
        ...

    def add(self, vectors: Vectors, rows: Rows) -> None:
        """Let it know these rows of `vectors` too. Part of building: a structure that answers is not added to."""
        ...

    def to_bytes(self) -> npt.NDArray[np.uint8]:
        """The whole of it, as faiss writes it."""
        ...


def built(kind: Kind, vectors: Vectors, rows: Rows, links: int, cells: int, run: Run) -> Structure:
    """A structure that knows the given rows of `vectors`."""
    from basketry.vectors.hnsw import Hnsw
    from basketry.vectors.ivf import Ivf

    made: Structure = Hnsw.empty(vectors, rows, links) if kind == "hnsw" else Ivf.empty(vectors, rows, cells, run)
    made.add(vectors, rows)
    return made


def from_bytes(kind: Kind, source: npt.NDArray[np.uint8]) -> Structure:
    """Back from its bytes, whose checksum must have been proved: faiss believes what it reads.

    A graph in a mapped file is not copied: pages are read as they are touched. Of cells only the centres stay in the file.
    """
    from basketry.vectors.hnsw import Hnsw
    from basketry.vectors.ivf import Ivf

    reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(source), source.nbytes)
    index = faiss.read_index(reader, faiss.IO_FLAG_MMAP_IFC)
    return Hnsw(index, source) if kind == "hnsw" else Ivf(index, source)


def cosines(vectors: Vectors, queries: Vectors, rows: Rows, threads: int) -> Vectors:
    """Cosine of query i and vector rows[i, j], float32 like `rows`; whatever, where the row is -1. Nothing is copied."""
    products = np.empty(rows.shape, dtype=np.float32)
    if rows.size:
        rows, queries = np.ascontiguousarray(rows), np.ascontiguousarray(queries)
        with faiss_threads(threads):
            faiss.fvec_inner_products_by_idx(
                *(faiss.swig_ptr(each) for each in (products, queries, vectors, rows)), vectors.shape[1], *rows.shape
            )
    return products


def in_blocks(rows: Rows) -> Iterator[Rows]:
    """The rows, so many at a time as are copied without weight, with progress told."""
    with span("index", total=len(rows), unit="vectors") as progress:
        for start in range(0, len(rows), _ADDED):
            block = rows[start : start + _ADDED]
            yield block
            progress.advance(len(block))


def evenly(vectors: Vectors, rows: Rows, most: int) -> Vectors:
    """At most that many of the rows of `vectors`, evenly spaced."""
    chosen = rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return np.ascontiguousarray(vectors[chosen])


@contextmanager
def faiss_threads(threads: int) -> Iterator[None]:
    """Let faiss use so many; it counts for the whole process, and is put back."""
    before = faiss.omp_get_max_threads()
    if before == threads:
        yield
        return
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
