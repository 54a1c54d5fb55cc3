"""Train: from the orders of the release that serves to recommenders, examined and published with it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.recommendation.assess import Assessment
    from basketry.recommendation.published import Recommenders
    from basketry.store.releases import Release

RECOMMENDERS: Final = "recommenders.safetensors"


@dataclass(frozen=True)
class TrainRequest:
    """What to train, and how to examine it."""

    horizon_days: int = field(
        default=28, metadata={"help": "How far ahead weights and exam look, in days; three times as much history is needed."}
    )
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of every random draw: the same seed gives the same recommenders."})


@dataclass(frozen=True)
class TrainResult:
    """What was published, what each part weighs, and how the exam went beside simple rules."""

    release: str
    as_of: dt.datetime
    weights: pl.DataFrame
    exam: pl.DataFrame
    notes: tuple[str, ...]


def train(shop: Shop, request: TrainRequest) -> TrainResult:
    """Train recommenders on the orders behind the release that serves, examine them on the last weeks, and publish both."""
    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run
    from basketry.recommendation.assess import Described
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.published import Recommending
    from basketry.recommendation.reading import read_histories

    if not (1 <= request.horizon_days <= 3650 and 0 <= request.seed < 2**32):
        raise RequestError(
            f"horizon_days {request.horizon_days}, seed {request.seed}", "a horizon is 1 to 3650 days, a seed 0 to 4294967295"
        )
    estimator = Recommending(horizon_days=request.horizon_days)
    release = shop.releases.current()
    with shop.releases.stage() as staging, shop.dataset(release.manifest.as_of, engine=request.engine) as dataset:
        if dataset.digest != release.manifest.data_digest:
            raise RequestError(
                f"the tables are no longer those of release {release.id}",
                "basketry build first: products and orders must agree",
            )
        facts = Facts(pl.read_parquet(release.path("products.parquet")))
        histories = read_histories(dataset, len(facts))
        described = Described(category=facts.groups("category")[0])
        run = Run(seed=request.seed, threads=shop.settings.threads)
        found = estimator.fit(histories, run, described)
        published = _publish(shop, release, staging, found, estimator, request)
    exam = _exam(found)
    weights = pl.DataFrame([{"blend": name, **weights} for name, weights in found.weights.items()])
    return TrainResult(published, release.manifest.as_of, weights, exam, _notes(found))


def _publish(shop: Shop, release: Release, staging: Path, found: Recommenders, estimator: Any, request: TrainRequest) -> str:
    """The files of the release and the recommenders among them, as a release of its own."""
    import shutil

    from basketry.store.arrays import write_arrays
    from basketry.store.manifest import new_release_id

    for name in release.manifest.files:
        if name != RECOMMENDERS:
            shutil.copyfile(release.path(name), staging / name)  # no link: one bad block would damage both releases
    write_arrays(staging / RECOMMENDERS, found.state())
    own = [row for row in release.manifest.metrics if not str(row["slice"]).startswith(_EXAM)]
    manifest = dataclasses.replace(
        release.manifest,
        id=new_release_id(),
        created=dt.datetime.now(dt.UTC),
        fitted={**release.manifest.fitted, "recommenders": _plain(dataclasses.asdict(estimator))},
        seeds={**release.manifest.seeds, "train": request.seed},
        metrics=(*own, *(row for name, exam in found.exams.items() for row in _rows(name, exam))),
        facts={
            **release.manifest.facts,
            "recommender_weights": {name: dict(weights) for name, weights in found.weights.items()},
            "recommender_exams": {name: dict(exam.splits) for name, exam in found.exams.items()},
        },
    )
    return shop.releases.publish(staging, manifest).id


_EXAM: Final = "exam of "


def _plain(value: Any) -> Any:
    """Hyperparameters as a manifest can hold them: a half-life that never comes is null."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rows(name: str, exam: Assessment) -> list[dict[str, Any]]:
    """Rows of Metrics, told apart from those of other exams by their slice."""
    import polars as pl

    return exam.metrics.with_columns(slice=pl.lit(f"{_EXAM}{name}: ") + pl.col("slice")).to_dicts()


def _exam(found: Recommenders) -> pl.DataFrame:
    """The figures a person asks for first, best first."""
    import polars as pl

    frames = [
        exam.metrics.filter(pl.col("metric").is_in(["recall@10", "ndcg@10"]), pl.col("slice") == "all").select(
            pl.lit(name).alias("exam"), "metric", "model", "value", "low", "high"
        )
        for name, exam in found.exams.items()
    ]
    return pl.concat(frames).sort("exam", "metric", "value", descending=[False, False, True])


def _notes(found: Recommenders) -> tuple[str, ...]:
    """Whether the blend earns its place, in words."""
    from basketry.recommendation.published import PERSONAL

    notes = []
    for name, exam in found.exams.items():
        metric = exam.compared_by
        others = {each.second: each for each in exam.differences if each.first == PERSONAL}
        best = max(others, key=lambda other: exam.figure(metric, other).value)
        gain = others[best].gain
        told = f"{metric} {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        verb = "beats" if gain.low > 0 else "is worse than" if gain.high < 0 else "is not shown to beat"
        notes.append(f"{name}: the blend {verb} the best simple rule, {best}: {told}")
    return (*notes, "recommend by it: basketry recommend --customer ID")
