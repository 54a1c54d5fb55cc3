"""The baskets that a range of anchor items needs, taken from data read in pieces.

Items are ranked, the most frequent first; an itemset belongs to its rarest item, its anchor. To count all that belongs to the
anchors [first, last) one needs the baskets that hold one of them, and of those no item rarer than the range.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


def measure_anchors(indptr: Int64s, items: Int32s, rank: Int32s, held: Int64s, baskets: Int64s) -> None:
    """Add to `held` [n_ranks] the items that baskets with each rank hold up to itself, and to `baskets` the baskets with it.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`; `rank` [n_items] gives each item's rank, -1 for one left out. `held` and
    `baskets` are int64, changed in place, so that data may come in pieces.
    Cost: a sort of each basket. Raises ValueError for arrays that break any of this.
    """
    _check(indptr, items, rank, len(held))
    if held.dtype != np.int64 or baskets.dtype != np.int64 or held.shape != baskets.shape:
        raise ValueError("held and baskets must be int64 arrays of one length")
    scratch = np.empty(int(np.diff(indptr).max(initial=0)) + 1, dtype=np.int32)
    lib.measure_anchors(
        len(indptr) - 1,
        ffi.from_buffer("int64_t[]", indptr),
        ffi.from_buffer("int32_t[]", items),
        ffi.from_buffer("int32_t[]", rank),
        ffi.from_buffer("int32_t[]", scratch, require_writable=True),
        ffi.from_buffer("int64_t[]", held, require_writable=True),
        ffi.from_buffer("int64_t[]", baskets, require_writable=True),
    )


class Projection:
    """Baskets with an item ranked in [first, last), collected from pieces; each holds its ranks below `last`, ascending.

    Room for `n_baskets` baskets with `n_items` items is taken at once: pages never written to are never used.
    """

    def __init__(self, first: int, last: int, n_baskets: int, n_items: int) -> None:
        self.first, self.last = first, last
        self._indptr = np.zeros(n_baskets + 1, dtype=np.int64)
        self._items = np.empty(n_items, dtype=np.int32)
        self._found = 0

    @property
    def capacity(self) -> int:
        """Baskets there is room for."""
        return len(self._indptr) - 1

    @property
    def indptr(self) -> Int64s:
        """Where each basket begins, int64 [n + 1]."""
        return self._indptr[: self._found + 1]

    @property
    def items(self) -> Int32s:
        """Their ranks."""
        return self._items[: self._indptr[self._found]]

    def add(self, indptr: Int64s, items: Int32s, rank: Int32s) -> Int32s:
        """Take in the next piece of the data; return which of its baskets were taken, ascending.

        Raises ValueError for arrays that `measure_anchors` would refuse, or if there is not room enough.
        """
        _check(indptr, items, rank, int(rank.max(initial=-1)) + 1)
        which = np.empty(len(indptr) - 1, dtype=np.int32)
        already = int(self._indptr[self._found])
        ends, rest = self._indptr[self._found + 1 :], self._items[already:]
        taken = lib.project_baskets(
            len(indptr) - 1,
            ffi.from_buffer("int64_t[]", indptr),
            ffi.from_buffer("int32_t[]", items),
            ffi.from_buffer("int32_t[]", rank),
            self.first,
            self.last,
            already,
            len(rest),
            len(ends),
            ffi.from_buffer("int32_t[]", rest, require_writable=True),
            ffi.from_buffer("int64_t[]", ends, require_writable=True),
            ffi.from_buffer("int32_t[]", which, require_writable=True),
        )
        if taken < 0:
            raise ValueError(f"more baskets or items than the {self.capacity} and {len(self._items)} there is room for")
        self._found += taken
        return which[:taken]


def _check(indptr: Int64s, items: Int32s, rank: Int32s, n_ranks: int) -> None:
    for name, array, dtype in (("indptr", indptr, np.int64), ("items", items, np.int32), ("rank", rank, np.int32)):
        if array.ndim != 1 or array.dtype != dtype or not array.flags.c_contiguous:
            raise ValueError(f"{name} must be a contiguous one-dimensional {np.dtype(dtype)} array")
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(items) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError("indptr must start at 0, never fall and end at len(items)")
    if len(items) and (items.min() < 0 or items.max() >= len(rank)):
        raise ValueError(f"an item lies outside [0, {len(rank)})")
    if len(rank) and (rank.min() < -1 or rank.max() >= n_ranks):
        raise ValueError(f"a rank lies outside [-1, {n_ranks})")
