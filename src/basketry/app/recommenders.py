"""The recommenders of a release, set on the scenes of the shop: what answers a question about a customer, product or basket."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from basketry.app.train import RECOMMENDERS
from basketry.core.errors import NotFound
from basketry.recommendation.answers import Stage, stage_of
from basketry.recommendation.edges import Edges
from basketry.recommendation.facts import Facts
from basketry.recommendation.meaning import Meaning
from basketry.recommendation.policy import Policy
from basketry.recommendation.popularity import Popular
from basketry.recommendation.popularity_in_groups import PopularInGroups
from basketry.recommendation.published import Recommenders
from basketry.recommendation.recency import Recency
from basketry.recommendation.scenes import SCENES
from basketry.store.arrays import read_arrays

if TYPE_CHECKING:
    from basketry.app.graph_reader import GraphReader
    from basketry.core.protocols import Ranker

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

        Besides the catalogue `age_days`, since the first sale (0 for what was never sold), and `promoted`, which is unknown:
        promotions are not read for recommending yet.
        """
        import numpy as np
        import polars as pl

        first = self.trained.first_days
        today = (self.graph.release.manifest.as_of.date() - EPOCH).days
        age = pl.Series("age_days", np.where(first >= 0, np.maximum(today - first, 0), 0))
        return Facts(self.graph.products.with_columns(age, promoted=pl.lit(None, dtype=pl.Boolean)))

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
        return {name: each.fit(self.graph.associations, self.facts) for name, each in EDGES.items()}

    @cached_property
    def meaning(self) -> Ranker:
        """What reads like a history, of all products with a text: one that was posted for this release and never sold too."""
        import numpy as np

        vectors = read_arrays(self.graph.release.path("vectors.safetensors"))["vectors"]
        document = self.graph.products["document"].fill_null(-1).to_numpy()
        return Meaning().fit(np.asarray(vectors, dtype=np.float32), document)

    def stage(self, scene: str, policy: Policy) -> Stage:
        """A scene by name under the shop's policy."""
        if scene not in SCENES:
            raise NotFound(f"there is no scene {scene!r}", f"choose one of {', '.join(SCENES)}")
        repeats = SCENES[scene].repeats
        rankers = self.trained.rankers(repeats=repeats) | self.edges
        if MEANING in SCENES[scene].links:  # elsewhere the vectors are not read
            rankers[MEANING] = self.meaning
        popular = rankers["popular"]
        if isinstance(popular, Popular):
            rankers["in_category"] = PopularInGroups(popular.counts, self.facts.groups("category")[0], Recency(decay=0.8))
        if repeats:  # the blend holds it already, weighed against the rest
            rankers.pop("reorder")
        return stage_of(scene, rankers, self.facts, policy)
