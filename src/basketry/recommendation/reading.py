"""A shop's order lines, and what was bought and clicked in its lists, as histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import DataError
from basketry.core.histories import Histories
from basketry.core.tables import Baskets, Buyers, UnitPrices

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dataframely as dy
    import polars as pl

    from basketry.core.histories import Floats
    from basketry.data.dataset import Dataset

_EVERYBODY: Final = {"customer_id": ""}


def read_histories(dataset: Dataset, n_products: int) -> Histories:
    """Every customer's orders known to `dataset`, oldest first; an order is a visit, an anonymous one a customer of its own.

    Purchases among the events join them, unless an order line of the customer, of the same day or a day beside it, holds the
    product: a purchase that both tables tell is one. Product codes are positions in the sorted product ids. Memory: 12 bytes a
    distinct product of an order, and as much again while it is read. Raises DataError where rows do not come ordered.
    """
    return histories_of(dataset.stream(Baskets, "histories", _EVERYBODY), n_products)


def read_named(dataset: Dataset, n_products: int) -> tuple[Histories, dict[str, int]]:
    """The same, and the row of each known customer by pseudonym."""
    frame = dataset.query(Baskets, "histories", _EVERYBODY)
    codes = frame["customer"].unique(maintain_order=True).to_frame().with_row_index("history")
    known = dataset.query(Buyers, "buyers").drop_nulls("customer_id").join(codes, on="customer", how="inner")
    return histories_of([frame], n_products), dict(known.select("customer_id", "history").iter_rows())


def read_clicks(dataset: Dataset, n_products: int) -> Histories:
    """What customers clicked or bought in the shop's lists: a visit is a customer's day, or the list of somebody unknown."""
    return histories_of(dataset.stream(Baskets, "clicks"), n_products)


def read_customer(dataset: Dataset, customer_id: str, n_products: int) -> Histories:
    """One history: the orders of the customer with this pseudonym; without events if nobody has it."""
    found = histories_of([dataset.query(Baskets, "histories", {"customer_id": customer_id})], n_products)
    return found if len(found) else nothing(n_products)


def read_prices(dataset: Dataset, product_ids: pl.Series) -> Floats:
    """The median price on the shelf of one unit of each product, float64 [products], NaN for what was never sold."""
    import polars as pl

    each = dataset.query(UnitPrices, "unit_prices", {}).group_by("product_id").agg(pl.col("shelf").cast(pl.Float64).median())
    known = pl.DataFrame({"product_id": product_ids}).join(each, on="product_id", how="left", maintain_order="left")
    prices: Floats = known["shelf"].fill_null(float("nan")).to_numpy()
    return prices


def nothing(n_products: int) -> Histories:
    """The history of somebody who has done nothing yet."""
    empty = np.empty(0, dtype=np.int32)
    return Histories(np.zeros(2, dtype=np.int64), empty, empty, empty, n_products)


def histories_of(frames: Iterable[dy.DataFrame[Baskets]], n_products: int) -> Histories:
    """Frames of the Baskets contract, wherever they were cut, as histories."""
    products, baskets, customers, days = ([np.empty(0, dtype=np.int32)] for _ in range(4))
    for frame in frames:
        products.append(frame["product"].to_numpy())
        baskets.append(frame["basket"].to_numpy())
        customers.append(frame["customer"].to_numpy())
        days.append(frame["day"].to_physical().to_numpy())
    product, basket, customer, day = (np.concatenate(each) for each in (products, baskets, customers, days))
    if (np.diff(customer) < 0).any():
        raise DataError("baskets do not come in the order of customers", "order them by customer, time and order")
    ends = np.flatnonzero(np.append(np.diff(customer) != 0, True)[: len(customer)]) + 1
    return Histories(np.concatenate([[0], ends]).astype(np.int64), product, day, basket, n_products)
