"""What each event of a history added to each ranked product, where the score is a sum over events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.histories import Evidence

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Int32s, Int64s, Queries, Rankings


@dataclass(frozen=True, eq=False)
class Layout:
    """Where evidence of every event and ranked product lies: entry i is of `query[i]`, its product at `rank[i]`, `event[i]`.

    `start` int64 [n] as in Evidence, queries one after the other; `event` numbers the events of all histories.
    """

    start: Int64s
    query: Int64s
    rank: Int64s
    event: Int64s

    def of(self, evidence: Evidence) -> Floats:
        """The events of other evidence about the same rankings, in this order."""
        if np.array_equal(evidence.start, self.start):
            return evidence.events
        place = np.arange(len(self.query)) - self.start[self.query]
        moved: Floats = evidence.events[evidence.start[self.query] + place]
        return moved


def laid_out(queries: Queries, rankings: Rankings) -> Layout:
    """The layout of evidence about `rankings`. Memory: 24 bytes an event and rank."""
    histories, k = queries.histories, rankings.products.shape[1]
    lengths = histories.lengths
    start = np.concatenate([[0], np.cumsum(lengths * k)]).astype(np.int64)
    query = np.repeat(np.arange(len(histories)), lengths * k)
    rank, event = np.divmod(np.arange(start[-1]) - start[query], np.maximum(lengths[query], 1))
    return Layout(start[:-1], query, rank, event + histories.indptr[query])


def added(queries: Queries, rankings: Rankings, weights: Floats, entries: Callable[[Int32s, Int32s], Floats]) -> Evidence:
    """weights[e] * entries(product of e, j) for every event e and every product j ranked for its query; exact.

    `entries` takes two arrays of product codes and gives B of each pair. Memory: some 60 bytes an event and rank.
    """
    laid = laid_out(queries, rankings)
    other = rankings.products[laid.query, laid.rank]
    there = np.flatnonzero(other >= 0)
    events = np.zeros(len(other), dtype=np.float64)
    event = laid.event[there]
    events[there] = weights[event] * entries(queries.histories.products[event], other[there])
    return Evidence(laid.start, events, np.zeros(rankings.products.shape, dtype=np.float64), exact=True)
