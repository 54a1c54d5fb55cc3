"""Order lines become the histories that were bought, as known on the day."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import pytest

from basketry.core.protocols import Parquet
from basketry.data.dataset import Dataset
from basketry.engines.duck import DuckEngine
from basketry.recommendation.reading import nothing, read_customer, read_histories
from worlds import order_lines, products

# order, customer, product, hours since the world's first Monday
LINES = [
    ("o1", "c2", "b", 1.0),
    ("o1", "c2", "a", 1.0),
    ("o2", "c1", "c", 30.0),
    ("o3", "c2", "c", 60.0),
    ("o3", "c2", "c", 60.0),
    ("o4", "c1", "a", 90.0),
]


@pytest.fixture
def dataset(tmp_path):
    frames = {"products": products({each: each for each in "abcd"}), "order_lines": order_lines(LINES)}
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    with closing(DuckEngine({name: Parquet((tmp_path / f"{name}.parquet",)) for name in frames})) as engine:
        yield Dataset(engine, dt.datetime(2200, 1, 1, tzinfo=dt.UTC), "")


def test_customers_orders_and_products_in_their_order(dataset):
    found = read_histories(dataset, 4)
    assert found.indptr.tolist() == [0, 2, 5]
    assert found.products.tolist() == [2, 0, 0, 1, 2]  # c1: c, then a; c2: a and b, then c once
    assert found.visits.tolist() == [0, 1, 2, 2, 3]
    assert (found.days - found.days.min()).tolist() == [1, 3, 0, 0, 2]


def test_one_customer_has_the_history_that_all_together_give(dataset):
    everybody = read_histories(dataset, 4)
    for row, customer in enumerate(("c1", "c2")):
        alone = read_customer(dataset, customer, 4)
        own = slice(everybody.indptr[row], everybody.indptr[row + 1])
        assert alone.products.tolist() == everybody.products[own].tolist()
        assert alone.days.tolist() == everybody.days[own].tolist()
    cut = dataset.before(dt.datetime(1971, 1, 1, tzinfo=dt.UTC))
    assert len(read_customer(cut, "c2", 4).products) == 0


def test_nobody_has_an_empty_history(dataset):
    assert read_customer(dataset, "c9", 4).indptr.tolist() == [0, 0]
    assert nothing(4).indptr.tolist() == [0, 0]
