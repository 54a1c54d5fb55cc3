"""Tune: search a ranker's hyperparameters on earlier windows, and judge what is found on the last, which no search saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from basketry.app.engines import HELP
from basketry.app.evaluate import NAMES

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


@dataclass(frozen=True)
class TuneRequest:
    """What to tune, and for how long."""

    model: str = field(metadata={"help": f"The ranker: one of {', '.join(NAMES)}.", "argument": True})
    seconds: float = field(default=120.0, metadata={"help": "No new trial begins after so many seconds; 0 is no limit."})
    trials: int = field(default=0, metadata={"help": "Stop after so many trials; 0 is no limit."})
    folds: int = field(default=3, metadata={"help": "Windows to search on; the one after them judges."})
    horizon_days: int = field(default=28, metadata={"help": "Days of each window."})
    new: bool = field(default=False, metadata={"help": "Ask only for products that the customer has not bought before."})
    metric: str = field(
        default="ndcg@10", metadata={"help": "What to search for: hit, precision, recall, mrr, map or ndcg @ k."}
    )
    workers: int = field(default=1, metadata={"help": "Processes that try at the same time."})
    engine: str = field(default="", metadata={"local": True, "help": HELP})
    seed: int = field(default=0, metadata={"help": "Seed of every random draw."})


@dataclass(frozen=True)
class TuneResult:
    """The values at hand beside those found, what both are worth on the untouched window, and every trial."""

    chosen: str
    values: pl.DataFrame
    untouched: pl.DataFrame
    trials: pl.DataFrame
    notes: tuple[str, ...]


def tune(shop: Shop, request: TuneRequest) -> TuneResult:
    """Search a ranker's hyperparameters, resuming where a stopped search was; keep the default unless the gain is certain."""
    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run
    from basketry.core.space import space_of
    from basketry.core.tables import Products
    from basketry.recommendation.models import estimator_of
    from basketry.recommendation.protocols import rolling_splits
    from basketry.recommendation.reading import read_histories
    from basketry.recommendation.tuning import Budget, Study
    from basketry.recommendation.verdict import tune as judged
    from basketry.store import durable

    if not (1 <= request.folds <= 52 and 1 <= request.horizon_days <= 3650):
        raise RequestError(f"folds {request.folds}, horizon_days {request.horizon_days}", "1 to 52 and 1 to 3650")
    budget = Budget(request.seconds, request.trials, request.workers)
    estimator = estimator_of(request.model, repeats=not request.new, horizon_days=request.horizon_days)
    with shop.dataset(engine=request.engine) as dataset:
        histories = read_histories(dataset, len(dataset.table(Products)))
    *folds, last = rolling_splits(histories, request.horizon_days, request.folds + 1, not request.new)
    study = Study(estimator, tuple(folds), request.metric, Run(seed=request.seed, threads=shop.settings.threads))
    folder = shop.folder / "cache" / "tune"
    durable.make_folder(folder)
    found = judged(study, last, budget, folder / f"{study.name}.log")
    before, after = ({one.name: one.value for one in space_of(each)} for each in (found.default, found.tuned))
    values = [{"field": name, "default": str(before[name]), "found": str(after[name])} for name in before]
    figures = [("default", found.before), ("found", found.after), ("gain", found.gain)]
    return TuneResult(
        "found" if found.chosen != found.default else "default",
        pl.DataFrame(values),
        pl.DataFrame([{"of": name, found.metric: each.value, "low": each.low, "high": each.high} for name, each in figures]),
        pl.DataFrame(
            [
                {
                    "trial": number,
                    found.metric: trial.mean,
                    "state": trial.state,
                    **{n: str(v) for n, v in trial.values.items()},
                }
                for number, trial in enumerate(found.trials)
            ]
        ),
        (found.reason, f"the search is kept in {folder}: the same command goes on with it"),
    )
