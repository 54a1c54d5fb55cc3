"""Answers as a table, JSON or CSV. A result is a dataclass: scalars are facts, frames are tables, tuples of text are notes."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from basketry.app.results import parts_of, plain
from basketry.core.errors import RequestError
from basketry.core.spreadsheet import harmless

WIDEST: Final = 220
_CONTROLS: Final = re.compile("[\x7f-\x9f]")  # control signs that JSON does not escape by itself


def render(result: Any, output: str) -> None:
    """Print `result` on standard output. Raises RequestError for an output that is not one of FORMATS."""
    if output not in FORMATS:
        raise RequestError(f"cannot print as {output!r}", f"choose one of {', '.join(FORMATS)}")
    FORMATS[output](result)


def _as_table(result: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    parts = parts_of(result)
    facts, tables, notes = parts.facts, parts.tables, parts.notes
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
    text = json.dumps(parts_of(result).as_json(), ensure_ascii=False, indent=2, default=plain)
    sys.stdout.write(_CONTROLS.sub(lambda sign: f"\\u{ord(sign.group()):04x}", text) + "\n")


def _as_csv(result: Any) -> None:
    """The first table that has rows; text cells that a spreadsheet would run as a formula get a leading apostrophe."""
    import polars as pl

    tables = parts_of(result).tables
    frame = next((table for table in tables.values() if not table.is_empty()), next(iter(tables.values()), pl.DataFrame()))
    sys.stdout.write(harmless(frame).write_csv())


FORMATS: Final[dict[str, Callable[[Any], None]]] = {"table": _as_table, "json": _as_json, "csv": _as_csv}
