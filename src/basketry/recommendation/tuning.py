"""Tuning: search an estimator's fields on rolling splits, and keep the default unless an untouched window says otherwise."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import BasketryError, RequestError
from basketry.core.space import Dimension, Value, space_of, with_values
from basketry.core.telemetry import span
from basketry.evaluation.retrieval import METRICS, Questions
from basketry.recommendation.rankers import RankerEstimator

if TYPE_CHECKING:
    from basketry.core.protocols import Run
    from basketry.recommendation.protocols import Split

_BEFORE_PRUNING: Final = 5  # trials that always run to their last fold


@dataclass(frozen=True)
class Budget:
    """Stop when `trials` are finished in the study, or no new one begins after `seconds`; 0 is no limit, and one must be given.

    `workers` processes of `Run.threads` threads each; with more than one, which trial is drawn next depends on their pace.
    """

    seconds: float = 0.0
    trials: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if min(self.seconds, self.trials) < 0 or self.seconds == self.trials == 0 or self.workers < 1:
            raise RequestError(f"{self} never ends or never begins", "give seconds or trials above 0, and at least one worker")


@dataclass(frozen=True)
class Trial:
    """What was tried, its figure on each fold as far as it was followed, and whether it was dropped on the way."""

    values: dict[str, Value]
    folds: tuple[float, ...]
    state: str  # complete, pruned or failed

    @property
    def mean(self) -> float:
        """Over the folds that were measured."""
        return float(np.mean(self.folds)) if self.folds else float("nan")


@dataclass(frozen=True, eq=False)
class Study:
    """A search in progress: an estimator, the folds and the figure it is judged by, such as "ndcg@10"."""

    estimator: RankerEstimator
    folds: tuple[Split, ...]
    metric: str
    run: Run

    def __post_init__(self) -> None:
        if not space_of(self.estimator):
            raise RequestError(f"{type(self.estimator).__name__} has no field to search", "declare one with within or one_of")
        if not self.folds:
            raise RequestError("there is no fold to search on", "give at least one; three or more allow pruning")
        depth_of(self.metric)

    @property
    def name(self) -> str:
        """Of one estimator, space, figure and data: a study is never continued on other data."""
        told = [type(self.estimator).__name__, repr(self.estimator), self.metric, [asdict(d) for d in space_of(self.estimator)]]
        digest = hashlib.sha256(json.dumps(told, default=str).encode())
        for fold in self.folds:
            digest.update(fold.digest.encode())
        return f"{type(self.estimator).__name__}-{digest.hexdigest()[:16]}"


def figures(estimator: RankerEstimator, fold: Split, metric: str, run: Run) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The figure of every query of a fold, float64 [queries], NaN where nothing is relevant."""
    k = depth_of(metric)
    ranked = estimator.fit(fold.train, run).rank(fold.queries, k, fold.candidates).products
    return Questions(fold.relevant, fold.customers).per_query(ranked.astype(np.int64), (k,))[metric]


def search(study: Study, budget: Budget, storage: Path) -> list[Trial]:
    """Trials of the estimator's space, drawn by a tree-structured Parzen estimator and kept in the journal file `storage`.

    The values at hand come first. After each fold a trial whose mean so far is below the median of the others' at that fold is
    dropped. Called again with the same study it goes on where it was, also after a kill; called on others it begins anew in the
    same file. Trials that a fit refuses are failed and teach the search nothing. Raises RequestError without package optuna.
    Several workers are processes that start anew: a script that asks for them needs `if __name__ == "__main__"`.
    Sources: Bergstra et al. (2011); Golovin et al., Google Vizier (2017), for the median rule.
    """
    opened = _open(study, storage)
    end = time.monotonic() + budget.seconds if budget.seconds else float("inf")
    if not opened.trials:
        opened.enqueue_trial({one.name: one.nearest for one in space_of(study.estimator)})
    with span("tune", total=budget.trials or None, unit="trials") as progress:
        if budget.workers == 1:
            while time.monotonic() < end and not _finished(opened, budget.trials):
                _try(opened, study)
                progress.advance()
        else:
            _spread(study, budget, storage)
    return [_told(trial) for trial in opened.get_trials(deepcopy=False) if trial.state.is_finished()]


def depth_of(metric: str) -> int:
    """The k of a figure such as "recall@10". Raises RequestError for another figure."""
    name, at, k = metric.partition("@")
    if name not in METRICS or not at or not k.isdigit() or int(k) < 1:
        raise RequestError(f"no figure is called {metric!r}", f"write one of {', '.join(METRICS)}, then @ and places: ndcg@10")
    return int(k)


def _try(opened: Any, study: Study) -> None:
    import optuna

    trial = opened.ask()
    values = {one.name: _suggest(trial, one) for one in space_of(study.estimator)}
    seen: list[float] = []
    try:
        estimator = with_values(study.estimator, values)
        for step, fold in enumerate(study.folds):
            seen.append(float(np.nanmean(figures(estimator, fold, study.metric, study.run))))
            trial.report(float(np.mean(seen)), step)
            if step + 1 < len(study.folds) and trial.should_prune():
                opened.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return
    except BasketryError:
        opened.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    opened.tell(trial, float(np.mean(seen)))


def _suggest(trial: Any, one: Dimension) -> Value:
    value: Value
    if one.choices:
        value = trial.suggest_categorical(one.name, list(one.choices))
    elif one.whole:
        value = trial.suggest_int(one.name, one.low, one.high, log=one.log)
    else:
        value = trial.suggest_float(one.name, one.low, one.high, log=one.log)
    return value


def _open(study: Study, storage: Path, worker: int = 0) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise RequestError("tuning needs package optuna", "pip install 'basketry[train]'") from error
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=study.name,
        storage=JournalStorage(JournalFileBackend(str(storage))),
        sampler=optuna.samplers.TPESampler(seed=study.run.seed + worker, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING),
        direction="maximize",
        load_if_exists=True,
    )


def _finished(opened: Any, trials: int) -> bool:
    if not trials:
        return False
    done: int = sum(trial.state.is_finished() for trial in opened.get_trials(deepcopy=False))
    return done >= trials


def _work(study: Study, budget: Budget, storage: Path, worker: int, end: float) -> None:
    opened = _open(study, storage, worker)
    while time.time() < end and not _finished(opened, budget.trials):
        _try(opened, study)


def _spread(study: Study, budget: Budget, storage: Path) -> None:
    """Workers with one clock and one journal. An interrupt ends them; what they finished is kept."""
    import multiprocessing

    end = time.time() + budget.seconds if budget.seconds else float("inf")
    start: Callable[..., Any] = multiprocessing.get_context("spawn").Process
    processes = [
        start(target=_work, args=(study, budget, storage, number, end), daemon=True) for number in range(budget.workers)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise RequestError(f"{len(failed)} of {len(processes)} workers ended with {failed[0]}", "see their message above")


def _told(trial: Any) -> Trial:
    """A trial's figure on each fold, from the running means that were reported."""
    means = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    sums = np.array(means) * np.arange(1, len(means) + 1)
    return Trial(dict(trial.params), tuple(np.diff(sums, prepend=0.0).tolist()), _STATES.get(trial.state.name, "failed"))


_STATES: Final = {"COMPLETE": "complete", "PRUNED": "pruned"}


def best_of(trials: Sequence[Trial]) -> Trial:
    """The complete trial of the best mean, the earliest among equals. Raises RequestError where there is none."""
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        raise RequestError(f"none of {len(trials)} trials was finished", "give a larger budget, or narrower ranges")
    return max(complete, key=lambda trial: trial.mean)
