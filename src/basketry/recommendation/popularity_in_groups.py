"""What everybody buys of the groups a history holds, as categories: all there is to go by after one visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Rankings
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.events import added
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    from basketry.core.histories import Candidates, Evidence, Floats, Histories, Int32s, Queries
    from basketry.core.protocols import Arrays, Run, Vectors


@dataclass(frozen=True)
class PopularityInGroups:
    """score(q, j) = popularity of j times the sum of weight(e) over the events e of q whose product is of j's group.

    Popularity as `Popularity(window_days)` counts it. A product without a group is never ranked, and says nothing.
    """

    window_days: int = 0
    recency: Recency = field(default_factory=Recency)

    def fit(self, histories: Histories, groups: Int32s, run: Run) -> PopularInGroups:
        """Count. `groups` int32 [n_products], -1 for none, as `Facts.groups` gives. Raises RequestError for another length."""
        if len(groups) != histories.n_products:
            raise RequestError(f"{len(groups)} groups for {histories.n_products} products", "give one for each product")
        return PopularInGroups(Popularity(self.window_days).fit(histories, run).counts, groups, self.recency)


@dataclass(frozen=True, eq=False)
class PopularInGroups:
    """`counts` float32 and `groups` int32, both [n_products], and the recency of events."""

    counts: Vectors
    groups: Int32s
    recency: Recency

    @property
    def n_products(self) -> int:
        """How many products there are."""
        return len(self.counts)

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], 0 outside the history's groups."""
        n_groups = int(self.groups.max(initial=-1)) + 1
        liked = np.zeros((len(queries), n_groups + 1))  # the last column is that of no group
        groups = self.groups[queries.histories.products]
        np.add.at(liked, (queries.histories.rows, groups), self.recency.weights(queries))
        liked[:, -1] = 0
        scores: Vectors = np.take(liked.astype(np.float32), self.groups, axis=1)
        scores *= self.counts
        return scores

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of the history's groups; none that was never bought."""
        histories = queries.histories
        seen = Seen(histories.indptr, histories.products, self.n_products, candidates.allowed, candidates.repeats)
        scores = self.scores(queries)
        return Rankings(*rank_dense(np.where(scores > 0, scores, np.float32(-np.inf)), seen, k))

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) times the popularity of j for each event e of j's group: exact, to the rounding of float32 scores."""

        def entries(of: Int32s, other: Int32s) -> Floats:
            same = (self.groups[of] == self.groups[other]) & (self.groups[of] >= 0)
            popular: Floats = same * self.counts[other].astype(np.float64)
            return popular

        return added(queries, rankings, self.recency.weights(queries), entries)

    def state(self) -> Arrays:
        """Counts, groups and recency."""
        return {"counts": self.counts, "groups": self.groups, **self.recency.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        return cls(state["counts"].astype(np.float32), state["groups"].astype(np.int32), Recency.from_state(state))
