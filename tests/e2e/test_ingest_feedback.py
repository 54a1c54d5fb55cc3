"""Prices, stock and events come in as other tables do: every row is kept or set aside with its rule, in every format."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketry.app.ingest import Frame, IngestRequest, IngestResult, ingest
from basketry.app.shop import Shop
from basketry.core.errors import SourceFormat
from basketry.core.tables import Events, Prices, Stock

HEAD = """name = "Corner"
currency = "EUR"
timezone = "Europe/Berlin"
[[source]]
table = "products"
path = "products.csv"
[source.columns]
product_id = "sku"
title = "name"
"""
EVENTS = """[[source]]
table = "events"
path = "{path}"
[source.columns]
list_id = "list"
product_id = "sku"
action = {{column = "kind", words = {{view = "impression", dislike = "dismissal"}}}}
customer_id = "card"
ts = "at"
place = "slot"
scene = "page"
model = "arm"
propensity = "chance"
"""
NAMES = ["list", "sku", "kind", "card", "at", "slot", "page", "arm", "chance"]
ROWS = [
    ("l1", "p1", "view", "anna", "2024-03-30T22:30:00Z", "1", "home", "a", "0.9"),
    ("l1", "p2", "view", "anna", "2024-03-30T22:30:00Z", "2", "home", "a", "0.05"),
    ("l1", "p2", "click", "anna", "2024-03-30T23:31:00Z", "2", "home", "a", ""),
    ("l1", "p2", "click", "anna", "2024-03-30T23:31:09Z", "2", "home", "a", ""),  # told twice
    ("l1", "p1", "dislike", "anna", "2024-03-30T22:32:00Z", "", "home", "a", ""),
    ("l2", "p1", "view", "", "2024-03-29T10:00:00Z", "1", "home", "b", "1"),  # late, and of nobody known
    ("l2", "p9", "view", "", "2024-03-29T10:00:00Z", "2", "home", "b", "1"),  # no such product
    ("l2", "p2", "view", "", "2024-03-29T10:00:00Z", "0", "home", "b", "1"),
    ("l3", "p2", "view", "", "2024-03-29T10:00:00Z", "1.5", "home", "b", "1"),
    ("l4", "p2", "view", "", "2024-03-29T10:00:00Z", "", "home", "b", "1"),
    ("l5", "p2", "view", "", "2024-03-29T10:00:00Z", "1", "home", "b", "0"),
    ("l6", "p2", "view", "", "2024-03-29T10:00:00Z", "1", "home", "b", "1.01"),
    ("l7", "p2", "hover", "", "2024-03-29T10:00:00Z", "1", "home", "b", ""),
    ("l8", "p2", "click", "bert", "2150-03-29T10:00:00Z", "1", "home", "b", ""),
    ("", "p2", "click", "bert", "2024-03-29T10:00:00Z", "1", "home", "b", ""),
]
BROKEN = {
    "action_unknown": 1,
    "duplicate": 1,
    "missing_list_id": 1,
    "orphan": 1,
    "place_missing": 1,
    "place_not_a_rank": 2,
    "propensity_out_of_range": 2,
    "ts_future": 1,
}
FRAME = pl.DataFrame(ROWS, schema=NAMES, orient="row").with_columns(pl.all().replace("", None))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "products.csv").write_text("sku,name\np1,Brot\np2,Käse\n", encoding="utf-8")
    (tmp_path / "shop.toml").write_text(HEAD, encoding="utf-8")
    return tmp_path


def run(folder: Path, toml: str = "", **request) -> IngestResult:
    (folder / "shop.toml").write_text(HEAD + toml, encoding="utf-8")
    return ingest(Shop.open(folder), IngestRequest(**request))


def kept(folder: Path, table: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in Shop.open(folder).tables.snapshot().parts(table)])


def account(result: IngestResult, table: str) -> tuple[int, int, int]:
    row = result.tables.filter(pl.col("table") == table).row(0, named=True)
    return row["rows"], row["kept"], row["quarantined"]


def check(folder: Path, result: IngestResult) -> None:
    assert account(result, "events") == (15, 5, 10)
    broken = result.rules.filter(pl.col("table") == "events")
    assert dict(broken.sort("rule").select("rule", "took").rows()) == BROKEN
    found = Events.validate(kept(folder, "events").select(Events.column_names()).sort("ts", "action"), cast=True)
    assert found.select("list_id", "product_id", "action", "place", "propensity").rows() == [
        ("l2", "p1", "impression", 1, 1.0),
        ("l1", "p1", "impression", 1, 0.9),
        ("l1", "p2", "impression", 2, 0.05),
        ("l1", "p1", "dismissal", None, None),
        ("l1", "p2", "click", 2, None),
    ]
    assert [str(day) for day in found["day"]] == ["2024-03-29", *["2024-03-30"] * 3, "2024-03-31"]  # the shop's own days
    who = found["customer_id"].to_list()
    assert who[0] is None and len(set(who[1:])) == 1 and "anna" not in who
    assert "anna" not in kept(folder, "quarantine")["record"].str.join().item()


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl", "events.parquet"])
def test_events_of_every_format_are_kept_or_set_aside(folder, name):
    text = {"events.csv": FRAME.write_csv, "events.jsonl": FRAME.write_ndjson}.get(name)
    typed = FRAME.with_columns(pl.col("slot", "chance").cast(pl.Float64), pl.col("at").str.to_datetime(time_zone="UTC"))
    typed.write_parquet(folder / name) if text is None else (folder / name).write_text(text())
    check(folder, run(folder, EVENTS.format(path=name)))
    again = run(folder, EVENTS.format(path=name))
    assert not again.changed


def test_events_in_any_order_and_any_number_of_files_are_one_sorted_pass(folder):
    columns = ["list_id", "product_id", "action", "customer_id", "ts", "place", "scene", "model", "propensity"]
    told = FRAME.rename(dict(zip(NAMES, columns, strict=True))).filter(pl.col("action") == "view")
    told = told.with_columns(action=pl.lit("impression")).filter(pl.col("place") == "1").with_row_index("n")
    run(folder)
    late = [told.filter(pl.col("n") % 2 == 1).reverse(), told]  # the second file tells all of the first again
    for rows in late:
        run(folder, frames=(Frame("events", rows.drop("n")),))
    assert kept(folder, "events").height == 2
    assert sorted(kept(folder, "events")["list_id"]) == ["l1", "l2"]


def test_a_source_of_other_words_for_actions_is_a_wrong_mapping(folder):
    (folder / "events.csv").write_text(FRAME.write_csv())
    with pytest.raises(SourceFormat, match="action is none of impression, click"):
        run(folder, EVENTS.replace("view =", "viewed =").format(path="events.csv"))


def test_prices_and_stock_are_kept_or_set_aside(folder):
    (folder / "prices.csv").write_text(
        "sku,since,price,cost\np1,2024-01-01,1.50,1.00\np1,2024-02-01,1.75,\np1,2024-02-01,1.80,\n"
        "p2,2150-01-01,4,-1\np2,2024-01-01,0,1\np9,2024-01-01,3,1\np2,2024-01-02,4.99,\n"
    )
    (folder / "stock.csv").write_text(
        "sku,shop,at,n\np1,a,2024-01-01,5\np1,b,2024-01-01,2.5\np1,a,2024-01-01,6\np1,,2024-01-01,1\np2,a,2024-01-01,-1\n"
        "p2,a,2150-01-01,4\n"
    )
    toml = '[[source]]\ntable = "prices"\npath = "prices.csv"\n[source.columns]\nproduct_id = "sku"\nts = "since"\n'
    toml += 'price = "price"\ncost = "cost"\n'
    toml += '[[source]]\ntable = "stock"\npath = "stock.csv"\n[source.columns]\nproduct_id = "sku"\nts = "at"\nunits = "n"\n'
    toml += 'store_id = "shop"\n'
    done = run(folder, toml)
    assert account(done, "prices") == (7, 3, 4) and account(done, "stock") == (6, 4, 2)
    rules = {(row["table"], row["rule"]): row["took"] for row in done.rules.iter_rows(named=True)}
    assert rules == {
        ("prices", "duplicate"): 1,
        ("prices", "orphan"): 1,
        ("prices", "cost_negative"): 1,
        ("prices", "price_not_positive"): 1,
        ("stock", "duplicate"): 1,
        ("stock", "ts_future"): 1,
    }
    Prices.validate(kept(folder, "prices").select(Prices.column_names()), cast=True)
    Stock.validate(kept(folder, "stock").select(Stock.column_names()), cast=True)
