"""How long until a customer buys an item again, how regular that is, and when it is next due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.core.errors import RequestError
from basketry.core.telemetry import span

if TYPE_CHECKING:
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

    Int64s = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Periods:
    """The estimator: its fields are the hyperparameters."""

    min_customers: int = field(default=20, metadata={"doc": "items bought again by fewer customers are left out"})
    rounds: int = field(default=19, metadata={"doc": "shuffles of the placebo; p is never below 1 / (rounds + 1)"})

    def __post_init__(self) -> None:
        for name, least in (("min_customers", 1), ("rounds", 1)):
            if getattr(self, name) < least:
                raise RequestError(f"{name} is {getattr(self, name)}", f"give a whole number from {least} up")

    def fit(self, transactions: Transactions, run: Run) -> ItemPeriods:
        """Gaps between the days on which a customer bought an item, for every item that enough customers bought twice.

        Quartiles and regularity are of completed gaps only, which are the shorter ones: who has not come back yet is not among
        them. `median_due` counts those too: the Kaplan-Meier (1958) estimate takes each customer's last purchase as a gap that
        lasted at least until the last day of the data. It is null where half have not come back. Neither knows who moved away.

        Regularity is the coefficient of variation of gaps about their customer's own mean, sqrt(mean((gap / mean - 1)^2) m /
        (m - 1)) for m gaps pooled over customers of two gaps and more with one degree of freedom for each customer: 1 for a
        purchase that comes at any time, 0 for clockwork. Its placebo shuffles, for each customer, which of the visits were
        on which day: the shopping days stay, and so do the baskets, but not their order. p = (1 + shuffles at least as
        regular) / (1 + rounds).
        """
        lines = _Lines.of(transactions)
        customers = _Gaps.of(lines).customers(transactions.baskets.n_products)
        code = np.flatnonzero(customers >= self.min_customers)
        lines = lines.only(code, transactions.baskets.n_products)
        gaps = _Gaps.of(lines)
        variation = gaps.variation(len(code))
        rng = np.random.default_rng(run.seed)
        shuffled = np.empty((self.rounds, len(code)))
        with span("shuffling days", total=self.rounds, unit="rounds") as progress:
            for each in shuffled:
                each[:] = _Gaps.of(lines.shuffled(rng)).variation(len(code))
                progress.advance()
        table = gaps.quartiles(len(code)).with_columns(
            pl.Series("customers", customers[code]),
            pl.Series("variation", variation),
            pl.Series("placebo", shuffled.mean(axis=0)),
            pl.Series("p", (1 + (shuffled <= variation).sum(axis=0)) / (1 + self.rounds)),
            pl.Series("median_due", _due(lines, gaps, len(code))),
        )
        return ItemPeriods(table, lines, transactions.names.gather(code))


@dataclass(frozen=True, eq=False)
class ItemPeriods:
    """One row an item in `table`; `names` are the items', in its order."""

    table: pl.DataFrame
    lines: _Lines
    names: pl.Series

    def __len__(self) -> int:
        return len(self.table)

    def frame(self) -> pl.DataFrame:
        """One row an item, the most regular first.

        `item`, `customers` (with a completed gap), `gaps`, `q25`, `median`, `q75` (days), `median_due` (days, with those who
        have not come back), `variation`, `placebo` (its mean over shuffles), `p`. A variation is null where no customer has two
        gaps.
        """
        columns = ("customers", "gaps", "q25", "median", "q75", "median_due", "variation", "placebo", "p")
        table = self.table.select(self.names.alias("item"), *columns).with_columns(
            pl.col("median_due", "variation", "placebo").fill_nan(None)
        )
        return table.with_columns(p=pl.when(pl.col("variation").is_not_null()).then("p")).sort(
            pl.col("p"), pl.col("variation") / pl.col("placebo"), nulls_last=True, maintain_order=True
        )

    def due(self) -> pl.DataFrame:
        """When each customer's next purchase of each item is due: `item`, `customer` (number), `last` and `due` (dates).

        The customer's own median gap where there are three and more, else `median_due` of the item; null where that is.
        """
        lines = self.lines
        gaps = _Gaps.of(lines)
        last = np.append((np.diff(lines.item) != 0) | (np.diff(lines.customer) != 0), True)[: len(lines.item)]
        held = pl.DataFrame({"row": lines.item[last], "customer": lines.customer[last], "last": lines.day[last]})
        own = (
            pl.DataFrame({"row": gaps.item, "customer": gaps.customer, "gap": gaps.days})
            .group_by("row", "customer")
            .agg(own=pl.when(pl.len() >= 3).then(pl.col("gap").median()))
        )
        items = pl.DataFrame({"item": self.names, "typical": self.table["median_due"].fill_nan(None)}).with_row_index("row")
        wait = pl.coalesce("own", "typical").round(mode="half_away_from_zero").cast(pl.Int32)
        return (
            held.join(own, on=["row", "customer"], how="left", maintain_order="left")
            .join(items.with_columns(pl.col("row").cast(pl.Int64)), on="row", how="left", maintain_order="left")
            .select("item", "customer", pl.col("last").cast(pl.Date), (pl.col("last") + wait).cast(pl.Date).alias("due"))
        )


@dataclass(frozen=True, eq=False)
class _Lines:
    """Days on which customers bought items, each once, by item, customer and day; `visit` is the customer's day as a number."""

    item: Int64s
    customer: npt.NDArray[np.int32]
    visit: Int64s
    day: npt.NDArray[np.int32]
    visit_customer: npt.NDArray[np.int32]
    visit_day: npt.NDArray[np.int32]

    @classmethod
    def of(cls, transactions: Transactions) -> _Lines:
        baskets = transactions.baskets
        new = (np.diff(baskets.customers, prepend=-1) != 0) | (np.diff(baskets.days, prepend=-1) != 0)
        visit = np.repeat(np.cumsum(new) - 1, baskets.sizes)
        n_visits = max(int(new.sum()), 1)
        key = np.unique(baskets.items.astype(np.int64) * n_visits + visit)
        return cls._at(key // n_visits, key % n_visits, baskets.customers[new], baskets.days[new])

    @classmethod
    def _at(cls, item: Int64s, visit: Int64s, customer: npt.NDArray[np.int32], day: npt.NDArray[np.int32]) -> _Lines:
        return cls(item, customer[visit], visit, day[visit], customer, day)

    def only(self, code: npt.NDArray[np.intp], n_items: int) -> _Lines:
        """The lines of the items `code`, renumbered by their place in it."""
        number = np.full(n_items, -1, dtype=np.int64)
        number[code] = np.arange(len(code))
        kept = number[self.item] >= 0
        return self._at(number[self.item[kept]], self.visit[kept], self.visit_customer, self.visit_day)

    def shuffled(self, rng: np.random.Generator) -> _Lines:
        """The same with each customer's visits put in another order on the same days."""
        order = np.lexsort((rng.random(len(self.visit_customer)), self.visit_customer))
        key = np.sort(self.item * max(len(order), 1) + order[self.visit])
        return self._at(key // max(len(order), 1), key % max(len(order), 1), self.visit_customer, self.visit_day)


@dataclass(frozen=True, eq=False)
class _Gaps:
    """Completed gaps in days, by item and customer."""

    item: Int64s
    customer: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]

    @classmethod
    def of(cls, lines: _Lines) -> _Gaps:
        again = _again(lines.item, lines.customer)
        return cls(lines.item[again], lines.customer[again], (lines.day - np.roll(lines.day, 1))[again])

    def groups(self) -> tuple[npt.NDArray[np.intp], Int64s]:
        """Where each customer's gaps of an item begin, and how many they are."""
        begin = np.flatnonzero(np.append(True, (np.diff(self.item) != 0) | (np.diff(self.customer) != 0))[: len(self.item)])
        return begin, np.diff(np.append(begin, len(self.item)))

    def customers(self, n_items: int) -> npt.NDArray[np.intp]:
        """Customers with a gap of each item."""
        return np.bincount(self.item[self.groups()[0]], minlength=n_items)

    def variation(self, n_items: int) -> Floats:
        """The coefficient of variation about each customer's own mean, pooled by item; nan where nobody has two gaps."""
        begin, sizes = self.groups()
        if not len(begin):
            return np.full(n_items, np.nan)
        mean = np.repeat(np.add.reduceat(self.days.astype(np.float64), begin) / sizes, sizes)
        several = np.repeat(sizes >= 2, sizes)
        squares = np.bincount(self.item[several], ((self.days / mean - 1) ** 2)[several], minlength=n_items)
        freedom = np.bincount(self.item[begin], sizes - 1, minlength=n_items)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(squares / freedom)

    def quartiles(self, n_items: int) -> pl.DataFrame:
        """Number and quartiles of the gaps of each item."""
        found = (
            pl.DataFrame({"row": self.item, "days": self.days})
            .group_by("row")
            .agg(
                pl.len().alias("gaps"),
                *(
                    pl.col("days").quantile(share, "linear").alias(name)
                    for name, share in (("q25", 0.25), ("median", 0.5), ("q75", 0.75))
                ),
            )
        )
        every = pl.DataFrame({"row": np.arange(n_items)})
        return every.join(found, on="row", how="left", maintain_order="left").with_columns(pl.col("gaps").fill_null(0))


def _again(item: Int64s, customer: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Whether a line is of the item and customer of the line before."""
    return np.append(False, (np.diff(item) == 0) & (np.diff(customer) == 0))[: len(item)]


def _due(lines: _Lines, gaps: _Gaps, n_items: int) -> Floats:
    """The Kaplan-Meier median of each item's gaps, the last one of each customer still open on the last day of the data."""
    last = ~np.append(_again(lines.item, lines.customer)[1:], False)[: len(lines.item)]
    end = int(lines.visit_day.max()) if len(lines.visit_day) else 0
    item = np.concatenate([gaps.item, lines.item[last]])
    days = np.concatenate([gaps.days, end - lines.day[last]])
    closed = np.concatenate([np.ones(len(gaps.item), dtype=bool), np.zeros(int(last.sum()), dtype=bool)])
    return kaplan_meier_medians(item, days, closed, n_items)


def kaplan_meier_medians(
    group: npt.NDArray[np.integer], time: npt.NDArray[np.integer], ended: npt.NDArray[np.bool_], n_groups: int
) -> Floats:
    """The first time by which at least half of a group have ended, by Kaplan and Meier (1958); nan where that is never.

    S(t) = product over times u <= t of 1 - d_u / n_u, with d_u ends at u and n_u still under way before u; who is last seen at
    u (`ended` false) still counts among n_u. Arrays are aligned [k]; groups lie in [0, n_groups), times are whole numbers.
    """
    medians = np.full(n_groups, np.nan)
    if not len(group):
        return medians
    order = np.lexsort((time, group))
    group, time, ended = group[order], time[order], ended[order]
    begin = np.flatnonzero(np.append(True, (np.diff(group) != 0) | (np.diff(time) != 0)))
    ends = np.add.reduceat(ended.astype(np.int64), begin)
    whose = group[begin]
    stop = np.searchsorted(group, np.arange(n_groups), side="right")
    at_risk = stop[whose] - begin
    # Only at a group's last time can all that are left end: there S is 0, and the sum of logarithms needs no minus infinity.
    step = np.log1p(-np.where(ends == at_risk, 0, ends) / at_risk)
    total = np.cumsum(step)
    first = np.flatnonzero(np.append(True, np.diff(whose) != 0))
    before = np.repeat(total[first] - step[first], np.diff(np.append(first, len(whose))))
    half = (total - before <= np.log(0.5) + 1e-9) | (ends == at_risk)
    reached, at = np.unique(whose[half], return_index=True)
    medians[reached] = time[begin][half][at]
    return medians
