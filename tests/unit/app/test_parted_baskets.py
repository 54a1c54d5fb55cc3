"""Baskets parted in time, by hand."""

import numpy as np
import polars as pl
import pytest

from basketry.app.parted_baskets import part
from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError

# Customer 0: {a, b} on day 5, {a, b, c} on day 1; customer 1: {a, b} on day 2, {a} on day 3, {b, a} on day 9.
ROWS = [(0, 1, [0, 1, 2]), (0, 5, [0, 1]), (1, 2, [0, 1]), (1, 3, [0]), (1, 9, [0, 1])]


def baskets() -> Transactions:
    items = [item for *_, row in ROWS for item in row]
    indptr = np.cumsum([0, *(len(row) for *_, row in ROWS)])
    customers, days = ([row[side] for row in ROWS] for side in range(2))
    matrix = BasketMatrix(
        indptr.astype(np.int64),
        np.array(items, dtype=np.int32),
        np.array(customers, dtype=np.int32),
        np.array(days, dtype=np.int32),
        3,
    )
    return Transactions(matrix, pl.Series("item", ["a", "b", "c"]))


def test_the_later_share_by_day_and_products_of_enough_earlier_customers():
    found = part(baskets(), 0.4, 2)  # days 5 and 9 judge; c was bought by one customer before
    assert found.names == ("a", "b")
    assert found.earlier.toarray().tolist() == [[1, 1], [1, 1]]  # days 1 and 2; that of day 3 holds one product
    assert found.later.toarray().tolist() == [[1, 1], [1, 1]]
    assert found.customers.tolist() == [0, 1]
    assert part(baskets(), 0.4, 1).earlier.toarray().tolist() == [[1, 1, 1], [1, 1, 0]]


def test_nothing_left_is_said():
    with pytest.raises(DataError, match="3 customers"):
        part(baskets(), 0.4, 3)
    with pytest.raises(DataError):
        part(baskets(), 0.01, 1)
