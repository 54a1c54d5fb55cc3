"""Baskets from a file of any known kind, told by its ending and its first line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import polars as pl

from basketry.associations.mining.formats import contents, decoded, read_fimi, read_lines, read_spmf
from basketry.associations.mining.long import BASKETS, ITEMS, Columns, from_long, known_name
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import SourceColumns, SourceEmpty, SourceFormat, SourceMissing

ENDINGS: Final = (".dat", ".txt", ".csv", ".tsv", ".basket", ".parquet")


def read(path: Path, *, basket: str = "", item: str = "", customer: str = "", time: str = "") -> Transactions:
    """The baskets of a file, by its ending (a `.gz` behind it is unpacked).

    `.dat` FIMI; `.txt` FIMI, or SPMF where it begins with a line of `#`, `%` or `@`; `.parquet` a table with a row an item;
    `.csv`, `.tsv` likewise where columns are named or known by their names, else a line a basket if lines differ in length.
    A table read from text keeps every name as text: 007 is not 7.
    """
    if not path.is_file():
        raise SourceMissing(f"there is no file {path}", "check the path")
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    asked = {"basket": basket, "item": item, "customer": customer, "time": time}
    match endings[-1] if endings else "":
        case ".dat":
            return read_fimi(path)
        case ".txt":
            return read_spmf(path) if contents(path)[:1] in (b"#", b"%", b"@") else read_fimi(path)
        case ".parquet":
            return _parquet(path, asked)
        case ".csv" | ".tsv" as ending:
            return _text(path, "\t" if ending == ".tsv" else ",", asked)
        case ".basket":
            return read_lines(path)
    raise SourceFormat(f"{path.name} has an ending that is not known", f"files end in {', '.join(ENDINGS)}, perhaps with .gz")


def _parquet(path: Path, asked: dict[str, str]) -> Transactions:
    try:
        columns = Columns.of(list(pl.read_parquet_schema(path)), **asked)  # type: ignore[arg-type] # the four are texts
        return from_long(pl.read_parquet(path, columns=_wanted(columns)), columns)
    except pl.exceptions.PolarsError as error:
        raise SourceFormat(f"{path.name} is not a Parquet file: {error}", "export it again") from error


def _text(path: Path, separator: str, asked: dict[str, str]) -> Transactions:
    data = contents(path)
    first = decoded(data.split(b"\n", 1)[0], path.name)
    header = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    known = any(asked.values()) or (known_name(header, BASKETS) and known_name(header, ITEMS))
    if not known and (len(header) < 2 or _ragged(data, separator, len(header))):
        return read_lines(path, separator)
    try:
        columns = Columns.of(header, **asked, guess=False)  # a guess would take the first line of a file without header for one
    except SourceColumns as error:
        raise SourceColumns(f"{path.name}: {error.message}", error.hint) from error
    decoded(data, path.name)  # names the line of a byte that is no text
    try:
        table = pl.read_csv(data, separator=separator, infer_schema=False, new_columns=header, columns=_places(header, columns))
    except pl.exceptions.PolarsError as error:
        hint = "each line needs the fields of the header; quote names that hold the separator"
        raise SourceFormat(f"{path.name} cannot be read as a table: {error}", hint) from error
    if table.is_empty():
        raise SourceEmpty(f"{path.name} has a header and no rows", "give at least one row")
    return from_long(table, columns)


def _places(header: list[str], columns: Columns) -> list[int]:
    return sorted(header.index(name) for name in _wanted(columns))


def _wanted(columns: Columns) -> list[str]:
    return list(dict.fromkeys(name for name in (columns.basket, columns.item, columns.customer, columns.time) if name))


def _ragged(data: bytes, separator: str, fields: int) -> bool:
    """Whether some line has more or fewer fields than the first: a table has not."""
    rows = csv.reader(decoded(data, "").splitlines(), delimiter=separator)
    return any(len(row) != fields for row in rows)
