"""What a learned ranker sees of a proposal: who proposes it, how it sells, what it costs, and what it is to this customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError
from basketry.recommendation.popularity import Popularity

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Histories, Int32s, Queries
    from basketry.core.protocols import Arrays, Run
    from basketry.recommendation.pool import Pool
    from basketry.recommendation.voices import Singles

_WEEK = 7


@dataclass(frozen=True, eq=False)
class ProductFacts:
    """What is known of products besides their sales, each [n_products]; NaN, and of `category` -1, where it is not known.

    `category` int32 codes; `price` and `margin` in the shop's currency, `stock` in units, float64.
    """

    category: Int32s
    price: Floats
    margin: Floats
    stock: Floats

    def __post_init__(self) -> None:
        lengths = {len(self.category), len(self.price), len(self.margin), len(self.stock)}
        if len(lengths) != 1:
            raise DataError(f"facts of {sorted(lengths)} products", "give every fact for every product, NaN where unknown")

    @classmethod
    def unknown(cls, n_products: int) -> Self:
        """Nothing is known of any product."""
        nan = np.full(n_products, np.nan)
        return cls(np.full(n_products, -1, dtype=np.int32), nan, nan, nan)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """One array a fact of which something is known."""
        numbers = {"price": self.price, "margin": self.margin, "stock": self.stock}
        known: dict[str, npt.NDArray[np.generic]] = {name: one for name, one in numbers.items() if not np.isnan(one).all()}
        return {**known, "category": self.category} if (self.category >= 0).any() else known

    @classmethod
    def from_state(cls, state: Arrays, n_products: int) -> Self:
        """The facts back from their arrays."""
        nothing = cls.unknown(n_products)
        price, margin, stock = (state.get(name, nothing.price).astype(np.float64) for name in ("price", "margin", "stock"))
        return cls(state.get("category", nothing.category).astype(np.int32), price, margin, stock)


@dataclass(frozen=True, eq=False)
class Sales:
    """Visits with each product, float32 [n_products], over all time and in the last week that is known."""

    ever: Singles
    week: Singles

    @classmethod
    def of(cls, histories: Histories, run: Run) -> Sales:
        """Count them."""
        return cls(Popularity().fit(histories, run).counts, Popularity(window_days=_WEEK).fit(histories, run).counts)


CONTEXT = (
    "sold ever", "sold last week", "price", "price against history", "margin", "stock", "category share of history",
    "times bought", "days since bought", "events of customer", "days since last event", "days between visits", "weekday",
)  # fmt: skip


def names_of(parts: int) -> tuple[str, ...]:
    """The columns of `features` for a pool of `parts` rankers."""
    of_parts = [f"{what} {number}" for number in range(parts) for what in ("score", "voice", "place")]
    return (*of_parts, *CONTEXT)


def features(pool: Pool, queries: Queries, sales: Sales, facts: ProductFacts) -> Singles:
    """float32 [proposals, 3 parts + 13], NaN where unknown.

    Of each part its score, its voice and 1 / place (0 for none). Sales as log(1 + visits). Price against history is the ratio
    to the mean price of the history's events; category share is the part of them in the product's category. Days are before
    the query's. Weekday counts from Monday, 0.
    """
    query, product = pool.queries, pool.products
    of_parts = np.stack(
        [pool.scores, pool.voices, np.divide(1, pool.places, out=np.zeros(pool.voices.shape), where=pool.places > 0)], axis=2
    )
    customer = _customers(queries, facts)
    held = _held(queries, query, product, len(facts.price))
    columns = [
        np.log1p(sales.ever[product]),
        np.log1p(sales.week[product]),
        facts.price[product],
        facts.price[product] / customer["price"][query],
        facts.margin[product],
        facts.stock[product],
        _category_share(queries, query, product, facts.category),
        held["times"],
        held["days"],
        np.log1p(customer["events"])[query],
        customer["idle"][query],
        customer["rhythm"][query],
        ((queries.days.astype(np.int64) + 3) % _WEEK)[query],  # 1970-01-01 was a Thursday
    ]
    seen = of_parts.reshape(len(query), of_parts.shape[1] * 3)
    return np.ascontiguousarray(np.concatenate([seen, np.stack(columns, axis=1)], axis=1), dtype=np.float32)


def _customers(queries: Queries, facts: ProductFacts) -> dict[str, Floats]:
    """Of each query: its events, days since the last, days between visits, and the mean price paid."""
    histories = queries.histories
    n, lengths, rows = len(histories), histories.lengths, histories.rows
    some = lengths > 0
    first, last = histories.indptr[:-1][some], histories.indptr[1:][some] - 1
    idle, rhythm = np.full(n, np.nan), np.full(n, np.nan)
    idle[some] = queries.days[some] - histories.days[last]
    changes = np.zeros(len(rows), dtype=np.int64)
    changes[1:] = (np.diff(histories.visits) != 0) & (np.diff(rows) == 0)
    later = np.bincount(rows, changes, minlength=n)[some]
    span = (histories.days[last] - histories.days[first]).astype(np.float64)
    rhythm[some] = np.divide(span, later, out=np.full(len(span), np.nan), where=later > 0)
    price = facts.price[histories.products]
    known = np.isfinite(price)
    count = np.bincount(rows[known], minlength=n)
    total = np.bincount(rows[known], price[known], minlength=n)
    paid = np.divide(total, count, out=np.full(n, np.nan), where=(count > 0) & (total > 0))
    return {"events": lengths.astype(np.float64), "idle": idle, "rhythm": rhythm, "price": paid}


def _held(queries: Queries, query: npt.NDArray[np.int64], product: Int32s, n_products: int) -> dict[str, Floats]:
    """Of each proposal: how often the customer bought it, and how many days ago last, NaN for never."""
    histories = queries.histories
    wanted = query * np.int64(n_products) + product
    keys = histories.rows * np.int64(n_products) + histories.products
    known, counts = np.unique(keys, return_counts=True)
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    there = known[place] == wanted if len(known) else np.zeros(len(wanted), dtype=np.bool_)
    last = np.full(len(known), -1, dtype=np.int64)
    np.maximum.at(last, np.searchsorted(known, keys), histories.days)
    times, days = np.zeros(len(wanted)), np.full(len(wanted), np.nan)
    times[there] = counts[place[there]]
    days[there] = queries.days[query[there]] - last[place[there]]
    return {"times": times, "days": days}


def _category_share(queries: Queries, query: npt.NDArray[np.int64], product: Int32s, category: Int32s) -> Floats:
    """The part of the history's events in the category of each proposal; NaN where it has no category."""
    histories = queries.histories
    share = np.full(len(product), np.nan)
    n = int(category.max(initial=-1)) + 1
    if not n:
        return share
    of = category[histories.products]
    keys, counts = np.unique((histories.rows * np.int64(n) + of)[of >= 0], return_counts=True)
    known = category[product] >= 0
    wanted = (query * np.int64(n) + category[product])[known]
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = np.where(keys[place] == wanted, counts[place], 0) if len(keys) else np.zeros(len(wanted))
    share[known] = found / np.maximum(histories.lengths[query[known]], 1)
    return share
