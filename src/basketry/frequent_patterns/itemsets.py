"""Itemsets of a one-hot pandas frame, as a pandas frame of supports and frozensets."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from basketry.associations.mining import pandas_frames
from basketry.core.errors import DataError, RequestError
from basketry.frequent_patterns.marks import Marks
from basketry.kernels.itemsets import Kind, Limits, count_itemsets, mine_itemsets
from basketry.kernels.trees import Int32s, Int64s

if TYPE_CHECKING:
    import pandas as pd

    from basketry.associations.baskets import BasketMatrix
    from basketry.kernels.trees import ItemsetTree

Floats = npt.NDArray[np.float64]


def apriori(
    df: pd.DataFrame,
    min_support: float = 0.5,
    use_colnames: bool = False,
    max_len: int | None = None,
    verbose: int = 0,  # noqa: ARG001 - accepted for callers of mlxtend
    low_memory: bool = False,  # noqa: ARG001 - likewise
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Every itemset in at least a share `min_support` of the rows, with at most `max_len` items.

    `df` holds 0 and 1, or booleans: a row a basket, a column an item. The frame has `support` (count / rows, as a float) and
    `itemsets` (frozensets of column numbers, or of column names with `use_colnames`). Raises DataError for other values and
    RequestError for a share outside (0, 1].
    """
    return _frequent(df, min_support, use_colnames, max_len, "all", threads=max(n_jobs, 1))


def fpgrowth(
    df: pd.DataFrame,
    min_support: float = 0.5,
    null_values: bool = False,
    use_colnames: bool = False,
    max_len: int | None = None,
    verbose: int = 0,  # noqa: ARG001 - accepted for callers of mlxtend
) -> pd.DataFrame:
    """As `apriori`. With `null_values`, rows with a null among an itemset's items say nothing of it.

    Then its support is (rows where all are 1) / (rows where none is null); only itemsets are looked at of which a share
    `min_support` of all rows has no 0, as in mlxtend.
    """
    return _frequent(df, min_support, use_colnames, max_len, "all", nulls=null_values)


def fpmax(
    df: pd.DataFrame,
    min_support: float = 0.5,
    null_values: bool = False,
    use_colnames: bool = False,
    max_len: int | None = None,
    verbose: int = 0,  # noqa: ARG001 - accepted for callers of mlxtend
) -> pd.DataFrame:
    """The maximal ones: in no larger itemset that is frequent too. Of these, `max_len` keeps the ones that are short enough."""
    return _frequent(df, min_support, use_colnames, max_len, "maximal", nulls=null_values)


def hmine(
    df: pd.DataFrame,
    min_support: float = 0.5,
    use_colnames: bool = False,
    max_len: int | None = None,
    verbose: int = 0,  # noqa: ARG001 - accepted for callers of mlxtend
) -> pd.DataFrame:
    """As `apriori`."""
    return _frequent(df, min_support, use_colnames, max_len, "all")


def _frequent(
    df: pd.DataFrame,
    min_support: float,
    use_colnames: bool,
    max_len: int | None,
    kind: Kind,
    *,
    nulls: bool = False,
    threads: int = 1,
) -> pd.DataFrame:
    if not 0 < min_support <= 1:
        raise RequestError(f"min_support is {min_support}", "give a share above 0 and at most 1")
    if not hasattr(df, "iloc"):
        raise DataError(f"baskets are given as {type(df).__name__}", "give a pandas DataFrame, or use basketry.mine")
    least = least_count(min_support, len(df))
    limits = Limits(max_length=max_len or 0) if kind == "all" else Limits()
    if nulls:
        marks = Marks.of(df)
        allowed = marks.shares() >= min_support
        baskets = marks.open(allowed)
    else:
        baskets = pandas_frames.from_marks(df).baskets
    tree = mine_itemsets(
        baskets.indptr, baskets.items, baskets.n_products, min_count=least, kind=kind, limits=limits, threads=threads
    )
    supports = _null_supports(marks, tree) if nulls else tree.support / max(len(df), 1)
    nodes = tree.members
    nodes = nodes[supports[nodes] >= min_support] if nulls else nodes
    if max_len:
        nodes = nodes[tree.lengths[nodes] <= max_len]
    return _frame(tree, nodes, supports[nodes], list(df.columns) if use_colnames else None)


def least_count(min_support: float, rows: int) -> int:
    """The least count whose share of `rows`, as a float, is at least `min_support`: 20 of 88162 for 20 / 88162."""
    count = max(ceil(min_support * rows), 1)
    while count > 1 and (count - 1) / rows >= min_support:
        count -= 1
    while rows and count <= rows and count / rows < min_support:
        count += 1
    return count


def _null_supports(marks: Marks, tree: ItemsetTree) -> Floats:
    """Of each node: rows where all are 1, over rows where none is null; 0 where there is no such row."""

    def counted(baskets: BasketMatrix) -> Int32s:
        return count_itemsets(baskets.indptr, baskets.items, tree)

    known = counted(marks.known())
    return np.where(known > 0, counted(marks.ones()) / np.maximum(known, 1), 0.0)


def _frame(tree: ItemsetTree, nodes: Int32s, supports: Floats, columns: Sequence[Any] | None) -> pd.DataFrame:
    """The frame, ordered by length and then by column numbers."""
    import pandas as pd

    indptr, items = tree.flatten(nodes)
    sets = np.empty(len(nodes), dtype=object)
    order = np.empty(len(nodes), dtype=np.int64)
    names = None if columns is None else objects(columns)
    done = 0
    for rows, matrix in by_length(indptr, items):
        best = np.lexsort(matrix.T[::-1])
        placed = slice(done, done + len(rows))
        order[placed] = rows[best]
        sets[placed] = objects(list(map(frozenset, (matrix[best] if names is None else names[matrix[best]]).tolist())))
        done += len(rows)
    return pd.DataFrame({"support": supports[order].astype(np.float64), "itemsets": pd.Series(sets, dtype=object)})


def by_length(indptr: Int64s, items: npt.NDArray[Any]) -> list[tuple[Int64s, npt.NDArray[Any]]]:
    """Compressed rows as one matrix a length, shortest first, each with the numbers of its rows."""
    lengths = np.diff(indptr)
    found = []
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        found.append((rows, items[indptr[rows][:, None] + np.arange(length)]))
    return found


def objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """A one-dimensional array of the very objects: tuples do not become rows."""
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array
