"""Repeated rows are the same rows, however many parts the hashes are sorted in; times read fast are times read slowly."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from basketry.app.ingest import Frame, IngestRequest, ingest
from basketry.app.shop import Shop
from basketry.data import cleaning


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop.toml").write_text('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n', encoding="utf-8")
    return Shop.open(tmp_path)


def lines(times, ids):
    one = {"order_id": ids, "product_id": ["p"] * len(ids), "ts": times, "units": ["1"] * len(ids), "amount": ["2"] * len(ids)}
    return Frame("order_lines", pl.DataFrame(one))


@pytest.mark.parametrize("held", [7, 1 << 24])
def test_repeated_rows_are_found_in_any_number_of_parts(shop, monkeypatch, held):
    monkeypatch.setattr(cleaning, "_SORTED", held)
    ids = [f"o{number % 40}" for number in range(100)]
    done = ingest(shop, IngestRequest((lines(["2024-01-31 13:05:00"] * 100, ids),)))
    assert done.rules.filter(pl.col("rule") == "duplicate")["broke"].to_list() == [60]
    assert done.tables["kept"].to_list() == [40]


def test_times_of_every_make_are_read_as_what_they_say(shop):
    told = {
        "2024-01-31 13:05:00": dt.datetime(2024, 1, 31, 13, 5, tzinfo=dt.UTC),
        "2024-01-31T13:05:00": dt.datetime(2024, 1, 31, 13, 5, tzinfo=dt.UTC),
        " 2024-01-31 13:05:00.25 ": dt.datetime(2024, 1, 31, 13, 5, 0, 250_000, tzinfo=dt.UTC),
        "2024-01-31 13:05:00+02": dt.datetime(2024, 1, 31, 11, 5, tzinfo=dt.UTC),
        "2024-01-31T13:05+02:00": dt.datetime(2024, 1, 31, 11, 5, tzinfo=dt.UTC),
        "2024-01-31": dt.datetime(2024, 1, 31, tzinfo=dt.UTC),
        "2024-01-31 13: 5:00": None,
        "2024-01-31 13:05: 9": None,
    }
    done = ingest(shop, IngestRequest((lines(list(told), [f"\u3000o{n} " for n in range(len(told))]),)))
    assert done.tables.select("kept", "quarantined").row(0) == (6, 2)
    parts = shop.tables.snapshot().parts("order_lines")
    kept = pl.concat([pl.read_parquet(path) for path in parts]).sort("row")
    assert kept["ts"].to_list() == [at for at in told.values() if at is not None]
    assert kept["order_id"].to_list() == [f"o{n}" for n in range(6)]
