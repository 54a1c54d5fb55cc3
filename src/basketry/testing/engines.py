"""The laws every Engine obeys: `check_engine(open_engine, folder)` runs them all; a broken one is an AssertionError."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import dataframely as dy
import polars as pl

from basketry.core.errors import BasketryError, EngineError
from basketry.core.protocols import Csv, Engine, JsonLines, Parquet, Relation

OpenEngine = Callable[[Mapping[str, Relation]], Engine]


class Row(dy.Schema):
    """One column of each kind that tables use."""

    id = dy.Int64(primary_key=True)
    word = dy.String(nullable=True)
    money = dy.Decimal(18, 4)
    ts = dy.Datetime(time_zone="UTC", time_unit="us")
    day = dy.Date()


class Words(dy.Schema):
    """Two columns of text."""

    a = dy.String(nullable=True)
    b = dy.String(nullable=True)


ROWS: Final = Row.validate(
    pl.DataFrame(
        {
            "id": range(1, 5001),
            "word": [None if number % 7 == 0 else f"wörd 'n\" {number}" for number in range(1, 5001)],
            "money": [Decimal(number) / 10_000 for number in range(1, 5001)],
            "ts": [dt.datetime(2024, 3, 31, tzinfo=dt.UTC) + dt.timedelta(minutes=number) for number in range(1, 5001)],
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(1, 5001)],
        },
        schema=Row.create_empty().schema,
    )
)
ALL: Final = "SELECT * FROM stored.rows ORDER BY id"


def check_round_trip(open_engine: OpenEngine, folder: Path) -> None:
    """read(write(x)) == x, in every type and in order; write counts its rows; a stream is the read in pieces."""
    engine = open_engine({"rows": _stored(folder)})
    assert engine.read(Row, ALL, {}).equals(ROWS)
    assert pl.concat(list(engine.stream(Row, ALL, {}, 1_000))).equals(ROWS)
    copy = folder / "copy.parquet"
    assert engine.write(ALL, {}, copy) == ROWS.height
    engine.close()
    again = open_engine({"rows": Parquet((copy,))})
    assert again.read(Row, "SELECT * FROM stored.rows", {}).equals(ROWS)
    assert again.read(Row, "SELECT * FROM stored.rows WHERE id < 0", {}).equals(Row.create_empty())
    again.close()


def check_parameters(open_engine: OpenEngine, folder: Path) -> None:
    """Parameters are values, never SQL."""
    engine = open_engine({"rows": _stored(folder)})
    sql = "SELECT * FROM stored.rows WHERE word = $word"
    assert engine.read(Row, sql, {"word": "wörd 'n\" 9"})["id"].to_list() == [9]
    assert engine.read(Row, sql, {"word": "x' OR 'a' = 'a"}).is_empty()
    engine.close()


def check_text(open_engine: OpenEngine, folder: Path) -> None:
    """Text relations are read as text, in order, an empty field or absent key as null."""
    csv, lines = folder / "t.csv", folder / "t.jsonl"
    csv.write_text('a;b\n1;"x ""y""; z"\n;002\n', encoding="utf-8")
    lines.write_text('{"b": "x \\"y\\"; z", "a": 1}\n{"b": "002"}\n', encoding="utf-8")
    relations: dict[str, Relation] = {"csv": Csv(csv, ("a", "b"), ";"), "lines": JsonLines(lines, ("a", "b"))}
    engine = open_engine(relations)
    for name in relations:
        assert engine.read(Words, f"SELECT * FROM stored.{name}", {}).rows() == [("1", 'x "y"; z'), (None, "002")]
    engine.close()


def check_errors(open_engine: OpenEngine, folder: Path) -> None:
    """A driver's error never comes through; a closed engine says so; closing twice is closing once."""
    engine = open_engine({"rows": _stored(folder)})
    for sql in ("SELECT FROM WHERE", "SELECT * FROM stored.absent"):
        try:
            engine.read(Row, sql, {})
        except EngineError:
            continue
        raise AssertionError(f"no EngineError from {sql!r}")
    engine.close()
    engine.close()
    try:
        engine.read(Row, ALL, {})
    except BasketryError:
        return
    raise AssertionError("a closed engine answered")


LAWS: Final = {"round trip": check_round_trip, "parameters": check_parameters, "text": check_text, "errors": check_errors}


def check_engine(open_engine: OpenEngine, folder: Path) -> None:
    """Every law, on engines that `open_engine` opens over files in `folder`, which must exist."""
    for law in LAWS.values():
        law(open_engine, folder)


def _stored(folder: Path) -> Parquet:
    path = folder / "rows.parquet"
    ROWS.write_parquet(path)
    return Parquet((path,))
