"""Train: from the orders of the release that serves to recommenders, examined and published with it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from basketry.app.networks import NETWORK_HELP, NETWORKS, forget, kept_network
from basketry.app.tracking import TRACK_HELP, TRACKERS

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.histories import Histories
    from basketry.core.protocols import Run
    from basketry.evaluation.bootstrap import Interval
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.published import Recommenders
    from basketry.recommendation.trust import Trust
    from basketry.store.releases import Release

RECOMMENDERS: Final = "recommenders.safetensors"
TRUST: Final = "recommender_reasons"  # a fact of the manifest: by exam and ranker, what speaks against showing its reasons


@dataclass(frozen=True)
class TrainRequest:
    """What to train, and how to examine it."""

    horizon_days: int = field(
        default=28, metadata={"help": "How far ahead weights and exam look, in days; three times as much history is needed."}
    )
    neural: str = field(
        default="",
        metadata={"help": f"Train a network too, for the blend if it earns a weight there: {', '.join(NETWORKS)}."},
    )
    network: str = field(default="", metadata={"help": NETWORK_HELP})
    track: str = field(default=TRACKERS[0], metadata={"local": True, "help": TRACK_HELP})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of every random draw: the same seed gives the same recommenders."})


@dataclass(frozen=True)
class TrainResult:
    """What was published, what each part weighs, how the exam went beside simple rules, and whose reasons are true."""

    release: str
    as_of: dt.datetime
    weights: pl.DataFrame
    exam: pl.DataFrame
    reasons: pl.DataFrame
    notes: tuple[str, ...]


def train(shop: Shop, request: TrainRequest) -> TrainResult:
    """Train recommenders on the orders behind the release that serves, examine them on the last weeks, and publish both."""
    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run
    from basketry.recommendation.assess import Described
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.published import Recommending
    from basketry.recommendation.reading import read_clicks, read_histories

    if not (1 <= request.horizon_days <= 3650 and 0 <= request.seed < 2**32):
        raise RequestError(
            f"horizon_days {request.horizon_days}, seed {request.seed}", "a horizon is 1 to 3650 days, a seed 0 to 4294967295"
        )
    if not request.neural and (request.network or request.track != TRACKERS[0]):
        raise RequestError("--network and --track are of networks, and none is asked for", "name one, as --neural gru")
    kept = None
    if request.neural:
        kept = kept_network(shop, request.neural, request.network, request.track, "train")
    estimator = Recommending(horizon_days=request.horizon_days, network=kept)
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
        found = estimator.fit(histories, run, described, read_clicks(dataset, len(facts)))
        asked = dataclasses.replace(estimator, network=kept.of if kept else None)
        trust = _trust(release, found, facts, histories, run, request.horizon_days)
        published = _publish(shop, release, staging, found, trust, asked, request)
        forget(shop, "train")
    exam = _exam(found)
    weights = _weights(found)
    return TrainResult(published, release.manifest.as_of, weights, exam, _reasons(trust), _notes(found))


def _trust(
    release: Release, found: Recommenders, facts: Facts, histories: Histories, run: Run, horizon_days: int
) -> dict[str, Trust]:
    """By exam: do the rankers of scenes give true reasons? Asked of those to be published, about the exam's customers."""
    from basketry.app.graph_reader import GraphReader
    from basketry.app.recommenders import MEANING, edges_of, exam_of, links_of, meaning_of, vectors_of
    from basketry.recommendation.protocols import time_split
    from basketry.recommendation.scenes import SCENES
    from basketry.recommendation.trust import trust_in

    graph = GraphReader(release)
    parts, vectors = {**edges_of(graph, facts), MEANING: meaning_of(graph)}, vectors_of(graph)
    trust = {}
    for repeats in (False, True):
        used = {part for scene in SCENES.values() if scene.repeats == repeats for part in scene.links}
        rankers = {name: each for name, each in links_of(found, parts, facts, repeats=repeats).items() if name in used}
        split = time_split(histories, int(histories.days.max()) + 1 - horizon_days, horizon_days, repeats)
        trust[exam_of(repeats=repeats)] = trust_in(rankers, split, run, vectors)
    return trust


def _publish(
    shop: Shop,
    release: Release,
    staging: Path,
    found: Recommenders,
    trust: dict[str, Trust],
    estimator: Any,
    request: TrainRequest,
) -> str:
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
        metrics=(
            *own,
            *(row for name, exam in found.exams.items() for row in _rows(name, exam.metrics)),
            *(row for name, each in trust.items() for row in _rows(name, each.frame())),
        ),
        facts={
            **release.manifest.facts,
            "recommender_weights": {name: dict(weights) for name, weights in found.weights.items()},
            "recommender_choices": {name: _plain(dataclasses.asdict(each)) for name, each in found.rivalries.items()},
            "recommender_exams": {name: dict(exam.splits) for name, exam in found.exams.items()},
            TRUST: {name: each.facts() for name, each in trust.items()},
        },
    )
    return shop.releases.publish(staging, manifest).id


_EXAM: Final = "exam of "


def _plain(value: Any) -> Any:
    """Hyperparameters as a manifest can hold them: a half-life that never comes is null."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rows(name: str, metrics: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of Metrics, told apart from those of other exams by their slice."""
    import polars as pl

    return metrics.with_columns(slice=pl.lit(f"{_EXAM}{name}: ") + pl.col("slice")).to_dicts()


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


def _weights(found: Recommenders) -> pl.DataFrame:
    """What each part was found to weigh, parts that are left out too."""
    import polars as pl

    parts = {part: 0.0 for each in found.rivalries.values() for part in each.weights}
    return pl.DataFrame([{"blend": name, **parts, **each.weights} for name, each in found.rivalries.items()])


def _reasons(trust: dict[str, Trust]) -> pl.DataFrame:
    """Of each ranker whether its reasons are shown, and the curve that decides, beside those of other orders."""
    import polars as pl

    rows: list[dict[str, Any]] = []
    for name, each in trust.items():
        for model, against in each.against.items():
            faithful = each.faithful.get(model)
            deletion = {} if faithful is None else {
                order: faithful.interval("deletion" if order == "own" else f"deletion:{order}").value
                for order in ("own", "random", "similarity")
            }  # fmt: skip
            rows.append({"exam": name, "model": model, "shown": not against, **deletion, "against": "; ".join(against)})
    numbers = dict.fromkeys(("own", "random", "similarity"), pl.Float64)
    schema = {"exam": pl.String, "model": pl.String, "shown": pl.Boolean, **numbers, "against": pl.String}
    return pl.DataFrame(rows, schema=schema).rename({"own": "deletion"})


def _notes(found: Recommenders) -> tuple[str, ...]:
    """What was chosen, and whether it earned its place in the exam, in words."""
    from basketry.recommendation.published import PERSONAL, WITHOUT

    notes = []
    for name, exam in found.exams.items():
        metric, chosen = exam.compared_by, found.rivalries[name]
        others = {each.second: each for each in exam.differences if each.first == PERSONAL}
        more = {part: others.pop(called).gain for part, called in WITHOUT.items() if called in others}
        best = max(others, key=lambda other: exam.figure(metric, other).value)
        gain = others[best].gain
        told = f"{metric} {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        verb = "beats" if gain.low > 0 else "is worse than" if gain.high < 0 else "is not shown to beat"
        what = "the blend" if chosen.is_blend else chosen.rule
        notes += [f"{name}: {chosen.reason}", f"{name}, exam: {what} {verb} the best of the simple rules, {best}: {told}"]
        notes += [
            f"{name}, exam: {_worth(part, found.weights[name].get(part, 0), each, metric)}" for part, each in more.items()
        ]
    return (*notes, "recommend by it: basketry recommend --customer ID")


def _worth(part: str, weight: float, gain: Interval, metric: str) -> str:
    """What a part that not every shop has was to what was chosen."""
    from basketry.recommendation.published import NETWORK

    what = "a network" if part == NETWORK else "the part of clicks"
    verb = "helps" if gain.low > 0 else "harms" if gain.high < 0 else "is not shown to help"
    told = f"{what} of weight {weight:.2f} {verb}: {metric} {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    return told if weight else f"{what} is left out"
