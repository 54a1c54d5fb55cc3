"""What rankers are worth on one exam: accuracy and all that is beside it, by slice, with intervals, beside simple baselines.

Every query is ranked among all products. Metrics over a sample of products are not offered: of few negatives all of them
approach the AUC, they order models otherwise than the full ranking does, and no correction mends that without much noise
(Krichene and Rendle, On sampled metrics for item recommendation, KDD 2020). Ranking is done in parts, so memory holds the
scores of a few queries, 64 MB of them, and a few figures of each query, never a number for each query and product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.evaluation.bootstrap import Draws, Interval
from basketry.evaluation.lists import Products, coverage, exposure, gini
from basketry.evaluation.retrieval import METRICS, Questions
from basketry.evaluation.significance import Difference, Significance

if TYPE_CHECKING:
    import dataframely as dy
    from scipy.sparse import csr_array

    from basketry.core.histories import Floats, Int32s, Int64s
    from basketry.core.protocols import Ranker, Run, Vectors
    from basketry.core.tables import Metrics
    from basketry.recommendation.protocols import Split
    from basketry.recommendation.rankers import RankerEstimator

BASELINES: Final = ("popularity", "popularity of 7 days", "item-item", "transitions", "reorder frequency")
SLICES: Final = ("all", "cold customer", "unseen customer", "cold product", "unsold product", "new to customer")


@dataclass(frozen=True, eq=False)
class Described:
    """What is known of products beside their sales: `vectors` float32 [n, d] for diversity, `category` int [n], -1 unknown."""

    vectors: Vectors | None = None
    category: Int32s | None = None


@dataclass(frozen=True)
class Exam:
    """How to measure: lists of `ks` places, the last of which is that of the figures that are no accuracy.

    A customer is cold with fewer than `few` events in the question, a product with fewer than that many in the training.
    """

    ks: tuple[int, ...] = (10,)
    few: int = 5
    compared_by: str = "ndcg"
    significance: Significance = field(default_factory=Significance)
    chunk: int = 1_024  # queries ranked at once, at most

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 1 or list(self.ks) != sorted(self.ks) or self.few < 1 or self.chunk < 1:
            raise RequestError(
                f"an exam of ks {self.ks}, few {self.few}, chunk {self.chunk}", "ks rise from 1, few and chunk start at 1"
            )
        if self.compared_by not in METRICS:
            raise RequestError(f"models cannot be compared by {self.compared_by!r}", f"use one of {', '.join(METRICS)}")


@dataclass(frozen=True, eq=False)
class Assessment:
    """Rows of Metrics, all differences of two models by one metric, and the digests of the exams they answer."""

    metrics: dy.DataFrame[Metrics]
    differences: tuple[Difference, ...]
    compared_by: str
    splits: tuple[tuple[str, str], ...]  # name and digest

    def figure(self, metric: str, model: str, slice: str = "all") -> Interval:
        """One figure and the ends of its interval. Raises RequestError if it was not measured."""
        import polars as pl

        found = self.metrics.filter((pl.col("metric") == metric) & (pl.col("model") == model) & (pl.col("slice") == slice))
        if not len(found):
            raise RequestError(f"{metric} of {model} on {slice} was not measured", "take metric, model and slice from metrics")
        return Interval(*(float("nan") if each is None else each for each in found.select("value", "low", "high").row(0)))


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model did on one exam: figures by slice and name, float64 [queries], NaN where not asked; and its exposure."""

    figures: Mapping[tuple[str, str], Floats]
    shown: Floats


def baselines(repeats: bool) -> dict[str, RankerEstimator]:
    """What every report holds beside the models: see BASELINES, the last of which needs that purchases may repeat."""
    from basketry.recommendation.item_neighbours import ItemNeighbours
    from basketry.recommendation.popularity import Popularity
    from basketry.recommendation.recency import Recency
    from basketry.recommendation.reorder import Reorder
    from basketry.recommendation.transitions import Transitions

    made = (Popularity(), Popularity(window_days=7), ItemNeighbours(), Transitions(repeats=repeats), Reorder(Recency()))
    return dict(zip(BASELINES if repeats else BASELINES[:-1], made, strict=False))


def assess(
    rankers: Mapping[str, Ranker],
    split: Split,
    run: Run,
    exam: Exam | None = None,
    described: Described | None = None,
    simple: Mapping[str, RankerEstimator] | None = None,
) -> Assessment:
    """Measure models fitted on `split.train`, and the baselines, which are fitted here.

    Metrics are those of `evaluation.retrieval` and `evaluation.lists` at each of `ks`. Slices with a case in them:

        all                every query
        cold customer      those asked with fewer than `few` events
        unseen customer    those whose customer is not in the training
        cold product       answers with fewer than `few` events in the training, all others taken out
        unsold product     answers never sold in the training, all others taken out
        new to customer    answers the history does not hold, ranked without what it holds; told where `repeats`

    Intervals are resampled by customer; coverage and Gini have none. The same draws serve all models. `simple` gives baselines
    other hyperparameters, under their names. Raises RequestError for a model called like a baseline or of another catalogue,
    and for a split without an answer. Cost: ranking, and half a second a model for 20,000 queries.
    """
    return _reported([split], lambda _: rankers, run, exam or Exam(), described or Described(), simple or {})


def assess_rolling(
    estimators: Mapping[str, RankerEstimator],
    splits: Sequence[Split],
    run: Run,
    exam: Exam | None = None,
    described: Described | None = None,
    simple: Mapping[str, RankerEstimator] | None = None,
) -> Assessment:
    """The same over several exams, such as `rolling_splits`: each estimator is fitted anew for each.

    Figures are means over the questions of all exams; those of one customer are resampled together. All exams must be made of
    the same histories, and all allow repeats or none.
    """

    def fitted(split: Split) -> dict[str, Ranker]:
        return {name: each.fit(split.train, run) for name, each in estimators.items()}

    return _reported(splits, fitted, run, exam or Exam(), described or Described(), simple or {})


def answered(ranker: Ranker, split: Split, exam: Exam, described: Described) -> Answers:
    """Rank every query of an exam and measure each list."""
    k, n = max(exam.ks), split.train.n_products
    counts = np.bincount(split.train.products, minlength=n).astype(np.float64)
    products = Products(counts, described.vectors, described.category)
    slices = {name: relevant for name, relevant in _slices(split, exam).items() if relevant.nnz}
    fresh = split.new_to_customer() if split.repeats else None
    shown = np.zeros(n)
    parts: dict[tuple[str, str], list[Floats]] = {}

    def put(name: str, relevant: csr_array, ranked: Int64s) -> None:
        for metric, values in Questions(relevant, np.arange(len(ranked))).per_query(ranked, exam.ks).items():
            parts.setdefault((name, metric), []).append(values)

    with span("ranking", total=len(split.queries), unit="queries") as progress:
        for rows in split.parts(exam.chunk):
            queries = split.queries.select(rows)
            ranked = ranker.rank(queries, k, split.candidates).products.astype(np.int64)
            shown += exposure(ranked, n)
            history = queries.histories
            for metric, values in products.per_query(ranked, history.indptr, history.products).items():
                parts.setdefault(("all", f"{metric}@{k}"), []).append(values)
            for name, relevant in slices.items():
                put(name, relevant[rows], ranked)
            if fresh is not None and fresh.nnz:
                discovered = ranker.rank(queries, k, replace(split.candidates, repeats=False)).products.astype(np.int64)
                put("new to customer", fresh[rows], discovered)
            progress.advance(len(rows))
    return Answers({key: np.concatenate(values) for key, values in parts.items()}, shown)


def _slices(split: Split, exam: Exam) -> dict[str, csr_array]:
    """What is relevant in each slice; a query with nothing relevant is outside of it."""
    return {
        "all": split.relevant,
        "cold customer": split.asked_by(split.cold_customers(exam.few)),
        "unseen customer": split.asked_by(split.unseen_customers()),
        "cold product": split.only(split.cold_products(exam.few)),
        "unsold product": split.only(split.cold_products(1)),
    }


def _reported(
    splits: Sequence[Split],
    models: Callable[[Split], Mapping[str, Ranker]],
    run: Run,
    exam: Exam,
    described: Described,
    simple: Mapping[str, RankerEstimator],
) -> Assessment:
    import polars as pl

    from basketry.core.tables import Metrics

    if not splits or len({split.repeats for split in splits}) > 1 or not any(split.relevant.nnz for split in splits):
        raise RequestError(
            "no exam with an answer, or exams of two kinds", "give splits with answers, all with repeats or none"
        )
    answers: dict[str, list[Answers]] = {}
    for split in splits:
        for name, ranker in {**_checked(models(split), split), **_simple(split, simple, run)}.items():
            answers.setdefault(name, []).append(answered(ranker, split, exam, described))
    customers = np.concatenate([split.customers for split in splits])
    draws = Draws.of(customers, exam.significance.resamples, exam.significance.seed)
    compared_by = f"{exam.compared_by}@{max(exam.ks)}"
    rows: list[dict[str, object]] = []
    judged: dict[str, Floats] = {}
    for name, each in answers.items():
        figures = _pooled(each, [len(split.queries) for split in splits])
        judged[name] = figures["all", compared_by]
        rows += _rows(name, figures, draws)
        for metric, measure in (("coverage", coverage), ("gini", gini)):
            value = _or_none(float(np.mean([measure(answer.shown) for answer in each])))
            at = {"metric": f"{metric}@{max(exam.ks)}", "model": name, "slice": "all", "n": len(customers)}
            rows.append({**at, "value": value, "low": None, "high": None})
    differences = exam.significance.compare(judged, customers)
    rows += [row for each in differences for row in each.rows(compared_by)]
    table = Metrics.validate(pl.DataFrame(rows, infer_schema_length=None), cast=True)
    return Assessment(table, differences, compared_by, tuple((split.name, split.digest) for split in splits))


def _simple(split: Split, instead: Mapping[str, RankerEstimator], run: Run) -> dict[str, Ranker]:
    """The baselines, fitted."""
    unknown = sorted(set(instead) - set(BASELINES))
    if unknown:
        raise RequestError(f"{unknown[0]!r} is no baseline", f"the baselines are {', '.join(BASELINES)}")
    return {name: instead.get(name, each).fit(split.train, run) for name, each in baselines(split.repeats).items()}


def _checked(rankers: Mapping[str, Ranker], split: Split) -> Mapping[str, Ranker]:
    for name, ranker in rankers.items():
        if name in BASELINES:
            raise RequestError(f"{name!r} is the name of a baseline, which every report holds", "call the model otherwise")
        if ranker.n_products != split.train.n_products:
            raise RequestError(
                f"{name!r} knows {ranker.n_products} products, the split {split.train.n_products}",
                "fit the model on the training of this split",
            )
    return rankers


def _pooled(each: Sequence[Answers], sizes: Sequence[int]) -> dict[tuple[str, str], Floats]:
    """The figures of several exams one after another, NaN where an exam had no such slice."""
    keys: Iterable[tuple[str, str]] = dict.fromkeys(key for answers in each for key in answers.figures)
    return {
        key: np.concatenate(
            [answers.figures.get(key, np.full(size, np.nan)) for answers, size in zip(each, sizes, strict=True)]
        )
        for key in keys
    }


def _rows(model: str, figures: Mapping[tuple[str, str], Floats], draws: Draws) -> list[dict[str, object]]:
    """A row of Metrics for each figure, but for those of a slice nobody is in."""
    named = {"\n".join(key): values for key, values in figures.items() if not np.isnan(values).all()}
    resampled = draws.means(named)
    rows = []
    for key, values in named.items():
        slice, metric = key.split("\n")
        found = resampled.interval(key)
        rows.append(
            {
                "metric": metric,
                "model": model,
                "slice": slice,
                "value": found.value,
                "low": _or_none(found.low),
                "high": _or_none(found.high),
                "n": int((~np.isnan(values)).sum()),
            }
        )
    return rows


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
