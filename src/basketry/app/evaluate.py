"""Evaluate: rankers beside simple rules, on the shop's own last weeks, window after window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.engines import HELP
from basketry.app.networks import NETWORK_HELP, NETWORKS, forget, kept_network
from basketry.app.tracking import TRACK_HELP, TRACKERS

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.recommendation.assess import Assessment
    from basketry.recommendation.protocols import Split
    from basketry.recommendation.rankers import RankerEstimator

NAMES: Final = (
    "blend",
    "learned",
    "recent-reorder",
    "one-step",
    "baskets",
    "ease",
    "ials",
    *(f"neural-{name}" for name in NETWORKS),
)


@dataclass(frozen=True)
class EvaluateRequest:
    """Which rankers, and what they are asked."""

    models: str = field(
        default="blend",
        metadata={
            "help": f"Rankers, apart by commas: {', '.join(NAMES)}. Simple rules are always beside them.",
            "argument": True,
        },
    )
    horizon_days: int = field(
        default=28, metadata={"help": "Days of each window, and how far ahead what learns weights looks."}
    )
    folds: int = field(
        default=1, metadata={"help": "Windows, one after another up to the last order; each is learned for anew."}
    )
    new: bool = field(default=False, metadata={"help": "Ask only for products that the customer has not bought before."})
    k: int = field(default=10, metadata={"help": "Places of a list."})
    all_metrics: bool = field(
        default=False, metadata={"help": "Every metric and slice: coverage, novelty, diversity, cold customers and products."}
    )
    network: str = field(default="", metadata={"help": NETWORK_HELP})
    track: str = field(default=TRACKERS[0], metadata={"local": True, "help": TRACK_HELP})
    engine: str = field(default="", metadata={"local": True, "help": HELP})
    seed: int = field(default=0, metadata={"help": "Seed of every random draw."})


@dataclass(frozen=True)
class EvaluateResult:
    """Figures with their 95% intervals, every pair of rankers compared, and the digests of the exams."""

    figures: pl.DataFrame
    differences: pl.DataFrame
    exams: pl.DataFrame
    notes: tuple[str, ...]


def evaluate(shop: Shop, request: EvaluateRequest) -> EvaluateResult:
    """Ask rankers what customers bought in the last weeks, learned from nothing later, and say which differ for certain."""
    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run
    from basketry.recommendation.assess import Exam, assess_rolling
    from basketry.recommendation.protocols import rolling_splits

    if not (1 <= request.horizon_days <= 3650 and 1 <= request.folds <= 52 and 1 <= request.k <= 1000):
        raise RequestError(
            f"horizon_days {request.horizon_days}, folds {request.folds}, k {request.k}", "1 to 3650, 1 to 52 and 1 to 1000"
        )
    names = [each.strip() for each in request.models.split(",") if each.strip()]
    estimators = _estimators(shop, names, request)
    run = Run(seed=request.seed, threads=shop.settings.threads)
    with shop.dataset(engine=request.engine) as dataset:
        from basketry.core.tables import Products
        from basketry.recommendation.assess import Described
        from basketry.recommendation.facts import Facts
        from basketry.recommendation.reading import read_histories

        facts = Facts(dataset.table(Products).sort("product_id"))
        histories = read_histories(dataset, len(facts))
    splits = rolling_splits(histories, request.horizon_days, request.folds, not request.new)
    described = Described(category=facts.groups("category")[0])
    found = assess_rolling(estimators, splits, run, Exam(ks=(request.k,)), described)
    forget(shop, "evaluate")
    return EvaluateResult(
        _figures(found, request),
        _differences(found),
        pl.DataFrame({"exam": [name for name, _ in found.splits], "digest": [digest[:16] for _, digest in found.splits]}),
        _notes(found, names, splits),
    )


def _estimators(shop: Shop, names: list[str], request: EvaluateRequest) -> dict[str, RankerEstimator]:
    """What was asked for, by name. Raises RequestError for no such ranker, or for options that no network is asked for with."""
    from basketry.core.errors import RequestError
    from basketry.recommendation.models import NEURAL, estimator_of

    made: dict[str, RankerEstimator] = {
        name: estimator_of(name, repeats=not request.new, horizon_days=request.horizon_days) for name in names
    }
    networks = [name for name in names if name.startswith(NEURAL)]
    if not networks and (request.network or request.track != TRACKERS[0]):
        raise RequestError("--network and --track are of networks, and none is asked for", f"name one, as {NEURAL}gru")
    for name in networks:
        made[name] = kept_network(shop, name.removeprefix(NEURAL), request.network, request.track, "evaluate")
    return made


def _figures(found: Assessment, request: EvaluateRequest) -> pl.DataFrame:
    """What was asked for, best first within each metric."""
    import polars as pl

    k = request.k
    table = found.metrics.filter(~pl.col("metric").str.contains(" gain"))
    if not request.all_metrics:
        table = table.filter(pl.col("slice") == "all", pl.col("metric").is_in([f"recall@{k}", f"ndcg@{k}", f"coverage@{k}"]))
    return table.select("slice", "metric", "model", "value", "low", "high", "n").sort(
        "slice", "metric", "value", descending=[False, False, True]
    )


def _differences(found: Assessment) -> pl.DataFrame:
    """Every pair: the gain of the first in the metric compared by, its interval, and p after Holm's correction."""
    import polars as pl

    rows = [
        {"better": each.first, "than": each.second, "by": each.gain.value, "low": each.gain.low, "high": each.gain.high}
        | {"p": each.corrected}
        for each in found.differences
    ]
    return pl.DataFrame(rows).with_columns(metric=pl.lit(found.compared_by))


def _notes(found: Assessment, names: list[str], splits: tuple[Split, ...]) -> tuple[str, ...]:
    """Whether what was asked about beats the best simple rule."""
    from basketry.recommendation.assess import BASELINES

    metric = found.compared_by
    told = []
    for name in names:
        simple = {each.second: each.gain for each in found.differences if each.first == name and each.second in BASELINES}
        best = max(simple, key=lambda rule: found.figure(metric, rule).value)
        gain = simple[best]
        verb = "beats" if gain.low > 0 else "is worse than" if gain.high < 0 else "is not shown to beat"
        told.append(
            f"{name} {verb} the best simple rule, {best}: {metric} {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        )
    asked = sum(len(split.queries) for split in splits)
    return (*told, f"{asked:,} questions in {len(splits)} windows; ranking is over all products")
