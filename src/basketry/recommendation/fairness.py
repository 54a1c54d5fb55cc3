"""Who is shown and who is served well: exposure and quality by groups of products and of customers.

A product at rank r of a list has the exposure 1 / log2(1 + r), that of nDCG. Of a group of products (a provider, a price band):

    exposure share      its exposure in all lists over that of all products
    catalogue share     its products over all products
    sales share         its events in the training over all events
    exposure gap        exposure share - sales share; and exposure gap to catalogue, - catalogue share
    ndcg, ndcg gap      of the queries it answers, other groups' answers taken out; minus that of all other groups

Of a group of customers: ndcg, and ndcg gap to all other customers. Intervals are resampled by customer, the two sides of a gap
by the same draws. Which gap is unfair is for people to say; the figures tell how large it is and whether it could be chance.

Source: Singh and Joachims, Fairness of exposure in rankings (KDD 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.evaluation.bootstrap import Draws, Interval, interval
from basketry.evaluation.retrieval import Questions

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.core.histories import Bools, Floats, Int32s, Int64s
    from basketry.core.protocols import Ranker
    from basketry.core.tables import Metrics
    from basketry.recommendation.protocols import Split


@dataclass(frozen=True, eq=False)
class Groups:
    """Products, or customers, in groups: `of` int32 [n], a place in `names`, or -1 for none; `kind` such as "provider".

    Customers are those of the histories that the split was made of. Raises RequestError for a number that names no group.
    """

    kind: str
    of: Int32s
    names: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.of) and not (self.of.min() >= -1 and self.of.max() < len(self.names)):
            raise RequestError(f"a group of {self.kind} has no name", "number groups as their names stand, from 0; -1 is none")


@dataclass(frozen=True)
class Audit:
    """How to measure: lists of `k` places, `resamples` by `seed`, at most `chunk` queries ranked at once."""

    k: int = 10
    resamples: int = 500
    seed: int = 0
    chunk: int = 1_024

    def products(self, name: str, ranker: Ranker, split: Split, groups: Groups) -> dy.DataFrame[Metrics]:
        """Exposure and quality of each group of products, as rows of Metrics of model `name` and slice `KIND=GROUP`."""
        _fits(groups, split.train.n_products, "products")
        ranked = self._ranked(ranker, split)
        draws = Draws.of(split.customers, self.resamples, self.seed)
        size = len(groups.names)
        shown = draws.totals(group_exposure(ranked, groups.of, size))
        total = shown.sum(axis=1, keepdims=True)
        share = np.divide(shown, total, out=np.full_like(shown, np.nan), where=total > 0)
        catalogue, sales = _shares(groups.of, size), _shares(groups.of[split.train.products], size)
        rows: list[dict[str, object]] = []
        for group, label in enumerate(groups.names):
            at = {"model": name, "slice": f"{groups.kind}={label}", "n": len(split.queries)}
            figures = {
                "exposure share": interval(share[:, group]),
                "catalogue share": Interval(float(catalogue[group]), np.nan, np.nan),
                "sales share": Interval(float(sales[group]), np.nan, np.nan),
                "exposure gap": interval(share[:, group] - sales[group]),
                "exposure gap to catalogue": interval(share[:, group] - catalogue[group]),
            }
            rows += [at | _row(metric, found) for metric, found in figures.items()]
            ours, others = (self._ndcg(split, ranked, side) for side in (groups.of == group, groups.of != group))
            rows += self._quality(at, ours, others, draws)
        return _table(rows)

    def customers(self, name: str, ranker: Ranker, split: Split, groups: Groups) -> dy.DataFrame[Metrics]:
        """Quality for each group of customers, as rows of Metrics."""
        _fits(groups, len(split.train), "customers")
        ranked = self._ranked(ranker, split)
        draws = Draws.of(split.customers, self.resamples, self.seed)
        ndcg = self._ndcg(split, ranked, np.ones(split.train.n_products, dtype=np.bool_))
        rows: list[dict[str, object]] = []
        for group, label in enumerate(groups.names):
            inside = groups.of[split.customers] == group
            at = {"model": name, "slice": f"{groups.kind}={label}", "n": 0}
            rows += self._quality(at, np.where(inside, ndcg, np.nan), np.where(inside, np.nan, ndcg), draws)
        return _table(rows)

    def _quality(self, at: dict[str, object], ours: Floats, others: Floats, draws: Draws) -> list[dict[str, object]]:
        found = draws.means({"ours": ours, "others": others})
        at = at | {"n": int((~np.isnan(ours)).sum())}
        gap = interval(found.values["ours"] - found.values["others"])
        return [at | _row(f"ndcg@{self.k}", found.interval("ours")), at | _row(f"ndcg@{self.k} gap", gap)]

    def _ranked(self, ranker: Ranker, split: Split) -> Int64s:
        """int64 [queries, k]."""
        parts = [np.empty((0, self.k), dtype=np.int64)]
        with span("ranking", total=len(split.queries), unit="queries") as progress:
            for rows in split.parts(self.chunk):
                parts.append(ranker.rank(split.queries.select(rows), self.k, split.candidates).products.astype(np.int64))
                progress.advance(len(rows))
        return np.concatenate(parts)

    def _ndcg(self, split: Split, ranked: Int64s, products: Bools) -> Floats:
        return Questions(split.only(products), split.customers).per_query(ranked, (self.k,))[f"ndcg@{self.k}"]


def group_exposure(ranked: Int64s | Int32s, of: Int32s, groups: int) -> Floats:
    """float64 [queries, groups]: the exposure of each group in each list; products of no group count for none."""
    label = np.where(ranked >= 0, of[np.where(ranked >= 0, ranked, 0)], -1)
    query, rank = np.nonzero(label >= 0)
    cells = np.bincount(query * groups + label[query, rank], 1 / np.log2(2.0 + rank), len(ranked) * groups)
    return cells.astype(np.float64).reshape(len(ranked), groups)


def _shares(labels: Int32s, groups: int) -> Floats:
    """The share of each group among what belongs to any, as an exposure share is."""
    counts = np.bincount(labels[labels >= 0], minlength=groups).astype(np.float64)
    return counts / counts.sum() if counts.sum() else np.full(groups, np.nan)


def _fits(groups: Groups, n: int, what: str) -> None:
    if len(groups.of) != n:
        raise RequestError(f"{len(groups.of)} groups of {groups.kind} for {n} {what}", f"give one for each of the {what}")


def _row(metric: str, found: Interval) -> dict[str, object]:
    value, low, high = (float(each) if np.isfinite(each) else None for each in (found.value, found.low, found.high))
    return {"metric": metric, "value": value, "low": low, "high": high}


def _table(rows: list[dict[str, object]]) -> dy.DataFrame[Metrics]:
    import polars as pl

    from basketry.core.tables import Metrics

    return Metrics.validate(pl.DataFrame(rows, schema=Metrics.create_empty().schema), cast=True)
