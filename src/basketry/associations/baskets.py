"""All baskets of a shop in the form that kernels take: dense codes in compressed rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import dataframely as dy
import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError
from basketry.core.tables import Baskets

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BasketMatrix:
    """Basket i holds the distinct products `items[indptr[i]:indptr[i + 1]]`; baskets stand in the order customer, time, order.

    `indptr` int64 [n + 1]; `items` int32, codes in [0, n_products); `customers` int32 [n], never falling, an anonymous basket
    being a customer of its own; `days` int32 [n], local days since 1970-01-01. Memory: 4 bytes a line and 16 a basket.
    """

    indptr: Int64s
    items: Int32s
    customers: Int32s
    days: Int32s
    n_products: int

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def sizes(self) -> Int64s:
        """Distinct products of each basket."""
        return np.diff(self.indptr)

    def next_orders(self) -> Int32s:
        """For each basket the number of the same customer's next one, int32 [n]; -1 for the last, and for anonymous ones."""
        follows = np.append(self.customers[1:] == self.customers[:-1], False)[: len(self)]
        return np.where(follows, np.arange(1, len(self) + 1), -1).astype(np.int32)

    def select(self, chosen: npt.NDArray[np.bool_]) -> BasketMatrix:
        """The baskets where `chosen` [n] is true, in the same order."""
        sizes = self.sizes
        return BasketMatrix(
            np.concatenate([[0], np.cumsum(sizes[chosen])]).astype(np.int64),
            self.items[np.repeat(chosen, sizes)],
            self.customers[chosen],
            self.days[chosen],
            self.n_products,
        )

    def without(self, products: npt.NDArray[np.bool_]) -> BasketMatrix:
        """The baskets as if the `products` (bool [n_products]) had never been sold; a basket of nothing else is gone."""
        kept = ~products[self.items]
        sizes = np.bincount(np.repeat(np.arange(len(self)), self.sizes)[kept], minlength=len(self))
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        left = BasketMatrix(indptr, self.items[kept], self.customers, self.days, self.n_products)
        return left.select(sizes > 0)

    @classmethod
    def from_frames(cls, frames: Iterator[dy.DataFrame[Baskets]], n_products: int) -> Self:
        """Join frames of the Baskets contract, wherever they were cut; rows must come in the order of their baskets.

        Raises DataError where baskets or customers go backwards, a basket has two customers or days, or a product is out of
        range.
        """
        items, baskets, customers, days = [], [], [], []
        for frame in frames:
            items.append(frame["product"].to_numpy())
            baskets.append(frame["basket"].to_numpy())
            customers.append(frame["customer"].to_numpy())
            days.append(frame["day"].to_physical().to_numpy())
        product, basket, customer, day = (_joined(parts) for parts in (items, baskets, customers, days))
        first = np.diff(basket, prepend=-1) != 0
        starts = np.flatnonzero(first)
        whole = first[1:] | ((np.diff(customer) == 0) & (np.diff(day) == 0))
        if (np.diff(basket) < 0).any() or (np.diff(customer) < 0).any() or not whole.all():
            raise DataError(
                "baskets do not come in the order of customer, time and order", "sort them by `basket` before counting"
            )
        if len(product) and not (product.min() >= 0 and product.max() < n_products):
            raise DataError(
                f"a product code lies outside [0, {n_products})", "code products and baskets from the same catalogue"
            )
        indptr = np.append(starts, len(product)).astype(np.int64)
        return cls(indptr, product, customer[starts], day[starts], n_products)


def _joined(parts: list[Int32s]) -> Int32s:
    return np.concatenate([np.empty(0, dtype=np.int32), *parts]).astype(np.int32, copy=False)
