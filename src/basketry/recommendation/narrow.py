"""Ranking by dense scores of those products alone that a model learned, under codes of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.histories import Rankings
from basketry.kernels.ranking import Seen, rank_dense

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Candidates, Int32s, Int64s, Queries

    Singles = npt.NDArray[np.float32]

_SCORES: Final = 1 << 20  # held at a time: 4 MB


@dataclass(frozen=True, eq=False)
class Narrow:
    """Questions to a model that knows the products `kept`, int32 [m], ascending: product kept[c] has the code c."""

    queries: Queries
    kept: Int32s
    candidates: Candidates

    @cached_property
    def held(self) -> tuple[Int64s, Int32s]:
        """Where each history begins, int64 [n + 1], and the codes of its known products."""
        histories = self.queries.histories
        place = np.full(histories.n_products, -1, dtype=np.int32)
        place[self.kept] = np.arange(len(self.kept), dtype=np.int32)
        codes = place[histories.products]
        there = codes >= 0
        return np.concatenate([[0], np.cumsum(there)])[histories.indptr].astype(np.int64), codes[there]

    def seen(self, first: int, last: int) -> Seen:
        """What the queries [first, last) hold and may be given."""
        indptr, codes = self.held
        allowed = self.candidates.allowed
        if allowed is not None:
            allowed = allowed[self.kept] if allowed.ndim == 1 else allowed[first:last, self.kept]
        own = codes[indptr[first] : indptr[last]]
        return Seen(indptr[first : last + 1] - indptr[first], own, len(self.kept), allowed, self.candidates.repeats)


def rank_narrow(narrow: Narrow, scored: Callable[[int, int], Singles], k: int) -> Rankings:
    """The k best by `scored(first, last)`, float32 [last - first, m] of some queries, minus infinity where nothing is known."""
    n, m = len(narrow.queries), len(narrow.kept)
    products = np.full((n, k), -1, dtype=np.int32)
    scores = np.zeros((n, k), dtype=np.float64)
    step = min(max(_SCORES // max(m, 1), 16), 1_024)
    for first in range(0, n, step):
        rows = slice(first, min(first + step, n))
        codes, scores[rows] = rank_dense(scored(first, rows.stop), narrow.seen(first, rows.stop), k)
        there = codes >= 0
        products[rows][there] = narrow.kept[codes[there]]
    return Rankings(products, scores)
