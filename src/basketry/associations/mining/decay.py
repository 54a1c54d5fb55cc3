"""Weights that fade with time, so that sums of them need no work as time goes on.

A basket weighs one half after one half-life, a quarter after two. Its weight at the instant it is asked for is

    exp(-rate (as_of - day)) = exp(-rate (as_of - landmark)) exp(rate (day - landmark)).

The second factor does not change as time goes on, so it is summed once, when the basket comes, and the first is applied to the
sums when they are read ("forward decay": Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009). The landmark moves, and all sums
are scaled, before the second factor could outgrow a float64; so baskets may come in any order of time, early or late.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import RequestError
from basketry.kernels.trees import Int32s
from basketry.kernels.weighted import Floats

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays

_LARGEST: Final = 500.0  # the exponent at which the landmark moves: e^500 = 1e217, and 1e90 baskets more are none too many
_EPOCH: Final = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Clock:
    """How weights fade: the rate a day, the landmark from which they are reckoned, and the latest day seen (since 1970)."""

    rate: float
    landmark: int | None = None
    latest: int | None = None

    def seeing(self, days: Int32s) -> tuple[Clock, float]:
        """The clock after these days, and what sums reckoned by this one must be multiplied by."""
        if not len(days):
            return self, 1.0
        latest = max(int(days.max()), int(days.max()) if self.latest is None else self.latest)
        if self.landmark is None:
            return replace(self, landmark=latest, latest=latest), 1.0
        if self.rate * (latest - self.landmark) <= _LARGEST:
            return replace(self, latest=latest), 1.0
        return replace(self, landmark=latest, latest=latest), math.exp(-self.rate * (latest - self.landmark))

    def weights(self, days: Int32s) -> Floats:
        """What baskets of these days, which this clock has seen, add to the sums."""
        if self.landmark is None:
            return np.ones(len(days))
        return np.exp(self.rate * (days.astype(np.float64) - self.landmark))

    def fading(self, as_of: dt.date | None) -> float:
        """What sums are multiplied by to be read at `as_of`, by default the latest day seen; RequestError before it."""
        if self.landmark is None or self.latest is None:
            return 1.0
        day = self.latest if as_of is None else (as_of - _EPOCH).days
        if day < self.latest:
            latest = _EPOCH + dt.timedelta(days=self.latest)
            raise RequestError(f"weights as of {as_of} are asked, and a basket is of {latest}", f"ask as of {latest} or later")
        return math.exp(-self.rate * (day - self.landmark))

    def state(self) -> Arrays:
        """As arrays; a day that is not known is left out."""
        days = {"landmark": self.landmark, "latest": self.latest}
        return {"rate": np.array([self.rate])} | {name: np.array([day]) for name, day in days.items() if day is not None}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The clock back."""
        days = {name: int(state[name][0]) for name in ("landmark", "latest") if name in state}
        return cls(float(state["rate"][0]), **days)


def clock_of(half_life: float) -> Clock:
    """The clock by which a basket weighs one half after `half_life` days. Raises RequestError unless that is above 0."""
    if not (math.isfinite(half_life) and half_life > 0):
        raise RequestError(f"a half-life of {half_life} days", "give a number of days above 0, such as 28")
    return Clock(math.log(2) / half_life)
