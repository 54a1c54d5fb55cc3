"""Sequences of itemsets with the names behind their codes: customers and their baskets in time, or plain lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np
import polars as pl

from basketry.core.errors import DataError, RequestError
from basketry.kernels.sequence_rows import SequenceRows

if TYPE_CHECKING:
    from basketry.associations.mining.transactions import Transactions
    from basketry.kernels.sequence_rows import Int32s, Int64s

Clock = Literal["day", "element"]
CLOCKS: Final = ("day", "element")


@dataclass(frozen=True, eq=False)
class SequenceDatabase:
    """`rows` as codes in [0, n) and `names` [n], the item behind each code: text or whole numbers, each once."""

    rows: SequenceRows
    names: pl.Series

    def __post_init__(self) -> None:
        if len(self.names) != self.rows.n_items:
            raise DataError(f"{len(self.names)} names for {self.rows.n_items} items", "give each item code one name")

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def from_transactions(cls, transactions: Transactions, clock: Clock = "day") -> Self:
        """One sequence a customer, one element a basket, in the order of time.

        On the clock "day" gaps and windows are in days: two baskets of one day are two elements no day apart. On "element" they
        are in baskets. An anonymous basket is a customer of its own, and so a sequence in which nothing follows.
        """
        if clock not in CLOCKS:
            raise RequestError(f"clock {clock!r} is not known", f"choose one of {', '.join(CLOCKS)}")
        baskets = transactions.baskets
        begin = np.flatnonzero(np.diff(baskets.customers, prepend=-1))
        rows = np.repeat(np.arange(len(baskets), dtype=np.int64), baskets.sizes)
        order = np.lexsort((baskets.items, rows))
        return cls(
            SequenceRows(
                np.append(begin, len(baskets)).astype(np.int64),
                baskets.indptr,
                np.ascontiguousarray(baskets.items[order]),
                baskets.n_products,
                baskets.days.astype(np.int64) if clock == "day" else None,
            ),
            transactions.names,
        )

    @classmethod
    def from_lists(cls, sequences: Sequence[Sequence[Iterable[object]]], times: Sequence[Sequence[int]] | None = None) -> Self:
        """One list of elements a sequence, one iterable of names an element; a name twice in an element counts once.

        `times` gives each element a whole number, never falling within a sequence. Raises DataError where their shapes differ.
        """
        elements = [list(dict.fromkeys(element)) for sequence in sequences for element in sequence]
        names = pl.Series("item", [name for element in elements for name in element]).unique().sort()
        code = {name: i for i, name in enumerate(names.to_list())}
        starts = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
        begin = np.cumsum([0, *map(len, elements)], dtype=np.int64)
        items = np.array([i for element in elements for i in sorted(code[name] for name in element)], dtype=np.int32)
        clock = None
        if times is not None:
            if [len(each) for each in times] != [len(each) for each in sequences]:
                raise DataError("times and sequences are not of one shape", "give each element of each sequence one time")
            clock = np.array([time for each in times for time in each], dtype=np.int64)
            back = np.flatnonzero(np.diff(clock) < 0) + 1
            if not np.isin(back, starts).all():
                raise DataError("the times of a sequence go backwards", "put its elements in the order of time")
        return cls(SequenceRows(starts, begin, items, len(names), clock), names)

    def holders(self) -> tuple[Int64s, Int32s]:
        """The distinct items of each sequence, as the kernels of itemsets take them: indptr int64 [n + 1], items int32."""
        rows = self.rows
        sequence = np.repeat(np.arange(len(rows)), np.diff(rows.elements[rows.starts]))
        key = np.unique(sequence * max(rows.n_items, 1) + rows.items)
        counts = np.bincount(key // max(rows.n_items, 1), minlength=len(rows))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), (key % max(rows.n_items, 1)).astype(np.int32)


def named_lists(names: pl.Series, items: Int32s, *offsets: Int64s) -> pl.Series:
    """Codes as names, in lists from offset to offset, these again in lists for each further array of offsets; none is empty."""
    values = names.gather(items)
    for begin in offsets:
        row = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
        listed = pl.DataFrame({"row": row, "value": values}).group_by("row", maintain_order=True).agg("value")
        values = listed["value"]
    return values
