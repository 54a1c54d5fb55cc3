"""Texts that a user gives a command: the shop's own products, a table in a file, or a file of one text a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop

TABLES: Final = (".parquet", ".csv", ".jsonl")
LINES: Final = ".txt"
READ: Final = ("text", "label", "text_a", "text_b", "weight", "group")  # what commands look for in a table


def given_texts(shop: Shop, source: str, text: str = "text", id: str = "") -> pl.DataFrame:
    """Columns `id` and `text`, both strings, no nulls in `text`: of the file `source`, or without one of the products."""
    import polars as pl

    if source:
        found = file_texts(Path(source), text, id)
    else:
        from basketry.core.tables import Documents

        with shop.dataset() as dataset:
            found = dataset.query(Documents, "documents").select("text", id="product_id")
    return found.select(pl.col("id").cast(pl.String), pl.col("text").cast(pl.String).fill_null(""))


def file_texts(path: Path, text: str = "text", id: str = "") -> pl.DataFrame:
    """Columns `id` and `text` of a file: its columns of these names, or rows by their number from 1 without `id`.

    Raises SourceError if it cannot be read or lacks a column.
    """
    import polars as pl

    from basketry.core.errors import SourceColumns

    table = read_table(path, (*TABLES, LINES))
    column = "text" if path.suffix == LINES else text
    absent = [name for name in (column, id) if name and name not in table.columns]
    if absent:
        raise SourceColumns(f"{path} has no column {absent[0]!r}", f"it has {', '.join(table.columns)}")
    named = table[id] if id else pl.Series(range(1, len(table) + 1), dtype=pl.Int64)
    return pl.DataFrame({"id": named.cast(pl.String), "text": table[column].cast(pl.String)})


def read_table(path: Path, kinds: tuple[str, ...] = TABLES) -> pl.DataFrame:
    """The table in a file of one of `kinds`, columns of a CSV as text; a .txt file has one column, `text`, a row a line.

    Raises SourceMissing if there is no such file, SourceFormat if it is of another kind or cannot be read.
    """
    import polars as pl

    from basketry.core.errors import SourceFormat, SourceMissing

    if not path.is_file():
        raise SourceMissing(f"there is no file {path}", "check the path")
    if path.suffix not in kinds:
        raise SourceFormat(f"{path} is none of {', '.join(kinds)}", "save it as one of them")
    try:
        if path.suffix == ".parquet":
            return _plain(pl.read_parquet(path), path)
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema=False)
        if path.suffix == ".jsonl":
            return _plain(pl.read_ndjson(path), path)
        with path.open(encoding="utf-8") as lines:  # not splitlines, which breaks lines at signs inside of texts too
            return pl.DataFrame({"text": [line.removesuffix("\n") for line in lines]}, schema={"text": pl.String})
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        raise SourceFormat(f"{path} cannot be read: {error}", "save it as UTF-8, one header line, one row a line") from error


def _plain(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The columns of one value a row; the others are left out. Raises SourceFormat where one is called as what we read."""
    import polars as pl

    from basketry.core.errors import SourceFormat

    nested = [name for name, kind in table.schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    wanted = [name for name in nested if name in READ]
    if wanted:
        raise SourceFormat(
            f"column {wanted[0]!r} of {path} holds {table.schema[wanted[0]]}, not text or numbers",
            "write one plain value a row",
        )
    return table.drop(nested)
