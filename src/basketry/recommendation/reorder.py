"""Reordering: what this customer buys again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from basketry.kernels.ranking import Rows
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    from basketry.core.histories import Histories
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class Reorder:
    """score(q, j) = sum of the weights of the visits that held j: B is the identity, so rank it with `repeats`.

    With the recency that weighs all alike it is the reorder frequency, the baseline of next-basket recommendation.
    """

    recency: Recency = field(default_factory=lambda: Recency(decay=0.9))

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        """Nothing is learned but how many products there are."""
        del run
        n = histories.n_products
        return ItemGraph(
            Rows(np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), np.ones(n, dtype=np.float32)), self.recency
        )
