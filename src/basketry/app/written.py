"""A table written to a file for others to read: CSV, Parquet or JSON by its ending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

ENDINGS: Final = (".csv", ".parquet", ".json")
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: pl.DataFrame, out: str) -> str:
    """Write `frame` to the file `out`, whole or not at all, and return its path.

    `.csv`: list cells joined by `; `, text that a spreadsheet would run as a formula begun with an apostrophe; `.parquet`;
    `.json`: a list of rows. Raises RequestError for another ending.
    """
    import io
    from pathlib import Path

    from basketry.core.errors import RequestError
    from basketry.store import durable

    path = Path(out).expanduser()
    if path.suffix not in ENDINGS:
        raise RequestError(f"cannot write to {out}", f"let its name end in {', '.join(ENDINGS)}")
    buffer = io.BytesIO()
    match path.suffix:
        case ".csv":
            buffer.write(safe_csv(frame).encode())
        case ".parquet":
            frame.write_parquet(buffer)
        case _:
            frame.write_json(buffer)
    durable.write_file(path, buffer.getvalue())
    return str(path)


def safe_csv(frame: pl.DataFrame) -> str:
    """The frame as CSV, lists joined by `; `, no cell of text a formula."""
    import polars as pl

    lists = [
        pl.col(name).cast(pl.List(pl.String)).list.join("; ")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.List)
    ]
    text = frame.with_columns(lists).with_columns(pl.selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
    first = pl.selectors.string().str.slice(0, 1).is_in(FORMULA_SIGNS)
    safe = pl.when(first).then(pl.lit("'") + pl.selectors.string()).otherwise(pl.selectors.string())
    return (text.with_columns(safe.name.keep()) if text.width else text).write_csv()
