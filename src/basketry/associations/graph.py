"""The association graph of a shop: behaviour and meaning, counted, tested, fused and judged, as one table of edges."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from basketry.associations.behaviour import BoughtNext, BoughtTogether
from basketry.associations.history import History, Pairs
from basketry.associations.lookahead import Catalogue, Lookahead, read_baskets
from basketry.associations.measures import MEASURES, measures
from basketry.associations.semantic import Similar
from basketry.associations.similarity import learn_weights
from basketry.associations.verdict import Contrast, Findings, Tally, VerdictRule, contrast
from basketry.core.tables import Associations, Metrics
from basketry.core.telemetry import span

if TYPE_CHECKING:
    import dataframely as dy
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.edges import Edges
    from basketry.associations.lookahead import Proof
    from basketry.associations.semantic import SimilarPairs
    from basketry.associations.similarity import LearnedWeights
    from basketry.associations.strength import StrengthModel
    from basketry.core.protocols import Run
    from basketry.data.dataset import Dataset

    Floats = npt.NDArray[np.float64]

TESTED: Final = ("adjusted_lift", "adjusted_low", "adjusted_high", "p", "q", "stability")


@dataclass(frozen=True, eq=False)
class Graph:
    """What was learned: the edges, the model behind `strength` (None where the history is too short) and how well it does.

    `baskets`: those that counted, for what else there is to count in them. `recall`: of the neighbour search, 1 where it was
    exact. `weights`: of the similarity, where they were asked for.
    """

    associations: dy.DataFrame[Associations]
    metrics: dy.DataFrame[Metrics]
    strength: StrengthModel | None
    together: Edges
    baskets: BasketMatrix
    recall: float
    weights: LearnedWeights | None

    def set_aside(self) -> dict[str, int]:
        """What was not counted or not published, and why."""
        return {
            "baskets_set_aside_as_too_large": self.together.baskets_too_large,
            "baskets_set_aside_as_older_than_the_latest_of_a_customer": self.together.baskets_over_cap,
            "edges_withheld_because_they_would_tell_of_few_customers": self.together.edges_withheld,
        }


@dataclass(frozen=True)
class AssociationGraph:
    """Estimator of the whole graph; its parts are estimators of their own."""

    together: BoughtTogether = field(default_factory=BoughtTogether)
    next: BoughtNext = field(default_factory=BoughtNext)
    similar: Similar = field(default_factory=lambda: Similar(k=10, theta=0.5))
    lookahead: Lookahead = field(default_factory=Lookahead)
    rule: VerdictRule = field(default_factory=VerdictRule)

    def fit(self, dataset: Dataset, product_ids: pl.Series, catalogue: Catalogue, run: Run) -> Graph:
        """Count, test, compare, fuse and judge everything known to `dataset`; `product_ids` are in the order of codes."""
        n = len(product_ids)
        earlier = dataset.before(dataset.as_of - 2 * dt.timedelta(days=self.lookahead.strength.horizon_days))
        past = self.together.kept(read_baskets(earlier, n))  # known before any hold-out
        learned = self._learned(past, catalogue, run) if self.similar.metric == "weighted" else None
        likeness = self.similar if learned is None or learned.wins else replace(self.similar, metric="cosine")
        weights = learned.weights if learned is not None and learned.wins else None
        popularity = np.bincount(past.items, minlength=n)
        similar = likeness.fit(catalogue.vectors, catalogue.document, run, popularity, weights, catalogue.index)
        proof = self.lookahead.fit(dataset, catalogue, (similar.a, similar.b), self.together, run)
        baskets = read_baskets(dataset, n)
        edges = {"bought_together": self.together.fit(baskets, run), "bought_next": self.next.fit(baskets, run)}
        kept = self.together.kept(baskets)
        with span("judge", total=1, unit="steps"):
            history = History.of(kept, run)
            known = _Known.of(edges, similar, history, catalogue, self, proof)
            frames = [_together(edges["bought_together"], known), _next(edges["bought_next"], known), _similar(similar, known)]
            table = _named(pl.concat(frames, how="diagonal"), product_ids)
        metrics = pl.DataFrame(proof.metrics if proof else [], schema=Metrics.create_empty().schema)
        return Graph(
            associations=Associations.validate(table, cast=True),
            metrics=Metrics.validate(metrics, cast=True),
            strength=proof.model if proof else None,
            together=edges["bought_together"],
            baskets=kept,
            recall=similar.recall,
            weights=learned,
        )

    def _learned(self, past: BasketMatrix, catalogue: Catalogue, run: Run) -> LearnedWeights:
        """Weights of the similarity from what was bought together, against as many pairs drawn at random."""
        a, b = (catalogue.document[side] for side in History.of(past, run).edges(self.together.min_customers))
        rows = (a >= 0) & (b >= 0) & (a != b)
        positive = np.stack([a[rows], b[rows]], axis=1)
        sold = catalogue.document[past.items]
        negative = np.random.default_rng(run.seed).choice(sold[sold >= 0], (len(positive), 2)) if len(positive) else positive
        return learn_weights(catalogue.vectors, positive, negative[negative[:, 0] != negative[:, 1]], run)


@dataclass(frozen=True, eq=False)
class _Known:
    """Everything known of each pair that has an edge of any kind; columns aligned with `pairs`."""

    pairs: Pairs
    similarity: Floats
    strength: Floats
    placebo: Floats
    contrast: Contrast | None
    verdict: npt.NDArray[np.str_]

    @classmethod
    def of(
        cls,
        edges: dict[str, Edges],
        similar: SimilarPairs,
        history: History,
        catalogue: Catalogue,
        graph: AssociationGraph,
        proof: Proof | None,
    ) -> _Known:
        a = np.concatenate([similar.a, *(each.a for each in edges.values())])
        b = np.concatenate([similar.b, *(each.b for each in edges.values())])
        pairs = Pairs.of(a, b, len(catalogue.document))
        evidence = catalogue.evidence(pairs, history, graph.together.min_customers)
        together = history.together(pairs)
        ways = history.across(pairs) if (history.baskets.next_orders() >= 0).any() else None
        across = ways[0].either(ways[1]) if ways else None
        found = contrast(together, across) if across else None
        verdict = graph.rule.judge(_findings(pairs, edges["bought_together"], together.lift(), evidence.similarity, found))
        unknown = np.full(len(pairs), np.nan)
        strength = proof.model.probability(evidence) if proof else unknown
        hidden = _hidden(ways, graph.together.min_customers) if ways else np.ones(len(pairs), dtype=np.bool_)
        placebo = np.where(hidden, np.nan, across.lift()) if across else unknown
        shown = (
            Contrast(
                *(np.where(hidden, np.nan, each) for each in (found.ratio, found.low, found.high, found.p, found.exposure))
            )
            if found
            else None
        )
        return cls(pairs, evidence.similarity, strength, placebo, shown, verdict)

    def columns(self, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], counted: bool) -> dict[str, Any]:
        """The pair's columns for edges between the given codes; the placebo belongs to counted pairs alone."""
        rows = self.pairs.rows(a, b)
        found = {"similarity": self.similarity[rows], "strength": self.strength[rows], "verdict": self.verdict[rows]}
        if counted and self.contrast is not None:
            found |= {"placebo_lift": self.placebo[rows], "contrast": self.contrast.ratio[rows]}
            found |= {"contrast_low": self.contrast.low[rows], "contrast_high": self.contrast.high[rows]}
        return {"a": a, "b": b, **found}


def _hidden(ways: tuple[Tally, Tally], min_customers: int) -> npt.NDArray[np.bool_]:
    """Where the placebo rests, one way or the other, on so few customers that its figures would tell of them."""
    few = [(way.customers > 0) & (way.customers < min_customers) for way in ways]
    return few[0] | few[1]


def _findings(pairs: Pairs, together: Edges, adjusted: Floats, similarity: Floats, found: Contrast | None) -> Findings:
    """What the verdict rule asks, for pairs with and without an edge."""
    rows = together.lookup(pairs.a, pairs.b)
    edge = {name: np.full(len(pairs), np.nan) for name in ("lift", "q", "adjusted_low", "adjusted_high")}
    for name, column in edge.items():
        column[rows >= 0] = getattr(together, name)[rows[rows >= 0]]
    return Findings(**edge, adjusted=adjusted, similarity=similarity, contrast=found)


def _together(edges: Edges, known: _Known) -> pl.DataFrame:
    """Undirected edges in both directions; measures that have a direction are worked out for each."""
    a, b = np.concatenate([edges.a, edges.b]), np.concatenate([edges.b, edges.a])
    twice = {name: np.tile(getattr(edges, name), 2) for name in ("baskets", "customers", *TESTED)}
    measured = measures(twice["baskets"], edges.baskets_of[a], edges.baskets_of[b], edges.n_baskets)
    return _frame({"kind": "bought_together", **twice, **measured, **known.columns(a, b, counted=True)})


def _next(edges: Edges, known: _Known) -> pl.DataFrame:
    """Directed edges; the placebo is what they are counted from, so it says nothing new of them."""
    columns = {name: getattr(edges, name) for name in ("baskets", "customers", *MEASURES, *TESTED)}
    return _frame({"kind": "bought_next", **columns, **known.columns(edges.a, edges.b, counted=False)})


def _similar(similar: SimilarPairs, known: _Known) -> pl.DataFrame:
    columns = known.columns(similar.a, similar.b, counted=False)
    return _frame({"kind": "similar", **columns, "similarity": similar.similarity.astype(np.float64)})


def _frame(columns: dict[str, Any]) -> pl.DataFrame:
    """A frame in which what is not known is null; stability in tenths, or it would tell how many bought in either half."""
    kind = pl.lit(columns.pop("kind")).alias("kind")
    frame = pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None), kind)
    return frame.with_columns(pl.selectors.matches("^stability$").round(1))


def _named(frame: pl.DataFrame, product_ids: pl.Series) -> pl.DataFrame:
    """Ids in the place of codes, every column of the contract, strongest first within a product."""
    ids = {name: product_ids.gather(frame[side]) for name, side in (("product_id", "a"), ("other_id", "b"))}
    order = ("product_id", "kind", "strength", "similarity", "other_id")
    whole = frame.with_columns(**ids).sort(order, descending=[False, False, True, True, False], nulls_last=True)
    missing = [name for name in Associations.column_names() if name not in whole.columns]
    return whole.with_columns(pl.lit(None).alias(name) for name in missing).select(Associations.column_names())
