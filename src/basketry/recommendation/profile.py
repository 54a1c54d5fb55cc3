"""Who a customer is by what they did: tastes, price band, rhythm and what they will need next, from their own events alone.

Of another customer nothing enters: a profile changes with its own history and the catalogue only. Days between two visits (or
two purchases of one product) are its gaps.

- `interest`: the unit vector along the sum of weight(event) * vector(product), recent events weighing more.
- `tastes`: each category's share of the purchases whose category is known.
- `quarter`: the median over purchases of the quarter of its category in which a product's price lies, 1 the cheapest: 1 and the
  number of quartiles of the category's prices that lie below it. Categories of fewer than four priced products say nothing.
- `rhythm`: the median gap, and the share of gaps that differ from it by at most half of it.
- `needs`: a product bought on three or more days is due its median gap after the last. Between the smallest and the largest of
  n gaps the next one falls with probability (n - 1) / (n + 1), if gaps are alike; that is the interval and its `certainty`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.recommendation.recency import Recency
from basketry.recommendation.wording import Part, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketry.core.histories import Floats, Histories, Int32s, Int64s, Queries
    from basketry.core.protocols import Vectors

FEWEST_PRICED: Final = 4  # products of a category whose prices have quarters
FEWEST_GAPS: Final = 2


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What is known of n products. Whatever is None is not known, and profiles say nothing of it.

    `titles` [n]; `category` int32 [n], codes into `categories`, -1 for none; `price` float64 [n], NaN for none; `vectors`
    float32 [n, dim].
    """

    titles: Sequence[str]
    category: Int32s | None = None
    categories: Sequence[str] = ()
    price: Floats | None = None
    vectors: Vectors | None = None

    def __post_init__(self) -> None:
        n = len(self.titles)
        if any(each is not None and len(each) != n for each in (self.category, self.price, self.vectors)):
            raise DataError(f"columns that do not fit {n} products", "give one value of each for every product")
        if self.category is not None and n and not -1 <= self.category.min() <= self.category.max() < len(self.categories):
            raise DataError(f"a category lies outside [-1, {len(self.categories)})", "name every category")

    def quarters(self) -> Int32s:
        """The quarter of its category's prices in which each product's lies, 1 to 4, and 0 where that is not known."""
        quarters = np.zeros(len(self.titles), dtype=np.int32)
        if self.price is None or self.category is None:
            return quarters
        priced = np.isfinite(self.price) & (self.category >= 0)
        for category in np.unique(self.category[priced]).tolist():
            here = np.flatnonzero(priced & (self.category == category))
            if len(here) >= FEWEST_PRICED:
                ends = np.quantile(self.price[here], [0.25, 0.5, 0.75])
                quarters[here] = 1 + np.searchsorted(ends, self.price[here], side="left")
        return quarters


@dataclass(frozen=True)
class Taste:
    """A category, and its share of the purchases."""

    category: str
    share: float


@dataclass(frozen=True)
class Rhythm:
    """The median `gap` in days, how regular it is, and the day that the next visit would be, days since 1970-01-01."""

    gap: float
    regularity: float
    due: int


@dataclass(frozen=True)
class Need:
    """A product due again on `due`, between `low` and `high` with probability `certainty`; all days since 1970-01-01."""

    product: int
    title: str
    times: int
    last: int
    gap: float
    due: int
    low: int
    high: int
    certainty: float


@dataclass(frozen=True, eq=False)
class Profile:
    """One customer; `interest` is None without vectors, `quarter` and `rhythm` where too little is known to say.

    `events` purchases in all; `placed` of them of a known category, `priced` of a known quarter.
    """

    events: int
    interest: Vectors | None
    tastes: tuple[Taste, ...]
    placed: int
    quarter: int | None
    priced: int
    rhythm: Rhythm | None
    needs: tuple[Need, ...]

    def statements(self) -> tuple[Statement, ...]:
        """The profile as statements, which `wording.say` tells in English or Chinese."""
        told = []
        if self.tastes:
            parts = tuple(Part(taste.category, {"share": taste.share}) for taste in self.tastes)
            told.append(Statement("tastes", "", (), {"events": self.placed}, parts))
        if self.quarter is not None:
            told.append(Statement("price", "", (), {"quarter": self.quarter, "events": self.priced}))
        if self.rhythm is not None:
            figures = {"gap": self.rhythm.gap, "regularity": self.rhythm.regularity, "due": self.rhythm.due}
            told.append(Statement("rhythm", "", (), figures))
        for need in self.needs:
            figures = {"due": need.due, "due_low": need.low, "due_high": need.high, "times": need.times}
            told.append(Statement("need", need.title, (), {**figures, "gap": need.gap, "last": need.last}))
        return tuple(told)


@dataclass(frozen=True)
class Profiles:
    """How profiles are made: `tastes` and `needs` listed at most, and the `recency` of interest."""

    tastes: int = 3
    needs: int = 5
    recency: Recency = field(default_factory=lambda: Recency(half_life_days=90))

    def of(self, queries: Queries, catalogue: Catalogue) -> list[Profile]:
        """The profile of each query's customer on its day. Raises RequestError where the catalogue has other products."""
        histories = queries.histories
        if histories.n_products != len(catalogue.titles):
            raise RequestError(
                f"histories of {histories.n_products} products, a catalogue of {len(catalogue.titles)}",
                "give one coding of both",
            )
        weights, quarters = self.recency.weights(queries), catalogue.quarters()
        profiles = []
        for row in range(len(histories)):
            here = slice(int(histories.indptr[row]), int(histories.indptr[row + 1]))
            products, days = histories.products[here], histories.days[here]
            tastes, placed = self._tastes(products, catalogue)
            price = quarters[products][quarters[products] > 0]
            profiles.append(
                Profile(
                    len(products),
                    _interest(products, weights[here], catalogue),
                    tastes,
                    placed,
                    int(np.quantile(price, 0.5, method="lower")) if len(price) else None,
                    len(price),
                    _rhythm(days),
                    self._needs(histories, here, catalogue),
                )
            )
        return profiles

    def _tastes(self, products: Int32s, catalogue: Catalogue) -> tuple[tuple[Taste, ...], int]:
        if catalogue.category is None:
            return (), 0
        known = catalogue.category[products]
        known = known[known >= 0]
        codes, counts = np.unique(known, return_counts=True)
        order = np.argsort(-counts, kind="stable")[: self.tastes]
        return tuple(Taste(catalogue.categories[codes[i]], float(counts[i] / len(known))) for i in order), len(known)

    def _needs(self, histories: Histories, here: slice, catalogue: Catalogue) -> tuple[Need, ...]:
        """The soonest due first."""
        products, days = histories.products[here], histories.days[here]
        needs = []
        for product in np.unique(products).tolist():
            bought = np.unique(days[products == product]).astype(np.int64)
            gaps = np.diff(bought)
            if len(gaps) < FEWEST_GAPS:
                continue
            last, gap = int(bought[-1]), float(np.median(gaps))
            needs.append(
                Need(
                    product,
                    catalogue.titles[product],
                    len(bought),
                    last,
                    gap,
                    last + round(gap),
                    last + int(gaps.min()),
                    last + int(gaps.max()),
                    (len(gaps) - 1) / (len(gaps) + 1),
                )
            )
        return tuple(sorted(needs, key=lambda need: (need.due, need.product))[: self.needs])


def _interest(products: Int32s, weights: Floats, catalogue: Catalogue) -> Vectors | None:
    """The unit vector of the interest; None without vectors, or where they cancel out."""
    if catalogue.vectors is None or not len(products):
        return None
    total = weights @ catalogue.vectors[products].astype(np.float64)
    norm = float(np.linalg.norm(total))
    return None if norm <= 1e-12 else (total / norm).astype(np.float32)


def _rhythm(days: Int32s) -> Rhythm | None:
    visits: Int64s = np.unique(days).astype(np.int64)
    gaps = np.diff(visits)
    if len(gaps) < FEWEST_GAPS:
        return None
    gap = float(np.median(gaps))
    return Rhythm(gap, float((np.abs(gaps - gap) <= gap / 2).mean()), int(visits[-1]) + round(gap))
