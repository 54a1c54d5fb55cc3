"""Several rankers as one ranking: each fills what those before it left, and every product keeps the name of who gave it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.histories import Candidates, Rankings
from basketry.recommendation.rerank import relevance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from basketry.core.histories import Floats, Int32s, Int64s, Queries
    from basketry.core.protocols import Ranker


@dataclass(frozen=True, eq=False)
class Linked:
    """One ranking of several links: its scores are only for order; `scores` and `link` are those of who gave each product."""

    rankings: Rankings
    scores: Floats
    link: Int32s


def linked(links: Mapping[str, Ranker], queries: Queries, depth: int, candidates: Candidates) -> Linked:
    """`depth` products a query, each link filling what those before it left.

    Relevance of a link is relevance in its own ranking times the least relevance of the link before: what comes later in the
    chain stays below, but no further than it must for weights and diversity to tell.
    """
    n = len(queries)
    products = np.full((n, depth), -1, dtype=np.int32)
    order, scores = np.zeros((n, depth)), np.zeros((n, depth))
    link = np.full((n, depth), -1, dtype=np.int32)
    filled = np.zeros(n, dtype=np.int64)
    for number, ranker in enumerate(links.values()):
        rows = np.flatnonzero(filled < depth)
        if not len(rows):
            break
        open_to = _without(candidates, products[rows], filled[rows], rows, ranker.n_products)
        found = ranker.rank(queries.select(rows), int(depth - filled[rows].min()), open_to)
        for place, row in enumerate(rows):
            begin = int(filled[row])
            count = min(int((found.products[place] >= 0).sum()), depth - begin)
            span = slice(begin, begin + count)
            least = order[row, begin - 1] if begin else 1.0
            products[row, span] = found.products[place, :count]
            scores[row, span] = found.scores[place, :count]
            order[row, span] = relevance(found.scores[place, :count]) * least
            link[row, span] = number
            filled[row] += count
    return Linked(Rankings(products, order), scores, link)


def _without(candidates: Candidates, products: Int32s, filled: Int64s, rows: Int64s, n_products: int) -> Candidates:
    """The candidates of some rows less what these rows hold."""
    candidates = candidates.select(rows)
    if not filled.any():
        return candidates
    allowed = candidates.allowed
    allowed = np.ones(n_products, dtype=np.bool_) if allowed is None else allowed
    allowed = np.repeat(allowed[None], len(rows), axis=0) if allowed.ndim == 1 else allowed.copy()
    there = products >= 0
    allowed[np.nonzero(there)[0], products[there]] = False
    return replace(candidates, allowed=allowed)
