"""From the space of one encoder into that of another, by ridge regression: text finds images without a joint model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.protocols import EncoderOf, Run

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors

    Floats = npt.NDArray[np.float64]
    Groups = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageToText:
    """Ridge regression from image vectors into the space of texts, which is then shared by both.

    With centred x (images [n, d]) and y (texts [n, t]): W = argmin |x W - y|^2 + n reg |W|^2, in closed form by one singular
    value decomposition x = U S V': W = V diag(s / (s^2 + n reg)) U' y. Memory and time are those of the decomposition: n up to
    about 20,000 at d = 1,280.

    `regs` are tried by cross-validation in `folds`; the one whose predictions of texts never seen have the highest mean cosine
    with the true ones, both centred, is taken, the larger of two equals. One of them alone is taken as it is.

    Source: the linear map between embedding spaces of Mikolov, Le and Sutskever (2013), with Tikhonov's penalty.
    """

    regs: tuple[float, ...] = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
    folds: int = 5

    def fit(self, images: Vectors, texts: Vectors, groups: Sequence[str] | None = None, run: Run | None = None) -> TextSpace:
        """Learn from `images` float [n, d] and the `texts` float [n, t] that belong to them, row by row.

        Rows of one group (the photos of one product) are never on both sides of a fold; without groups, equal texts are one.
        `run.seed` deals groups into folds. Raises RequestError for shapes that do not fit, or fewer groups than folds.
        """
        if images.ndim != 2 or texts.ndim != 2 or len(images) != len(texts) or len(images) < 2:
            raise RequestError(f"images {images.shape} and texts {texts.shape} are no pairs", "give two matrices, row by row")
        x, y = images.astype(np.float64), texts.astype(np.float64)
        reg = self.regs[0]
        if len(self.regs) > 1:
            seed = 0 if run is None else run.seed
            reg = self._chosen(x, y, np.asarray(list(_folds(_numbered(texts, groups), self.folds, seed))))
        centre_x, centre_y = x.mean(axis=0), y.mean(axis=0)
        weights = _Decomposed(x - centre_x).solved(y - centre_y, reg)
        parts = (centre_x, weights, centre_y)
        from_centre, matrix, to_centre = (part.astype(np.float32) for part in parts)
        return TextSpace(from_centre, matrix, to_centre, reg)

    def _chosen(self, x: Floats, y: Floats, held_out: npt.NDArray[np.bool_]) -> float:
        scores = np.zeros(len(self.regs))
        for held in held_out:
            centre_x, centre_y = x[~held].mean(axis=0), y[~held].mean(axis=0)
            decomposed = _Decomposed(x[~held] - centre_x)
            for number, reg in enumerate(self.regs):
                foretold = (x[held] - centre_x) @ decomposed.solved(y[~held] - centre_y, reg)
                scores[number] += _cosines(foretold, y[held] - centre_y).sum()
        best = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
        return float(max(self.regs[number] for number in best))


@dataclass(frozen=True, eq=False)
class TextSpace:
    """The map that was learned: unit(`(x - from_centre) weights + to_centre`). `reg` is the penalty that was taken."""

    from_centre: Vectors
    weights: Vectors
    to_centre: Vectors
    reg: float

    def project(self, images: Vectors) -> Vectors:
        """float32 [n, t], unit norm: where the texts of these images [n, d] should be."""
        rows = (images - self.from_centre) @ self.weights + self.to_centre
        unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        reg = np.array([self.reg], dtype=np.float64)
        return {"from_centre": self.from_centre, "weights": self.weights, "to_centre": self.to_centre, "reg": reg}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The map back from its arrays."""
        names = ("from_centre", "weights", "to_centre")
        from_centre, weights, to_centre = (np.asarray(state[name], dtype=np.float32) for name in names)
        return cls(from_centre, weights, to_centre, float(np.asarray(state["reg"], dtype=np.float64)[0]))

    @property
    def digest(self) -> str:
        """sha256 over the arrays, in hexadecimal."""
        digest = hashlib.sha256()
        for name, array in sorted(self.state().items()):
            digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\n".encode() + array.tobytes())
        return digest.hexdigest()


class ProjectedEncoder:
    """An image encoder whose vectors lie in the space of texts."""

    def __init__(self, encoder: EncoderOf[bytes], space: TextSpace) -> None:
        self.name: Final = f"{encoder.name}>text@{space.digest[:16]}"
        self.dim: Final = space.weights.shape[1]
        self._encoder = encoder
        self._space = space

    def encode(self, documents: Sequence[bytes]) -> Vectors:
        """float32 [len(documents), dim], unit norm. Raises EncoderError as the image encoder does."""
        return self._space.project(self._encoder.encode(documents))


class _Decomposed:
    """x = U S V', once for all penalties."""

    def __init__(self, x: Floats) -> None:
        self._u, self._s, self._vt = np.linalg.svd(x, full_matrices=False)

    def solved(self, y: Floats, reg: float) -> Floats:
        shrunk = self._s / (self._s**2 + len(y) * reg)
        weights: Floats = self._vt.T @ (shrunk[:, None] * (self._u.T @ y))
        return weights


def _cosines(one: Floats, other: Floats) -> Floats:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines: Floats = (one * other).sum(axis=1) / np.where(norms == 0, 1, norms)
    return cosines


def _numbered(texts: Vectors, groups: Sequence[str] | None) -> Groups:
    rows = texts if groups is None else np.asarray(groups)
    numbers: Groups = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    if len(numbers) != len(texts):
        raise RequestError(f"{len(numbers)} groups for {len(texts)} rows", "give a group for each row")
    return numbers


def _folds(groups: Groups, folds: int, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """For each fold, which rows are held out: whole groups, dealt at random."""
    count = int(groups.max()) + 1
    if not 2 <= folds <= count:
        raise RequestError(f"{folds} folds of {count} groups", "take from 2 folds to as many as there are groups")
    dealt = np.random.default_rng(seed).permutation(count) % folds
    for fold in range(folds):
        yield dealt[groups] == fold
