"""The traps known of the UCI Online Retail data, each with its exact count."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from basketry.app.ingest import IngestRequest, ingest
from basketry.app.shop import Shop
from basketry.data.templates import template

pytestmark = [pytest.mark.data, pytest.mark.slow]

CODES = ["POST", "DOT", "M", "C2", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"]


@pytest.fixture(scope="module")
def file(datasets):
    return datasets / "uci_online_retail" / "online_retail.csv.gz"


@pytest.fixture(scope="module")
def raw(file) -> pl.DataFrame:
    """The file by another road than ours: Polars, every column text."""
    return pl.read_csv(file, infer_schema=False).with_row_index("row", 1).cast({"row": pl.Int64})


@pytest.fixture(scope="module")
def shop(tmp_path_factory, file):
    folder = tmp_path_factory.mktemp("uci")
    text = template("uci_online_retail").replace('path = "online_retail.csv.gz"', f'path = "{file}"')
    (folder / "shop.toml").write_text(text)
    return folder, ingest(Shop.open(folder), IngestRequest())


def table(shop, name: str) -> pl.DataFrame:
    where = "quarantine" if name == "quarantine" else "tables"
    return pl.read_parquet(sorted((shop[0] / where).glob(f"{name}-*.parquet")))


def account(result, table: str) -> dict:
    return result.tables.filter(pl.col("table") == table).row(0, named=True)


def counts(result, table: str = "order_lines") -> dict[str, tuple[int, int]]:
    rows = result.rules.filter(pl.col("table") == table).select("rule", "broke", "took").iter_rows()
    return {rule: (broke, took) for rule, broke, took in rows}


def test_the_file_is_the_published_one(raw):
    assert raw.height == 541_909
    assert raw["CustomerID"].null_count() == 135_080
    assert raw["Description"].null_count() == 1_454
    assert raw["InvoiceNo"].str.starts_with("C").sum() == 9_288
    assert (raw["Quantity"].cast(int) < 0).sum() == 10_624


def test_rows_and_money_close_with_what_was_netted(shop, raw):
    products, lines = account(shop[1], "products"), account(shop[1], "order_lines")
    assert (products["rows"], products["kept"], products["quarantined"]) == (4_070, 3_941, 129)
    assert (lines["rows"], lines["kept"], lines["quarantined"]) == (541_909, 519_768, 22_141)
    assert lines["money"] == lines["money_kept"] + lines["money_netted"] + lines["money_quarantined"]
    amount = (pl.col("Quantity").cast(pl.Int64) * (pl.col("UnitPrice").cast(float) * 1000).round().cast(pl.Int64)).sum()
    assert lines["money"] == Decimal(raw.select(amount).item()) / 1000
    assert lines["money_netted"] == Decimal("98994.2300")


def test_each_rule_counts_exactly(shop):
    assert counts(shop[1]) == {
        "not_a_product": (2_950, 2_950),
        "duplicate": (5_270, 5_264),
        "cancellation_matched": (7_481, 7_397),
        "cancellation_unmatched": (1_807, 1_271),
        "cancelled": (2_821, 2_767),
        "cancelled_in_part": (4_595, 4_562),
        "orphan": (3_062, 112),
        "units_not_positive": (10_624, 1_239),
        "amount_not_positive": (11_805, 1_141),
        "outlier": (5_157, 5_031),
    }
    assert 7_481 + 1_807 == 9_288


def test_codes_that_are_no_products_are_set_aside_by_name(shop, raw):
    code = pl.col("StockCode").str.to_uppercase()
    assert raw.filter(code.is_in(CODES) | code.str.starts_with("GIFT_")).height == 2_950
    kept = table(shop, "order_lines")["product_id"].str.to_uppercase()
    assert not kept.is_in(CODES).any()
    assert not kept.str.starts_with("GIFT_").any()
    assert kept.str.starts_with("DCGS").any()


def test_lines_without_a_customer_stay_as_anonymous_baskets(shop, raw):
    lines, bad = table(shop, "order_lines"), table(shop, "quarantine")
    nobody = raw.filter(pl.col("CustomerID").is_null())["row"]
    kept = lines.filter(pl.col("customer_id").is_null())
    aside = bad.filter((pl.col("table") == "order_lines") & pl.col("row").is_in(nobody.implode()))
    assert kept.height + aside.height == 135_080
    assert set(kept["row"]) <= set(nobody)


def test_duplicates_repeat_every_mapped_column(raw):
    columns = ["InvoiceNo", "CustomerID", "StockCode", "InvoiceDate", "Quantity", "UnitPrice"]
    assert raw.height - raw.select(columns).unique().height == 5_270
    assert raw.height - raw.drop("row").unique().height == 5_268


def test_a_cancellation_is_netted_from_the_latest_earlier_line(shop, raw):
    """By hand: no kept line has more units than its original, and what is missing is what matched cancellations gave back."""
    lines = table(shop, "order_lines").join(raw.select("row", "Quantity", "InvoiceNo"), on="row")
    quantity = pl.col("Quantity").cast(pl.Decimal(18, 3))
    assert lines.select((pl.col("units") <= quantity).all()).item()
    assert lines.filter(pl.col("units") < quantity).height == 4_562
    assert not lines["InvoiceNo"].str.starts_with("C").any()


def test_times_are_of_london(shop, raw):
    lines = table(shop, "order_lines").join(raw.select("row", "InvoiceDate"), on="row")
    local = pl.col("ts").dt.convert_time_zone("Europe/London").dt.strftime("%Y-%m-%d %H:%M:%S")
    assert lines.select((local == pl.col("InvoiceDate")).all()).item()
    assert lines.select((pl.col("day").cast(str) == pl.col("InvoiceDate").str.head(10)).all()).item()


def test_a_title_is_the_most_frequent_description(shop, raw):
    titles = dict(table(shop, "products").select("product_id", "title").iter_rows())
    assert titles["85123A"] == "WHITE HANGING HEART T-LIGHT HOLDER"
    most = raw.filter(pl.col("StockCode") == "22423")["Description"].drop_nulls().value_counts(sort=True)[0, 0]
    assert titles["22423"] == most == "REGENCY CAKESTAND 3 TIER"
