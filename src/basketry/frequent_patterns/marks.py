"""A one-hot pandas frame with nulls: which rows hold 1 and which null, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.onehot import from_columns, marked
from basketry.associations.mining.pandas_frames import numbered

if TYPE_CHECKING:
    import pandas as pd

    from basketry.associations.baskets import BasketMatrix
    from basketry.kernels.trees import Int64s

Bools = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Marks:
    """Of each column the rows with 1 and the rows with null, ascending; all other rows hold 0."""

    one: Sequence[Int64s]
    null: Sequence[Int64s]
    rows: int

    @classmethod
    def of(cls, df: pd.DataFrame) -> Self:
        """Read a frame of 0, 1 and null. Raises DataError for other values."""
        one, null = [], []
        for place, name in enumerate(df.columns):
            column = df.iloc[:, place]
            absent = np.asarray(column.isna())
            null.append(np.flatnonzero(absent))
            one.append(marked(np.asarray(column.astype(object).where(~absent, 0), dtype=np.float64), name))
        return cls(one, null, len(df))

    def shares(self) -> npt.NDArray[np.float64]:
        """Of each column, rows with 1 over rows that are not null; 0 where all are."""
        known = self.rows - np.array([len(each) for each in self.null], dtype=np.int64)
        return np.array([len(each) for each in self.one]) / np.maximum(known, 1) if len(known) else np.empty(0)

    def ones(self) -> BasketMatrix:
        """Rows as baskets of what is 1."""
        return self._baskets(self.one)

    def known(self) -> BasketMatrix:
        """Rows as baskets of what is not null."""
        everything = np.arange(self.rows)
        return self._baskets([np.delete(everything, each) for each in self.null])

    def open(self, allowed: Bools) -> BasketMatrix:
        """Rows as baskets of what is 1 or null, of the columns that are `allowed`."""
        none = np.empty(0, dtype=np.int64)
        pairs = zip(self.one, self.null, allowed, strict=True)
        return self._baskets([np.union1d(one, null) if good else none for one, null, good in pairs])

    def _baskets(self, columns: Sequence[Int64s]) -> BasketMatrix:
        return from_columns(columns, numbered(len(columns)), self.rows).baskets

    @cached_property
    def bits(self) -> tuple[Bits, Bits]:
        """Rows with 1, and rows with null, of each column as bits."""
        found = []
        for columns in (self.one, self.null):
            bits = np.zeros((len(columns), (self.rows + 7) // 8), dtype=np.uint8)
            for place, rows in enumerate(columns):
                whole = np.zeros(self.rows, dtype=np.bool_)
                whole[rows] = True
                bits[place] = np.packbits(whole)
            found.append(bits)
        return found[0], found[1]
