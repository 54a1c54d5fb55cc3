"""Vectors in fewer bytes: product codes and int8, as plain arrays, searched as they are and with their error told.

What is searched is <query, decoded vector>, the query as it stands (the asymmetric distance of Jégou, Douze and Schmid, 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.vectors.exact import nearest_allowed, sort_keys, unpack
from basketry.vectors.index import Nearest
from basketry.vectors.unit import checked_unit, padded

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Run, Vectors

    Codes = npt.NDArray[np.uint8]

_WORDS: Final = 256  # of a codebook: one byte a code
_LEARNED: Final = 2**16  # vectors that codebooks are learned from
_TURNS, _TURNED = 10, 2**14  # rounds of learning a rotation, and vectors it is learned from: a sixth of the time of 50 of all
_BLOCK: Final = 2**15  # vectors decoded at a time
_SPARE: Final = 16  # asked of faiss beyond k, so that ties go to the smaller row


@dataclass(frozen=True)
class Reconstruction:
    """What coding lost: mean over vectors of |x - decoded|^2, and of the cosine between the two."""

    squared_error: float
    cosine: float


class CompressedVectors(Protocol):
    """Vectors as codes; a Model: `state` and `from_state` are arrays."""

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        ...

    @property
    def reconstruction(self) -> Reconstruction:
        """What was lost, on all vectors it was fitted to."""
        ...

    def decoded(self, rows: npt.NDArray[np.int64] | None = None) -> Vectors:
        """float32 [n, dim] of some rows or all; near unit length, not exactly of it."""
        ...

    def search(self, queries: Vectors, k: int) -> Nearest:
        """The `k` rows (as ids) whose decoded vectors have the largest product with each query; ties by row."""
        ...

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        ...


@dataclass(frozen=True)
class ScalarQuantisation:
    """int8: each dimension on a scale of its own, largest magnitude / 127. A quarter of the bytes of float32."""

    def fit(self, vectors: Vectors) -> Int8Vectors:
        """Codes of unit float32 [n, dim]. Raises RequestError if vectors are not of unit norm."""
        whole = checked_unit(vectors)
        largest = np.abs(whole).max(axis=0, initial=0)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        codes = np.empty(whole.shape, dtype=np.int8)
        for start in range(0, len(whole), _BLOCK):
            codes[start : start + _BLOCK] = np.rint(whole[start : start + _BLOCK] / scale)
        bare = Int8Vectors(codes, scale, Reconstruction(0.0, 1.0))
        return Int8Vectors(codes, scale, _reconstruction(whole, bare))


@dataclass(frozen=True, eq=False)
class Int8Vectors:
    """`codes` int8 [n, dim] times `scale` float32 [dim]."""

    codes: npt.NDArray[np.int8]
    scale: Vectors
    reconstruction: Reconstruction

    @property
    def bytes(self) -> int:
        """See CompressedVectors."""
        return self.codes.nbytes + self.scale.nbytes

    def decoded(self, rows: npt.NDArray[np.int64] | None = None) -> Vectors:
        """See CompressedVectors."""
        return (self.codes if rows is None else self.codes[rows]) * self.scale

    def search(self, queries: Vectors, k: int) -> Nearest:
        """See CompressedVectors. Every code is multiplied out: many queries at a time cost far less each than one."""
        scaled = checked_unit(queries, self.codes.shape[1]) * self.scale
        keys = np.empty((len(scaled), 0), dtype=np.int64)
        for start in range(0, len(self.codes), _BLOCK):
            rows, cosine = nearest_allowed(self.codes[start : start + _BLOCK].astype(np.float32), scaled, k, None)
            keys = np.sort(np.concatenate([keys, sort_keys(rows + start, cosine)], axis=1), axis=1)[:, :k]
        return Nearest(*unpack(keys))

    def state(self) -> Arrays:
        """See CompressedVectors."""
        return {"codes": self.codes, "scale": self.scale, "reconstruction": _told(self.reconstruction)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The codes back from their arrays."""
        return cls(np.asarray(state["codes"], np.int8), np.asarray(state["scale"], np.float32), _heard(state))


@dataclass(frozen=True)
class ProductQuantisation:
    """One byte for each `width` dimensions: the nearest of 256 words of that part's own codebook, learned by k-means.

    With `width` 8, 1/32 of the bytes of float32. `rotate` turns the vectors first so that parts share the spread evenly
    (optimised product quantisation: Ge, He, Ke and Sun, 2013): a smaller error for a longer fit; `reconstruction` tells it.
    """

    width: int = 8
    rotate: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 1024:
            raise RequestError(f"width is {self.width}", "give a number of dimensions from 1 to 1024")

    def fit(self, vectors: Vectors, run: Run) -> ProductCodes:
        """Codes of unit float32 [n, dim], at least one. The same seed gives the same codes on the same machine.

        Raises RequestError if there is none, or vectors are not of unit norm.
        """
        import faiss

        from basketry.vectors.structure import evenly, faiss_threads

        whole = checked_unit(vectors)
        if not len(whole):
            raise RequestError("no vectors to learn codebooks from", "give at least one")
        dim = whole.shape[1]
        parts = -(-dim // self.width)
        inside = parts * self.width
        learned = padded(evenly(whole, np.arange(len(whole)), _LEARNED), inside)
        learned = np.resize(learned, (max(len(learned), _WORDS), inside))  # repeated, where there are fewer than words
        rotation = np.empty((0, 0), dtype=np.float32)
        with faiss_threads(run.threads), span("codebooks", total=parts, unit="parts") as progress:
            if self.rotate:
                turn = faiss.OPQMatrix(inside, parts)
                turn.niter, turn.max_train_points = _TURNS, _TURNED
                turn.train(learned)
                rotation = faiss.vector_to_array(turn.A).reshape(inside, inside)
                learned = learned @ rotation.T
            quantizer = faiss.ProductQuantizer(inside, parts, 8)
            quantizer.cp.seed, quantizer.cp.min_points_per_centroid = run.seed % 2**31, 1
            quantizer.train(learned)
            progress.advance(parts)
            words = faiss.vector_to_array(quantizer.centroids).reshape(parts, _WORDS, self.width)
            codes = np.empty((len(whole), parts), dtype=np.uint8)
            for start in range(0, len(whole), _BLOCK):
                block = padded(whole[start : start + _BLOCK], inside)
                codes[start : start + _BLOCK] = quantizer.compute_codes(block @ rotation.T if self.rotate else block)
        bare = ProductCodes(codes, words, rotation, dim, Reconstruction(0.0, 1.0))
        return ProductCodes(codes, words, rotation, dim, _reconstruction(whole, bare))


@dataclass(frozen=True, eq=False)
class ProductCodes:
    """`codes` uint8 [n, parts] into `words` float32 [parts, 256, width]; `rotation` float32 [parts width]^2, or empty.

    A vector with zeros behind it, up to parts x width, was turned by `rotation` and coded part by part.
    """

    codes: Codes
    words: Vectors
    rotation: Vectors
    dim: int
    reconstruction: Reconstruction

    @property
    def bytes(self) -> int:
        """See CompressedVectors."""
        return self.codes.nbytes + self.words.nbytes + self.rotation.nbytes

    def decoded(self, rows: npt.NDArray[np.int64] | None = None) -> Vectors:
        """See CompressedVectors."""
        codes = self.codes if rows is None else self.codes[rows]
        inside = self.words[np.arange(codes.shape[1]), codes].reshape(len(codes), -1)
        turned = inside @ self.rotation if self.rotation.size else inside
        return np.ascontiguousarray(turned[:, : self.dim])

    def search(self, queries: Vectors, k: int) -> Nearest:
        """See CompressedVectors. By tables of each query's products with the words."""
        inside = padded(checked_unit(queries, self.dim), self.words.shape[0] * self.words.shape[2])
        turned = np.ascontiguousarray(inside @ self.rotation.T) if self.rotation.size else inside
        cosine, rows = self._scanned.search(turned, min(k + _SPARE, len(self.codes)))
        return Nearest(*unpack(np.sort(sort_keys(rows, cosine), axis=1)[:, :k]))

    def state(self) -> Arrays:
        """See CompressedVectors."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"codes": self.codes, "words": self.words, "rotation": self.rotation}
        return arrays | {"dim": np.array([self.dim]), "reconstruction": _told(self.reconstruction)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The codes back from their arrays."""
        words, rotation = (np.asarray(state[name], np.float32) for name in ("words", "rotation"))
        dim = int(np.asarray(state["dim"], np.int64)[0])
        return cls(np.asarray(state["codes"], np.uint8), words, rotation, dim, _heard(state))

    @cached_property
    def _scanned(self) -> Any:
        """The same codes where faiss can scan them."""
        import faiss

        parts, _, width = self.words.shape
        index = faiss.IndexPQ(parts * width, parts, 8, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.words).ravel(), index.pq.centroids)
        index.is_trained = True
        index.add_sa_codes(np.ascontiguousarray(self.codes))
        return index


def _reconstruction(vectors: Vectors, coded: CompressedVectors) -> Reconstruction:
    squared, cosine = 0.0, 0.0
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        back = coded.decoded(np.arange(start, start + len(block)))
        squared += float(np.square(block - back).sum())
        cosine += float(((block * back).sum(axis=1) / np.maximum(np.linalg.norm(back, axis=1), 1e-12)).sum())
    n = max(len(vectors), 1)
    return Reconstruction(squared / n, cosine / n if len(vectors) else 1.0)


def _told(found: Reconstruction) -> npt.NDArray[np.float64]:
    return np.array([found.squared_error, found.cosine])


def _heard(state: Arrays) -> Reconstruction:
    squared, cosine = np.asarray(state["reconstruction"], dtype=np.float64)
    return Reconstruction(float(squared), float(cosine))
