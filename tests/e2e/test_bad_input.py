"""Bad input: each a clear error with its code, the place and the way out, and nothing committed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from basketry.app.ingest import IngestRequest, IngestResult, ingest
from basketry.app.shop import Shop
from basketry.core.errors import SourceColumns, SourceEmpty, SourceEncoding, SourceError, SourceFormat, SourceMissing
from basketry.data import sources
from basketry.store.tables import TableStore

TOML = """
name = "x"
currency = "EUR"
timezone = "UTC"
[[source]]
table = "order_lines"
path = "lines.csv"
[source.columns]
order_id = "order"
product_id = "sku"
ts = "when"
units = "n"
amount = "paid"
customer_id = "card"
"""
HEADER = "order,sku,when,n,paid,card\n"


def row(number: int, units: str = "1", when: str = "2024-01-05 10:00:00") -> str:
    return f"o{number},p{number % 3},{when},{units},2.50,c{number}\n"


ROWS = "".join(row(number) for number in range(1, 11))


def run(folder: Path, data: bytes | str | None, toml: str = TOML) -> IngestResult:
    (folder / "shop.toml").write_text(toml)
    if data is not None:
        (folder / "lines.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return ingest(Shop.open(folder), IngestRequest())


CASES = {
    "no file": (None, SourceMissing, "there is no file .*lines.csv", "correct path"),
    "empty file": ("", SourceEmpty, "lines.csv is empty", "header line"),
    "header only": (HEADER, SourceEmpty, "lines.csv has a header and no rows", "at least one row"),
    "missing column": (
        HEADER.replace("sku", "skuu") + ROWS,
        SourceColumns,
        "lines.csv has no column 'sku'",
        "did you mean 'skuu'",
    ),
    "duplicate header": (
        HEADER.replace("card", "SKU") + ROWS,
        SourceColumns,
        "'SKU' stands twice, in places 2 and 6",
        "rename",
    ),
    "other delimiter": ((HEADER + ROWS).replace(",", ";"), SourceColumns, "line 1: one column only", "delimiter = ';'"),
    "mixed encodings": (
        HEADER.encode() + "o1,pé,2024-01-05,1,1,c\n".encode() + "o1,pé,2024-01-05,1,1,c\n".encode("cp1252"),
        SourceEncoding,
        "line 3, byte 55: the bytes e9 .* are not utf-8",
        "mixes encodings",
    ),
    "a NUL": (HEADER + ROWS + "o\0,p,2024-01-05,1,1,c\n", SourceFormat, "line 12: a NUL", "UTF-16"),
    "a quote left open": (
        HEADER + ROWS + 'o1,"p,2024-01-05,1,1,c\n' + ROWS,
        SourceFormat,
        "line 12: a quote is opened",
        "close",
    ),
    "gzip cut short": (gzip.compress((HEADER + ROWS * 9).encode())[:-9], SourceFormat, "cut short", "export"),
    "no table at all": (bytes(range(1, 256)) * 9, SourceEncoding, "line 2, byte 127", "encoding"),
    "dates in another format": (
        HEADER + ROWS.replace("2024-01-05 10:00:00", "05.01.2024 10:00"),
        SourceFormat,
        "ts is not a time like 2024-01-31 13:05:00 in 10 of 10 rows, first row 1 '05.01.2024 10:00', row 2",
        "timestamp_format",
    ),
    "decimal commas": (
        HEADER.replace(",", ";") + ROWS.replace(",", ";").replace("2.50", "2,50"),
        SourceFormat,
        "amount is not a number in 10",
        "decimal",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_with_place_and_way_out(tmp_path, case):
    data, kind, says, hint = CASES[case]
    toml = TOML.replace('"lines.csv"', '"lines.csv"\ndelimiter = ";"') if case == "decimal commas" else TOML
    with pytest.raises(kind, match=says) as caught:
        run(tmp_path, data, toml)
    assert hint in caught.value.hint
    assert issubclass(kind, SourceError)
    assert TableStore(tmp_path).snapshot().sources == ()
    assert not list((tmp_path / "tables").glob("*.parquet"))
    assert not list((tmp_path / "tables").glob(".staging-*"))


def test_a_format_that_does_not_fit_says_what_was_expected(tmp_path):
    toml = TOML.replace('"lines.csv"', '"lines.csv"\ntimestamp_format = "%d.%m.%Y %H:%M"')
    with pytest.raises(SourceFormat, match=r"ts is not a time like %d.%m.%Y %H:%M in 10 of 10 rows"):
        run(tmp_path, HEADER + ROWS, toml)


def rules(result: IngestResult) -> dict[str, str]:
    return {row["rule"]: row["example"] for row in result.rules.iter_rows(named=True)}


def test_a_wrong_type_in_row_7_sets_that_row_aside_by_name(tmp_path):
    result = run(tmp_path, HEADER + ROWS.replace(row(7), row(7, units="two")))
    assert rules(result) == {"unreadable_units": "row 7: 'two', units is not a number"}
    assert result.tables.select("rows", "kept", "quarantined").row(0) == (10, 9, 1)


@pytest.mark.parametrize(
    ("bad", "rule", "example"),
    [
        ("o7,p1,2024-01-05 10:00:00,1\n", "malformed", "row 7: cannot be split into the expected fields"),
        ("o7,p1,2024-01-05 10:00:00,1,2,c,d,e\n", "malformed", "row 7: cannot be split into the expected fields"),
        ("o7,p1,2024-01-05 10:00:00,1,2,\n", None, ""),
        (",p1,2024-01-05 10:00:00,1,2,c\n", "missing_order_id", "row 7: order_id is empty"),
        (
            "o7,p1,2024-13-45 10:00:00,1,2,c\n",
            "unreadable_ts",
            "row 7: '2024-13-45 10:00:00', ts is not a time like 2024-01-31 13:05:00",
        ),
        (
            "o7,p1,2024-01-05 10:00:00,99999999999999999999,2,c\n",
            "unreadable_units",
            "row 7: '99999999999999999999', units is not a number",
        ),
        ("o7,p1,2024-01-05 10:00:00,1,nan,c\n", "unreadable_amount", "row 7: 'nan', amount is not a number"),
        ('o7,"p ""1"", or 2",2024-01-05 10:00:00,1,2,c\n', None, ""),
    ],
)
def test_one_bad_row_is_set_aside_and_counted(tmp_path, bad, rule, example):
    result = run(tmp_path, HEADER + ROWS.replace(row(7), bad))
    assert rules(result) == ({} if rule is None else {rule: example})
    aside = 0 if rule is None else 1
    assert result.tables.select("rows", "kept", "quarantined").row(0) == (10, 10 - aside, aside)


def test_a_line_of_300_mb_is_refused(tmp_path):
    with (tmp_path / "lines.csv").open("wb") as file:
        file.write(HEADER.encode())
        for _ in range(300):
            file.write(b"x" * 1_000_000)
    with pytest.raises(SourceFormat, match=r"line 2: the line is longer than 4 MiB"):
        run(tmp_path, None)


def test_a_broken_json_line_is_set_aside(tmp_path):
    good = '{"order": "o%d", "sku": "p", "when": "2024-01-05T10:00:00Z", "n": 1, "paid": 2.5, "card": "c%d"}\n'
    lines = "".join(good % (number, number) for number in range(1, 10))
    toml = TOML.replace('"lines.csv"', '"lines.csv"\nformat = "jsonl"')
    result = run(tmp_path, lines + '{"order": "o10", \n', toml)
    assert rules(result) == {"malformed": "row 10: cannot be split into the expected fields"}
    assert result.tables.select("rows", "kept", "quarantined").row(0) == (10, 9, 1)


def test_not_a_parquet_file(tmp_path):
    with pytest.raises(SourceFormat, match=r"lines.csv is not a Parquet file"):
        run(tmp_path, HEADER + ROWS, TOML.replace('"lines.csv"', '"lines.csv"\nformat = "parquet"'))


@pytest.mark.parametrize("how", ["vanishes", "changes"])
def test_a_file_that_vanishes_or_changes_while_read(tmp_path, monkeypatch, how):
    path = tmp_path / "lines.csv"
    survey = sources.survey

    def survey_then(*arguments):
        found = survey(*arguments)
        if how == "vanishes":
            path.unlink()
        else:
            with path.open("a") as file:
                file.write(row(11))
        return found

    monkeypatch.setattr(sources, "survey", survey_then)
    with pytest.raises(SourceMissing, match=r"lines.csv") as caught:
        run(tmp_path, HEADER + ROWS)
    assert caught.value.code == "source-missing"
    assert TableStore(tmp_path).snapshot().sources == ()
