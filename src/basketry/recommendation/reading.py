"""A shop's order lines as histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import DataError
from basketry.core.histories import Histories
from basketry.core.tables import Baskets

if TYPE_CHECKING:
    from basketry.data.dataset import Dataset

BEGINNING: Final = "0001-01-01T00:00:00Z"


def read_histories(dataset: Dataset, n_products: int) -> Histories:
    """Every customer's orders known to `dataset`, oldest first; an order is a visit, an anonymous one a customer of its own.

    Product codes are positions in the sorted product ids, customers stand in the order of `named_customers`. Memory: 12 bytes a
    distinct product of an order. Raises DataError where rows do not come ordered.
    """
    products, baskets, customers, days = [], [], [], []
    for frame in dataset.stream(Baskets, "baskets", {"since": BEGINNING}):
        products.append(frame["product"].to_numpy())
        baskets.append(frame["basket"].to_numpy())
        customers.append(frame["customer"].to_numpy())
        days.append(frame["day"].to_physical().to_numpy())
    nothing = np.empty(0, dtype=np.int32)
    product, basket, customer, day = (np.concatenate([nothing, *each]) for each in (products, baskets, customers, days))
    if (np.diff(customer) < 0).any():
        raise DataError("baskets do not come in the order of customers", "order them by customer, time and order")
    ends = np.flatnonzero(np.append(np.diff(customer) != 0, True)[: len(customer)]) + 1
    return Histories(np.concatenate([[0], ends]).astype(np.int64), product, day, basket, n_products)
