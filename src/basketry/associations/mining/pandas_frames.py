"""Pandas columns as arrays, without importing pandas: a frame that is given brings its library along."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from basketry.associations.mining.coding import SHOWN
from basketry.associations.mining.onehot import from_columns, marked, named
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError
from basketry.kernels.trees import Int64s


def column(series: Any, name: str) -> pl.Series:
    """A pandas column as a Polars one; categories become their text or numbers, instants lose their zone but keep local time.

    Polars itself reads pandas columns through pyarrow where they hold text; this needs none.
    """
    kind = series.dtype
    if hasattr(kind, "categories"):
        known = column(series.cat.categories.to_series(), name)
        codes = pl.Series(name, series.cat.codes.to_numpy().astype(np.int64))
        return known.gather(codes.set(codes < 0, None))
    if hasattr(kind, "tz"):
        series = series.dt.tz_localize(None)
    if hasattr(kind, "fill_value"):
        series = series.sparse.to_dense()
    values = series.to_numpy()
    if values.dtype.kind in "biufM":
        absent = pl.Series(series.isna().to_numpy())
        read = pl.Series(name, values)
        return read if not absent.any() else read.set(absent, None)
    listed = series.astype(object).to_numpy()
    absent = series.isna().to_numpy()
    if absent.any():
        listed = listed.copy()
        listed[absent] = None
    try:
        return pl.Series(name, listed.tolist(), strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        kinds = sorted({type(value).__name__ for value in listed[~absent].tolist()})
        told = listed[~absent].tolist()[:SHOWN]
        raise DataError(f"column {name!r} holds {', '.join(kinds)}, such as {told}", "cast it to text or numbers") from error


def from_one_hot(frame: Any) -> Transactions:
    """The baskets of a pandas frame of 0 and 1 or booleans, sparse columns as they are: memory goes with what is there.

    Raises DataError for other values, missing ones among them, and for sparse columns that are filled with anything but 0.
    """
    names = named(list(frame.columns))
    return from_columns((_rows(series, name) for name, series in frame.items()), names, len(frame))


def from_marks(frame: Any) -> Transactions:
    """The same with items called 0, 1, ... by the place of their columns, whatever these are called."""
    return from_columns((_rows(series, name) for name, series in frame.items()), numbered(frame.shape[1]), len(frame))


def numbered(width: int) -> pl.Series:
    """Items called 0, 1, ..."""
    return pl.Series("item", np.arange(width, dtype=np.int64))


def is_marks(kind: Any) -> bool:
    """Whether a dtype may hold marks: booleans and numbers, sparse ones too."""
    inner = getattr(kind, "subtype", kind)
    return getattr(inner, "kind", "O") in "biuf"


def _rows(series: Any, name: object) -> Int64s:
    kind = series.dtype
    if hasattr(kind, "fill_value"):
        held = series.array
        if kind.fill_value != 0:  # False == 0; NaN is not
            raise DataError(f"column {name!r} is sparse and filled with {kind.fill_value!r}", "fill it with 0 or False")
        places: Int64s = held.sp_index.indices.astype(np.int64)
        return places[marked(np.asarray(held.sp_values), name)]
    if not isinstance(kind, np.dtype):
        absent = int(series.isna().sum())
        if absent:
            row = int(np.argmax(series.isna().to_numpy()))
            raise DataError(f"column {name!r} has {absent} nulls, such as in row {row + 1}", "drop them, or fill them in")
        return marked(series.to_numpy(dtype=np.float64), name)
    return marked(series.to_numpy(), name)
