"""Closed-form steps on the vectors themselves: bring a student's back towards its teacher's, or keep their main directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.compression.step import Materials, hyperparameter, with_arrays
from basketry.core.errors import RequestError
from basketry.encoders.models import dim_of, encoder_of
from basketry.encoders.state import EncoderState

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors

_TEXTS: Final = 8_192
_PROJECT: Final = "project.weight"


@dataclass(frozen=True)
class Align:
    """Turn the vectors linearly to where the teacher's are.

    The matrix A [dim of teacher, dim] minimises sum |A s - t|^2 + reg n |A - A0|^2 over n texts with vectors s and t, A0 being
    the identity where the dimensions agree, else 0. It is multiplied into `project.weight`.
    """

    reg: float = hyperparameter(1e-3, "pull towards leaving things as they are, per text; above 0")

    def __post_init__(self) -> None:
        if self.reg <= 0:
            raise RequestError(f"align cannot have reg={self.reg}", "a number above 0, as 0.001")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with one more projection."""
        texts = materials.sample(_TEXTS)
        ours = encoder_of(state, materials.run).encode(texts).astype(np.float64)
        theirs = encoder_of(materials.teachers[0], materials.run).encode(texts).astype(np.float64)
        same = ours.shape[1] == theirs.shape[1]
        prior = np.eye(ours.shape[1]) if same else np.zeros((theirs.shape[1], ours.shape[1]))
        pull = self.reg * len(texts)
        gram = ours.T @ ours + pull * np.eye(ours.shape[1])
        matrix = np.linalg.solve(gram, (theirs.T @ ours + pull * prior).T).T
        return _projected(state, matrix.astype(np.float32))


@dataclass(frozen=True)
class Dims:
    """Shorter vectors: projected on the main directions of the texts' vectors, by their uncentred second moments."""

    dim: int = hyperparameter(256, "length of the new vectors; at least 1")

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise RequestError(f"vectors cannot have {self.dim} dimensions", "at least 1")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with shorter vectors. Raises RequestError if they are not longer than `dim` before."""
        if dim_of(state) <= self.dim:
            raise RequestError(f"vectors of {dim_of(state)} cannot be shortened to {self.dim}", "ask for fewer")
        vectors = encoder_of(state, materials.run).encode(materials.sample(_TEXTS)).astype(np.float64)
        values, directions = np.linalg.eigh(vectors.T @ vectors)
        main = directions[:, np.argsort(-values)[: self.dim]]
        return _projected(state, np.ascontiguousarray(main.T, dtype=np.float32))


def _projected(state: EncoderState, matrix: Vectors) -> EncoderState:
    before = state.arrays.get(_PROJECT)
    whole = matrix if before is None else matrix @ np.asarray(before, dtype=np.float32)
    return with_arrays(state, {**state.arrays, _PROJECT: np.ascontiguousarray(whole)})
