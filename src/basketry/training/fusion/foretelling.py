"""What a product's behaviour will be, from its text alone: a ridge regression from the one space into the other.

This is the cheapest adapted encoder, and a hard one to beat: for cold products it says "bought with the same others as those
whose texts read like this", which a cosine of meanings does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.training.fusion.modality import Modality, unit

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Vectors


@dataclass(frozen=True, eq=False)
class Foretold:
    """`weight` float32 [behaviour dim, content dim]: the vector of content t is W t / |W t|.

    Such a matrix may stand behind an encoder as the array `project.weight` of its state.
    """

    weight: Vectors

    def apply(self, content: Modality) -> Modality:
        """The behaviour to expect of each product whose content is known."""
        if content.vectors.shape[1] != self.weight.shape[1]:
            raise RequestError(
                f"content of {content.vectors.shape[1]} dimensions, fitted on {self.weight.shape[1]}",
                "encode with the encoder it was fitted on",
            )
        vectors = unit(content.shown @ self.weight.T)
        return Modality(vectors, content.known & vectors.any(axis=1))

    def state(self) -> Arrays:
        """The array that holds all of it."""
        return {"weight": self.weight}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its array."""
        return cls(np.asarray(state["weight"], dtype=np.float32))


@dataclass(frozen=True)
class Foretelling:
    """W = argmin of sum over products with both of |W t_i - b_i|^2 + reg |W|^2, in closed form.

    t_i is the unit vector of product i's content, b_i that of its behaviour. Solved over products or over dimensions, whichever
    are fewer: 3,000 products of 512 dimensions cost 0.1 s of CPU.
    """

    reg: float = field(default=0.1, metadata={"help": "pull towards 0, in products; above 0"})

    def __post_init__(self) -> None:
        if not self.reg > 0:
            raise RequestError(f"reg is {self.reg}", "give a number above 0")

    def fit(self, content: Modality, behaviour: Modality) -> Foretold:
        """From the products that have both. Raises RequestError where none has."""
        both = content.known & behaviour.known
        if not both.any():
            raise RequestError("no product has both content and behaviour", "lower the floor of behaviour, or wait for orders")
        texts, acts = (each.vectors[both].astype(np.float64) for each in (content, behaviour))
        if len(texts) > texts.shape[1]:
            weight = np.linalg.solve(texts.T @ texts + self.reg * np.eye(texts.shape[1]), texts.T @ acts)
        else:
            weight = texts.T @ np.linalg.solve(texts @ texts.T + self.reg * np.eye(len(texts)), acts)
        return Foretold(np.ascontiguousarray(weight.T, dtype=np.float32))
