"""A figure with its 95% interval, and the paired comparison of two models on the same resamples.

Cases are resampled by cluster with Poisson(1) weights, the bootstrap of unknown sample size: every cluster is drawn on its own,
so models that are measured with one seed see the same draws and their differences are paired.

Source: Owen and Eckles, Bootstrapping data arrays of arbitrary order (2012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

_CHUNK: Final = 64  # resamples multiplied at once


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its 95% interval; all NaN where it is not defined (one class only)."""

    value: float
    low: float
    high: float


def interval(values: Floats) -> Interval:
    """The first value is the estimate, the others its bootstrap, of which the 2.5% and 97.5% quantiles are the ends."""
    if not np.isfinite(values[0]):
        return Interval(float("nan"), float("nan"), float("nan"))
    found = values[1:][~np.isnan(values[1:])]
    if not len(found):
        return Interval(float(values[0]), float("nan"), float("nan"))
    ends = [0.025, 0.975]
    if np.isfinite(found).all():
        low, high = np.quantile(found, ends)
    else:  # between a number and infinity there is nothing
        low, high = np.quantile(found, ends, method="nearest")
    return Interval(float(values[0]), float(low), float(high))


def case_weights(cluster: Integers, resamples: int, seed: int) -> Floats:
    """float64 [1 + resamples, cases]: all ones, then a Poisson(1) draw per cluster and resample. 8 bytes a number.

    Where `cluster` is [cases, m], a case of m clusters (a pair of two texts) weighs the product of their draws (Owen, The
    pigeonhole bootstrap, 2007).
    """
    names, flat = np.unique(cluster, return_inverse=True)
    index = flat.reshape(len(cluster), -1)
    drawn = np.random.default_rng(seed).poisson(1.0, (resamples, len(names)))
    weights = np.ones((1 + resamples, len(cluster)))
    for side in index.T:
        weights[1:] *= drawn[:, side]
    return weights


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of the clusters of some cases: `times` uint8 [resamples, clusters], `index` int64 [cases].

    Those of `case_weights` by one seed, at a byte a cluster and resample, so that many figures of many cases share them.
    """

    times: npt.NDArray[np.uint8]
    index: Integers

    @classmethod
    def of(cls, cluster: Integers, resamples: int = 500, seed: int = 0) -> Draws:
        """Draw every cluster Poisson(1) times in each resample."""
        names, index = np.unique(cluster, return_inverse=True)
        random = np.random.default_rng(seed)
        rows = [random.poisson(1.0, len(names)).astype(np.uint8) for _ in range(resamples)]
        return cls(np.array(rows, dtype=np.uint8).reshape(resamples, len(names)), index.reshape(-1))

    def totals(self, values: Floats) -> Floats:
        """float64 [1 + resamples, columns]: the sum of each column of `values` [cases, columns], on all cases first."""
        sums = np.zeros((self.times.shape[1], values.shape[1]))
        np.add.at(sums, self.index, values)
        parts = [sums.sum(axis=0, keepdims=True)]
        parts += [self.times[at : at + _CHUNK].astype(np.float64) @ sums for at in range(0, len(self.times), _CHUNK)]
        return np.concatenate(parts)

    def means(self, figures: Mapping[str, Floats]) -> Resampled:
        """The mean of each figure over the cases where it is not NaN; NaN on a resample without such a case."""
        if not figures:
            return Resampled({})
        table = np.column_stack(list(figures.values()))
        known = ~np.isnan(table)
        sums, counts = self.totals(np.where(known, table, 0.0)), self.totals(known.astype(np.float64))
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        return Resampled(dict(zip(figures, means.T, strict=True)))


@dataclass(frozen=True)
class Resampled:
    """Figures of one model by name: on all cases first, then on each resample. Higher is better in all of them.

    Comparable with those of another model on the same cases, clusters and seed.
    """

    values: Mapping[str, Floats]

    def interval(self, name: str) -> Interval:
        """One figure."""
        return interval(self.values[name])

    def gain_over(self, other: Resampled, name: str) -> Interval:
        """How much better than `other`: ours - theirs, paired."""
        return interval(self.values[name] - other.values[name])

    def ratio_to(self, other: Resampled, name: str) -> Interval:
        """How many times as good as `other`: ours / theirs, paired. NaN where theirs is 0 on all cases.

        A resample in which theirs alone is 0 counts as infinite, so an end may be; one in which both are 0 says nothing.
        """
        ours, theirs = self.values[name], other.values[name]
        nothing = np.where(ours > 0, np.inf, np.nan)
        return interval(np.divide(ours, theirs, out=nothing, where=theirs != 0))
