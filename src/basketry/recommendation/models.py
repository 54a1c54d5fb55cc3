"""The rankers that can be asked for by name, beyond the simple ones that every report holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from basketry.core.errors import RequestError
from basketry.recommendation.blending import Blend
from basketry.recommendation.ease import Ease
from basketry.recommendation.ials import Ials
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.networks import NETWORKS
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing

if TYPE_CHECKING:
    from basketry.recommendation.rankers import RankerEstimator


def parts(*, repeats: bool) -> tuple[RankerEstimator, ...]:
    """What blends and the learned ranker are made of; reordering where purchases may repeat."""
    simple = (
        Transitions(hop=0, repeats=repeats),
        ItemNeighbours(unit="visit" if repeats else "customer"),
        Popularity(window_days=7),
        Popularity(),
    )
    return (Reorder(), *simple) if repeats else simple


def _always(made: RankerEstimator) -> Callable[[bool, int], RankerEstimator]:
    return lambda _repeats, _days: made


NEURAL: Final = "neural-"  # before the name of a network
MODELS: Final[dict[str, Callable[[bool, int], RankerEstimator]]] = {
    "blend": lambda repeats, days: Blend(parts(repeats=repeats), None, Voicing(repeats=repeats), days),
    "learned": lambda repeats, days: LearnedRanker(parts(repeats=repeats), voicing=Voicing(repeats=repeats), horizon_days=days),
    "recent-reorder": lambda _repeats, _days: Reorder(),
    "one-step": lambda repeats, _days: Transitions(hop=0, repeats=repeats),
    "baskets": lambda _repeats, _days: ItemNeighbours(unit="visit"),
    "ease": lambda _repeats, _days: Ease(),
    "ials": lambda _repeats, _days: Ials(),
    **{NEURAL + name: _always(made) for name, made in NETWORKS.items()},
}


def estimator_of(name: str, *, repeats: bool, horizon_days: int) -> RankerEstimator:
    """The estimator of a name, for questions in which purchases may repeat or not. Raises RequestError for no such name."""
    if name not in MODELS:
        raise RequestError(f"no ranker is called {name!r}", f"use one of {', '.join(MODELS)}")
    return MODELS[name](repeats, horizon_days)
