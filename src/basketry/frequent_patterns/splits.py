"""The itemsets of a pandas frame as codes, and every split of one into two others found by looking it up level by level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError, NotFound
from basketry.frequent_patterns.itemsets import by_length, objects
from basketry.kernels.trees import Int64s

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Itemsets:
    """Distinct itemsets with supports: `whole` are the frozensets, `indptr` and `items` their codes into `names`, ascending.

    Subsets met on the way that have no support of their own get the next numbers, in `others`.
    """

    whole: npt.NDArray[np.object_]
    support: Floats
    names: list[Any]
    indptr: Int64s
    items: Int64s
    others: dict[frozenset[Any], int] = field(default_factory=dict)

    @classmethod
    def of(cls, df: pd.DataFrame) -> Self:
        """Read a frame of support and itemsets; of an itemset that stands twice, the last support counts."""
        if not len(df):
            raise DataError("the frame of itemsets has no rows", "mine with a lower min_support")
        missing = [name for name in ("support", "itemsets") if name not in df.columns]
        if missing:
            raise DataError(f"the frame of itemsets has no column {missing[0]!r}", f"it has {[*map(str, df.columns)][:20]}")
        sets = [each if isinstance(each, frozenset) else frozenset(each) for each in df["itemsets"]]
        kinds = set(map(type, chain.from_iterable(sets)))
        if any(issubclass(kind, np.generic) for kind in kinds):
            sets = [frozenset(name.item() if isinstance(name, np.generic) else name for name in each) for each in sets]
        last = dict(zip(sets, df["support"].to_numpy(dtype=np.float64).tolist(), strict=True))
        whole = list(last)
        flat = list(chain.from_iterable(whole))
        names = list(dict.fromkeys(flat))
        code = {name: place for place, name in enumerate(names)}
        indptr = np.cumsum([0, *map(len, whole)], dtype=np.int64)
        rows = np.repeat(np.arange(len(whole)), np.diff(indptr))
        items = np.fromiter(map(code.__getitem__, flat), dtype=np.int64, count=len(flat))
        items = np.sort(rows * max(len(names), 1) + items) - rows * max(len(names), 1)
        return cls(objects(whole), np.array(list(last.values())), names, indptr, items)

    def codes(self, itemset: int) -> Int64s:
        """The items of one itemset."""
        return self.items[self.indptr[itemset] : self.indptr[itemset + 1]]

    def sets(self, numbers: Int64s) -> npt.NDArray[np.object_]:
        """The frozensets of these numbers: those of the frame are the same objects."""
        known = np.concatenate([self.whole, objects(list(self.others))]) if self.others else self.whole
        return known[numbers]

    def splits(self, *, partial: bool) -> Iterator[Int64s]:
        """Rows [3, k] of whole, antecedent and consequent: all itemsets of one length, split one way; long antecedents first.

        Raises NotFound for a part without support, unless `partial`.
        """
        levels = _Levels.of(self.indptr, self.items, len(self.names))
        for rows, matrix in by_length(self.indptr, self.items):
            length = matrix.shape[1]
            parts: dict[tuple[int, ...], Int64s] = {}
            for size in range(1, length):
                for places in combinations(range(length), size):
                    above = parts[places[:-1]] if size > 1 else None
                    parts[places] = levels.step(above, matrix[:, places[-1]], size)
            for size in range(length - 1, 0, -1):
                for places in combinations(range(length), size):
                    rest = tuple(place for place in range(length) if place not in places)
                    sides = (self._numbers(levels, parts[side], matrix, side, partial) for side in (places, rest))
                    yield np.stack([rows, *sides])

    def _numbers(self, levels: _Levels, nodes: Int64s, matrix: Int64s, places: tuple[int, ...], partial: bool) -> Int64s:
        """The itemset each node stands for."""
        numbers = levels.itemset(nodes, len(places))
        absent = np.flatnonzero(numbers < 0)
        for row in absent.tolist():
            part = frozenset(self.names[code] for code in matrix[row, list(places)].tolist())
            if not partial:
                hint = "give all of them (not only maximal or long ones), or use support_only=True"
                raise NotFound(f"the frame has no support of {set(part)!r}, a part of another itemset", hint)
            numbers[row] = self.others.setdefault(part, len(self.whole) + len(self.others))
        return numbers


@dataclass(frozen=True, eq=False)
class _Levels:
    """A prefix tree by level: sorted keys (number of the parent) * width + item; a node is its place in them."""

    keys: list[Int64s]
    ends: list[Int64s]
    width: int

    @classmethod
    def of(cls, indptr: Int64s, items: Int64s, width: int) -> Self:
        lengths = np.diff(indptr)
        node = np.zeros(len(lengths), dtype=np.int64)
        keys, ends = [], []
        for level in range(1, int(lengths.max(initial=0)) + 1):
            rows = np.flatnonzero(lengths >= level)
            found, place = np.unique(node[rows] * width + items[indptr[rows] + level - 1], return_inverse=True)
            node[rows] = place
            end = np.full(len(found), -1, dtype=np.int64)
            finished = rows[lengths[rows] == level]
            end[node[finished]] = finished
            keys.append(found)
            ends.append(end)
        return cls(keys, ends, width)

    def step(self, above: Int64s | None, items: Int64s, level: int) -> Int64s:
        """The nodes of `items` right below `above`; -1 where there is none."""
        sought = items if above is None else np.where(above < 0, -1, above * self.width + items)
        keys = self.keys[level - 1]
        place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
        return np.where(keys[place] == sought, place, -1)

    def itemset(self, nodes: Int64s, level: int) -> Int64s:
        """The number of the itemset that ends at each node; -1 where none does."""
        return np.where(nodes >= 0, self.ends[level - 1][nodes], -1)
