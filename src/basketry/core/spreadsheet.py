"""Cells that a spreadsheet takes for what they are: text that it would run as a formula gets a leading apostrophe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as CSV holds it: lists joined by `; `, categories as text, text that begins with a formula sign quoted."""
    import polars as pl

    if not frame.width:
        return frame
    lists = [pl.col(name).cast(pl.List(pl.String)).list.join("; ") for name, kind in frame.schema.items() if kind == pl.List]
    text = frame.with_columns(lists).with_columns(pl.selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
    first = pl.selectors.string().str.slice(0, 1).is_in(FORMULA_SIGNS)
    safe = pl.when(first).then(pl.lit("'") + pl.selectors.string()).otherwise(pl.selectors.string())
    return text.with_columns(safe.name.keep())
