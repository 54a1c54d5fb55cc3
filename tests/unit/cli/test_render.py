import csv
import dataclasses
import datetime as dt
import io
import json
import math
from decimal import Decimal

import polars as pl
import pytest

from basketry.cli.render import render
from basketry.core.errors import RequestError


@dataclasses.dataclass(frozen=True)
class Result:
    """One of everything a result may hold."""

    name: str
    when: dt.datetime
    absent: None
    rows: pl.DataFrame
    notes: tuple[str, ...]


RESULT = Result(
    name="shop",
    when=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    absent=None,
    rows=pl.DataFrame(
        {
            "title": ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "bread"],
            "units": [1, 2, 3, 4, 5, -6, 1234567],
            "share": [0.5, None, 1e-9, 0.1, 0.2, 0.3, 12345.678],
            "words": [["a", "b"]] * 7,
            "money": [Decimal("1.25")] * 7,
        }
    ),
    notes=("first note", "second"),
)


def printed(capsys, output):
    render(RESULT, output)
    return capsys.readouterr().out


def test_csv_runs_no_formula_and_keeps_numbers(capsys):
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "csv"))))
    assert [row["title"] for row in rows] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\rx", "bread"]
    assert rows[5]["units"] == "-6"
    assert rows[0]["words"] == "a; b"


def test_json_writes_no_number_that_json_has_not(capsys):
    render(dataclasses.replace(RESULT, rows=pl.DataFrame({"ratio": [1.5, math.inf, -math.inf, math.nan]})), "json")
    text = capsys.readouterr().out
    assert "Infinity" not in text and "NaN" not in text
    assert [row["ratio"] for row in json.loads(text)["rows"]] == [1.5, None, None, None]


def test_json_holds_everything(capsys):
    whole = json.loads(printed(capsys, "json"))
    assert whole["name"] == "shop" and "absent" not in whole
    assert whole["notes"] == ["first note", "second"]
    assert whole["rows"][0]["title"] == "=1+1"
    assert whole["rows"][0]["money"] == "1.25"
    assert whole["when"].startswith("2024-01-01T00:00:00")


def test_tables_are_for_people(capsys):
    text = printed(capsys, "table")
    assert "1,234,567" in text and "second" in text and "name: shop" in text
    assert "\r" not in text.replace("\r\n", "\n")


def test_markup_in_titles_is_plain_text(capsys):
    render(dataclasses.replace(RESULT, rows=pl.DataFrame({"title": ["[red]x[/] [link=http://x]y"]})), "table")
    assert "[red]x[/] [link=http://x]y" in capsys.readouterr().out


def test_nothing_steers_the_terminal(capsys):
    hostile = dataclasses.replace(RESULT, name="a\x1b[31mb\x07", notes=("note \x1b]0;x\x07", "c1 \x9b"))
    render(hostile, "table")
    render(hostile, "json")
    assert not {"\x1b", "\x07", "\x9b"} & set(capsys.readouterr().out)


def test_an_unknown_format_is_refused():
    with pytest.raises(RequestError, match="cannot print as 'xml'"):
        render(RESULT, "xml")
