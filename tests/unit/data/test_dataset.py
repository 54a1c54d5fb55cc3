import datetime as dt
from decimal import Decimal
from importlib import resources

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import worlds
from basketry.core import tables
from basketry.core.errors import RequestError
from basketry.data.dataset import CUTS, named
from worlds import START, order_lines

QUERIES = sorted(
    file.name.removesuffix(".sql")
    for file in resources.files("basketry.data").joinpath("queries").iterdir()
    if file.name.endswith(".sql")
)


def promotions(days):
    frame = pl.DataFrame(
        {
            "source": ["s"] * len(days),
            "row": list(range(1, len(days) + 1)),
            "product_id": ["a"] * len(days),
            "first_day": [START.date() + dt.timedelta(days=each) for each in days],
            "store_id": ["1"] * len(days),
            "display": ["x"] * len(days),
            "mailer": ["y"] * len(days),
        }
    )
    return tables.Promotions.validate(frame, cast=True)


def opened(folder, lines, as_of):
    catalogue = worlds.products({each: f"product {each}" for each in "abcd"})
    return worlds.dataset(folder, {"order_lines": lines, "products": catalogue, "promotions": promotions([0, 3, 9])}, as_of)


def parameters(query, as_of):
    today = (as_of - dt.timedelta(microseconds=1)).date().isoformat()
    values = {"since": "2000-01-01T00:00:00Z", "customer_id": "x", "today": today}
    return {name: values[name] for name in query.params}


ROWS = st.lists(
    st.tuples(st.sampled_from("1234"), st.none() | st.sampled_from("xyz"), st.sampled_from("abcd"), st.integers(0, 240)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(0, 240))
def test_no_read_ever_sees_past_as_of(tmp_path_factory, rows, hours):
    as_of = START + dt.timedelta(hours=hours)
    whole, truncated = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("truncated")
    lines = order_lines(rows)
    cut = opened(whole, lines, as_of)
    known = opened(truncated, lines.filter(pl.col("ts") < as_of), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    for name in QUERIES:
        query = named(name)
        contract = tables.DERIVED[query.output]
        left, right = (dataset.query(contract, name, parameters(query, as_of)) for dataset in (cut, known))
        assert left.equals(right), name
    assert cut.table(tables.OrderLines).equals(known.table(tables.OrderLines))
    last = cut.table(tables.Promotions)["first_day"].max()
    assert last is None or last <= (as_of - dt.timedelta(microseconds=1)).date()
    cut.engine.close()
    known.engine.close()


def test_every_query_reads_only_tables_that_are_cut():
    assert QUERIES
    for name in QUERIES:
        query = named(name)
        assert "stored." not in query.sql, "a query must not reach behind the cut"
        assert set(query.inputs) <= set(CUTS)
        assert query.output in tables.DERIVED


def test_an_earlier_instant_is_allowed_and_a_later_one_refused(tmp_path):
    dataset = opened(tmp_path, order_lines([("1", "x", "a", 1), ("2", "x", "b", 30)]), START + dt.timedelta(hours=20))
    earlier = dataset.before(START + dt.timedelta(hours=1))
    assert dataset.query(tables.Coverage, "coverage")["lines"].item() == 1
    assert earlier.query(tables.Coverage, "coverage")["lines"].item() == 0
    with pytest.raises(RequestError, match="is after this dataset's"):
        dataset.before(START + dt.timedelta(hours=21))
    dataset.engine.close()


def test_an_instant_without_a_zone_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no time zone"):
        opened(tmp_path, order_lines([("1", "x", "a", 1)]), dt.datetime(2024, 1, 2))


def test_baskets_are_ordered_by_customer_and_time_and_count_anonymous_ones_apart(tmp_path):
    lines = order_lines(
        [
            ("9", "x", "b", 1),
            ("9", "x", "b", 1),
            ("9", "x", "a", 1),
            ("1", "x", "d", 5),
            ("5", None, "c", 2),
            ("6", None, "c", 3),
        ]
    )
    dataset = opened(tmp_path, lines, START + dt.timedelta(days=50))
    got = dataset.query(tables.Baskets, "baskets", {"since": "2000-01-01T00:00:00Z"})
    assert got.select("basket", "product", "customer").rows() == [(0, 2, 0), (1, 2, 1), (2, 0, 2), (2, 1, 2), (3, 3, 2)]
    streamed = pl.concat(dataset.stream(tables.Baskets, "baskets", {"since": "2000-01-01T00:00:00Z"}, rows=2))
    assert streamed.equals(got)
    dataset.engine.close()


def test_unit_prices_equal_the_worked_example(tmp_path):
    dataset = opened(tmp_path, order_lines([("1", "x", "a", 1)]), START + dt.timedelta(days=50))
    row = dataset.query(tables.UnitPrices, "unit_prices").row(0, named=True)
    assert (row["shelf"], row["loyalty"], row["paid"]) == (Decimal("1.85"), Decimal("1.67"), Decimal("1.67"))
    dataset.engine.close()


def test_wrong_questions_are_refused(tmp_path):
    dataset = opened(tmp_path, order_lines([("1", "x", "a", 1)]), START + dt.timedelta(days=50))
    with pytest.raises(RequestError, match="no named query"):
        dataset.query(tables.Baskets, "../secrets")
    with pytest.raises(RequestError, match="takes"):
        dataset.query(tables.Baskets, "baskets")
    with pytest.raises(RequestError, match="not Coverage"):
        dataset.query(tables.Coverage, "baskets", {"since": "2000-01-01"})
    with pytest.raises(RequestError, match="not an input table"):
        dataset.table(tables.Associations)
    dataset.engine.close()
