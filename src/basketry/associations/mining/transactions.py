"""Baskets of anything: codes for the kernels, and the names behind the codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from basketry.associations.baskets import BasketMatrix
from basketry.core.errors import DataError, NotFound


@dataclass(frozen=True, eq=False)
class Transactions:
    """`baskets` as codes in [0, n) and `names` [n], the item behind each code: text or whole numbers, each once.

    Where nothing is known of customers or days, each basket is a customer of its own and every day is 0.
    """

    baskets: BasketMatrix
    names: pl.Series

    def __post_init__(self) -> None:
        if len(self.names) != self.baskets.n_products:
            raise DataError(f"{len(self.names)} names for {self.baskets.n_products} items", "give each item code one name")

    def __len__(self) -> int:
        return len(self.baskets)

    def codes(self, names: Iterable[object]) -> list[int]:
        """The codes of `names`. Raises NotFound for one that is not an item."""
        known = {name: code for code, name in enumerate(self.names.to_list())}
        wanted = list(names)
        missing = [name for name in wanted if name not in known]
        if missing:
            raise NotFound(f"no item is called {missing[0]!r}", f"items are called such as {self.names.head(3).to_list()}")
        return [known[name] for name in wanted]

    def select(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Self:
        """The baskets where `chosen` [n_baskets] is true, under the same codes and names."""
        return type(self)(self.baskets.select(chosen), self.names)

    @classmethod
    def from_lists(cls, baskets: Sequence[Iterable[object]]) -> Self:
        """One iterable of names a basket; a name twice in one basket counts once."""
        rows = [list(dict.fromkeys(basket)) for basket in baskets]
        names = pl.Series("item", [name for row in rows for name in row]).unique().sort()
        code = {name: i for i, name in enumerate(names.to_list())}
        indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        items = np.array([code[name] for row in rows for name in row], dtype=np.int32)
        return cls(plain(indptr, items, len(names)), names)


def plain(
    indptr: np.ndarray[tuple[int], np.dtype[np.int64]], items: np.ndarray[tuple[int], np.dtype[np.int32]], n_items: int
) -> BasketMatrix:
    """Baskets of which nothing but the items is known."""
    each = np.arange(len(indptr) - 1, dtype=np.int32)
    return BasketMatrix(indptr, items, each, np.zeros_like(each), n_items)
