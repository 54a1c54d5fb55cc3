"""The scores of rankers made comparable within a query: of what each of them says, how much stands behind a product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.core.histories import Rankings
from basketry.core.space import within
from basketry.kernels.ranking import Seen, rank_dense

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Int64s, Queries
    from basketry.core.protocols import Ranker

HIGHEST: Final = 0.75  # of the best a floor may be: scores are float32, and 1 / (1 - HIGHEST) times their rounding is in x
LEAST: Final = 1e-30  # a best score below this says nothing: float32 could not hold its inverse
CHUNK: Final = 256  # queries whose dense scores stand in memory at once

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Voice:
    """x(q, j) of a ranker's score s(q, j): 0 where s <= 0, else `slope[q, above] * s + shift[q, above]`, above = s > floor[q].

    x rises with s from 0, is `low` at the floor and 1 at the best. All float64, slopes and shifts [n, 2]; `speaks` bool [n] is
    false where the ranker has nothing to go by. Linear in s on either side of the floor, so what events added to s they added,
    times the slope, to x.
    """

    floor: Floats
    slope: Floats
    shift: Floats
    speaks: npt.NDArray[np.bool_]

    def of(self, scores: Singles) -> Singles:
        """X of scores [n, products], float32."""
        said: Singles = scores * self.slope[:, :1].astype(np.float32)
        if self.shift.any():
            query, product = np.nonzero(scores > self.floor[:, None])  # few: those among the best, and what the history holds
            slope, shift = self.slope[query, 1].astype(np.float32), self.shift[query, 1].astype(np.float32)
            said[query, product] = scores[query, product] * slope + shift
        return np.maximum(said, 0, out=said)

    def at(self, scores: Singles, queries: Int64s) -> Singles:
        """X of a few scores, float32 [m], each of the query with that row: the same numbers as `of` has there."""
        above = (scores > self.floor[queries]).astype(np.int64)
        slope, shift = (each[queries, above].astype(np.float32) for each in (self.slope, self.shift))
        said: Singles = scores * slope + shift
        return np.maximum(said, 0, out=said)


@dataclass(frozen=True)
class Voicing:
    """How scores become voices: the floor is the score at place `depth` of what may be ranked, 0 where there are fewer.

    Products below the floor share the voice from 0 to `low`, those among the best `depth` the rest. A score of 0 means that
    nothing is known, so nothing is subtracted from sparse scores that end before `depth`, as those of item graphs often do; a
    dense ranker says something of every product, and what it says of the many matters little. `depth` 0 is no floor, x = s /
    best. A floor is at most 3/4 of the best. What may be ranked leaves out what the history holds, unless `repeats`; it never
    depends on the candidates of a request, so a filter changes no score.
    """

    depth: int = within(200, 20, 2_000, "place of the floor", log=True)
    low: float = within(0.05, 0.01, 0.5, "voice at the floor", log=True)
    repeats: bool = False

    def __post_init__(self) -> None:
        if not (self.depth >= 0 and 0 < self.low < 1):
            raise RequestError(f"{self} is no voicing", "depth starts at 0, low lies between 0 and 1")

    def voice(self, scores: Singles, queries: Queries) -> Voice:
        """The voice in each query of the ranker that gives these `scores`, float32 [n, n_products]."""
        histories = queries.histories
        seen = Seen(histories.indptr, histories.products, scores.shape[1], repeats=self.repeats)
        return self.voice_of(Rankings(*rank_dense(scores, seen, self.places)))

    @property
    def places(self) -> int:
        """How many places of a ranking a voice rests on."""
        return max(self.depth, 1)

    def voice_of(self, top: Rankings) -> Voice:
        """The voice in each query of a ranking of what may be ranked, to `places` or further."""
        products, scores = top.products[:, : self.places], top.scores[:, : self.places]
        said = np.where((products >= 0) & (scores > 0), scores, 0.0)
        said[:, 0][said[:, 0] < LEAST] = 0
        best, floor = said[:, 0], said[:, -1] if self.depth > 0 else np.zeros(len(said))
        floor = np.minimum(floor, HIGHEST * best)
        spread, floored = best - floor, floor > 0
        slope, shift = np.zeros((len(said), 2)), np.zeros((len(said), 2))
        slope[:, 0] = np.divide(
            np.where(floored, self.low, 1.0), np.where(floored, floor, best), where=best > 0, out=slope[:, 0]
        )
        slope[:, 1] = np.divide(1 - self.low, spread, where=floored, out=slope[:, 0].copy())
        shift[:, 1] = np.where(floored, self.low - slope[:, 1] * floor, 0.0)
        return Voice(floor, slope, shift, best > 0)


def chunks(n: int) -> Iterator[Int64s]:
    """Rows [0, n), CHUNK at a time."""
    for first in range(0, n, CHUNK):
        yield np.arange(first, min(first + CHUNK, n))


def shares(weights: Floats, voices: Sequence[Voice]) -> Floats:
    """float64 [n, parts]: weights that sum to 1 over the parts that speak in a query; a silent part leaves its own to them."""
    speaking = np.stack([voice.speaks for voice in voices], axis=1) * weights
    total = speaking.sum(axis=1, keepdims=True)
    share: Floats = np.divide(speaking, total, out=np.zeros_like(speaking), where=total > 0)
    return share


def own_scores(part: Ranker, queries: Queries, rankings: Rankings) -> Floats:
    """The part's own score of each ranked product, 0 for none."""
    own = np.zeros(rankings.products.shape)
    for rows in chunks(len(queries)):
        products = rankings.products[rows]
        found = np.take_along_axis(part.scores(queries.select(rows)), np.maximum(products, 0), axis=1)
        own[rows] = np.where(products >= 0, found, 0)
    return own
