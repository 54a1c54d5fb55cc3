"""What became of what was shown: which customers see which arm, and Events as the arrays that off-policy estimates take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError, RequestError

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from basketry.core.histories import Bools, Int32s
    from basketry.evaluation.off_policy import Floats, Integers, Logged
    from basketry.recommendation.facts import Facts


@dataclass(frozen=True)
class Experiment:
    """Customers split over arms by a hash of the experiment's `name` and their id: the same arm always, everywhere.

    `arms`: each arm's weight. No table of assignments is kept, and two experiments of different names split independently of
    each other. A weight changed under way moves customers at the boundaries only; for a clean test start one of another name.
    """

    name: str
    arms: Mapping[str, float] = field(default_factory=lambda: {"control": 1.0, "treatment": 1.0})

    def __post_init__(self) -> None:
        weights = np.array(list(self.arms.values()), dtype=np.float64)
        if not self.name or not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum() > 0:
            raise RequestError(
                f"the experiment {self.name!r} splits nobody: {dict(self.arms)}", "name it, give weights above 0"
            )

    def arm(self, customer_id: str) -> str:
        """The arm of one customer."""
        names, ends = self._split
        return names[int(np.searchsorted(ends, self._place(customer_id), side="right"))]

    def assigned(self, customer_ids: Sequence[str]) -> list[str]:
        """The arm of each customer. About 1 us each."""
        names, ends = self._split
        places = np.fromiter(map(self._place, customer_ids), dtype=np.float64, count=len(customer_ids))
        return [names[i] for i in np.searchsorted(ends, places, side="right").tolist()]

    def _place(self, customer_id: str) -> float:
        """Where in [0, 1) a customer falls. The length of the name keeps `a`+`bc` apart from `ab`+`c`."""
        name = self.name.encode()
        digest = hashlib.blake2b(b"%d:%s:%s" % (len(name), name, customer_id.encode()), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53

    @property
    def _split(self) -> tuple[list[str], npt.NDArray[np.float64]]:
        weights = np.array(list(self.arms.values()), dtype=np.float64)
        used = [(name, weight) for name, weight in self.arms.items() if weight > 0]
        return [name for name, _ in used], (np.cumsum(weights[weights > 0]) / weights.sum())[:-1]


@dataclass(frozen=True)
class Rewards:
    """What each action after an impression is worth; the values of several add up. An impression by itself earns nothing."""

    click: float = 0.0
    purchase: float = 1.0
    dismissal: float = 0.0


def logged(
    events: pl.DataFrame, target: Floats, rewards: Rewards | None = None, expected: tuple[Floats, Floats] | None = None
) -> Logged:
    """Events as what was shown and what it earned, for `evaluation.off_policy`.

    One row an impression, in the order of `impressions(events)`, whose length `target` and `expected` (of each thing shown,
    and of the other policy's choice) have; clusters are customers, an anonymous list one of its own. Raises DataError for
    impressions without a propensity.
    """
    import polars as pl

    from basketry.evaluation.off_policy import Logged

    worth = rewards or Rewards()
    shown = impressions(events)
    if shown["propensity"].null_count():
        raise DataError(
            f"{shown['propensity'].null_count()} impressions have no propensity", "leave them out, or log the probability"
        )
    value = pl.col("action").replace_strict(
        {"impression": 0.0, "click": worth.click, "purchase": worth.purchase, "dismissal": worth.dismissal},
        return_dtype=pl.Float64,
    )
    earned = events.group_by("list_id", "product_id").agg(value.sum().alias("reward"))
    rows = shown.join(earned, on=["list_id", "product_id"], how="left", maintain_order="left")
    who = pl.coalesce(pl.lit("c:") + pl.col("customer_id"), pl.lit("l:") + pl.col("list_id"))
    cluster: Integers = rows.select(who.rank("dense").cast(pl.Int64).alias("cluster"))["cluster"].to_numpy()
    return Logged(rows["reward"].to_numpy(), rows["propensity"].to_numpy(), target, cluster, *(expected or (None, None)))


def impressions(events: pl.DataFrame) -> pl.DataFrame:
    """The impressions among Events, by list and place."""
    return events.filter(action="impression").sort("list_id", "place", "product_id")


def resting(dismissals: pl.DataFrame, facts: Facts, customers: Sequence[str], days: Int32s, rest: int) -> Bools:
    """Which products each customer waved away less than `rest` days before the question of `days`; bool [n, n_products].

    `dismissals` is of the contract of that name; `days` int32 [n] since 1970-01-01. A product waved away after the day of the
    question rests too. Products that left the catalogue are passed over.
    """
    found = np.zeros((len(customers), len(facts)), dtype=np.bool_)
    rows: dict[str, list[int]] = {}
    for row, customer in enumerate(customers):
        rows.setdefault(customer, []).append(row)
    days_away = dismissals["day"].to_physical()
    for customer, product, day in zip(dismissals["customer_id"], dismissals["product_id"], days_away, strict=True):
        code = facts.code(product)
        for row in rows.get(customer, []):
            if code >= 0 and int(days[row]) - day < rest:
                found[row, code] = True
    return found
