"""From names and occurrences to codes: what every way of giving baskets comes down to."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError
from basketry.kernels.trees import Int32s, Int64s

SHOWN: Final = 3  # offenders named in an error
_NUMBERS: Final = (pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt64, pl.UInt32, pl.UInt16, pl.UInt8)


def refuse_nulls(column: pl.Series, what: str) -> None:
    """Raise DataError where a column has null or NaN: which basket or item was meant cannot be known, so none is guessed."""
    absent = column.is_null() | column.is_nan() if column.dtype.is_float() else column.is_null()
    count = int(absent.sum())
    if count:
        places = ", ".join(str(place + 1) for place in absent.arg_true().head(SHOWN))
        raise DataError(
            f"{count} of {len(column)} rows have no {what} in {column.name!r}, such as row {places}",
            "drop these rows, or fill in what is missing",
        )


def coded(column: pl.Series, what: str = "item") -> tuple[Int32s, pl.Series]:
    """Dense codes of a column [m] and the name behind each code, ascending: text stays text, whole numbers stay whole numbers.

    Raises DataError for nulls, and for any other type: floats and dates are no names.
    """
    refuse_nulls(column, what)
    if isinstance(column.dtype, pl.Categorical | pl.Enum) or (column.dtype == pl.Null and not len(column)):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        names = column.unique().sort()
        return column.cast(pl.Enum(names)).to_physical().cast(pl.Int32).to_numpy(), names.alias(what)
    if column.dtype in _NUMBERS:
        numbers, places = _ranked(column.to_numpy()) if len(column) else (column.to_numpy(), np.empty(0, dtype=np.int32))
        return places, pl.Series(what, numbers)
    raise DataError(
        f"{what}s in {column.name!r} are {column.dtype}, such as {column[0] if len(column) else None}",
        f"name {what}s by text or by whole numbers: cast the column first",
    )


def _ranked(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Int32s]:
    """Distinct values ascending, and the place of each value among them; by counting where the range is narrow."""
    least, most = int(values.min()), int(values.max())
    if most - least > 4 * len(values) + 1024:
        names, codes = np.unique(values, return_inverse=True)
        return names, codes.astype(np.int32)
    wide = values if values.dtype == np.uint64 else values.astype(np.int64)
    shifted = (wide - wide.dtype.type(least)).astype(np.int64)
    there = np.zeros(most - least + 1, dtype=np.bool_)
    there[shifted] = True
    place = np.cumsum(there, dtype=np.int32) - np.int32(1)
    return (np.flatnonzero(there).astype(wide.dtype) + wide.dtype.type(least)).astype(values.dtype), place[shifted]


def assembled(
    rows: Int64s, codes: Int32s, n_baskets: int, names: pl.Series, customers: Int32s | None = None, days: Int32s | None = None
) -> Transactions:
    """Transactions from occurrences: item `codes[i]` stands in basket `rows[i]`; twice in one basket counts once.

    Baskets without an occurrence are empty ones and count. Where no customers are known, each basket is one of its own.
    """
    width = max(len(names), 1)
    keys = rows.astype(np.int64) * width + codes
    if len(keys) > 1 and not (keys[1:] > keys[:-1]).all():
        keys.sort()
        first = np.empty(len(keys), dtype=np.bool_)
        first[0] = True
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        keys = keys[first]
        rows = keys // width
        codes = (keys - rows * width).astype(np.int32)
    indptr = np.zeros(n_baskets + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=n_baskets), out=indptr[1:])
    each = np.arange(n_baskets, dtype=np.int32) if customers is None else customers
    baskets = BasketMatrix(indptr, codes, each, np.zeros(n_baskets, dtype=np.int32) if days is None else days, len(names))
    return Transactions(baskets, names)


def rows_of(indptr: Int64s) -> Int64s:
    """The row of each occurrence, from the offsets of the rows."""
    return np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
