"""Tuned against default, on a window that the search never saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.space import space_of, with_values
from basketry.evaluation.bootstrap import Interval, Resampled, case_weights
from basketry.recommendation.tuning import Budget, Study, Trial, best_of, figures, search

if TYPE_CHECKING:
    from basketry.core.histories import Floats
    from basketry.core.protocols import Run
    from basketry.recommendation.protocols import Split
    from basketry.recommendation.rankers import RankerEstimator


@dataclass(frozen=True)
class Tuned:
    """What the search found, what it is worth on the untouched window, and which of the two to use.

    `gain` is tuned less default, paired, with its 95% interval; `noise` the greatest difference between the default fitted by
    several seeds. `chosen` is the tuned estimator where the interval lies above 0 and the gain above the noise, else the
    default.
    """

    default: RankerEstimator
    tuned: RankerEstimator
    chosen: RankerEstimator
    metric: str
    before: Interval
    after: Interval
    gain: Interval
    noise: float
    trials: tuple[Trial, ...]

    @property
    def reason(self) -> str:
        """Why this one, in a sentence."""
        gain = f"{self.gain.value:+.4f} {self.metric} [{self.gain.low:+.4f}, {self.gain.high:+.4f}]"
        if self.tuned == self.default:
            return "the default is kept: nothing tried was better on the folds"
        if not self.gain.low > 0:
            return f"the default is kept: on the untouched window tuning gains {gain}, which may be nothing"
        if not self.gain.value > self.noise:
            return f"the default is kept: tuning gains {gain}, no more than the seed changes ({self.noise:.4f})"
        return f"the tuned values are used: on the untouched window they gain {gain}, the seed changes {self.noise:.4f}"


def tune(study: Study, untouched: Split, budget: Budget, storage: Path, seeds: int = 3, resamples: int = 1_000) -> Tuned:
    """Search, then fit default and best once more and compare them on `untouched`, whose answers come after every fold's.

    The default is fitted by `seeds` seeds; where two of them give the same figures no more are tried.
    """
    trials = search(study, budget, storage)
    found = best_of(trials)
    best = with_values(study.estimator, found.values)
    if any(one.value != one.nearest for one in space_of(study.estimator)):  # the values at hand are no trial of the study
        means = [np.nanmean(figures(study.estimator, fold, study.metric, study.run)) for fold in study.folds]
        best = best if found.mean > np.mean(means) else study.estimator
    before = figures(study.estimator, untouched, study.metric, study.run)
    after = figures(best, untouched, study.metric, study.run)
    one, two = (_resampled(each, untouched, study, resamples) for each in (before, after))
    gain = two.gain_over(one, study.metric)
    noise = _noise(study, untouched, before, seeds)
    better = best != study.estimator and earned(gain, noise)
    return Tuned(
        study.estimator,
        best,
        best if better else study.estimator,
        study.metric,
        one.interval(study.metric),
        two.interval(study.metric),
        gain,
        noise,
        tuple(trials),
    )


def earned(gain: Interval, noise: float) -> bool:
    """Whether a gain is one: its interval lies above 0, and it is more than the seed changes."""
    return gain.low > 0 and gain.value > noise


def _resampled(per_query: Floats, fold: Split, study: Study, resamples: int) -> Resampled:
    asked = np.isfinite(per_query)
    weight = case_weights(fold.customers[asked], resamples, study.run.seed)
    total = weight.sum(axis=1)
    total[total == 0] = np.nan
    return Resampled({study.metric: weight @ per_query[asked] / total})


def _noise(study: Study, fold: Split, first: Floats, seeds: int) -> float:
    means = [float(np.nanmean(first))]
    for number in range(1, seeds):
        found = figures(study.estimator, fold, study.metric, _seeded(study.run, study.run.seed + number))
        means.append(float(np.nanmean(found)))
        if np.array_equal(found, first, equal_nan=True):
            break
    return max(means) - min(means)


def _seeded(run: Run, seed: int) -> Run:
    return replace(run, seed=seed)
