"""Answers as a table, JSON or CSV. A result is a dataclass: scalars are facts, frames are tables, tuples of text are notes."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import RequestError
from basketry.core.spreadsheet import harmless

if TYPE_CHECKING:
    import polars as pl

WIDEST: Final = 220
_CONTROLS: Final = re.compile("[\x7f-\x9f]")  # control signs that JSON does not escape by itself


def render(result: Any, output: str) -> None:
    """Print `result` on standard output. Raises RequestError for an output that is not one of FORMATS."""
    if output not in FORMATS:
        raise RequestError(f"cannot print as {output!r}", f"choose one of {', '.join(FORMATS)}")
    FORMATS[output](result)


def _parts(result: Any) -> tuple[dict[str, Any], dict[str, pl.DataFrame], list[str]]:
    """Facts, tables and notes of a result."""
    import polars as pl

    facts: dict[str, Any] = {}
    tables: dict[str, pl.DataFrame] = {}
    notes: list[str] = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, pl.DataFrame):
            tables[field.name] = value
        elif isinstance(value, tuple):
            notes += [str(each) for each in value]
        elif value is not None:
            facts[field.name] = value
    return facts, tables, notes


def _as_table(result: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    facts, tables, notes = _parts(result)
    width = None if sys.stdout.isatty() else min(max(shutil.get_terminal_size((160, 40)).columns, 160), WIDEST)
    console = Console(width=width, highlight=False, markup=False)
    for name, value in facts.items():
        console.print(f"{name.replace('_', ' ')}: {_cell(value)}")
    for name, frame in tables.items():
        if frame.is_empty():
            continue
        table = Table(title=name.replace("_", " ") if len(tables) > 1 else None, title_justify="left", box=None, pad_edge=False)
        for column, kind in frame.schema.items():
            table.add_column(column.replace("_", " "), justify="right" if kind.is_numeric() else "left", overflow="fold")
        for row in frame.iter_rows():
            table.add_row(*(_cell(value) for value in row))
        console.print(table)
    for note in notes:
        console.print(printable(note))


def _cell(value: Any) -> str:
    """A value as a person reads it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        case list():
            return ", ".join(str(each) for each in value)
        case Mapping():
            return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
    return printable(str(value))


def printable(text: str) -> str:
    """The text without signs that would steer a terminal; line ends stay."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)


def _as_json(result: Any) -> None:
    facts, tables, notes = _parts(result)
    whole = {**facts, **{name: _finite(frame).to_dicts() for name, frame in tables.items()}, "notes": notes}
    text = json.dumps(whole, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.write(_CONTROLS.sub(lambda sign: f"\\u{ord(sign.group()):04x}", text) + "\n")


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with null for infinite and undefined numbers, which JSON cannot write (RFC 8259)."""
    import polars as pl

    floats = [pl.col(name) for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.when(each.is_finite()).then(each) for each in floats)


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, Path):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_csv(result: Any) -> None:
    """The first table that has rows; text cells that a spreadsheet would run as a formula get a leading apostrophe."""
    import polars as pl

    _, tables, _ = _parts(result)
    frame = next((table for table in tables.values() if not table.is_empty()), next(iter(tables.values()), pl.DataFrame()))
    sys.stdout.write(harmless(frame).write_csv())


FORMATS: Final[dict[str, Callable[[Any], None]]] = {"table": _as_table, "json": _as_json, "csv": _as_csv}
