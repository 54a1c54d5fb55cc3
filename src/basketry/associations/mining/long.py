"""Baskets from a table with one row an item: which columns say what, and how they become codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl

from basketry.associations.mining.coding import assembled, coded, refuse_nulls
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, SourceColumns
from basketry.kernels.trees import Int64s

BASKETS: Final = ("basket", "order", "transaction", "invoice", "receipt", "ticket", "session", "tid")
ITEMS: Final = ("item", "product", "sku", "article", "stockcode")
_ENDINGS: Final = ("", "id", "no", "number", "code")
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Columns:
    """Which column of a long table says what; an empty `customer` or `time` is unknown."""

    basket: str
    item: str
    customer: str = ""
    time: str = ""

    @classmethod
    def of(
        cls,
        found: Sequence[str],
        *,
        basket: str = "",
        item: str = "",
        customer: str = "",
        time: str = "",
        guess: bool = True,
    ) -> Self:
        """The columns named, else those known by name, else (with `guess`) what is left over, the basket before the item.

        Known names are those in BASKETS and ITEMS, alone or with id, no, number or code behind them; case, blanks, points and
        low lines count for nothing. Raises SourceColumns where a named column is not there, or none is known.
        """
        for name in (basket, item, customer, time):
            if name and name not in found:
                raise SourceColumns(f"there is no column {name!r}", f"the columns are {_told(found)}")
        free = [name for name in found if name not in (basket, item, customer, time)]
        basket_of = basket or known_name(free, BASKETS)
        item_of = item or known_name(free, ITEMS)
        rest = [name for name in free if name not in (basket_of, item_of)]
        unknown = (not basket_of) + (not item_of)
        if guess and unknown == len(rest):
            basket_of = basket_of or rest.pop(0)
            item_of = item_of or rest.pop(0)
        if not basket_of or not item_of:
            wanted = " and ".join(word for word, name in (("basket", basket_of), ("item", item_of)) if not name)
            raise SourceColumns(
                f"no column is known as {wanted}; the columns are {_told(found)}",
                f"name them by basket= and item=, or call them {BASKETS[0]} (or {', '.join(BASKETS[1:4])}) and "
                f"{ITEMS[0]} (or {ITEMS[1]}, {ITEMS[2]}); a one-hot table holds nothing but numbers or booleans",
            )
        return cls(basket_of, item_of, customer, time)


def known_name(found: Sequence[str], words: Sequence[str]) -> str:
    """The first of `found` that is one of `words`, in the order of the words; empty if none is."""
    folded = {"".join(sign for sign in name.casefold() if sign.isalnum()): name for name in reversed(found)}
    return next((folded[word + end] for word in words for end in _ENDINGS if word + end in folded), "")


def from_long(table: pl.DataFrame, columns: Columns) -> Transactions:
    """The baskets of a table with a row an item, in the order of customer and time where they are known, else of appearance.

    Raises DataError for nulls in basket, item or time, and for a basket with two customers or two times. A null customer is
    anonymous: each such basket is a customer of its own.
    """
    codes, names = coded(table[columns.item])
    rows, first = _appearance(table[columns.basket])
    if not columns.customer and not columns.time:
        return assembled(rows, codes, len(first), names)
    customers = _customers(table, columns, rows, first)
    instants = _instants(table, columns, rows, first)
    order = np.lexsort((instants, customers))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    held = customers[order]
    dense = np.cumsum(np.diff(held, prepend=held[:1]) != 0, dtype=np.int32)
    days = np.floor_divide(instants[order], _DAY_US).astype(np.int32)
    return assembled(place[rows], codes, len(first), names, dense, days)


def _appearance(column: pl.Series) -> tuple[Int64s, Int64s]:
    """Dense codes of baskets in the order they first appear [m], and the row of each one's first appearance."""
    refuse_nulls(column, "basket")
    if not len(column):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    change = (column != column.shift(1)).fill_null(value=True).to_numpy()
    runs = np.flatnonzero(change)
    heads = column.gather(runs)
    run_of = np.cumsum(change, dtype=np.int64) - 1
    if heads.n_unique() == len(heads):
        return run_of, runs
    codes = (
        heads.rank("dense").to_numpy().astype(np.int64) - 1
        if not _codable(heads)
        else coded(heads, "basket")[0].astype(np.int64)
    )
    first = np.empty(int(codes.max()) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place[codes][run_of], runs[first[order]]


def _codable(column: pl.Series) -> bool:
    return column.dtype.is_integer() or column.dtype == pl.String


def _customers(table: pl.DataFrame, columns: Columns, rows: Int64s, first: Int64s) -> Int64s:
    """A code for each basket's customer; anonymous ones come last, each on its own."""
    if not columns.customer:
        return np.arange(len(first), dtype=np.int64)
    column = table[columns.customer]
    if column.dtype.is_float():  # what pandas makes of whole numbers with gaps
        column = column.fill_nan(None).cast(pl.Int64)
    there = column.is_not_null()
    codes = np.full(len(column), -1, dtype=np.int64)
    codes[there.to_numpy()] = coded(column.filter(there), "customer")[0]
    _one_each(codes, rows, first, table[columns.basket], columns.customer)
    own = codes[first]
    anonymous = np.flatnonzero(own < 0)
    own[anonymous] = int(own.max(initial=-1)) + 1 + np.arange(len(anonymous))
    return own


def _instants(table: pl.DataFrame, columns: Columns, rows: Int64s, first: Int64s) -> Int64s:
    """The local time of each basket in microseconds since 1970; a whole number in the table is a day."""
    if not columns.time:
        return np.zeros(len(first), dtype=np.int64)
    column = table[columns.time]
    refuse_nulls(column, "time")
    if column.dtype == pl.String:
        column = _read_times(column)
    if isinstance(column.dtype, pl.Datetime):
        local = column.dt.replace_time_zone(None) if column.dtype.time_zone else column
        instants = local.cast(pl.Datetime("us")).to_physical().to_numpy()
    elif column.dtype == pl.Date:
        instants = column.to_physical().to_numpy().astype(np.int64) * _DAY_US
    elif column.dtype.is_integer():
        instants = column.cast(pl.Int64).to_numpy() * _DAY_US
    else:
        raise DataError(f"times in {column.name!r} are {column.dtype}", "give dates, instants, or whole numbers of days")
    _one_each(instants, rows, first, table[columns.basket], columns.time)
    return instants[first]


def _read_times(column: pl.Series) -> pl.Series:
    """ISO 8601 text as dates or instants."""
    for read in (column.str.to_date, column.str.to_datetime):
        try:
            return read(strict=True)
        except pl.exceptions.PolarsError:
            continue
    raise DataError(f"times in {column.name!r} are text such as {column[0]!r}", "write dates as 2017-10-01, or cast the column")


def _one_each(values: Int64s, rows: Int64s, first: Int64s, baskets: pl.Series, what: str) -> None:
    """Raise DataError where a basket has two different values."""
    differ = values != values[first][rows]
    if differ.any():
        row = int(np.argmax(differ))
        raise DataError(
            f"{len(np.unique(rows[differ]))} baskets have more than one {what}, such as {baskets[row]!r}",
            "give each basket one, or name another basket column",
        )


def _told(found: Sequence[str]) -> str:
    return ", ".join(map(repr, found[:20])) + (f" and {len(found) - 20} more" if len(found) > 20 else "")
