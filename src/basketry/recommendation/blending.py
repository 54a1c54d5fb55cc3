"""A blend of rankers: the weighted average of what they say, with the reasons of each passed through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Evidence, Rankings
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.events import laid_out
from basketry.recommendation.held_out import hold_out
from basketry.recommendation.rankers import RankerEstimator, nested, parts_of
from basketry.recommendation.voices import Singles, Voice, Voicing, chunks, shares
from basketry.recommendation.weights import learn_weights

if TYPE_CHECKING:
    from basketry.core.histories import Candidates, Floats, Histories, Queries
    from basketry.core.protocols import Arrays, Ranker, Run, Vectors


@dataclass(frozen=True)
class Blend:
    """Fit every part on the same histories and weigh them by `weights`.

    Where these are None they are learned: the parts are fitted on all but the last visits (or the last `horizon_days`), weighed
    by `learn_weights` on these, and fitted again on everything.
    """

    parts: tuple[RankerEstimator, ...]
    weights: tuple[float, ...] | None = None
    voicing: Voicing = field(default_factory=Voicing)
    horizon_days: int = 0

    def fit(self, histories: Histories, run: Run) -> Blended:
        """The parts in turn. Raises RequestError for weights that do not fit them, DataError where none can be learned."""
        weights = self.weights
        if weights is None:
            held = hold_out(histories, self.horizon_days, self.voicing.repeats)
            early = tuple(part.fit(held.train, run) for part in self.parts)
            weights = learn_weights(early, held, self.voicing, seed=run.seed).weights
        return blended(tuple(part.fit(histories, run) for part in self.parts), weights, self.voicing)


def blended(parts: tuple[Ranker, ...], weights: tuple[float, ...], voicing: Voicing | None = None) -> Blended:
    """Fitted rankers of the same products as one. Raises RequestError for weights or parts that do not fit each other."""
    if len(weights) != len(parts) or not parts or min(weights) < 0 or not 0 < sum(weights) < np.inf:
        raise RequestError(f"weights {weights} for {len(parts)} parts", "give each part a weight from 0, and one of them more")
    if len({part.n_products for part in parts}) != 1:
        raise RequestError(
            f"the parts know {[part.n_products for part in parts]} products", "fit them on histories of one catalogue"
        )
    return Blended(parts, np.array(weights, dtype=np.float64), voicing or Voicing())


@dataclass(frozen=True, eq=False)
class Blended:
    """score(q, j) = sum over the parts p that speak in q of w_p x_p(q, j), w summing to 1 over those; between 0 and 1.

    x is a part's `Voice`. A product of which no part says anything is never ranked. Where every part's evidence is exact, so is
    the blend's. Time and memory are those of dense scores: 12 bytes a product and query, 256 queries at a time.
    """

    parts: tuple[Ranker, ...]
    weights: Floats
    voicing: Voicing

    @property
    def n_products(self) -> int:
        """How many products its parts know."""
        return self.parts[0].n_products

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], in [0, 1]; 0 where no part says anything. Products of the history may lie above 1."""
        total = np.zeros((len(queries), self.n_products), dtype=np.float32)
        for rows in chunks(len(queries)):
            total[rows] = self._some(queries.select(rows))
        return total

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of which some part says something."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.zeros((len(queries), k), dtype=np.float64)
        for rows in chunks(len(queries)):
            some, allowed = queries.select(rows), candidates.select(rows).allowed
            total = self._some(some)
            total[total <= 0] = -np.inf
            seen = Seen(some.histories.indptr, some.histories.products, self.n_products, allowed, candidates.repeats)
            products[rows], scores[rows] = rank_dense(total, seen, k)
        return Rankings(products, scores)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """What each event added to each part's score, times what that part's score counts for here."""
        some = [
            self._explained(queries.select(rows), Rankings(rankings.products[rows], rankings.scores[rows]))
            for rows in chunks(len(queries))
        ]
        if len(some) == 1:
            return some[0]
        return Evidence(
            laid_out(queries, rankings).start,
            np.concatenate([np.empty(0), *(each.events for each in some)]),
            np.concatenate([np.empty((0, rankings.products.shape[1])), *(each.rest for each in some)]),
            all(each.exact for each in some),
        )

    def _explained(self, queries: Queries, rankings: Rankings) -> Evidence:
        shape = rankings.products.shape
        laid = laid_out(queries, rankings)
        events, rest, exact = np.zeros(len(laid.query)), np.zeros(shape), True
        row = np.arange(shape[0])[:, None]
        for part, share, voice, scores in self._said(queries):
            own = np.where(rankings.products >= 0, scores[row, np.maximum(rankings.products, 0)], 0.0)
            found = part.explain(queries, Rankings(rankings.products, own))
            above = (own > voice.floor[:, None]).astype(np.int64)
            heard = (own > 0) * share[:, None]
            slope = heard * voice.slope[row, above]
            events += slope[laid.query, laid.rank] * laid.of(found)
            rest += slope * np.where(own > 0, found.rest, 0) + heard * voice.shift[row, above]
            exact &= found.exact
        return Evidence(laid.start, events, rest, exact)

    def _said(self, queries: Queries) -> list[tuple[Ranker, Floats, Voice, Singles]]:
        """Of each part that weighs anything: what its voice counts for in each query, that voice, and its scores."""
        heard = np.flatnonzero(self.weights > 0).tolist()
        scores = [self.parts[number].scores(queries) for number in heard]
        voices = [self.voicing.voice(each, queries) for each in scores]
        share = shares(self.weights[heard], voices)
        return [(self.parts[number], share[:, place], voices[place], scores[place]) for place, number in enumerate(heard)]

    def said(self, queries: Queries, rankings: Rankings) -> Floats:
        """float64 [n, k, parts]: w_p x_p of each ranked product; they add up to its score."""
        said, there = np.zeros((*rankings.products.shape, len(self.parts))), rankings.products >= 0
        row = np.arange(len(queries))[:, None]
        for number, (_, share, voice, scores) in zip(
            np.flatnonzero(self.weights > 0).tolist(), self._said(queries), strict=True
        ):
            own = np.where(there, scores[row, np.maximum(rankings.products, 0)], np.float32(0))
            said[:, :, number] = share[:, None] * voice.of(own)
        return said

    def _some(self, queries: Queries) -> Singles:
        total = np.zeros((len(queries), self.n_products), dtype=np.float32)
        for _, share, voice, scores in self._said(queries):
            total += share[:, None].astype(np.float32) * voice.of(scores)
        return total

    def state(self) -> Arrays:
        """The states of the parts, their weights and the voicing."""
        voicing = np.array([self.voicing.depth, self.voicing.low, self.voicing.repeats], dtype=np.float64)
        return {**nested(self.parts), "weights": self.weights, "voicing": voicing}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The blend back from its arrays."""
        depth, low, repeats = state["voicing"].tolist()
        return cls(parts_of(state), state["weights"].astype(np.float64), Voicing(int(depth), low, bool(repeats)))
