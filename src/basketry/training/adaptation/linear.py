"""The cheap way to adapt: one matrix over the vectors, in closed form. No training, no torch, seconds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.training.adaptation.judging import STEERED_BY, judge

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors
    from basketry.encoders.state import EncoderState
    from basketry.training.adaptation.pairs import HeldOut

    Codes = npt.NDArray[np.int64]

PROJECT: Final = "project.weight"
BASES: Final = ("within", "total")


@dataclass(frozen=True)
class LinearAdapter:
    """Shrinks the directions in which texts that go together differ (`within`), or in which all texts spread (`total`).

    With S the mean over pairs of (v_a - v_b)(v_a - v_b)^T, or over texts of v v^T, scaled to a mean eigenvalue of 1, the
    adapter is W = (S + shrink I)^(-1/2): relevant component analysis (Bar-Hillel et al., Learning a Mahalanobis Metric from
    Equivalence Constraints, JMLR 2005), and whitening. A large `shrink` leaves the vectors as they are. Every combination of
    `bases` and `shrinks` is tried on the questions to stop by, the identity too, and the best is kept. One decomposition of a
    dim x dim matrix a basis: 0.3 s of CPU at 512.
    """

    bases: tuple[str, ...] = field(default=BASES, metadata={"help": "which spreads to try: within, total"})
    shrinks: tuple[float, ...] = field(default=(0.1, 0.3, 1.0, 3.0, 10.0), metadata={"help": "shrinkages to try, each > 0"})

    def __post_init__(self) -> None:
        unknown = [basis for basis in self.bases if basis not in BASES]
        if unknown or not all(shrink > 0 for shrink in self.shrinks):
            raise RequestError(
                f"bases {self.bases}, shrinks {self.shrinks}", f"bases are {', '.join(BASES)}; shrinks are above 0"
            )

    def fit(
        self, vectors: Vectors, rows: Codes, weights: npt.NDArray[np.float64], held: HeldOut, kept_out: Vectors
    ) -> LinearFit:
        """From `vectors` of the texts learned from, their pairs, and `kept_out`, the vectors of the texts of `held`."""
        best = judge(held, kept_out, resamples=0).values[STEERED_BY][0]
        tried = [("none", 0.0, float(best))]
        found = np.eye(vectors.shape[1], dtype=np.float32)
        for basis in self.bases:
            spread, axes = np.linalg.eigh(_spread(basis, vectors.astype(np.float64), rows, weights))
            spread = np.maximum(spread, 0) / max(spread.mean(), np.finfo(np.float64).tiny)
            for shrink in self.shrinks:
                matrix = ((axes * (spread + shrink) ** -0.5) @ axes.T).astype(np.float32)
                value = float(judge(held, projected(kept_out, matrix), resamples=0).values[STEERED_BY][0])
                tried.append((basis, shrink, value))
                if value > best:
                    best, found = value, matrix
        return LinearFit(found, tuple(tried))


@dataclass(frozen=True, eq=False)
class LinearFit:
    """The matrix [dim, dim], and what was tried: (basis, shrink, recall@10 on the questions to stop by)."""

    matrix: Vectors
    tried: tuple[tuple[str, float, float], ...]


def projected(vectors: Vectors, matrix: Vectors) -> Vectors:
    """Each vector times the matrix, of unit norm."""
    turned = vectors @ matrix.T
    unit: Vectors = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return unit


def with_projection(state: EncoderState, matrix: Vectors) -> EncoderState:
    """The encoder whose vectors are the state's, times the matrix: two projections one after the other are one."""
    before = state.arrays.get(PROJECT)
    whole = matrix if before is None else matrix @ np.asarray(before, dtype=np.float32)
    return dataclasses.replace(state, arrays={**state.arrays, PROJECT: np.ascontiguousarray(whole, dtype=np.float32)})


def _spread(
    basis: str, vectors: npt.NDArray[np.float64], rows: Codes, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    if basis == "total":
        found: npt.NDArray[np.float64] = vectors.T @ vectors / len(vectors)
    else:
        apart = vectors[rows[:, 0]] - vectors[rows[:, 1]]
        found = (apart.T * weights) @ apart / weights.sum()
    return found
