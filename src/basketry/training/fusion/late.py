"""Late fusion: the similarity of two products is a weighted sum of their cosines, modality by modality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.training.fusion.foretelling import Foretelling, Foretold
from basketry.training.fusion.modality import BEHAVIOUR, Modality, checked, unit

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Vectors

    Judge = Callable[[Vectors], float]
    Modalities = Mapping[str, Modality]

FORETOLD: Final = "foretold."
_WEIGHT: Final = "weight."


def side_by_side(modalities: Modalities, weights: Mapping[str, float]) -> Vectors:
    """float32 [n, sum of dims], unit norm: the modalities side by side, each times sqrt(w_m), zero where unknown.

    The cosine of two products that have all of them is sum_m w_m cos_m. Of two that lack some it is the same sum over those
    that both have, divided by sqrt(W_a W_b), W being the weight of what a product has. A product that has none, or only what
    weighs nothing, is a row of zeros. Weights are convex; modalities without one are left out, one with a
    weight must be given.
    """
    lacking = [name for name, weight in weights.items() if weight > 0 and name not in modalities]
    if lacking:
        raise RequestError(f"no modality {', '.join(lacking)} is given", "give all that have a weight")
    checked(modalities)
    kept = [(modalities[name], weight) for name, weight in weights.items() if weight > 0]
    return unit(np.concatenate([each.shown * np.float32(np.sqrt(weight)) for each, weight in kept], axis=1))


@dataclass(frozen=True, eq=False)
class LateModel:
    """`foretold`: what each content says of the behaviour to come; `weights`: of every modality, foretold ones among them."""

    foretold: Mapping[str, Foretold]
    weights: Mapping[str, float]

    def fuse(self, modalities: Modalities) -> Vectors:
        """float32 [n, sum of dims], unit norm; see `side_by_side`. Behaviour not given is unknown of all."""
        return side_by_side(completed(modalities, self.foretold), self.weights)

    def state(self) -> Arrays:
        """`foretold.NAME` [behaviour dim, content dim] and `weight.NAME` [1]."""
        maps = {FORETOLD + name: each.weight for name, each in self.foretold.items()}
        return maps | {_WEIGHT + name: np.array([weight]) for name, weight in self.weights.items()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        maps, weights = (
            {name.removeprefix(start): state[name] for name in state if name.startswith(start)} for start in _STARTS
        )
        return cls(
            {name: Foretold(np.asarray(array, dtype=np.float32)) for name, array in maps.items()},
            {name: float(np.asarray(array, dtype=np.float64)[0]) for name, array in weights.items()},
        )


_STARTS: Final = (FORETOLD, _WEIGHT)


@dataclass(frozen=True)
class LateFusion:
    """Weights of each content (text, image), of the behaviour it foretells (`Foretelling`), and of behaviour itself.

    Where behaviour is unknown what is foretold stands in for it, so that a cold product can be compared with a warm one in
    every modality. All convex weights in steps of 1 / `steps` are tried; of equals the first is kept, and content comes
    first. One content and 5 steps are 21 rankings, two are 126.
    """

    steps: int = field(default=5, metadata={"help": "weights are multiples of 1 / steps; at least 1"})
    reg: float = field(default=0.1, metadata={"help": "of the ridge regression that foretells; above 0"})

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.reg > 0:
            raise RequestError(f"steps {self.steps}, reg {self.reg}", "steps start at 1, reg is above 0")

    def fit(self, modalities: Modalities, judge: Judge) -> LateModel:
        """The weights whose fused vectors `judge` values most; hide from `modalities` the behaviour it asks about."""
        foretold = self.foretell(modalities)
        full = completed(modalities, foretold)
        names = list(full)
        best, found = -np.inf, {names[0]: 1.0}
        for shares in _compositions(self.steps, len(names)):
            tried = {name: share / self.steps for name, share in zip(names, shares, strict=True) if share}
            value = judge(side_by_side(full, tried))
            if value > best:
                best, found = value, tried
        return LateModel(foretold, found)

    def foretell(self, modalities: Modalities) -> dict[str, Foretold]:
        """A regression for every content. Raises RequestError if there is no modality called behaviour, or nothing else."""
        contents = [name for name in modalities if name != BEHAVIOUR]
        if BEHAVIOUR not in modalities or not contents:
            raise RequestError(f"modalities {', '.join(modalities)}", f"give {BEHAVIOUR}, and at least one more")
        ridge = Foretelling(self.reg)
        return {name: ridge.fit(modalities[name], modalities[BEHAVIOUR]) for name in contents}


def completed(modalities: Modalities, foretold: Mapping[str, Foretold]) -> dict[str, Modality]:
    """Contents, what each foretells, and behaviour, filled with the mean of what is foretold where it is unknown."""
    contents = {name: each for name, each in modalities.items() if name != BEHAVIOUR}
    said = {name: foretold[name].apply(each) for name, each in contents.items() if name in foretold}
    if not said:
        raise RequestError(f"modalities {', '.join(modalities)}", f"give at least one of {', '.join(foretold)}")
    mean = unit(np.sum([each.shown for each in said.values()], axis=0))
    expected = Modality(mean, np.asarray(mean.any(axis=1)))
    behaviour = modalities[BEHAVIOUR].filled(expected) if BEHAVIOUR in modalities else expected
    return {**contents, **{FORETOLD + name: each for name, each in said.items()}, BEHAVIOUR: behaviour}


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of `parts` whole numbers in order, the first ones largest first."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        ends = (-1, *bars, total + parts - 1)
        yield tuple(ends[i + 1] - ends[i] - 1 for i in range(parts))[::-1]
