"""Whether a ranker's reasons are its reasons: take away what they name, and the product must fall.

Of each query the first product is explained, and the products of the history are ordered by what they are said to have brought.
With n of them,

    deletion = mean over m = 1..n of 1 / (rank of the product once the first m are gone)                lower is better
    insertion = mean over m = 0..n-1 of 1 / (rank of the product with the first m alone)                higher is better
    pos@k = mean over m = 1..n of (the product is among the first k once the first m are gone)          lower is better

Ranks, not scores, so that the figures of two models compare, and a model that rescales all scores gains nothing by it. The same
is measured for random orders and for the order of similarity: the cosine of each history product's vector with the product's.
Of a ranker that calls its evidence exact, |events + rest - score| / |score| is its contribution error. Reasons are trusted
where deletion is below both, each by an interval of the paired difference that excludes 0, no contribution error is above 1e-6
and all counterfactuals are valid. Histories of one product have one order only and are left out.

A long history is asked at some m alone, drawn from 1..n, one from each of `steps` equal parts of it: each curve's mean is
expected to be that over all m, and so is every difference, as all orders are asked at the same m.

Sources: Barkan et al., A counterfactual framework for learning and evaluating explanations for recommender systems (2024), for
pos@k and insertion; Petsiuk, Das and Saenko, RISE (2018), for deletion and insertion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.core.telemetry import span
from basketry.evaluation.bootstrap import Interval, case_weights, interval
from basketry.recommendation.reasons.attribution import Attribution
from basketry.recommendation.reasons.counterfactuals import counterfactual
from basketry.recommendation.reasons.deletions import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from basketry.core.histories import Evidence, Floats, Int64s, Queries, Rankings
    from basketry.core.protocols import Ranker, Run, Vectors
    from basketry.recommendation.reasons.deletions import Asked

MOST_ERROR: Final = 1e-6  # of a score, by which exact contributions may miss it
FIGURES: Final = {  # names in Metrics
    "deletion": "deletion auc",
    "insertion": "insertion auc",
    "counterfactual_found": "counterfactual found",
    "counterfactual_valid": "counterfactual validity",
    "counterfactual_size": "counterfactual size",
    "contribution_error": "contribution error",
}
ORDERS: Final = ("attributed", "random", "similarity")
FEWEST_CASES: Final = 30  # of fewer an interval says little


class Attributes(Protocol):
    """What says what each event brought: an `Attribution`, or a way of your own."""

    def evidence(self, ranker: Any, queries: Queries, rankings: Rankings, run: Run, /) -> Evidence:
        """What each event of `queries` did for each product of `rankings`."""
        ...


@dataclass(frozen=True, eq=False)
class Faithful:
    """Figures of each case, float64 [cases], by name; what they come to; and whether reasons of this model may be shown.

    Names: `deletion`, `insertion` and `pos@k` of the attributed order, and with `:random` or `:similarity` of the others;
    `counterfactual_found`, and of those found `counterfactual_valid` and `counterfactual_size`, the share of the history that
    must go (NaN where none was found or looked for); `contribution_error`, the worst of each list (NaN of evidence that is not
    exact).
    """

    cases: Mapping[str, Floats]
    weights: Floats

    def interval(self, name: str) -> Interval:
        """The mean of one figure over its cases."""
        return interval(_means(self.cases[name], self.weights))

    def gain(self, curve: str, over: str) -> Interval:
        """How much better the attributed order is than another, paired: above 0 is better, whichever way the curve goes."""
        ours, theirs = self.cases[curve], self.cases[f"{curve}:{over}"]
        return interval(_means(ours - theirs if curve == "insertion" else theirs - ours, self.weights))

    @property
    def against_trust(self) -> tuple[str, ...]:
        """What speaks against showing reasons of this model; nothing where they are trusted."""
        n = self.weights.shape[1]
        against = [] if n >= FEWEST_CASES else [f"measured on {n} histories, fewer than {FEWEST_CASES}"]
        for over in ORDERS[1:]:
            if f"deletion:{over}" in self.cases and not self.gain("deletion", over).low > 0:
                against.append(f"deletion is not better than by {over} order")
        if (self.cases["counterfactual_valid"] < 1).any():
            against.append("a counterfactual is not valid")
        if (self.cases["contribution_error"] > MOST_ERROR).any():
            against.append(f"contributions miss the score by {np.nanmax(self.cases['contribution_error']):.1e} of it")
        return tuple(against)

    @property
    def trusted(self) -> bool:
        """Whether a reason of this model earns to be shown."""
        return not self.against_trust

    def frame(self, model: str, part: str = "all") -> pl.DataFrame:
        """Rows of Metrics: every figure, every gain as `deletion auc gain:random` and so on, and `trusted` as 1 or 0."""
        import polars as pl

        from basketry.core.tables import Metrics

        rows = [(_figure(name), self.interval(name), int(np.isfinite(values).sum())) for name, values in self.cases.items()]
        n = self.weights.shape[1]
        for name in self.cases:
            curve, _, over = name.partition(":")
            if over:
                rows.append((f"{_figure(curve)} gain:{over}", self.gain(curve, over), n))
        trusted = float(self.trusted)
        rows.append(("trusted", Interval(trusted, trusted, trusted), n))
        table = pl.DataFrame(
            [(name, model, part, each.value, each.low, each.high, cases) for name, each, cases in rows],
            schema=["metric", "model", "slice", "value", "low", "high", "n"],
            orient="row",
        ).with_columns(pl.col("value", "low", "high").fill_nan(None))
        return Metrics.validate(table, cast=True)


@dataclass(frozen=True)
class Fidelity:
    """How fidelity is measured: on `cases` queries drawn by the seed, with `orders` random orders each, `k` for pos and lists.

    Cost: 2 m (orders + 2) scorings of the catalogue a query, m being the products in its history, `steps` at most (0: all of
    them); and a counterfactual for each of the first `counterfactuals` queries, found by halving in some 2 log2 n rankings.
    """

    cases: int = 300
    orders: int = 5
    k: int = 5
    resamples: int = 500
    steps: int = 0
    counterfactuals: int = 300

    def measure(
        self,
        ranker: Ranker,
        queries: Queries,
        run: Run,
        attribution: Attributes | None = None,
        candidates: Candidates | None = None,
        vectors: Vectors | None = None,
    ) -> Faithful:
        """Measure the reasons that `attribution` gives for `ranker`; without product `vectors`, not against similarity.

        `attribution` is the ranker's own, `candidates` everything new, unless given. Raises RequestError where no query has two
        products in its history and a product to explain.
        """
        attribution, candidates = attribution or Attribution(), candidates or Candidates()
        if candidates.allowed is not None and candidates.allowed.ndim == 2:
            raise RequestError("fidelity is measured on the same candidates for all", "give allowed as bool [n_products]")
        random = np.random.default_rng(run.seed)
        chosen = queries.select(self._drawn(queries, random))
        rankings = ranker.rank(chosen, self.k, candidates)
        evidence = attribution.evidence(ranker, chosen, rankings, run)
        measured: list[dict[str, float]] = []
        with span("fidelity", total=len(chosen), unit="histories") as progress:
            for row in range(len(chosen)):
                if rankings.products[row, 0] >= 0:
                    asked = ask(ranker, chosen, row, candidates, by="product")
                    case = self._case(asked, rankings, evidence, row, vectors, random)
                    measured.append(case | {"contribution_error": _error(asked, rankings, evidence, row)})
                progress.advance()
        if not measured:
            raise RequestError("no query has two products in its history and a first product", "give longer histories")
        figures = {name: np.array([case[name] for case in measured]) for name in measured[0]}
        return Faithful(figures, case_weights(np.arange(len(measured)), self.resamples, run.seed))

    def _drawn(self, queries: Queries, random: np.random.Generator) -> Int64s:
        histories = queries.histories
        rows, products = histories.rows, histories.products
        other = products != products[histories.indptr[rows]]  # than the first of its history
        able = np.flatnonzero(np.bincount(rows, other, minlength=len(histories)))
        return random.permutation(able)[: self.cases]

    def _case(
        self,
        asked: Asked,
        rankings: Rankings,
        evidence: Evidence,
        row: int,
        vectors: Vectors | None,
        random: np.random.Generator,
    ) -> dict[str, float]:
        """Every figure of one query."""
        history = asked.query.histories.products
        product, n = int(rankings.products[row, 0]), asked.n_parts
        brought = np.bincount(asked.part, weights=evidence.of(row, 0, len(history)), minlength=n).astype(np.float64)
        orders = [np.argsort(-brought, kind="stable"), *(random.permutation(n) for _ in range(self.orders))]
        if vectors is not None:
            near = _cosines(vectors[np.unique(history)], vectors[product])
            orders.append(np.argsort(-near, kind="stable"))
        figures: dict[str, float] = {}
        for curve, values in self._curves(asked, product, orders, self._places(n, random)).items():
            figures[curve] = float(values[0])
            figures[f"{curve}:random"] = float(values[1 : 1 + self.orders].mean())
            if vectors is not None:
                figures[f"{curve}:similarity"] = float(values[-1])
        return figures | self._counterfactual(asked, product, brought if row < self.counterfactuals else None)

    def _places(self, n: int, random: np.random.Generator) -> Int64s:
        """How many parts go, from 1 to n, ascending."""
        if not 0 < self.steps < n:
            return np.arange(1, n + 1)
        return 1 + (n * (np.arange(self.steps) + random.random(self.steps)) / self.steps).astype(np.int64)

    def _curves(self, asked: Asked, product: int, orders: list[Int64s], places: Int64s) -> dict[str, Floats]:
        """The areas of each order, float64 [orders]; all are ranked at once, as a ranker asked once is asked cheaply."""
        place = np.argsort(np.stack(orders), axis=1)[:, None]
        kept = np.concatenate([place >= places[:, None], place < places[:, None] - 1], axis=1)
        ranks = asked.ranks(kept.reshape(-1, asked.n_parts), product)
        gone, alone = np.split(ranks.reshape(len(orders), 2 * len(places)), 2, axis=1)
        return {
            "deletion": (1 / gone).mean(axis=1),
            "insertion": (1 / alone).mean(axis=1),
            f"pos@{self.k}": (gone <= self.k).mean(axis=1),
        }

    def _counterfactual(self, asked: Asked, product: int, brought: Floats | None) -> dict[str, float]:
        found = None if brought is None else counterfactual(asked, product, self.k, brought, spare=False)
        if found is None:
            looked = np.nan if brought is None else 0.0
            return {"counterfactual_found": looked, "counterfactual_valid": np.nan, "counterfactual_size": np.nan}
        kept = ~np.isin(asked.part, found.gone)
        without = type(asked.query)(asked.query.histories.where(kept), asked.query.days)
        again = asked.ranker.rank(without, self.k, asked.candidates).products
        return {
            "counterfactual_found": 1.0,
            "counterfactual_valid": float(product not in again),
            "counterfactual_size": len(found.gone) / asked.n_parts,
        }


def _figure(name: str) -> str:
    """What Metrics call a figure of cases, or one of another order."""
    curve, colon, over = name.partition(":")
    return f"{FIGURES.get(curve, curve)}{colon}{over}"


def _error(asked: Asked, rankings: Rankings, evidence: Evidence, row: int) -> float:
    """The worst contribution error of one list; NaN of evidence that is not said to add up."""
    if not evidence.exact:
        return np.nan
    length = len(asked.query.histories.products)
    there = np.flatnonzero(rankings.products[row] >= 0)
    score = rankings.scores[row, there]
    said = np.array([evidence.of(row, rank, length).sum() for rank in there.tolist()]) + evidence.rest[row, there]
    return float(np.max(np.abs(said - score) / np.maximum(np.abs(score), np.finfo(np.float64).tiny)))


def _means(values: Floats, weights: Floats) -> Floats:
    """The mean of the values that are not NaN, once for each row of `weights`."""
    there = np.isfinite(values)
    total = weights[:, there].sum(axis=1)
    means: Floats = np.divide(weights[:, there] @ values[there], total, out=np.full(len(weights), np.nan), where=total > 0)
    return means


def _cosines(vectors: Vectors, other: Vectors) -> Floats:
    """The cosine of each row with `other`, 0 where either is a zero."""
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(other)
    products = (vectors @ other).astype(np.float64)
    cosines: Floats = np.divide(products, norms, out=np.zeros(len(vectors)), where=norms > 0)
    return cosines
