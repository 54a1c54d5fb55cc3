"""What each event of a history added to each ranked product, where the score is a sum over events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.histories import Evidence

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Int32s, Queries, Rankings


def added(queries: Queries, rankings: Rankings, weights: Floats, entries: Callable[[Int32s, Int32s], Floats]) -> Evidence:
    """weights[e] * entries(product of e, j) for every event e and every product j ranked for its query; exact.

    `entries` takes two arrays of product codes and gives B of each pair. Memory: some 60 bytes an event and rank.
    """
    histories, k = queries.histories, rankings.products.shape[1]
    lengths = histories.lengths
    start = np.concatenate([[0], np.cumsum(lengths * k)]).astype(np.int64)
    query = np.repeat(np.arange(len(histories)), lengths * k)
    rank, event = np.divmod(np.arange(start[-1]) - start[query], np.maximum(lengths[query], 1))
    event += histories.indptr[query]
    other = rankings.products[query, rank]
    there = np.flatnonzero(other >= 0)
    events = np.zeros(len(query), dtype=np.float64)
    events[there] = weights[event[there]] * entries(histories.products[event[there]], other[there])
    return Evidence(start[:-1], events, np.zeros(rankings.products.shape, dtype=np.float64), exact=True)
