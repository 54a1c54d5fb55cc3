"""Every ranker by name, so that a model made of others is stored and read back as arrays and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from basketry.core.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Histories
    from basketry.core.protocols import Arrays, Ranker, Run


class RankerEstimator(Protocol):
    """A frozen dataclass of hyperparameters whose model is a ranker."""

    def fit(self, histories: Histories, run: Run) -> Ranker:
        """Learn from histories."""
        ...


def rankers() -> dict[str, type[Ranker]]:
    """Every kind of ranker there is. Imported here, as some of them are made of others."""
    from basketry.recommendation.blending import Blended
    from basketry.recommendation.ease import DenseGraph
    from basketry.recommendation.factors import Factors
    from basketry.recommendation.fusion import Fused
    from basketry.recommendation.item_graph import ItemGraph
    from basketry.recommendation.learned import Learned
    from basketry.recommendation.meaning import MeaningRanker
    from basketry.recommendation.neural import NeuralRanker
    from basketry.recommendation.popularity import Popular
    from basketry.recommendation.popularity_in_groups import PopularInGroups

    return {
        "item graph": ItemGraph,
        "dense graph": DenseGraph,
        "factors": Factors,
        "meaning": MeaningRanker,
        "neural": NeuralRanker,
        "popular": Popular,
        "popular in groups": PopularInGroups,
        "blended": Blended,
        "fused": Fused,
        "learned": Learned,
    }


def nested(parts: Sequence[Ranker]) -> dict[str, npt.NDArray[np.generic]]:
    """The states of several rankers as one: array `x` of part i under `i.x`, and their kinds in `parts`, text in UTF-8.

    Raises DataError for a ranker that `rankers` does not name, which could not be read back.
    """
    kinds = {kind: name for name, kind in rankers().items()}
    for part in parts:
        if type(part) not in kinds:
            raise DataError(
                f"a {type(part).__name__} cannot be stored as a part", "name its class in recommendation/rankers.py"
            )
    arrays = {f"{number}.{name}": array for number, part in enumerate(parts) for name, array in part.state().items()}
    names = "\n".join(kinds[type(part)] for part in parts)
    return {**arrays, "parts": np.frombuffer(names.encode(), dtype=np.uint8)}


def parts_of(state: Arrays) -> tuple[Ranker, ...]:
    """The rankers back from what `nested` made of them. Raises DataError for a kind that does not exist."""
    known = rankers()
    names = state["parts"].astype(np.uint8).tobytes().decode().split("\n")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"the model holds a part of kind {unknown[0]!r}", f"kinds are {', '.join(known)}; publish it again")
    inner: list[dict[str, np.ndarray]] = [{} for _ in names]
    for key, array in state.items():
        number, dot, name = key.partition(".")
        if dot and number.isdigit() and int(number) < len(names):
            inner[int(number)][name] = array
    return tuple(known[name].from_state(arrays) for name, arrays in zip(names, inner, strict=True))
