"""Baskets in whatever form they are at hand, as Transactions: one function, and never a dense table of a sparse one.

pandas, pyarrow and scipy are recognised by the names of their modules and never imported. Baskets without items count: `n` is
the number of rows, lists or lines. Within a basket an item counts once. Nulls are refused wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from basketry.associations.mining import files, onehot, pandas_frames
from basketry.associations.mining.coding import SHOWN, assembled, coded, rows_of
from basketry.associations.mining.long import BASKETS, ITEMS, Columns, from_long, known_name
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError

FORMS: Final = "a table (pandas, Polars, Arrow), a scipy or numpy matrix, a list of lists, or a path"


@dataclass(frozen=True)
class _Asked:
    """The columns a caller named."""

    basket: str
    item: str
    customer: str
    time: str

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def transactions(
    data: object,
    *,
    basket: str = "",
    item: str = "",
    customer: str = "",
    time: str = "",
    names: Sequence[Any] | pl.Series | None = None,
) -> Transactions:
    """Baskets out of `data`.

    - A table with a row an item (long), where `basket` and `item` name the columns, or they are known by name (order_id,
      product_id, ...), or there are just two. `customer` and `time` (dates, instants, ISO text or whole days) are optional.
    - A table with a row a basket (one-hot): all columns 0 and 1, or booleans; pandas sparse columns stay sparse.
    - A table of one column, or a Series, of lists.
    - A scipy sparse matrix or array: what is not zero is there. A numpy matrix of 0 and 1. `names` names their columns.
    - Lists (or sets, tuples, arrays) of names, a list a basket.
    - A path: see `basketry.associations.mining.files.read`.

    Names are text or whole numbers, and stay what they are. Time and memory go with the occurrences: a million lines of a long
    table of text take some tenths of a second. Raises DataError for nulls, other values than 0 and 1, and names of other types;
    SourceColumns where columns cannot be told; RequestError for any other kind of data.
    """
    asked = _Asked(basket, item, customer, time)
    library = _library(data)
    if isinstance(data, Transactions):
        return data
    if isinstance(data, str | Path):
        return files.read(Path(data).expanduser(), **asdict(asked))
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.Series):
        return _from_series(data)
    if library == "scipy" and hasattr(data, "tocsr"):
        return onehot.from_scipy(data, names)
    if isinstance(data, np.ndarray) and data.dtype != object:
        return onehot.from_array(data, names)
    if library == "pandas" and hasattr(data, "columns"):
        return _from_pandas(data, asked)
    if library != "pandas" and hasattr(data, "__arrow_c_stream__"):
        return _from_frame(data if isinstance(data, pl.DataFrame) else pl.DataFrame(data), asked)
    if isinstance(data, Iterable):
        return from_lists(data)
    raise RequestError(f"baskets cannot be read from {type(data).__name__}", f"give {FORMS}")


def from_lists(data: Iterable[Any]) -> Transactions:
    """The baskets of lists, sets, tuples or arrays of names, one a basket."""
    baskets = data if isinstance(data, list) else list(data)
    wrong = [kind for kind in set(map(type, baskets)) if issubclass(kind, str | bytes) or not issubclass(kind, Iterable)]
    if wrong:
        place = next(place for place, basket in enumerate(baskets) if type(basket) in wrong)
        hint = "give a list of names for each basket, such as [['tea', 'jam'], ['tea']]"
        raise DataError(f"basket {place + 1} is {wrong[0].__name__} {baskets[place]!r}, not a list of names", hint)
    try:
        sizes = np.fromiter(map(len, baskets), dtype=np.int64, count=len(baskets))
    except TypeError:  # generators have no length
        baskets = [list(basket) for basket in baskets]
        sizes = np.fromiter(map(len, baskets), dtype=np.int64, count=len(baskets))
    rows = np.repeat(np.arange(len(baskets), dtype=np.int64), sizes)
    codes, names = coded(_column(list(chain.from_iterable(baskets)), rows))
    return assembled(rows, codes, len(baskets), names)


def _column(flat: list[Any], rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    """The names of all baskets in a row. Raises DataError that names the basket of one that is no name."""
    if not flat:
        return pl.Series("item", [], dtype=pl.String)
    try:
        column = pl.Series("item", flat, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        column = pl.Series("item", [], dtype=pl.Null)
    if column.dtype == pl.String and not column.null_count():
        return column
    kinds = set(map(type, flat))
    if column.dtype == pl.Int64 and not column.null_count() and bool not in kinds:
        return column
    text = any(issubclass(kind, str) for kind in kinds)
    good = {kind for kind in kinds if issubclass(kind, str if text else int | np.integer) and kind is not bool}
    places = [place for place, name in enumerate(flat) if type(name) not in good]
    if not places:
        raise DataError("item numbers do not fit in 64 bits", "name items by text")
    told = ", ".join(f"{flat[place]!r} in basket {rows[place] + 1}" for place in places[:SHOWN])
    hint = "name all items by text, or all by whole numbers, and leave out what is missing"
    raise DataError(f"{len(places)} items are no names beside the others: {told}", hint)


def _from_series(column: pl.Series) -> Transactions:
    """The baskets of a column of lists."""
    if not len(column):
        return from_lists([])
    if not isinstance(column.dtype, pl.List | pl.Array):
        raise DataError(f"column {column.name!r} holds {column.dtype}, not lists", f"give {FORMS}")
    if column.null_count():
        raise DataError(f"{column.null_count()} baskets of {column.name!r} are null", "make them empty lists, or drop them")
    lists = column.cast(pl.List(column.dtype.inner)) if isinstance(column.dtype, pl.Array) else column
    indptr = np.concatenate([[0], np.cumsum(lists.list.len().to_numpy(), dtype=np.int64)])
    flat = lists.explode(empty_as_null=False)
    flat = flat.cast(pl.String) if flat.dtype == pl.Null else flat
    codes, names = coded(flat.alias("item"))
    return assembled(rows_of(indptr), codes, len(column), names)


def _from_frame(table: pl.DataFrame, asked: _Asked) -> Transactions:
    """The baskets of a Polars frame, long, one-hot or of lists."""
    if table.width == 1 and isinstance(table.dtypes[0], pl.List | pl.Array) and not asked:
        return _from_series(table.to_series())
    numeric = [kind == pl.Boolean or kind.is_numeric() for kind in table.dtypes]
    whole = [kind == pl.Boolean for kind in table.dtypes]
    if _is_long(table.columns, numeric, whole, asked):
        return from_long(table, Columns.of(table.columns, **asdict(asked)))
    return onehot.from_polars(table)


def _from_pandas(frame: Any, asked: _Asked) -> Transactions:
    """The baskets of a pandas frame, long, one-hot or of lists."""
    found = [str(name) for name in frame.columns]
    kinds = list(frame.dtypes)
    inner = [getattr(kind, "subtype", kind) for kind in kinds]
    numeric, whole = [pandas_frames.is_marks(kind) for kind in kinds], [getattr(kind, "kind", "O") == "b" for kind in inner]
    if len(found) == 1 and not numeric[0] and not asked:
        return from_lists(frame.iloc[:, 0].tolist())
    if not _is_long(found, numeric, whole, asked):
        return pandas_frames.from_one_hot(frame)
    if len(set(found)) < len(found):
        raise DataError(f"two columns of the table are called alike: {found[:20]}", "give each its own name")
    columns = Columns.of(found, **asdict(asked))
    wanted = dict.fromkeys(name for name in asdict(columns).values() if name)
    return from_long(pl.DataFrame([pandas_frames.column(frame.iloc[:, found.index(name)], name) for name in wanted]), columns)


def _is_long(found: Sequence[str], numeric: list[bool], whole: list[bool], asked: _Asked) -> bool:
    """Whether a table has a row an item. Raises RequestError where two columns of numbers could be either."""
    if asked or (known_name(found, BASKETS) and known_name(found, ITEMS)):
        return True
    if not all(numeric):
        return True
    if len(found) == 2 and not all(whole):
        raise RequestError(
            f"the columns {found[0]!r} and {found[1]!r} could be baskets and items, or two items of 0 and 1",
            "name them by basket= and item=, or cast marks to booleans",
        )
    return False


def _library(data: object) -> str:
    """The library a thing comes from, by the modules of its class and of those it is derived from."""
    roots = {kind.__module__.partition(".")[0] for kind in type(data).__mro__}
    return next((name for name in ("pandas", "scipy") if name in roots), "")
