"""How much an event of a history still says: less with every visit and every day since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.space import within

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Queries
    from basketry.core.protocols import Arrays


@dataclass(frozen=True)
class Recency:
    """weight(e) = decay ** (visits after e's) * 2 ** (-(days since e) / half_life_days), and 0 beyond the last `window` visits.

    A product bought in several visits weighs the sum of its events. The defaults weigh all events alike.
    """

    decay: float = within(1.0, 0.3, 1.0, "what is left of a weight a visit later")
    half_life_days: float = within(float("inf"), 1.0, 1_000.0, "days in which a weight halves", log=True)
    window: int = within(1_000_000, 1, 200, "visits that count", log=True)

    def __post_init__(self) -> None:
        if not (0 < self.decay <= 1 and self.half_life_days > 0 and self.window >= 1):
            raise RequestError(f"{self} is no recency", "decay lies in (0, 1], half_life_days above 0, window from 1")

    def weights(self, queries: Queries) -> Floats:
        """float64 [events]."""
        histories = queries.histories
        visits, rows = histories.visits, histories.rows
        if not len(visits):
            return np.empty(0, dtype=np.float64)
        new = np.ones(len(visits), dtype=np.int64)
        new[1:] = (np.diff(visits) != 0) | (np.diff(rows) != 0)
        number = np.cumsum(new)
        last = np.zeros(len(histories), dtype=np.int64)
        last[rows] = number  # the last event of a row is written last
        back = last[rows] - number
        weights = self.decay ** back.astype(np.float64) * (back < self.window)
        if np.isfinite(self.half_life_days):
            weights *= np.exp2(-queries.ages / self.half_life_days)
        return weights

    def state(self) -> Arrays:
        """One array of three numbers."""
        return {"recency": np.array([self.decay, self.half_life_days, self.window], dtype=np.float64)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The recency back from its array."""
        decay, half_life, window = state["recency"].tolist()
        return cls(decay, half_life, int(window))
