"""Baskets from tables with a row a basket and a column an item: only what is there is ever held, never the whole table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.coding import SHOWN, assembled
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError
from basketry.kernels.trees import Int64s

_HINT: Final = "mark items by 0 and 1 or by booleans; a table with a row an item needs basket= and item="


def named(names: Sequence[Any] | pl.Series) -> pl.Series:
    """The item behind each column. Raises DataError unless each is there once, all text or all whole numbers."""
    try:
        series = pl.Series("item", list(names) if not isinstance(names, pl.Series) else names, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"items are called such as {list(names)[:SHOWN]}, neither all text nor all whole numbers", "rename the columns"
        ) from error
    if not len(series):
        return series.cast(pl.String)
    if series.dtype != pl.String and not series.dtype.is_integer():
        raise DataError(f"items are called such as {list(names)[:SHOWN]}", "name items by text or by whole numbers")
    if series.null_count() or series.n_unique() < len(series):
        repeated = series.filter(series.is_duplicated() | series.is_null())
        raise DataError(f"{len(repeated)} items share a name or have none, such as {repeated[0]!r}", "give each its own")
    return series


def from_columns(columns: Iterable[Int64s], names: pl.Series, n_baskets: int) -> Transactions:
    """The baskets where item i stands in the rows that the i-th of `columns` lists."""
    rows = list(columns)
    codes = np.repeat(np.arange(len(rows), dtype=np.int32), [len(each) for each in rows])
    return assembled(np.concatenate([np.empty(0, dtype=np.int64), *rows]), codes, n_baskets, names)


def marked(values: npt.NDArray[Any], name: object) -> Int64s:
    """The rows where a column of 0 and 1 (or booleans) has 1. Raises DataError for any other value, with column and places."""
    if values.dtype == np.bool_:
        return np.flatnonzero(values)
    if values.dtype.kind not in "iuf":
        values = _numbers(values, name)
    there = np.flatnonzero(values)
    wrong = there[values[there] != 1]
    if len(wrong):
        told = ", ".join(f"{values[row]} in row {row + 1}" for row in wrong[:SHOWN])
        raise DataError(f"column {name!r} has {len(wrong)} values that are neither 0 nor 1: {told}", _HINT)
    return there


def _numbers(values: npt.NDArray[Any], name: object) -> npt.NDArray[Any]:
    """An object column of booleans or numbers as numbers."""
    kinds = {type(value) for value in values.tolist()}
    if kinds <= {bool, int, float}:
        return values.astype(np.float64)
    told = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"column {name!r} holds {told}, such as {values[0]!r}", _HINT)


def from_polars(table: pl.DataFrame) -> Transactions:
    """The baskets of a Polars frame of 0 and 1, or booleans."""

    def rows(column: pl.Series) -> Int64s:
        if column.null_count():
            place = int(column.is_null().arg_max() or 0)
            raise DataError(f"column {column.name!r} has {column.null_count()} nulls, such as in row {place + 1}", _HINT)
        if column.dtype == pl.Boolean:
            return column.arg_true().to_numpy().astype(np.int64)
        return marked(column.to_numpy(), column.name)

    return from_columns((rows(column) for column in table.get_columns()), named(table.columns), table.height)


def from_array(values: npt.NDArray[Any], names: Sequence[Any] | pl.Series | None) -> Transactions:
    """The baskets of a two-dimensional array of 0 and 1, or booleans; items are called 0, 1, ... unless named."""
    if values.ndim != 2:
        raise DataError(f"the array has {values.ndim} dimensions", "give one with a row a basket and a column an item")
    if values.dtype.kind not in "biuf":
        raise DataError(f"the array holds {values.dtype}", _HINT)
    known = _given(names, values.shape[1])
    rows, codes = np.nonzero(values)
    if values.dtype != np.bool_:
        wrong = np.flatnonzero(values[rows, codes] != 1)
        if len(wrong):
            marked(values[:, codes[wrong[0]]], known[int(codes[wrong[0]])])
    return assembled(rows, codes.astype(np.int32), len(values), known)


def from_scipy(matrix: Any, names: Sequence[Any] | pl.Series | None) -> Transactions:
    """The baskets of a scipy matrix or array in any sparse format: what is not zero is there; a stored zero is not.

    Entries stored twice add up, as in scipy. Raises DataError for NaN, and unless there are two dimensions.
    """
    if len(matrix.shape) != 2:
        raise DataError(f"the matrix has {len(matrix.shape)} dimensions", "give one with a row a basket and a column an item")
    rows = matrix.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    if rows.dtype.kind in "fc" and np.isnan(rows.data).any():
        raise DataError(f"the matrix has {int(np.isnan(rows.data).sum())} entries that are NaN", "drop them, or fill them in")
    known = _given(names, rows.shape[1])
    basket = np.repeat(np.arange(rows.shape[0], dtype=np.int64), np.diff(rows.indptr))
    there = rows.data != 0
    codes = rows.indices
    if not there.all():
        basket, codes = basket[there], codes[there]
    return assembled(basket, codes.astype(np.int32, copy=True), rows.shape[0], known)


def _given(names: Sequence[Any] | pl.Series | None, width: int) -> pl.Series:
    if names is None:
        return pl.Series("item", np.arange(width, dtype=np.int64))
    if len(names) != width:
        raise DataError(f"{len(names)} names for {width} columns", "give each column one name")
    return named(names)
