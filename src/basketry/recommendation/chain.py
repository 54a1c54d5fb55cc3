"""A chain of rankers: where the first has too little to say the next goes on, and every answer tells which of them spoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Evidence, Rankings
from basketry.recommendation.events import laid_out
from basketry.recommendation.rankers import RankerEstimator, nested, parts_of
from basketry.recommendation.voices import chunks

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Histories, Int32s, Int64s, Queries
    from basketry.core.protocols import Arrays, Ranker, Run, Vectors


@dataclass(frozen=True)
class Chain:
    """Fit every link on the same histories; the last is best a popularity, which always has something to say."""

    links: tuple[RankerEstimator, ...]

    def fit(self, histories: Histories, run: Run) -> Chained:
        """The links in turn. Raises RequestError for none."""
        if not self.links:
            raise RequestError("a chain of no links", "give it a ranker, and a popularity last")
        return Chained(tuple(link.fit(histories, run) for link in self.links))


@dataclass(frozen=True, eq=False)
class Chained:
    """Products of link 0 first, then those of link 1 that it left out, and so on; of each link what it scores above 0.

    The score of link 0 is its own. A score s of link l >= 1 becomes s / (1 + s) - l, between -l and 1 - l: no later link
    outranks an earlier one, and the score tells the link: see `links_of`. Where no link says anything the score is minus their
    number.
    """

    links: tuple[Ranker, ...]

    @property
    def n_products(self) -> int:
        """How many products its links know."""
        return self.links[0].n_products

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products]; in float32 a later link's scores above some 10 million look alike."""
        total = np.full((len(queries), self.n_products), -len(self.links), dtype=np.float32)
        for number in range(len(self.links) - 1, -1, -1):
            for rows in chunks(len(queries)):
                found = self.links[number].scores(queries.select(rows))
                total[rows] = np.where(found > 0, _told(found, number), total[rows])
        return total

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """K candidates, if all links together know as many."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.zeros((len(queries), k), dtype=np.float64)
        for number, link in enumerate(self.links):
            short = np.flatnonzero(products[:, -1] < 0)
            if not len(short):
                break
            found = link.rank(queries.select(short), k, candidates.select(short))
            there = (found.products >= 0) & (found.scores > 0)
            if number:
                there &= ~_among(found.products, products[short], self.n_products)
            _append(products, scores, short, there, found.products, _told(found.scores, number))
        return Rankings(products, scores)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """The evidence of the link that each product comes from; what makes it a later link's is `rest`."""
        laid = laid_out(queries, rankings)
        served = links_of(rankings)
        events, rest, exact = np.zeros(len(laid.query)), np.zeros(rankings.products.shape), True
        for number, link in enumerate(self.links):
            own = served == number
            if not own.any():
                continue
            told = np.where(own, rankings.scores + number, 0)  # s / (1 + s), or s of link 0
            score = told / (1 - told) if number else told
            asked = Rankings(np.where(own, rankings.products, -1).astype(np.int32), np.where(own, score, 0))
            found = link.explain(queries, asked)
            scale = np.where(own, 1 / (1 + score) if number else 1.0, 0)
            events += scale[laid.query, laid.rank] * laid.of(found)
            rest += np.where(own, scale * found.rest - number, 0)
            exact &= found.exact
        return Evidence(laid.start, events, rest, exact)

    def state(self) -> Arrays:
        """The states of the links."""
        return nested(self.links)

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The chain back from its arrays."""
        return cls(parts_of(state))


def links_of(rankings: Rankings) -> Int64s:
    """Which link of a chain each ranked product comes from, from 0; -1 where there is no product. int64 [n, k]."""
    link = np.where(rankings.scores > 0, 0, np.floor(-rankings.scores) + 1)
    return np.where(rankings.products >= 0, link, -1).astype(np.int64)


def _told(scores: Floats | Vectors, number: int) -> Floats:
    """Scores of link `number` as the chain tells them."""
    said = scores.astype(np.float64)
    if number == 0:
        return said
    positive = np.maximum(said, 0)
    told: Floats = positive / (1 + positive) - number
    return told


def _among(products: Int32s, known: Int32s, n_products: int) -> Bools:
    """Whether each of `products` [n, k] is in the same row of `known`."""
    row = np.arange(len(products), dtype=np.int64)[:, None] * (n_products + 1) + 1
    found: Bools = np.isin(row + products, row + known)
    return found


def _append(products: Int32s, scores: Floats, rows: Int64s, there: Bools, more: Int32s, told: Floats) -> None:
    """Put the products that are `there` behind those that stand in `rows`, as far as there is room."""
    held = (products[rows] >= 0).sum(axis=1)
    place = held[:, None] + np.cumsum(there, axis=1) - 1
    row, column = np.nonzero(there & (place < products.shape[1]))
    to = place[row, column]
    products[rows[row], to] = more[row, column]
    scores[rows[row], to] = told[row, column]
