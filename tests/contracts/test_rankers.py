"""Every ranker keeps every law; a broken one is caught."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from basketry.core.histories import Candidates, Evidence, Histories, Queries, Rankings
from basketry.core.protocols import Run
from basketry.recommendation.blending import Blend
from basketry.recommendation.boosting import Boosting
from basketry.recommendation.ease import Ease
from basketry.recommendation.fusion import ReciprocalRanks
from basketry.recommendation.ials import Ials
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.meaning import Meaning, MeaningRanker
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.recency import Recency
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing
from basketry.testing.rankers import N, RankerEstimator, check_ranker


@dataclass(frozen=True)
class _Texts:
    """Meaning learns of texts and of no history: here eleven drawn vectors, one of two products, none of product 4."""

    recency: Recency = field(default_factory=lambda: Recency(decay=0.6, half_life_days=9))

    def fit(self, histories: Histories, run: Run) -> MeaningRanker:
        vectors = np.random.default_rng(run.seed).normal(size=(11, 16)).astype(np.float32)
        document = np.array([0, 1, 2, 3, -1, 5, 6, 7, 8, 9, 9, 10], dtype=np.int32)
        assert histories.n_products == len(document)
        return Meaning(self.recency).fit(vectors, document)


ESTIMATORS = {
    "popularity": Popularity(),
    "popularity of the last week": Popularity(window_days=7),
    "neighbours": ItemNeighbours(),
    "neighbours by visit": ItemNeighbours(neighbours=3, shrink=2.0, unit="visit", recency=Recency(half_life_days=5)),
    "transitions": Transitions(),
    "transitions, one hop": Transitions(window=2, hop=0, repeats=True),
    "ease": Ease(reg=5.0),
    "ease of the most bought": Ease(reg=5.0, products=6, recency=Recency(decay=0.7, window=3)),
    "meaning": _Texts(),
    "ials": Ials(dim=8),
    "ials of recent events": Ials(dim=3, reg=0.1, unobserved=0.5, exponent=0.0, recency=Recency(decay=0.7, window=3)),
    "reorder": Reorder(),
    "blend": Blend((Transitions(), ItemNeighbours(), Popularity()), (0.6, 0.3, 0.1), Voicing(depth=3)),
    "blend without a floor": Blend((Transitions(), Ease(reg=5.0)), (1, 1), Voicing(depth=0)),
    "blend of factors": Blend((Transitions(), Ials(dim=4)), (1, 1), Voicing(depth=3)),
    "blend for reordering": Blend((Reorder(), Popularity()), (3, 1), Voicing(depth=2, repeats=True)),
    "blend that learns its weights": Blend((Transitions(), ItemNeighbours())),
    "blend of meaning and purchases": Blend((_Texts(), Transitions()), (1, 1)),
    "fusion": ReciprocalRanks((Transitions(), Ease(reg=5.0), Popularity()), (2, 1, 1)),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_laws(name: str) -> None:
    check_ranker(ESTIMATORS[name])


def test_laws_of_a_learned_ranker() -> None:
    pytest.importorskip("lightgbm", reason="a learned ranker needs lightgbm (pip install 'basketry[rank]')")
    trees = Boosting(rounds=20, leaves=4, least=5)
    check_ranker(LearnedRanker((Transitions(), Popularity()), trees, Voicing(depth=4), depth=N))
    check_ranker(LearnedRanker((Reorder(), Popularity()), trees, Voicing(depth=4, repeats=True), depth=N, horizon_days=30))


@dataclass(frozen=True, eq=False)
class _Broken(ItemGraph):
    """A ranker that breaks one law."""

    law: str = ""

    def scores(self, queries: Queries) -> np.ndarray:
        found = super().scores(queries)
        return found * 2 if self.law == "a ranked score is not its own" else found

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        if self.law == "a product of the history is ranked":
            candidates = replace(candidates, repeats=True)
        if self.law == "a forbidden product is ranked":
            candidates = replace(candidates, allowed=None)
        allowed = candidates.allowed
        if self.law == "a forbidden product of the history no longer helps" and allowed is not None and allowed.ndim == 1:
            queries = Queries(queries.histories.where(allowed[queries.histories.products]), queries.days)
        ranked = super().rank(queries, k, candidates)
        if self.law == "a better product is left out":
            longer = super().rank(queries, k + 1, candidates)
            return Rankings(longer.products[:, 1:], longer.scores[:, 1:])
        if self.law == "a product is ranked twice":
            ranked.products[:, 1] = ranked.products[:, 0]
        return ranked

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        found = super().explain(queries, rankings)
        return replace(found, events=found.events * 1.1) if self.law == "evidence does not add up" else found


@dataclass(frozen=True)
class _Breaking:
    law: str

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        model = Transitions(repeats=True).fit(histories, run)
        return _Broken(model.rows, model.recency, self.law)


@pytest.mark.parametrize(
    "law",
    [
        "a ranked score is not its own",
        "a product of the history is ranked",
        "a forbidden product is ranked",
        "a forbidden product of the history no longer helps",
        "a better product is left out",
        "a product is ranked twice",
        "evidence does not add up",
    ],
)
def test_a_broken_ranker_is_caught(law: str) -> None:
    broken: RankerEstimator = _Breaking(law)
    with pytest.raises(AssertionError, match=law):
        check_ranker(broken)
