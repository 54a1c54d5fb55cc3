"""The exam of a release once more: its questions, and the rankers that took it, learned from nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from basketry.core.errors import NotFound, RequestError
from basketry.core.protocols import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basketry.app.shop import Shop
    from basketry.recommendation.blending import Blended
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.protocols import Split
    from basketry.store.releases import Release


@dataclass(frozen=True, eq=False)
class Examined:
    """By exam, the split and the blend that answered it; and the products."""

    release: Release
    facts: Facts
    exams: Mapping[str, tuple[Split, Blended]]


def examined(shop: Shop, release: Release, engine: str = "") -> Examined:
    """Learn the parts of a release anew from what came before its exam, and blend them by its published weights.

    Raises NotFound for a release without recommenders, RequestError where the tables are no longer those it was made of.
    Costs about a third of `train`.
    """
    import polars as pl

    from basketry.recommendation.facts import Facts
    from basketry.recommendation.published import Recommending, restored
    from basketry.recommendation.reading import read_clicks, read_histories

    manifest = release.manifest
    fitted: Any = manifest.fitted.get("recommenders")
    weights: Any = manifest.facts.get("recommender_weights")
    if not fitted or not weights:
        raise NotFound(f"release {release.id} holds no recommenders", "train them: basketry train")
    estimator = restored(Recommending(), fitted)
    facts = Facts(pl.read_parquet(release.path("products.parquet")))
    with shop.dataset(manifest.as_of, engine=engine) as dataset:
        if dataset.digest != manifest.data_digest:
            raise RequestError(
                f"the tables are no longer those of release {release.id}", "build and train again: its exam cannot be repeated"
            )
        histories, clicks = read_histories(dataset, len(facts)), read_clicks(dataset, len(facts))
    run = Run(seed=int(manifest.seeds.get("train", 0)), threads=shop.settings.threads)
    return Examined(release, facts, estimator.examined(histories, weights, run, clicks))
