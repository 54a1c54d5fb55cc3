"""How well probabilities foretell a yes or no: discrimination and calibration, each with a clustered bootstrap interval.

Arrays in, numbers out; knows no model. Cases that share a cluster (pairs that share a product) are resampled together:
they are not independent, and an interval that forgot this would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.evaluation.bootstrap import Interval, interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

METRICS: Final = ("auc", "average_precision", "brier", "log_loss", "calibration_error")
HIGHER_IS_BETTER: Final = {
    "auc": True,
    "average_precision": True,
    "brier": False,
    "log_loss": False,
    "calibration_error": False,
}
BINS: Final = 10
EDGE: Final = 1e-9  # probabilities are kept this far from 0 and 1, so that a log loss is finite


@dataclass(frozen=True)
class Measured:
    """Each metric of one model: on all cases, then on each resample; comparable with others of the same Outcomes and seed."""

    values: dict[str, Floats]

    def intervals(self) -> dict[str, Interval]:
        """Every metric with its interval."""
        return {name: interval(values) for name, values in self.values.items()}

    def gain_over(self, other: Measured) -> dict[str, Interval]:
        """How much better than `other` in every metric, positive where better; paired, since the resamples are the same."""
        sign = {name: 1.0 if better else -1.0 for name, better in HIGHER_IS_BETTER.items()}
        return {name: interval(sign[name] * (self.values[name] - other.values[name])) for name in METRICS}


@dataclass(frozen=True)
class Outcomes:
    """`happened` (bool [n]) and the `cluster` of each case: int64 [n], or [n, m] if it belongs to m (a pair to two products).

    A case's weight in a resample is the product of the draws of its clusters (Owen, 2007).
    """

    happened: npt.NDArray[np.bool_]
    cluster: Integers

    def measure(self, probability: Floats, resamples: int = 200, seed: int = 0) -> Measured:
        """Every metric of one model, on all cases and on `resamples` Poisson-weighted resamples of the clusters."""
        scored = _Scored(probability, self.happened)
        names, flat = np.unique(self.cluster, return_inverse=True)
        index = flat.reshape(len(self.happened), -1)
        random = np.random.default_rng(seed)
        rows = [scored.metrics(np.ones(len(index)))]
        rows += [scored.metrics(random.poisson(1.0, len(names)).astype(float)[index].prod(axis=1)) for _ in range(resamples)]
        return Measured({name: np.array([row[name] for row in rows]) for name in METRICS})


class _Scored:
    """Cases sorted by score once, so that a weighted resample costs a few cumulative sums and no sorting."""

    def __init__(self, probability: Floats, happened: npt.NDArray[np.bool_]) -> None:
        self.order = np.argsort(-probability, kind="stable")
        self.p = np.clip(probability[self.order], EDGE, 1 - EDGE)
        self.y = happened[self.order].astype(float)
        self.last_of_tie = np.append(probability[self.order][1:] != probability[self.order][:-1], True)
        self.bin = np.minimum((np.argsort(np.argsort(self.p, kind="stable")) * BINS) // max(len(self.p), 1), BINS - 1)

    def metrics(self, weight: Floats) -> dict[str, float]:
        """Weighted metrics; equal scores count half in the AUC and stand as one threshold in the average precision."""
        w = weight[self.order]
        hits, misses = np.cumsum(w * self.y)[self.last_of_tie], np.cumsum(w * (1 - self.y))[self.last_of_tie]
        total = float(w.sum())
        if total == 0:
            return dict.fromkeys(METRICS, float("nan"))
        ranked = hits[-1] > 0 and misses[-1] > 0  # one class alone has no ranking
        sensitivity, fallout = (np.append(0.0, each / each[-1] if ranked else each * np.nan) for each in (hits, misses))
        precision = hits / np.maximum(hits + misses, EDGE)
        gap = np.abs(np.bincount(self.bin, w * (self.p - self.y), BINS)).sum() / total
        losses = -(self.y * np.log(self.p) + (1 - self.y) * np.log1p(-self.p))
        return {
            "auc": float(np.sum(np.diff(fallout) * (sensitivity[1:] + sensitivity[:-1]) / 2)),
            "average_precision": float(np.sum(np.diff(sensitivity) * precision)),
            "brier": float(np.sum(w * (self.p - self.y) ** 2) / total),
            "log_loss": float(np.sum(w * losses) / total),
            "calibration_error": float(gap),
        }
