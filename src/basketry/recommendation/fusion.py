"""Reciprocal rank fusion: rankers vote by place alone, so their scores need not be comparable at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Evidence, Rankings
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.events import laid_out
from basketry.recommendation.rankers import RankerEstimator, nested, parts_of
from basketry.recommendation.voices import Singles, chunks, own_scores

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Histories, Queries
    from basketry.core.protocols import Arrays, Ranker, Run, Vectors


@dataclass(frozen=True)
class ReciprocalRanks:
    """Fit every part on the same histories and fuse their places. Source: Cormack, Clarke and Buettcher (2009), constant 60."""

    parts: tuple[RankerEstimator, ...]
    weights: tuple[float, ...]
    constant: float = 60.0
    depth: int = 200
    repeats: bool = False

    def fit(self, histories: Histories, run: Run) -> Fused:
        """The parts in turn. Raises RequestError for weights that do not fit them or a hyperparameter out of range."""
        weights = self.weights
        if len(weights) != len(self.parts) or not weights or min(weights) < 0 or not 0 < sum(weights) < np.inf:
            raise RequestError(f"weights {weights} for {len(self.parts)} parts", "give each a weight from 0, and one more")
        if not (self.constant >= 0 and self.depth >= 1):
            raise RequestError(f"constant {self.constant}, depth {self.depth}", "constant starts at 0, depth at 1")
        parts = tuple(part.fit(histories, run) for part in self.parts)
        return Fused(parts, np.array(weights, dtype=np.float64), self.constant, self.depth, self.repeats)


@dataclass(frozen=True, eq=False)
class Fused:
    """score(q, j) = sum over parts p of w_p / (constant + place of j in p's ranking), places from 1 to `depth`, else nothing.

    Places are counted in each part's ranking of everything, without what the history holds unless `repeats`: a filter changes
    no score, and where it leaves nothing among the places there is no answer: the next link of a scene goes on.
    """

    parts: tuple[Ranker, ...]
    weights: Floats
    constant: float
    depth: int
    repeats: bool

    @property
    def n_products(self) -> int:
        """How many products its parts know."""
        return self.parts[0].n_products

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], 0 for what no part ranks among its best."""
        total = np.zeros((len(queries), self.n_products), dtype=np.float32)
        for rows in chunks(len(queries)):
            total[rows] = sum(self._votes(queries.select(rows)))
        return total

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates among those some part ranks."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.zeros((len(queries), k), dtype=np.float64)
        for rows in chunks(len(queries)):
            some, allowed = queries.select(rows), candidates.select(rows).allowed
            total = self.scores(some)
            total[total <= 0] = -np.inf
            seen = Seen(some.histories.indptr, some.histories.products, self.n_products, allowed, candidates.repeats)
            products[rows], scores[rows] = rank_dense(total, seen, k)
        return Rankings(products, scores)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """Each part's vote, shared over the events by what they did for its score, in absolute value: an attribution.

        It adds up to the score, yet a place is not a sum over events, so it is not exact. What a part's `rest` did is `rest`.
        """
        laid = laid_out(queries, rankings)
        shape = rankings.products.shape
        events, rest = np.zeros(len(laid.query)), np.zeros(shape)
        there = rankings.products >= 0
        votes = [np.zeros(shape) for _ in self.parts]
        for rows in chunks(len(queries)):
            wanted = np.maximum(rankings.products[rows], 0)
            for vote, dense in zip(votes, self._votes(queries.select(rows)), strict=True):
                vote[rows] = np.where(there[rows], np.take_along_axis(dense, wanted, axis=1), 0)
        flat = laid.query * shape[1] + laid.rank
        for part, vote in zip(self.parts, votes, strict=True):
            found = part.explain(queries, Rankings(rankings.products, own_scores(part, queries, rankings)))
            added, other = np.abs(laid.of(found)), np.abs(found.rest)
            total = np.bincount(flat, added, minlength=vote.size).reshape(shape) + other
            scale = np.divide(vote, total, out=np.zeros(shape), where=total > 0)
            events += scale[laid.query, laid.rank] * added
            rest += np.where(total > 0, scale * other, vote)
        return Evidence(laid.start, events, rest, exact=False)

    def _votes(self, queries: Queries) -> list[Singles]:
        """Each part's, float32 [n, n_products]."""
        value = 1 / (self.constant + np.arange(1, self.depth + 1))
        votes = []
        for weight, part in zip(self.weights, self.parts, strict=True):
            top = part.rank(queries, self.depth, Candidates(repeats=self.repeats)).products
            vote = np.zeros((len(queries), self.n_products), dtype=np.float32)
            row, place = np.nonzero(top >= 0)
            vote[row, top[row, place]] = weight * value[place]
            votes.append(vote)
        return votes

    def state(self) -> Arrays:
        """The states of the parts, their weights and the hyperparameters."""
        settings = np.array([self.constant, self.depth, self.repeats], dtype=np.float64)
        return {**nested(self.parts), "weights": self.weights, "fusion": settings}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        constant, depth, repeats = state["fusion"].tolist()
        return cls(parts_of(state), state["weights"].astype(np.float64), constant, int(depth), bool(repeats))
