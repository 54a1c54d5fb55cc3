"""One kind of vector that some products have and others lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

    Flags = npt.NDArray[np.bool_]

BEHAVIOUR: Final = "behaviour"  # the name of the modality that only sales can give; all others are content


@dataclass(frozen=True, eq=False)
class Modality:
    """`vectors` float32 [n, dim], unit norm where `known` (bool [n]); what stands in the other rows is never looked at.

    `evidence` float32 [n], at least 0, says how much there is behind each vector (customers of a behaviour, words of a text),
    in whatever unit; None where nothing is known of it. Gates read log(1 + evidence).

    Raises RequestError, on construction, where shapes disagree, a known vector is not of unit norm, or evidence is negative.
    """

    vectors: Vectors
    known: Flags
    evidence: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.known.shape != self.vectors.shape[:1]:
            raise RequestError(f"vectors {self.vectors.shape} and known {self.known.shape}", "give [n, dim] and [n]")
        if self.evidence is not None and (self.evidence.shape != self.known.shape or not (self.evidence >= 0).all()):
            raise RequestError(f"evidence of shape {self.evidence.shape}", "give a number of at least 0 for each product")
        norms = np.linalg.norm(self.vectors[self.known].astype(np.float64), axis=1)
        if len(norms) and not (np.abs(norms - 1) <= 1e-3).all():
            raise RequestError(f"a known vector has norm {norms[np.abs(norms - 1).argmax()]:.4f}", "divide each by its norm")

    @property
    def shown(self) -> Vectors:
        """The vectors, zero where unknown."""
        zero = np.float32(0)
        shown: Vectors = np.where(self.known[:, None], self.vectors, zero).astype(np.float32, copy=False)
        return shown

    @property
    def signals(self) -> Vectors:
        """float32 [n, 2]: whether known (1 or 0), and log(1 + evidence), 0 where unknown."""
        evidence = np.zeros(len(self.known)) if self.evidence is None else np.log1p(self.evidence)
        found: Vectors = np.stack([self.known, np.where(self.known, evidence, 0)], axis=1).astype(np.float32)
        return found

    def without(self, hidden: Flags) -> Modality:
        """The same, unknown where `hidden` (bool [n])."""
        return Modality(self.vectors, self.known & ~hidden, self.evidence)

    def filled(self, other: Modality) -> Modality:
        """The same, with the `other`'s vector where this one is unknown; of evidence there is then none."""
        vectors = np.where(self.known[:, None], self.vectors, other.vectors)
        return Modality(vectors.astype(np.float32, copy=False), self.known | other.known)


def unit(rows: npt.NDArray[np.floating]) -> Vectors:
    """float32 rows of norm 1; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Vectors = (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
    return divided


def checked(modalities: Mapping[str, Modality]) -> int:
    """How many products they speak of. Raises RequestError if there is no modality, or they disagree."""
    sizes = {name: len(each.known) for name, each in modalities.items()}
    if len(set(sizes.values())) != 1:
        raise RequestError(f"modalities of {sizes} products", "give at least one, with a row for each product in all of them")
    return next(iter(sizes.values()))
