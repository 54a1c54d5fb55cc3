"""What everybody buys: the baseline of every report, and the last link of every chain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Evidence, Rankings
from basketry.core.space import one_of
from basketry.kernels.ranking import Seen, rank_dense

if TYPE_CHECKING:
    from basketry.core.histories import Candidates, Histories, Int32s, Queries
    from basketry.core.protocols import Arrays, Run, Vectors


@dataclass(frozen=True)
class Popularity:
    """score(q, j) = visits with j, over all time or over the `window_days` before the last known day; alike for all queries."""

    window_days: int = one_of(0, (0, 7, 14, 28, 91, 182, 365), "days that count, 0 for all")

    def fit(self, histories: Histories, run: Run) -> Popular:
        """Count. A window of 0 days is all time. Raises RequestError for a negative one."""
        from basketry.recommendation.visits import visits_of

        del run
        if self.window_days < 0:
            raise RequestError(f"window_days is {self.window_days}", "give 0 for all time, or a number of days")
        if self.window_days and len(histories.days):
            histories = histories.where(histories.days > histories.days.max() - self.window_days)
        counts = np.asarray(visits_of(histories).held.sum(axis=0)).ravel()
        return Popular(counts.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Popular:
    """`counts` float32 [n_products]."""

    counts: Vectors

    @property
    def n_products(self) -> int:
        """How many products there are."""
        return len(self.counts)

    def scores(self, queries: Queries) -> Vectors:
        """The counts, once a query."""
        return np.repeat(self.counts[None], len(queries), axis=0)

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k most bought candidates; none that was never bought. Looks at as many as the longest history may bar."""
        histories, allowed = queries.histories, candidates.allowed
        best = self._best if allowed is None or allowed.ndim == 2 else self._best[allowed[self._best]]
        if allowed is None or allowed.ndim == 1:
            best = best[: k + (0 if candidates.repeats else int(histories.lengths.max(initial=0)))]
        place = np.full(self.n_products, -1, dtype=np.int32)
        place[best] = np.arange(len(best))
        known = histories.where(place[histories.products] >= 0)
        own = None if allowed is None or allowed.ndim == 1 else np.ascontiguousarray(allowed[:, best])
        seen = Seen(known.indptr, place[known.products], len(best), own, candidates.repeats)
        scores = np.repeat(self.counts[best][None], len(queries), axis=0)
        found, score = rank_dense(scores, seen, k)
        return Rankings(np.where(found >= 0, best[found], -1) if len(best) else found, score)

    @cached_property
    def _best(self) -> Int32s:
        """Products that were bought, most bought first, equals by the smaller code; sorted once, not once a list."""
        order = np.argsort(-self.counts, kind="stable").astype(np.int32)
        best: Int32s = order[: int(np.count_nonzero(self.counts > 0))]
        return best

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """Nothing of the history counts: the whole score is `rest`."""
        lengths = queries.histories.lengths * rankings.products.shape[1]
        start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Evidence(start[:-1], np.zeros(int(start[-1])), rankings.scores, exact=True)

    def state(self) -> Arrays:
        """The counts."""
        return {"counts": self.counts}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        return cls(state["counts"].astype(np.float32))
