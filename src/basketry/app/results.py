"""A result taken apart as every front end shows it: scalars are facts, frames are tables, tuples of text are notes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Parts:
    """Facts by name (none that is None), tables by name, and sentences."""

    facts: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """One object: facts and tables (lists of rows) by name, and `notes`; no number that JSON cannot write."""
        tables = {name: finite(frame).to_dicts() for name, frame in self.tables.items()}
        return {**self.facts, **tables, "notes": list(self.notes)}


def parts_of(result: Any) -> Parts:
    """Take the result of an operation apart."""
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
    return Parts(facts, tables, tuple(notes))


def finite(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with null for infinite and undefined numbers, which JSON cannot write (RFC 8259)."""
    import polars as pl

    floats = [pl.col(name) for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.when(each.is_finite()).then(each) for each in floats)


def plain(value: Any) -> Any:
    """What JSON has no word for, as text."""
    if isinstance(value, Path):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
