"""Every engine keeps every law, and every named query gives the same rows on each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from importlib import resources
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basketry.core import tables
from basketry.core.protocols import Parquet
from basketry.data.dataset import Dataset, named
from basketry.engines.duck import DuckEngine
from basketry.testing.engines import LAWS
from worlds import START, order_lines, products, trips

QUERIES = sorted(
    path.name.removesuffix(".sql")
    for path in resources.files("basketry.data").joinpath("queries").iterdir()
    if path.name.endswith(".sql") and not path.name.endswith(".spark.sql")
)
LATER = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
ENGINES = ["duck", pytest.param("spark", marks=pytest.mark.slow)]


@pytest.fixture
def opened(request):
    """The engine of a name, as something to open."""
    if request.param == "duck":
        return DuckEngine
    from basketry.engines.spark import SparkEngine

    return partial(SparkEngine, master=request.getfixturevalue("spark"))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("opened", ENGINES, indirect=True)
def test_laws(opened, law, tmp_path):
    LAWS[law](opened, tmp_path)


def line(row, order, customer, product, ts, units="1", amount="1", off=("0", "0", "0")):
    return {
        "source": "s",
        "row": row,
        "order_id": order,
        "customer_id": customer,
        "product_id": product,
        "ts": ts,
        "day": ts.date(),
        "store_id": None,
        "units": Decimal(units),
        "amount": Decimal(amount),
        "loyalty_discount": Decimal(off[0]),
        "coupon_discount": Decimal(off[1]),
        "coupon_match_discount": Decimal(off[2]),
    }


def stored_lines(rows):
    columns = tables.OrderLines.create_empty().schema
    return tables.OrderLines.validate(pl.DataFrame(rows, schema=columns), cast=True)


def stored_products(rows):
    columns = tables.Products.create_empty().schema
    return tables.Products.validate(pl.DataFrame(rows, schema=columns, orient="row"), cast=True)


def nasty():
    """Ids that sort differently by letter and by byte, quotes, equal instants, anonymous baskets, halves of the last digit."""
    noon = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
    ids = ["a", "B", "é", "e\u0301", "\uffee", "😀", "it's", '"q"', "$as_of", "a;b--", " ", "0", "#1", "\\n", "\t", "ß", "İ"]
    catalogue = [(each, f"Title {each}", None, None, None, None, None, None) for each in ids]
    catalogue += [
        ("t1", "ΟΔΟΣ ΣΑΣ", "İstanbul ẞ ǅ", "", " ", "\u3000", None, "\u00a0500 G\u00a0"),
        ("t2", "\u00a0\u3000 ", "", None, None, None, None, None),
        ("t3", "  Two  spaces ", None, "Ünïcode 😀 𐐀", "D", "C", "S", "1L"),
        ("t4", "", None, None, None, None, None, None),
        ("t5", "tab\t", "line\nfeed", "nul\u200b", None, None, None, None),
    ]
    lines = [
        line(number, f"o{number % 5}", None if number % 5 == 0 else f"c{number % 3}", each, noon)
        for number, each in enumerate(ids, start=1)
    ]
    odd = [
        line(100, "#x", None, "a", noon, "3", "0.0001"),
        line(101, "x", "#x", "a", noon, "0.007", "99999999999.9999", ("0.0001", "0.00005", "3")),
        line(102, "x", "#x", "a", noon, "2", "0.0001"),
        line(103, "old", "é", "B", dt.datetime(1900, 1, 1, tzinfo=dt.UTC), "8", "0.0004", ("0.0001", "0", "0")),
        line(104, "new", "e\u0301", "B", dt.datetime(2199, 12, 30, 23, 59, 59, 999999, dt.UTC), "0.001", "7.0005"),
        line(105, "gone", "c1", "not in the catalogue", noon - dt.timedelta(microseconds=1)),
        line(106, "", "", "a", noon + dt.timedelta(microseconds=1)) | {"order_id": " "},
    ]
    beside = feedback(ids, ["c1", "é", None, "#x", "new one"], noon)
    return {"products": stored_products(catalogue), "order_lines": stored_lines(lines + odd)} | beside


def small():
    rows = list(trips(customers=30))
    sold = {"products": products({row[2]: f"A {row[2]}" for row in rows}), "order_lines": order_lines(rows)}
    return sold | feedback(sorted(sold["products"]["product_id"]), ["c1", "c2", None], START + dt.timedelta(days=9))


def feedback(ids, customers, noon):
    """Prices, stock, promotions and events of every kind about some products, a step of seven hours apart."""
    steps = [(number, each, noon + dt.timedelta(hours=7 * (number - 9))) for number, each in enumerate(ids, start=1)]
    rows = {name: [] for name in ("prices", "stock", "promotions", "events")}
    for number, each, ts in steps:
        told = {"source": "s", "row": number, "product_id": each, "ts": ts, "store_id": (None, "1")[number % 2]}
        rows["prices"] += [told | {"price": Decimal(number) / 8, "cost": Decimal(number) / 16 if number % 3 else None}]
        rows["prices"] += [
            told | {"row": 1000 + number, "ts": ts - dt.timedelta(days=2), "price": Decimal(1), "cost": Decimal("0.07")}
        ]
        rows["stock"] += [
            told
            | {
                "row": 10 * number + back,
                "store_id": str(back % 2),
                "ts": ts - dt.timedelta(hours=back),
                "units": Decimal(number - back),
            }
            for back in range(3)
        ]
        rows["promotions"].append(told | {"store_id": "1", "first_day": ts.date(), "display": None, "mailer": "A"})
        who = customers[number % len(customers)]
        rows["events"] += [
            {
                "list_id": f"l{number % 4}",
                "product_id": each,
                "action": action,
                "customer_id": who,
                "ts": ts,
                "day": ts.date(),
                "place": 1,
            }
            for action in tables.ACTIONS
        ]
    return {
        name: tables.INPUTS[name].validate(
            pl.DataFrame(found, schema=tables.INPUTS[name].create_empty().schema),
            cast=True,
        )
        for name, found in rows.items()
    }


def empty():
    return {"products": tables.Products.create_empty(), "order_lines": tables.OrderLines.create_empty()}


WORLDS = {"small": small, "nasty": nasty, "empty": empty}
CUTS = {"everything": LATER, "half": dt.datetime(2024, 3, 31, 12, 0, 0, 1, tzinfo=dt.UTC)}


def rows_of(engine_of, folder: Path, frames, query: str, as_of: dt.datetime):
    frames = {name: contract.create_empty() for name, contract in tables.INPUTS.items()} | frames
    for name, frame in frames.items():
        if not (folder / f"{name}.parquet").exists():
            frame.write_parquet(folder / f"{name}.parquet")
    engine = engine_of({name: Parquet((folder / f"{name}.parquet",)) for name in frames})
    try:
        contract = tables.DERIVED[named(query).output]
        known = frames["order_lines"].filter(pl.col("customer_id").is_not_null()).sort("ts", "row")["customer_id"]
        values = {
            "since": "2024-01-01T12:00:00+00:00",
            "customer_id": known[0] if len(known) else "nobody",
            "today": "2024-04-03",
        }
        values["customer_id"] = "" if query in ("dismissals", "histories") else values["customer_id"]  # empty: everybody
        params = {name: values[name] for name in named(query).params}
        return Dataset(engine, as_of, "").query(contract, query, params)
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("opened", ENGINES[1:], indirect=True)
def test_a_named_query_gives_the_rows_of_the_default_engine(opened, query, world, cut, tmp_path):
    frames = WORLDS[world]()
    expected = rows_of(DuckEngine, tmp_path, frames, query, CUTS[cut])
    assert expected.height or world == "empty"
    found = rows_of(opened, tmp_path, frames, query, CUTS[cut])
    assert found.schema == expected.schema
    assert found.equals(expected)


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=6)
when = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))
money = st.decimals(0, 10**6, places=4)


@st.composite
def shops(draw):
    ids = draw(st.lists(text, min_size=1, max_size=4, unique=True))
    maybe = st.none() | text
    catalogue = [(each, draw(text), *(draw(maybe) for _ in range(6))) for each in ids]
    rows = []
    for number in range(1, draw(st.integers(2, 9))):
        row = line(
            number, draw(text), draw(maybe), draw(st.sampled_from(ids)), draw(when), draw(st.decimals("0.001", 99, places=3))
        )
        prices = ("amount", "loyalty_discount", "coupon_discount", "coupon_match_discount")
        rows.append(row | {name: draw(money) for name in prices} | {"amount": draw(money) + 1})
    return {"products": stored_products(catalogue), "order_lines": stored_lines(rows)}


@pytest.mark.slow
@pytest.mark.parametrize("opened", ENGINES[1:], indirect=True)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(frames=shops())
def test_named_queries_give_the_same_rows_of_any_shop(opened, tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("shop")
    for query in QUERIES:
        expected = rows_of(DuckEngine, folder, frames, query, LATER)
        assert rows_of(opened, folder, frames, query, LATER).equals(expected)
