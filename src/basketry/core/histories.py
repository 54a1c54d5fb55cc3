"""What customers did, and the question of what they will want next: the arrays that every ranker takes and gives.

A history is inside its query, so a customer who came a minute ago is ranked for like any other, without training again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError, RequestError

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Histories:
    """Row i holds the events `products[indptr[i]:indptr[i + 1]]` of customer i, the oldest first.

    `indptr` int64 [n + 1]. Of each event: `products` int32, codes in [0, n_products); `days` int32, days since 1970-01-01,
    never falling within a row; `visits` int32, never falling within a row and equal for what was done in one order, whose
    products have no order among themselves. Memory: 12 bytes an event. Raises DataError for arrays that break any of this.
    """

    indptr: Int64s
    products: Int32s
    days: Int32s
    visits: Int32s
    n_products: int

    def __post_init__(self) -> None:
        indptr, products, n = self.indptr, self.products, len(self.products)
        if not len(indptr) or indptr[0] != 0 or indptr[-1] != n or (np.diff(indptr) < 0).any():
            raise DataError("indptr must start at 0, never fall and end at the number of events", "build it with from_rows")
        if n and not (products.min() >= 0 and products.max() < self.n_products):
            raise DataError(f"a product code lies outside [0, {self.n_products})", "code products by one catalogue")
        inside = np.ones(max(n - 1, 0), dtype=np.bool_)
        starts = indptr[1:-1]
        inside[starts[(starts > 0) & (starts < n)] - 1] = False
        for name, values in (("days", self.days), ("visits", self.visits)):
            if len(values) != n:
                raise DataError(f"{len(values)} {name} for {n} events", "give one for each event")
            if (np.diff(values)[inside] < 0).any():
                raise DataError(f"{name} fall within a history", "order every customer's events by time")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> Int64s:
        """Events of each customer."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> Int64s:
        """The row of each event, int64 [events]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]], n_products: int) -> Self:
        """Sequences of product codes whose order is all that is known: every event is a visit, on a day, of its own."""
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        products = np.fromiter((code for row in rows for code in row), dtype=np.int32, count=int(indptr[-1]))
        step = (np.arange(len(products)) - np.repeat(indptr[:-1], lengths)).astype(np.int32)
        return cls(indptr, products, step, step, n_products)

    def where(self, kept: Bools) -> Self:
        """The same customers with the events where `kept` [events] is true."""
        ends = np.concatenate([[0], np.cumsum(kept)])[self.indptr].astype(np.int64)
        return replace(self, indptr=ends, products=self.products[kept], days=self.days[kept], visits=self.visits[kept])

    def select(self, rows: Int64s) -> Self:
        """The customers `rows`, in that order."""
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        events = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return replace(
            self,
            indptr=indptr,
            products=self.products[events],
            days=self.days[events],
            visits=self.visits[events],
        )


@dataclass(frozen=True, eq=False)
class Queries:
    """What shall these customers be shown on that day? `days` int32 [n], none before the last day of its history."""

    histories: Histories
    days: Int32s

    def __post_init__(self) -> None:
        if len(self.days) != len(self.histories):
            raise RequestError(f"{len(self.days)} days for {len(self.histories)} histories", "give one day for each history")
        if (self.ages < 0).any():
            raise RequestError("a history holds events of a later day than it is asked on", "cut histories before asking")

    def __len__(self) -> int:
        return len(self.days)

    @property
    def ages(self) -> Int64s:
        """How many days before the question each event happened, int64 [events]."""
        return np.repeat(self.days.astype(np.int64), self.histories.lengths) - self.histories.days

    def select(self, rows: Int64s) -> Queries:
        """Some of the questions, in the order of `rows`."""
        return Queries(self.histories.select(rows), self.days[rows])


@dataclass(frozen=True, eq=False)
class Rankings:
    """The best first: `products` int32 [n, k], -1 where there are no more; `scores` float64 [n, k], comparable within a row."""

    products: Int32s
    scores: Floats


@dataclass(frozen=True, eq=False)
class Candidates:
    """What may be ranked. `allowed` bool [n_products], or [n, n_products] of one row a query, or None for everything.

    `repeats`: whether a product of the history may be ranked again. A product that is not allowed still helps as history.
    """

    allowed: Bools | None = None
    repeats: bool = False

    def select(self, rows: Int64s) -> Candidates:
        """Those of some of the queries, in the order of `rows`."""
        return self if self.allowed is None or self.allowed.ndim == 1 else Candidates(self.allowed[rows], self.repeats)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Why each product of a ranking stands there: what every event of the history added to its score.

    `events` float64, ragged: those of query q and rank r are `events[start[q] + r * length[q]:][:length[q]]`, ordered as the
    history and length[q] long; zero for a rank without a product. `rest` float64 [n, k]: what no event accounts for
    (popularity, a bias). Where `exact`, events and rest add up to the score; else they are an attribution.
    """

    start: Int64s
    events: Floats
    rest: Floats
    exact: bool

    def of(self, query: int, rank: int, length: int) -> Floats:
        """What each of the `length` events of a query's history added to its product at `rank`, from 0."""
        begin = int(self.start[query]) + rank * length
        return self.events[begin : begin + length]
