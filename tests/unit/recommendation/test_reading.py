"""Order lines become the histories that were bought, as known on the day."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import polars as pl
import pytest

import worlds
from basketry.core.tables import Events
from basketry.recommendation.reading import nothing, read_clicks, read_customer, read_histories, read_named
from worlds import START, order_lines, products

# order, customer, product, hours since the world's first Monday
LINES = [
    ("o1", "c2", "b", 1.0),
    ("o1", "c2", "a", 1.0),
    ("o2", "c1", "c", 30.0),
    ("o3", "c2", "c", 60.0),
    ("o3", "c2", "c", 60.0),
    ("o4", "c1", "a", 90.0),
]


LATER = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)


def opened(folder, events=()):
    """`events`: list, customer, product, action, hours since the world's first Monday."""
    told = [
        {"list_id": name, "customer_id": who, "product_id": what, "action": action, "ts": START + dt.timedelta(hours=hours)}
        for name, who, what, action, hours in events
    ]
    blank = Events.create_empty()
    frame = pl.DataFrame(told, schema_overrides={"customer_id": pl.String}) if told else blank
    frame = frame.with_columns(day=pl.col("ts").dt.date(), place=pl.lit(1))
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in blank.schema.items() if name not in frame.columns]
    rows = Events.validate(frame.with_columns(missing), cast=True)
    frames = {"products": products({each: each for each in "abcd"}), "order_lines": order_lines(LINES), "events": rows}
    return worlds.dataset(folder, frames, LATER)


@pytest.fixture
def dataset(tmp_path):
    found = opened(tmp_path)
    with closing(found.engine):
        yield found


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


def test_a_purchase_that_both_tables_tell_is_one(tmp_path):
    events = [
        ("l1", "c2", "c", "purchase", 61.0),  # o3, an hour before
        ("l1", "c2", "d", "purchase", 61.0),
        ("l2", "c2", "d", "purchase", 62.0),  # credited to two lists of one day
        ("l3", "c2", "d", "click", 63.0),
        ("l4", "c2", "c", "purchase", 200.0),  # again, days later
        ("l5", "c0", "b", "purchase", 10.0),  # of somebody without orders
        ("l6", None, "b", "purchase", 10.0),  # of nobody known: it may be an anonymous order line
    ]
    dataset = opened(tmp_path, events)
    with closing(dataset.engine):
        found, rows = read_named(dataset, 4)
        assert rows == {"c0": 0, "c1": 1, "c2": 2}
        mine = slice(found.indptr[2], found.indptr[3])
        assert found.products[mine].tolist() == [0, 1, 2, 3, 2]
        assert len(set(found.visits[mine].tolist())) == 4
        assert found.products[found.indptr[0] : found.indptr[1]].tolist() == [1]
        alone = read_customer(dataset, "c2", 4)
        assert alone.products.tolist() == found.products[mine].tolist() and alone.days.tolist() == found.days[mine].tolist()
        assert read_histories(dataset, 4).products.tolist() == found.products.tolist()


def test_a_visit_of_clicks_is_the_day_of_a_customer_or_the_list_of_somebody_unknown(tmp_path):
    events = [
        ("l1", "c2", "c", "click", 1.0),
        ("l2", "c2", "a", "click", 3.0),
        ("l3", "c2", "a", "click", 60.0),
        ("l3", "c2", "a", "purchase", 60.0),
        ("l3", "c2", "b", "impression", 60.0),
        ("l4", None, "d", "click", 2.0),
        ("l4", None, "b", "click", 40.0),  # past midnight, and still one list
    ]
    dataset = opened(tmp_path, events)
    with closing(dataset.engine):
        found = read_clicks(dataset, 4)
    assert found.indptr.tolist() == [0, 2, 5]
    assert found.products.tolist() == [1, 3, 0, 2, 0]
    assert found.visits.tolist() == [0, 0, 1, 1, 2]
