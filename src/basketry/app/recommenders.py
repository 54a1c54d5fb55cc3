"""The recommenders of a release, set on the scenes of the shop: what answers a question about a customer, product or basket."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from basketry.app.train import RECOMMENDERS, TRUST
from basketry.core.errors import NotFound
from basketry.recommendation.answers import Stage, stage_of
from basketry.recommendation.edges import Edges
from basketry.recommendation.facts import Facts
from basketry.recommendation.meaning import Meaning
from basketry.recommendation.policy import Policy
from basketry.recommendation.policy_file import policy_of
from basketry.recommendation.popularity import Popular
from basketry.recommendation.popularity_in_groups import PopularInGroups
from basketry.recommendation.published import AGAIN, NEW, Recommenders
from basketry.recommendation.recency import Recency
from basketry.recommendation.scenes import SCENES
from basketry.recommendation.shelf import shelf_of
from basketry.recommendation.trust import Trust
from basketry.store.arrays import read_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basketry.app.graph_reader import GraphReader
    from basketry.app.shop import Shop
    from basketry.core.histories import Int32s
    from basketry.core.protocols import Ranker, Vectors

EPOCH: Final = dt.date(1970, 1, 1)
MEANING: Final = "meaning"
EDGES: Final = {
    "together": Edges(("bought_together",), measure="adjusted_low"),
    "complements": Edges(("bought_together",), without=("substitute",), measure="adjusted_low"),
    "similar": Edges(("similar",), measure="similarity"),
    "substitutes": Edges(("bought_together", "similar"), without=("complement", "co_trip", "unknown"), measure="similarity"),
}


@dataclass(frozen=True, eq=False)
class RecommendationReader:
    """Reads one release; every file is proved by its checksum before it is opened."""

    graph: GraphReader

    @cached_property
    def facts(self) -> Facts:
        """What is known of the products, in the order of their codes.

        Besides the catalogue with price, margin, stock and promotion as they stood at the release's `as_of`, `age_days` since
        the first sale (0 for what was never sold). A release older than these facts promotes nothing.
        """
        import numpy as np
        import polars as pl

        first = self.trained.first_days
        today = (self.graph.release.manifest.as_of.date() - EPOCH).days
        age = pl.Series("age_days", np.where(first >= 0, np.maximum(today - first, 0), 0))
        products = self.graph.products.with_columns(age)
        if "promoted" not in products.columns:
            products = products.with_columns(promoted=pl.lit(value=False))
        return Facts(products)

    @cached_property
    def pictured(self) -> Facts:
        """The same with a vector of each product, that of its text, which diversity compares; zero where there is no text."""
        return Facts(self.facts.frame, vectors_of(self.graph))

    @cached_property
    def trained(self) -> Recommenders:
        """What `train` published. Raises NotFound for a release without."""
        release = self.graph.release
        if RECOMMENDERS not in release.manifest.files:
            raise NotFound(f"release {release.id} holds no recommenders", "train them: basketry train")
        return Recommenders.from_state(read_arrays(release.path(RECOMMENDERS)))

    @cached_property
    def edges(self) -> dict[str, Ranker]:
        """The parts of scenes that are edges of the association graph."""
        return edges_of(self.graph, self.facts)

    def blended(self, scene: str) -> tuple[str, ...]:
        """The parts that weigh anything in what a scene calls `personal`, in the order of its parts."""
        weights = self.trained.weights[exam_of(repeats=SCENES[scene].repeats)]
        return tuple(name for name in self.trained.parts if weights.get(name, 0.0) > 0)

    def trust(self, scene: str) -> Trust | None:
        """Whose reasons may be shown in a scene; None in a release of which it was not measured."""
        measured: Any = self.graph.release.manifest.facts.get(TRUST, {})
        return Trust.from_facts(measured[name]) if (name := exam_of(repeats=SCENES[scene].repeats)) in measured else None

    @cached_property
    def meaning(self) -> Ranker:
        """What reads like a history, of all products with a text: one that was posted for this release and never sold too."""
        return meaning_of(self.graph)

    def stage(self, scene: str, policy: Policy) -> Stage:
        """A scene by name under the shop's policy."""
        if scene not in SCENES:
            raise NotFound(f"there is no scene {scene!r}", f"choose one of {', '.join(SCENES)}")
        rankers = links_of(self.trained, self.edges, self.facts, repeats=SCENES[scene].repeats)
        if MEANING in SCENES[scene].links:  # elsewhere the vectors are not read
            rankers[MEANING] = self.meaning
        return stage_of(scene, rankers, self.pictured if policy.diversity else self.facts, policy)


def meaning_of(graph: GraphReader) -> Ranker:
    """The part of scenes that reads texts."""
    import numpy as np

    vectors = read_arrays(graph.release.path("vectors.safetensors"))["vectors"]
    return Meaning().fit(np.asarray(vectors, dtype=np.float32), _documents(graph))


def vectors_of(graph: GraphReader) -> Vectors:
    """The vector of each product's text, float32 [n, dim]; zero where there is none."""
    import numpy as np

    vectors, document = graph.index.vectors, _documents(graph)
    found = np.zeros((len(document), vectors.shape[1]), dtype=np.float32)
    found[document >= 0] = vectors[document[document >= 0]]
    return found


def _documents(graph: GraphReader) -> Int32s:
    """The text of each product, by its number; -1 for none."""
    found: Int32s = graph.products["document"].fill_null(-1).to_numpy()
    return found


def edges_of(graph: GraphReader, facts: Facts) -> dict[str, Ranker]:
    """The parts of scenes that are edges of a release's association graph."""
    return {name: each.fit(graph.associations, facts) for name, each in EDGES.items()}


def links_of(trained: Recommenders, edges: Mapping[str, Ranker], facts: Facts, *, repeats: bool) -> dict[str, Ranker]:
    """The rankers of a shop's scenes by part: those in which the history may be shown again, or the others."""
    rankers = trained.rankers(repeats=repeats) | dict(edges)
    popular = rankers["popular"]
    if isinstance(popular, Popular):
        rankers["in_category"] = PopularInGroups(popular.counts, facts.groups("category")[0], Recency(decay=0.8))
    if repeats:  # the blend holds it already, weighed against the rest
        rankers.pop("reorder", None)
    return rankers


def exam_of(*, repeats: bool) -> str:
    """The exam that asks what scenes ask: of all products, or of those new to the customer."""
    return AGAIN if repeats else NEW


def shop_policy(shop: Shop) -> Policy:
    """What shop.toml wants of every list, in its table `[policy]`. Raises ConfigError, which names the key that is wrong."""
    return policy_of(shop.settings.policy)


def gone(facts: Facts, policy: Policy) -> str | None:
    """What a policy names that the products of a release have not, as a sentence; its rules on that do nothing."""
    try:
        shelf_of(facts, replace(policy, diversity=0.0), strict=True)
    except NotFound as error:
        return f"[policy] in shop.toml: {error.message}"
    return None
