"""The traps known of the Complete Journey data, each with its exact count."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import polars as pl
import pytest

from basketry.app.ingest import IngestRequest, IngestResult, ingest
from basketry.app.shop import Shop
from basketry.data.templates import template

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, complete_journey):
    folder = tmp_path_factory.mktemp("complete_journey")
    (folder / "shop.toml").write_text(template("complete_journey"))
    return folder, ingest(Shop.open(folder), IngestRequest())


@pytest.fixture(scope="module")
def result(shop) -> IngestResult:
    return shop[1]


def table(shop, name: str) -> pl.DataFrame:
    where = "quarantine" if name == "quarantine" else "tables"
    return pl.read_parquet(sorted((shop[0] / where).glob(f"{name}-*.parquet")))


def account(result, table: str) -> dict:
    return result.tables.filter(pl.col("table") == table).row(0, named=True)


def counts(result, table: str = "order_lines") -> dict[str, tuple[int, int]]:
    rows = result.rules.filter(pl.col("table") == table).select("rule", "broke", "took").iter_rows()
    return {rule: (broke, took) for rule, broke, took in rows}


def test_rows_in_are_kept_or_quarantined(shop, result):
    products, lines = account(result, "products"), account(result, "order_lines")
    assert (products["rows"], products["kept"], products["quarantined"]) == (92_331, 92_331, 0)
    assert (lines["rows"], lines["kept"], lines["quarantined"]) == (1_469_307, 1_458_000, 11_307)
    assert lines["money"] == lines["money_kept"] + lines["money_quarantined"] == Decimal("4596039.5800")
    kept, bad = table(shop, "order_lines"), table(shop, "quarantine")
    assert (kept.height, kept["amount"].sum()) == (lines["kept"], lines["money_kept"])
    assert (bad.height, bad["money"].sum()) == (lines["quarantined"], lines["money_quarantined"])


def test_money_in_is_that_of_the_file(result, complete_journey):
    cents = pl.col("sales_value").round(4).cast(pl.Decimal(18, 4))
    raw = pl.read_parquet(complete_journey / "transactions.parquet").select(cents.sum()).item()
    assert account(result, "order_lines")["money"] == raw


def test_each_rule_counts_exactly(result):
    assert counts(result) == {
        "orphan": (4_836, 4_836),
        "units_not_positive": (8_869, 4_065),
        "amount_not_positive": (11_246, 2_406),
        "sold_by_volume": (14_697, 14_697),
        "units_in_thousandths": (13_520, 13_520),
        "volume_unknown": (1_177, 1_177),
        "outlier": (1_757, 1_756),
    }


def test_amounts_of_nothing_are_zero_in_the_file_or_dust(complete_journey):
    """11,226 sales are 0; 20 more are rounding dust under 1e-14, which is nothing in any currency."""
    sales = pl.read_parquet(complete_journey / "transactions.parquet")["sales_value"]
    assert (sales <= 0).sum() == 11_226
    assert (sales < 0).sum() == 0
    assert ((sales > 0) & (sales < 1e-14)).sum() == 20
    assert ((sales >= 1e-14) & (sales < 0.005)).sum() == 0


def test_weeks_run_monday_to_sunday_in_new_york(shop, result):
    assert result.notes == (
        "transactions.parquet: the first week, of 2016-12-26, has 1 of 7 days",
        "transactions.parquet: the last week, of 2017-12-25, has 6 of 7 days",
    )
    lines = table(shop, "order_lines")
    assert (lines["day"].min(), lines["day"].max()) == (dt.date(2017, 1, 1), dt.date(2017, 12, 31))


def test_the_day_is_the_local_one(shop, complete_journey):
    """The file's own week numbers, which were made in the stores, agree with the local day on every line."""
    raw = pl.read_parquet(complete_journey / "transactions.parquet", columns=["week"]).with_row_index("row", 1)
    lines = table(shop, "order_lines").select(pl.col("row"), pl.col("day")).join(raw.cast({"row": pl.Int64}), on="row")
    week = (pl.col("day") - dt.date(2016, 12, 26)).dt.total_days() // 7 + 1
    assert lines.select((week == pl.col("week")).all()).item()
    zone = table(shop, "order_lines").select(
        (pl.col("ts").dt.convert_time_zone("America/New_York").dt.date() == pl.col("day")).all()
    )
    assert zone.item()


def test_unit_prices_of_the_worked_example(shop):
    """3.34 for two at .36 off: 1.67 with the card, 1.85 on the shelf; 2.89 with .45 from coupon and shop: 1.67."""
    lines = table(shop, "order_lines").with_columns(
        shelf=(pl.col("amount") + pl.col("loyalty_discount") + pl.col("coupon_match_discount")) / pl.col("units"),
        loyalty=(pl.col("amount") + pl.col("coupon_match_discount")) / pl.col("units"),
    )
    one = lines.filter((pl.col("amount") == 3.34) & (pl.col("units") == 2) & (pl.col("loyalty_discount") == 0.36))
    assert one.height > 0
    assert one.select(pl.col("loyalty").cast(float).round(4).unique()).to_series().to_list() == [1.67]
    assert one.select(pl.col("shelf").cast(float).round(4).unique()).to_series().to_list() == [1.85]


def test_fuel_is_in_gallons(shop):
    """What was 89,638 thousandths of a gallon is 89.638 gallons; a line of one unit that states no volume stays as it is."""
    products = table(shop, "products").filter(pl.col("subcategory") == "GASOLINE-REG UNLEADED")
    fuel = table(shop, "order_lines").join(products, on="product_id", how="semi")
    assert fuel["units"].max() == Decimal("89.638")
    price = (
        fuel.filter(pl.col("units") > 1).select((pl.col("amount").cast(float) / pl.col("units").cast(float)).median()).item()
    )
    assert price == pytest.approx(2.36, abs=0.05)


def test_customers_are_pseudonyms_everywhere(shop, complete_journey):
    raw = set(pl.read_parquet(complete_journey / "transactions.parquet", columns=["household_id"]).to_series().cast(str))
    lines = table(shop, "order_lines")
    assert lines["customer_id"].n_unique() == 2_469
    assert lines["customer_id"].str.len_chars().unique().to_list() == [32]
    records = [json.loads(record) for record in table(shop, "quarantine")["record"]]
    assert all("household_id" not in record and record["customer_id"] not in raw for record in records)


def test_the_same_file_again_changes_nothing(shop, result):
    again = ingest(Shop.open(shop[0]), IngestRequest())
    assert again.digest == result.digest
    assert not again.changed
    assert again.tables["status"].to_list() == ["known", "known"]
    assert again.rules.drop("example").equals(result.rules.drop("example"))


def test_titles_fall_back_to_category_then_department(shop):
    titles = dict(table(shop, "products").select("product_id", "title").iter_rows())
    assert titles["26190"] == "APPLE SAUCE 50 OZ"
    assert titles["26081"] == "MISCELLANEOUS"


def test_promotions_have_repeated_keys(tmp_path, complete_journey):
    """20,940,529 rows, of which 12,785 repeat an earlier product, store and week; 112 stores; '0' is no placement."""
    (tmp_path / "shop.toml").write_text(template("complete_journey").replace("# promotions = true ", "promotions = true "))
    result = ingest(Shop.open(tmp_path), IngestRequest())
    promotions = account(result, "promotions")
    assert (promotions["rows"], promotions["kept"], promotions["quarantined"]) == (20_940_529, 20_927_744, 12_785)
    kept = pl.scan_parquet(sorted((tmp_path / "tables").glob("promotions-*.parquet")))
    stores, first, zeros = (
        kept.select(
            pl.col("store_id").n_unique(),
            pl.col("first_day").min(),
            ((pl.col("display") == "0") | (pl.col("mailer") == "0")).sum().alias("zeros"),
        )
        .collect()
        .row(0)
    )
    assert (stores, first, zeros) == (112, dt.date(2017, 1, 1), 0)
    days = kept.select(pl.col("first_day").unique().sort()).collect().to_series().to_list()
    assert all(day.weekday() == 0 for day in days[1:])
