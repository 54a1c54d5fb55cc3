"""The neural family: one table of products, a body that reads histories, and a softmax over what came next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError, RequestError
from basketry.core.histories import Evidence, Histories, Queries, Rankings
from basketry.core.space import one_of, within
from basketry.encoders.history.layout import Layout
from basketry.kernels.ranking import Seen, rank_dense
from basketry.training.plan import TrainingPlan

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Candidates, Floats, Int64s
    from basketry.core.protocols import Arrays, Run, Vectors
    from basketry.encoders.history.runtime import Reader
    from basketry.training.tracking import Tracker

_PART: Final = 512  # queries read at a time


@dataclass(frozen=True)
class Neural:
    """score(q, j) = body(history of q) . (e_j - mean e), trained to find the next visit's product among `negatives` others.

    `body`: transformer (SASRec; with `masked` BERT4Rec, with `gated` LiGR blocks), gru, cnn, mlp, lightgcn, dbn; all read the
    last `length` events. See `encoders.history.layout.Layout`, `training.sequences.SampledSoftmax` and `TrainingPlan` for what
    each field does. Training needs torch; the model does not. Cost on one core: some 40 us an event and epoch at dim 64.
    """

    body: str = "transformer"
    dim: int = one_of(64, (32, 64, 96, 128), "numbers of a product's vector")
    length: int = 50
    blocks: int = within(2, 1, 3, "layers")
    heads: int = 2
    masked: bool = False
    gated: bool = False
    dropout: float = within(0.2, 0.0, 0.5, "share of the activations left out in training")
    negatives: int = within(256, 64, 1_024, "products that each answer is told from", log=True)
    corrected: bool = False
    hidden: float = within(0.2, 0.05, 0.6, "share of the products masked, of a body that learns by masks")
    validation: float = 0.1
    pretraining: int = 5
    plan: TrainingPlan = field(default_factory=lambda: TrainingPlan(learning_rate=2e-3, epochs=20, batch_size=256, patience=3))

    def __post_init__(self) -> None:
        _ = self.layout

    @property
    def layout(self) -> Layout:
        """The shape of the body. Raises RequestError, on construction of the estimator already, for one that cannot be."""
        return Layout(self.body, self.dim, self.length, self.blocks, self.heads, self.masked, self.gated)

    def fit(
        self,
        histories: Histories,
        run: Run,
        *,
        features: Vectors | None = None,
        folder: Path | None = None,
        tracker: Tracker | None = None,
    ) -> NeuralRanker:
        """Train. `features` float32 [n_products, f], say of texts, let products without events be ranked.

        `folder` keeps checkpoints to go on from. Raises RequestError for a hyperparameter out of range or histories that teach
        nothing, EncoderError where torch is not installed.
        """
        try:
            from basketry.training.sequences import Lessons, SampledSoftmax
        except ImportError as error:
            raise EncoderError("training a neural ranker needs package torch", "pip install 'basketry[train]'") from error
        loss = SampledSoftmax(self.negatives, self.corrected, self.hidden)
        lessons = Lessons(self.layout, loss, self.plan, self.dropout, self.validation, self.pretraining)
        arrays, _ = lessons.learn(histories, run, features, folder, tracker)
        return NeuralRanker(arrays)


@dataclass(frozen=True, eq=False)
class NeuralRanker:
    """A history encoder and its products, as arrays: see `encoders/history/layout.py`. Runs on ONNX Runtime, without torch.

    Ranked are products learned of, and those with features; a history without events is given nothing.
    """

    arrays: Arrays

    @cached_property
    def layout(self) -> Layout:
        """The shape of the body."""
        return Layout.of(self.arrays)

    @property
    def n_products(self) -> int:
        """Rows of the table."""
        return len(self.arrays["products"])

    @cached_property
    def _read(self) -> Reader:
        from basketry.encoders.history.runtime import open_reader

        return open_reader(self.arrays)

    @cached_property
    def ranked(self) -> Bools:
        """What it has anything to say of: bool [n_products]."""
        ranked: Bools = self.arrays["known"].astype(np.bool_) | (self.arrays["products"] != 0).any(axis=1)
        return ranked

    @cached_property
    def _table(self) -> tuple[Vectors, Vectors]:
        """Products and biases about the mean of those that are ranked."""
        table, bias = self.arrays["products"].astype(np.float32), self.arrays["bias"].astype(np.float32)
        some = self.ranked
        return table - table[some].mean(axis=0, dtype=np.float64).astype(np.float32), bias - bias[some].mean()

    def vectors(self, histories: Histories) -> Vectors:
        """float32 [n, dim], what the body makes of each history; 0 of one without events.

        Raises RequestError for histories over another catalogue.
        """
        if histories.n_products != self.n_products:
            raise RequestError(
                f"histories of {histories.n_products} products for a model of {self.n_products}",
                "code products as the model does, or add the new ones by with_products",
            )
        ids, lengths = self.layout.window(histories)
        found = np.zeros((len(histories), self.layout.dim), dtype=np.float32)
        order = np.argsort(lengths, kind="stable")
        order = order[histories.lengths[order] > 0]
        for start in range(0, len(order), _PART):  # like lengths together: padding is work too
            rows = order[start : start + _PART]
            found[rows] = self._read(ids[rows, : int(lengths[rows].max())], lengths[rows])
        return found

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products]: above 0 what is likelier than the average product, in logits; 0 of what it does not know.

        Memory: 4 bytes a query and product; ask in parts.
        """
        table, bias = self._table
        scores: Vectors = self.vectors(queries.histories) @ table.T + bias
        scores[:, ~self.ranked] = 0
        scores[queries.histories.lengths == 0] = 0
        return scores

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of those it knows. Cost: dim multiplications a query and product."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float64)
        asked = np.flatnonzero(queries.histories.lengths > 0)
        allowed = candidates.allowed
        for start in range(0, len(asked), _PART):
            rows = asked[start : start + _PART]
            part = queries.select(rows)
            said = self.scores(part)
            said[:, ~self.ranked] = -np.inf
            some = allowed[rows] if allowed is not None and allowed.ndim == 2 else allowed
            seen = Seen(part.histories.indptr, part.histories.products, self.n_products, some, candidates.repeats)
            products[rows], scores[rows] = rank_dense(said, seen, k)
        return Rankings(products, scores)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """For each event, the score with it less the score without it: exact differences, found by asking again.

        Not exact as a sum, since events speak together; `rest` is what is left of the score. Cost: a pass over the history an
        event. Events before the last `length` add 0.
        """
        from basketry.recommendation.attribution import left_out

        histories = queries.histories
        whole = self._scores_of(histories, np.arange(len(histories)), rankings)
        events = np.arange(len(histories.products))
        rows = histories.rows
        back = histories.indptr[1:][rows] - events
        asked = events[back <= self.layout.length]
        added = np.zeros((len(events), rankings.products.shape[1]))
        for start in range(0, len(asked), _PART):
            some = asked[start : start + _PART]
            added[some] = whole[rows[some]] - self._scores_of(left_out(histories, some), rows[some], rankings)
        return _evidence(histories, rankings, added, whole)

    def explain_by_gradients(self, queries: Queries, rankings: Rankings, steps: int = 32) -> Evidence:
        """Integrated gradients along the line from no product at all to each event's vector, in `steps` steps: needs torch.

        Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (ICML 2017). Events and `rest`, the score of
        the empty line, add up to the score as `steps` grows. Raises EncoderError without torch.
        """
        try:
            from basketry.encoders.history.gradients import integrated_gradients
        except ImportError as error:
            raise EncoderError("integrated gradients need package torch", "pip install 'basketry[train]'") from error
        histories = queries.histories
        table, _ = self._table
        added = np.zeros((len(histories.products), rankings.products.shape[1]))
        for row in np.flatnonzero(histories.lengths > 0):
            products = np.maximum(rankings.products[row], 0)
            ids, lengths = self.layout.window(histories.select(np.array([row])))
            found = integrated_gradients(self.arrays, ids[0, : int(lengths[0])], table[products], steps)
            end = int(histories.indptr[row + 1])
            own = found[: int(lengths[0]) - int(self.layout.masked)]
            added[end - len(own) : end] = own
        whole = self._scores_of(histories, np.arange(len(histories)), rankings)
        return _evidence(histories, rankings, added, whole)

    def _scores_of(self, histories: Histories, rows: Int64s, rankings: Rankings) -> Floats:
        """Scores float64 [n, k] of the products ranked in `rows`, given the histories."""
        table, bias = self._table
        products = np.maximum(rankings.products[rows], 0)
        found = np.einsum("nd,nkd->nk", self.vectors(histories).astype(np.float64), table[products].astype(np.float64))
        scores: Floats = found + bias[products] * (histories.lengths > 0)[:, None]
        return scores

    def with_products(self, features: Vectors) -> Self:
        """The model with products that came later, float32 [more, f] as the features it was trained with, at the end.

        Raises RequestError if it was trained without features, or with others.
        """
        project = self.arrays.get("project")
        if project is None or features.ndim != 2 or features.shape[1] != len(project):
            width = "no" if project is None else len(project)
            raise RequestError(
                f"features of shape {features.shape} for a model of {width} features", "give those it was trained with"
            )
        more = len(features)
        added = {
            "products": (features @ np.asarray(project, dtype=np.float32)).astype(np.float32),
            "bias": np.zeros(more, dtype=np.float32),
            "known": np.zeros(more, dtype=np.bool_),
        }
        return replace(self, arrays={**self.arrays, **{n: np.concatenate([self.arrays[n], a]) for n, a in added.items()}})

    def state(self) -> Arrays:
        """The arrays."""
        return self.arrays

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises EncoderError for arrays that are no history encoder."""
        Layout.of(state)
        return cls(state)


def _evidence(histories: Histories, rankings: Rankings, added: Floats, whole: Floats) -> Evidence:
    """Of what every event added, float64 [events, k]."""
    there = rankings.products >= 0
    rows, k = histories.rows, there.shape[1]
    added = np.where(there[rows], added, 0.0)
    sums = np.zeros(there.shape)
    np.add.at(sums, rows, added)
    start = histories.indptr[:-1] * k
    lengths = histories.lengths[rows]
    place = np.arange(len(rows)) - histories.indptr[:-1][rows]
    flat = np.zeros(added.size)
    flat[(start[rows] + place)[:, None] + np.arange(k) * lengths[:, None]] = added
    return Evidence(start.astype(np.int64), flat, np.where(there, whole - sums, 0.0), exact=False)
