"""Late fusion: the similarity of two products is a weighted sum of their cosines, modality by modality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.training.fusion.modality import Modality, checked, unit

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Vectors

    Judge = Callable[[Vectors], float]


@dataclass(frozen=True)
class LateWeights:
    """Convex `weights` by the name of the modality."""

    weights: Mapping[str, float]

    def fuse(self, modalities: Mapping[str, Modality]) -> Vectors:
        """float32 [n, sum of dims], unit norm: the modalities side by side, each times sqrt(w_m), zero where unknown.

        The cosine of two products that have all of them is sum_m w_m cos_m. Of two that lack some it is the same sum over those
        that both have, divided by sqrt(W_a W_b), W being the weight of what a product has. A product that has none, or has only
        what weighs nothing, is a row of zeros. Modalities without a weight are left out; one with a weight must be given.
        """
        lacking = [name for name, weight in self.weights.items() if weight > 0 and name not in modalities]
        if lacking:
            raise RequestError(f"no modality {', '.join(lacking)} is given", "give all that have a weight")
        checked(modalities)
        kept = [(modalities[name], weight) for name, weight in self.weights.items() if weight > 0]
        return unit(np.concatenate([each.shown * np.float32(np.sqrt(weight)) for each, weight in kept], axis=1))

    def state(self) -> Arrays:
        """One array a weight, by its name."""
        return {name: np.array([weight]) for name, weight in self.weights.items()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The weights back from their arrays."""
        return cls({name: float(np.asarray(array, dtype=np.float64)[0]) for name, array in state.items()})


@dataclass(frozen=True)
class LateFusion:
    """All convex weights in steps of 1 / `steps` are tried on questions of validation; ties go to the earlier modalities.

    With three modalities and 5 steps that is 21 rankings.
    """

    steps: int = field(default=5, metadata={"help": "weights are multiples of 1 / steps; at least 1"})

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RequestError(f"steps is {self.steps}", "give at least 1")

    def fit(self, modalities: Mapping[str, Modality], judge: Judge) -> LateWeights:
        """The weights whose fused vectors `judge` values most."""
        checked(modalities)
        names = list(modalities)
        best, found = -np.inf, LateWeights({names[0]: 1.0})
        for shares in _compositions(self.steps, len(names)):
            tried = LateWeights({name: share / self.steps for name, share in zip(names, shares, strict=True) if share})
            value = judge(tried.fuse(modalities))
            if value > best:
                best, found = value, tried
        return found


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of `parts` whole numbers in order, the first ones largest first."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        ends = (-1, *bars, total + parts - 1)
        yield tuple(ends[i + 1] - ends[i] - 1 for i in range(parts))[::-1]
