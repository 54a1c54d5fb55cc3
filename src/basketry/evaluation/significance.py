"""Several models on the same queries: every difference with its interval, and a p-value corrected for how many were compared.

The difference of two models is the mean of their paired differences d. Its interval is the bootstrap's (see `bootstrap`). Its p
is that of the paired randomisation test: were the two alike, each cluster's d might as well have had the other sign, so

    p = the share of assignments of signs s for which |sum of s d| >= |sum of d|

over all 2^m of them where m <= 12 clusters differ at all, else over random ones, (1 + those as extreme) / (1 + draws). Holm's
correction makes it safe to look at all pairs: sorted p_1 <= ... <= p_c, corrected max over i <= j of min(1, (c - i + 1) p_i).

Sources: Smucker, Allan and Carterette, A comparison of statistical significance tests for information retrieval evaluation
(2007); Holm, A simple sequentially rejective multiple test procedure (1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.evaluation.bootstrap import Draws, Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

EXACT: Final = 12  # clusters that differ; 4,096 assignments of signs
_CELLS: Final = 4_000_000  # signs held at once
_TIE: Final = 1e-10  # sums of the same numbers in another order are equal


@dataclass(frozen=True)
class Difference:
    """How much better `first` is than `second` on `n` queries: the gain with its interval, p, and p after Holm's correction."""

    first: str
    second: str
    gain: Interval
    p: float
    corrected: float
    n: int

    def rows(self, metric: str, slice: str = "all") -> list[dict[str, object]]:
        """Rows of Metrics: `METRIC gain` with its interval, and `METRIC gain p`, after the correction, without one."""
        common: dict[str, object] = {"model": f"{self.first} over {self.second}", "slice": slice, "n": self.n}
        gain = {"metric": f"{metric} gain", "value": self.gain.value, "low": self.gain.low, "high": self.gain.high}
        return [common | gain, common | {"metric": f"{metric} gain p", "value": self.corrected, "low": None, "high": None}]


@dataclass(frozen=True)
class Significance:
    """`resamples` for intervals, `draws` of signs where not all are tried, and the seed of both.

    With 10,000 draws the least p is 1e-4, and one of .05 is known to .005. Cost: a random bit a cluster and draw, and two
    operations a model beside; some two seconds for 20,000 clusters and ten models.
    """

    resamples: int = 500
    draws: int = 10_000
    seed: int = 0

    def compare(self, figures: Mapping[str, Floats], cluster: Integers) -> tuple[Difference, ...]:
        """All pairs of models, in the order given, on the queries where no figure is NaN.

        `figures` gives each model's float64 [queries]; queries of one `cluster` swap signs and are resampled together.
        Raises RequestError if their lengths differ.
        """
        names = list(figures)
        if any(len(values) != len(cluster) for values in figures.values()):
            raise RequestError("figures of models on different queries", "rank the same queries with each model")
        if len(names) < 2:
            return ()
        table = np.column_stack([figures[name] for name in names])
        known = ~np.isnan(table).any(axis=1)
        table, cluster = table[known], cluster[known]
        pairs = list(combinations(range(len(names)), 2))
        gains = Draws.of(cluster, self.resamples, self.seed).means(
            {f"{a} {b}": table[:, a] - table[:, b] for a, b in pairs},
        )
        p = self._randomised(_by_cluster(table, cluster), pairs)
        corrected = holm(p)
        return tuple(
            Difference(names[a], names[b], gains.interval(f"{a} {b}"), float(p[at]), float(corrected[at]), len(table))
            for at, (a, b) in enumerate(pairs)
        )

    def _randomised(self, sums: Floats, pairs: list[tuple[int, int]]) -> Floats:
        """The p of each pair, of figures summed by cluster: float64 [clusters, models]."""
        first, second = np.array(pairs).T
        p, many = np.empty(len(pairs)), np.zeros(len(pairs), dtype=np.bool_)
        for at in range(len(pairs)):
            d = sums[:, first[at]] - sums[:, second[at]]
            d = d[np.abs(d) > _TIE]
            many[at] = len(d) > EXACT
            if not many[at]:
                signs = 1.0 - 2.0 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
                p[at] = np.mean(np.abs(signs @ d) >= np.abs(d.sum()) - _TIE)
        if many.any():
            random = np.random.default_rng(self.seed)
            observed = np.abs(sums.sum(axis=0)[first] - sums.sum(axis=0)[second])
            extreme = np.zeros(len(pairs))
            step = max(1, _CELLS // len(sums))
            for at in range(0, self.draws, step):
                signs = _signs(random, min(step, self.draws - at), len(sums))
                drawn = signs @ sums  # the models share their signs: the difference of two is that of their sums
                extreme += (np.abs(drawn[:, first] - drawn[:, second]) >= observed - _TIE).sum(axis=0)
            p[many] = ((1 + extreme) / (1 + self.draws))[many]
        return p


def holm(p: Floats) -> Floats:
    """p-values corrected so that a false claim among all has the chance of the level, whatever hangs together."""
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, (len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return corrected


def _by_cluster(table: Floats, cluster: Integers) -> Floats:
    names, index = np.unique(cluster, return_inverse=True)
    sums = np.zeros((len(names), table.shape[1]))
    np.add.at(sums, index.reshape(-1), table)
    return sums


def _signs(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """-1 or 1, a random bit each."""
    bits = np.unpackbits(np.frombuffer(random.bytes((rows * columns + 7) // 8), dtype=np.uint8), count=rows * columns)
    return 1.0 - 2.0 * bits.reshape(rows, columns).astype(np.float64)
