"""Rows that come out of an engine, held to the contract they were asked under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from basketry.core.errors import DataError

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.core.protocols import S


def proved(frame: pl.DataFrame, contract: type[S]) -> dy.DataFrame[S]:
    """The contract's columns, in its order, proved; a row that breaks the contract is a DataError."""
    from dataframely.exc import SchemaError, ValidationError

    try:
        return contract.validate(frame.select([name for name in contract.column_names() if name in frame.columns]), cast=True)
    except (SchemaError, ValidationError) as error:
        what = " ".join(str(error).split())[:400]
        raise DataError(
            f"rows break the contract {contract.__name__}: {what}", "ingest again; if it stays, please report it"
        ) from error
