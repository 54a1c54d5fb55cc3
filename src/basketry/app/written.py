"""A table written to a file for others to read: CSV, Parquet or JSON by its ending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

ENDINGS: Final = (".csv", ".parquet", ".json")


def write_table(frame: pl.DataFrame, out: str) -> str:
    """Write `frame` to the file `out`, whole or not at all, and return its path.

    `.csv`: list cells joined by `; `, text that a spreadsheet would run as a formula begun with an apostrophe; `.parquet`;
    `.json`: a list of rows. Raises RequestError for another ending.
    """
    import io
    from pathlib import Path

    from basketry.core.errors import RequestError
    from basketry.core.spreadsheet import harmless
    from basketry.store import durable

    path = Path(out).expanduser()
    if path.suffix not in ENDINGS:
        raise RequestError(f"cannot write to {out}", f"let its name end in {', '.join(ENDINGS)}")
    buffer = io.BytesIO()
    match path.suffix:
        case ".csv":
            harmless(frame).write_csv(buffer)
        case ".parquet":
            frame.write_parquet(buffer)
        case _:
            frame.write_json(buffer)
    durable.write_file(path, buffer.getvalue())
    return str(path)
