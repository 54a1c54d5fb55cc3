"""A taxonomy from a CSV file of items and their parents."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from basketry.associations.mining.formats import contents, decoded
from basketry.associations.mining.taxonomy import Taxonomy
from basketry.core.errors import SourceColumns, SourceFormat


def read_taxonomy(path: Path) -> Taxonomy:
    """The forest of a CSV file (perhaps `.gz`) with the columns `item` and `parent`; others are passed over.

    Every name stays text. An empty parent is none: so is that of a name which stands under `parent` only. Raises SourceMissing,
    SourceEmpty, SourceEncoding, SourceFormat or SourceColumns for the file, DataError for what is no forest.
    """
    text = decoded(contents(path), path.name)
    try:
        table = pl.read_csv(text.encode(), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        hint = "each line needs the fields of the header; quote names that hold a comma"
        raise SourceFormat(f"{path.name} cannot be read as a table: {error}", hint) from error
    missing = [name for name in ("item", "parent") if name not in table.columns]
    if missing:
        raise SourceColumns(
            f"{path.name} has no column {missing[0]!r}, but {table.columns[:8]}", "let its first line be: item,parent"
        )
    return Taxonomy.from_parents(table)
