"""`--engine`: Spark in DuckDB's place, and nothing else changes: rows kept and quarantined, accounts, graph."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from basketry.app.build import BuildRequest, build
from basketry.app.engines import opener
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.shop import Shop
from basketry.core.errors import ConfigError
from basketry.data.shopfile import ShopFile, parse
from basketry.store.key import load_or_create_key

ROOT = Path(__file__).parents[2]
CORNER = """name = "Corner shop"
currency = "EUR"
timezone = "Europe/Berlin"
[[source]]
table = "products"
path = "products.csv"
delimiter = ";"
[source.columns]
product_id = "SKU"
title = {join = ["name", "variant"]}
department = "department"
category = "category"
[[source]]
table = "order_lines"
path = "lines/*.csv"
delimiter = ";"
decimal = ","
timestamp_format = "%d.%m.%Y %H:%M"
[source.columns]
order_id = "receipt"
product_id = "SKU"
ts = "sold_at"
units = "quantity"
amount = {multiply = ["quantity", "unit_price"]}
customer_id = "card"
"""
NASTY = """name = "Nasty"
currency = "EUR"
timezone = "America/New_York"
[rules]
thousandths = ["Fuel"]
not_products = ["POST", "gift*"]
cancellation_prefix = "C"
[[source]]
table = "products"
path = "products.csv"
[source.columns]
product_id = "id"
title = ["name", "long"]
description = "long"
brand = {column = "brand", none = "none"}
subcategory = "kind"
size = {value = "1 pc"}
[[source]]
table = "promotions"
path = "promotions.csv"
[source.columns]
product_id = "id"
store_id = "store"
first_day = {week = "week", begins = 2024-01-03}
display = "display"
"""
SOLD = """[source.columns]
order_id = {join = ["receipt", "till"], separator = "-"}
customer_id = ["card", "phone"]
product_id = "sku"
ts = "sold"
units = "n"
amount = "paid"
loyalty_discount = "off"
"""
NAMES = ["receipt", "till", "card", "phone", "sku", "sold", "n", "paid", "off"]


def lines_source(path: str, extra: str = "") -> str:
    return f'[[source]]\ntable = "order_lines"\npath = "{path}"\n{extra}\n{SOLD}'


def good(prefix: str, count: int) -> list[list[str]]:
    """Lines that break no rule, in number enough that the others are not half."""
    return [
        [f"{prefix}{n // 2}", "1", f"c{n % 5}", "", f"p{1 + n % 3}", f"2024-02-{1 + n % 28:02d} 10:00:00", "1", "2.5", "0"]
        for n in range(count)
    ]


TIMES = [
    "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-1-3 1:5:0", "2024/01/31 13:05", "2024-01-31", "2024-01-31T13:05:00Z",
    "2024-01-31 13:05:00+01", "2024-01-31 13:05:00.123456", "2024-01-31 24:00:00", "2024-01-31T13:05:00-05:30", "yesterday",
    "31.01.2024", "2024-02-30 10:00:00", "1707000000", "2024-01-31 25:00:00", " 2024-01-31 13:05:00 ", "2027-01-01 00:00:00",
    "1899-12-31 00:00:00", "now", "2024-01-31 13:05:00 UTC", "2024", "20240131", "2024-01-31 13", "2024-01-31 13:05:60",
]  # fmt: skip
NUMBERS = [
    "1e2", "1_000", "+3", " 4 ", ".5", "5.", "0x10", "1,5", "nan", "inf", "-1", "0", "99999999999999999999",
    "1.0005", "2.00049",
    "1d", "--1", "\u0661", "1e-9", "1\u00a0",
]  # fmt: skip


def write_nasty(folder: Path) -> str:
    """The sources of a shop that breaks every rule it can, in every format; returns its shop.toml."""
    (folder / "products.csv").write_text(
        "id,name,long,brand,kind\n"
        "p1,Bread,,none,Food\n"
        'p2," Käse ""alt""\u00a0","line one\nline two",Ürsli,Food\n'
        "p3,\u3000 ,Milk,none ,Food\n"
        "fuel,Petrol,,,Fuel\n"
        "p1,Bread again,,,\n"
        ",No id,,,\n"
        "p5,,,,\n"
        "short,row\n"
        "post,Postage,,,\n"
        "😀,Smile,\\n,İΣ,it's\n",
        encoding="utf-8",
    )
    (folder / "promotions.csv").write_text(
        "id,store,week,display\np1,s1,1,A\np1,s1,2,A\np1,s1,2,B\np2,s2,53,\np2,,3,\np3,s1,x,\np3,s1,1.5,\np3,s1,-4,\n", "utf-8"
    )
    odd = [[f"t{n}", "1", "c1", "", "p1", time, "1", "2", ""] for n, time in enumerate(TIMES)]
    odd += [[f"n{n}", "1", "c2", "", "p2", "2024-02-01 10:00:00", number, "2", "0"] for n, number in enumerate(NUMBERS)]
    odd += [[f"a{n}", "1", "c2", "", "p2", "2024-02-01 10:00:00", "2", number, ""] for n, number in enumerate(NUMBERS)]
    odd += [
        ["r1", "1", "", "+49 1", "p9", "2024-02-01 10:00:00", "1", "1", "-1"],
        ["r2", "1", "", "", "POST", "2024-02-01 10:00:00", "1", "1", ""],
        ["r2", "1", "", "", "Gift card", "2024-02-01 10:00:00", "1", "1", ""],
        ["r3", "1", "c3", "", "fuel", "2024-02-01 10:00:00", "14500", "42.5", ""],
        ["r3", "1", "c3", "", "fuel", "2024-02-02 10:00:00", "1", "42.5", ""],
        ["", "", "c3", "", "p1", "2024-02-01 10:00:00", "1", "1", ""],
        ["b1", "1", "c50", "", "p1", "2024-02-01 10:00:00", "5", "10", ""],
        ["b2", "1", "c50", "", "p1", "2024-02-02 10:00:00", "2", "4.0001", ""],
        ["C1", "1", "c50", "", "p1", "2024-02-03 10:00:00", "-3", "-6", ""],
        ["C2", "1", "c77", "", "p1", "2024-02-03 11:00:00", "-90", "-180", ""],
        ["C3", "1", "c4", "", "p3", "2024-02-03 11:00:00", "-1", "-1", ""],
        ["big", "1", "c0", "", "p3", "2024-02-03 11:00:00", "4000", "1", ""],
    ]
    odd += [odd[0], odd[1]]
    text = "".join(
        ",".join(f'"{cell}"' if "," in cell else cell for cell in row) + "\n" for row in [NAMES, *good("g", 240), *odd]
    )
    (folder / "a.csv").write_text(text, encoding="utf-8")
    named = [dict(zip(NAMES, row, strict=True)) for row in good("j", 12) + good("g", 4)]
    for number, row in enumerate(named):
        row.update(n=number + 1, paid=2.5 + number, off=None)
        if row["receipt"].startswith("j"):
            row["till"] = {"no": [1, None, "é\t"]} if number % 2 else True
        row.pop("phone")
    lines = [json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(named)]
    (folder / "b.jsonl").write_text("\n".join([*lines, '{"receipt": "broken', "[1, 2]", ""]), encoding="utf-8")
    typed = pl.DataFrame(good("q", 20), schema=NAMES, orient="row").with_columns(
        pl.col("sold").str.to_datetime(time_unit="us"),
        pl.col("n").cast(pl.Float64) * 1.5,
        pl.col("paid").cast(pl.Decimal(10, 2)),
        pl.col("sku").cast(pl.Categorical),
        pl.int_range(17850, 17870).alias("card"),
        pl.lit(0.125).alias("off"),
    )
    typed.write_parquet(folder / "c.parquet")
    text = (
        ";".join(NAMES) + "\n" + "".join(f"d{n};1;c{n % 4};;p1;0{1 + n % 9}.02.2024 10:00;1;1.234,5;0,25\n" for n in range(20))
    )
    text += 'd90;1;"a;b\nc";;p1;01.02.2024 10:00;1;1,5;\nshort;1\nd91;1;c;;p1;01.02.2024 10:00;1;1;;more\n'
    text += 'd92;1;"quo""ted";;p1;1.2.2024 9:05;1;1,5;\n\nd93;1;;;p1;01.02.24 10:00;1;1,5;\n'
    (folder / "d.csv").write_bytes(text.encode("cp1252"))
    return (
        NASTY
        + lines_source("a.csv", 'timezone = "Europe/Berlin"')
        + lines_source("b.jsonl", 'timezone = "Europe/Berlin"')
        + lines_source("c.parquet")
        + lines_source(
            "d.csv",
            'delimiter = ";"\ndecimal = ","\nthousands = "."\nencoding = "cp1252"\ntimestamp_format = "%d.%m.%Y %H:%M"',
        )
    )


@pytest.fixture(scope="module")
def corner(tmp_path_factory) -> Path:
    """The tutorial's shop, not yet read."""
    folder = tmp_path_factory.mktemp("corner")
    subprocess.run([sys.executable, ROOT / "docs/tutorials/corner_shop.py", folder], check=True, stdout=subprocess.DEVNULL)
    (folder / "shop.toml").write_text(CORNER, encoding="utf-8")
    load_or_create_key(folder)
    return folder


@pytest.fixture
def nasty(tmp_path) -> Path:
    folder = tmp_path / "nasty"
    folder.mkdir()
    (folder / "shop.toml").write_text(write_nasty(folder), encoding="utf-8")
    load_or_create_key(folder)
    return folder


def copied(folder: Path, target: Path) -> Shop:
    shutil.copytree(folder, target)
    return Shop.open(target)


def table(shop: Shop, name: str) -> pl.DataFrame:
    frames = [pl.read_parquet(path) for path in shop.tables.snapshot().parts(name)]
    keys = ["product_id"] if name == "products" else ["source", "row"]
    return pl.concat([frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)) for frame in frames]).sort(keys)


def same_ingest(folder: Path, target: Path, engine: str) -> tuple[Shop, set[str]]:
    """Ingest by both; the shop of the default engine, and the rules that were broken."""
    shops = copied(folder, target / "duck"), copied(folder, target / "spark")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    expected = ingest(shops[0], IngestRequest(now=now))
    found = ingest(shops[1], IngestRequest(now=now, engine=engine))
    assert found.tables.rows() == expected.tables.rows()
    assert found.rules.rows() == expected.rules.rows()
    assert found.notes == expected.notes
    for name in sorted(shops[0].tables.snapshot().tables):
        one, other = (table(shop, name) for shop in shops)
        assert one.schema == other.schema, name
        assert other.rows() == one.rows(), name
    return shops[0], set(expected.rules["rule"])


@pytest.mark.slow
def test_ingest_keeps_and_sets_aside_the_same_rows(nasty, tmp_path, spark):
    duck, broken = same_ingest(nasty, tmp_path, f"spark:{spark}")
    assert broken >= {
        "malformed", "unreadable_ts", "unreadable_units", "unreadable_amount", "missing_order_id", "missing_title", "duplicate",
        "already_known", "orphan", "not_a_product", "units_not_positive", "ts_never", "ts_future", "cancellation_matched",
        "cancellation_unmatched", "cancelled_in_part", "discount_negative", "amount_not_positive", "ts_twice",
        "sold_by_volume", "units_in_thousandths", "volume_unknown", "outlier", "missing_store_id",
    }  # fmt: skip
    assert Decimal("14.5") in table(duck, "order_lines")["units"].to_list()


@pytest.mark.slow
def test_a_build_publishes_the_same_bytes(corner, tmp_path, spark):
    """Of the tutorial's shop, read by either engine: the same tables, and from them the same files."""
    duck, _ = same_ingest(corner, tmp_path, f"spark:{spark}")
    expected = build(duck, BuildRequest())
    same = {each.name: each.read_bytes() for each in duck.releases.current().folder.glob("*.parquet")}
    found = build(duck, BuildRequest(engine=f"spark:{spark}"))
    assert found.release != expected.release
    assert found.as_of == expected.as_of
    assert found.edges.equals(expected.edges)
    files = {each.name: each.read_bytes() for each in duck.releases.current().folder.glob("*.parquet")}
    assert "associations.parquet" in files
    assert files == same


def open_relations(settings: ShopFile, name: str, folder: Path):
    with opener(name, settings, folder) as opened:
        engine = opened({})
        engine.close()
        return type(engine).__name__


def test_the_engine_is_the_one_named_or_else_that_of_the_shop(tmp_path):
    shop = parse('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n')
    assert shop.engine == "duckdb"
    assert open_relations(shop, "", tmp_path) == "DuckEngine"
    for wrong in ("sqlite", "spark:", "spark:local", "spark:local[x]", "spark://host", "spark://a b:7", "Spark"):
        with pytest.raises(ConfigError, match="no engine") as caught:
            open_relations(shop, wrong, tmp_path)
        assert "spark:local[2]" in caught.value.hint
    with pytest.raises(ConfigError, match="'sqlite'"):
        open_relations(parse('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\nengine = "sqlite"\n'), "", tmp_path)


@pytest.mark.slow
def test_spark_by_name_and_one_master_a_process(tmp_path, spark):
    shop = parse(f'name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\nengine = "spark:{spark}"\n')
    assert open_relations(shop, "", tmp_path) == "SparkEngine"
    assert open_relations(shop, "duckdb", tmp_path) == "DuckEngine"
    with pytest.raises(ConfigError, match="so not on local"):
        open_relations(shop, "spark", tmp_path)


def test_without_java_it_says_what_to_install(tmp_path):
    code = (
        "from basketry.engines.spark import SparkEngine\nfrom basketry.core.errors import ConfigError\n"
        "try: SparkEngine({})\nexcept ConfigError as error: print(error)"
    )
    path = tmp_path / "bin"
    path.mkdir()
    environment = {"PATH": str(path), "PYTHONPATH": str(ROOT / "src")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
    assert b"[config] the Spark engine needs" in told.stdout and b"basketry[spark]" in told.stdout


@pytest.mark.slow
def test_a_file_is_mined_on_spark_as_here_whatever_python_the_path_names(spark, tmp_path):
    """Spark's workers must run the Python that asks: the first one of the PATH need not know of this package."""
    (tmp_path / "baskets.dat").write_text("1 2 3\n1 2\n1 3\n2 3\n" * 30)
    answers = []
    for engine in ("duckdb", "spark:local[2]"):
        for kind in ("all", "closed"):
            program = str(Path(sys.executable).parent / "basketry")
            asked = [
                program,
                "mine",
                "baskets.dat",
                "--min-support",
                "30",
                "--kind",
                kind,
                "--engine",
                engine,
                "--format",
                "json",
            ]
            done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            rows = json.loads(done.stdout)["itemsets"]
            answers.append(sorted((sorted(row["itemset"]), row["baskets"]) for row in rows))
    assert answers[:2] == answers[2:]
    assert answers[0] == [([1], 90), ([1, 2], 60), ([1, 2, 3], 30), ([1, 3], 60), ([2], 90), ([2, 3], 60), ([3], 90)]
