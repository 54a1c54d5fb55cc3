"""A list column from values and offsets, without a Python object a list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl


def lists(values: pl.Series, indptr: npt.ArrayLike) -> pl.Series:
    """Row i is `values[indptr[i]:indptr[i + 1]]`, as a list column; offsets [n + 1] from 0 to len(values), never falling."""
    offsets = np.asarray(indptr)
    sizes = np.diff(offsets)
    rows = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    grouped = pl.DataFrame({"row": rows, "value": values}).group_by("row", maintain_order=True).agg("value")
    whole = pl.DataFrame({"row": np.arange(len(sizes))}).join(grouped, on="row", how="left", maintain_order="left")
    return whole["value"].fill_null([]) if (sizes == 0).any() else whole["value"]
