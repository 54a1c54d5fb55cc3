"""Rankers that add up what each event of a history says: score(q, j) = sum over events e of weight(e) * B[product of e, j].

Item-item neighbours, transitions and reordering differ in B alone, which is sparse here. The score is a sum over the history,
so what each event added is exact and costs a look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.histories import Rankings
from basketry.kernels.ranking import Rows, Seen, rank_sparse, score_sparse
from basketry.recommendation.events import added
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.histories import Bools, Candidates, Evidence, Floats, Int32s, Int64s, Queries
    from basketry.core.protocols import Arrays, Vectors

    Singles = npt.NDArray[np.float32]

_ROWS: Final = 1_024  # sorted at a time: row, value and column of up to 4 million columns fit 64 bits


@dataclass(frozen=True, eq=False)
class ItemGraph:
    """B as sparse rows of positive weights, and the recency of events. Memory: 8 bytes an entry of B."""

    rows: Rows
    recency: Recency

    @property
    def n_products(self) -> int:
        """Rows, and columns, of B."""
        return self.rows.n

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], 0 where no event says anything. Memory: 4 bytes a query and product; ask in parts."""
        histories = queries.histories
        return score_sparse(
            self.rows, self.recency.weights(queries), Seen(histories.indptr, histories.products, self.n_products)
        )

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of each query among those that some event points to."""
        histories = queries.histories
        seen = Seen(histories.indptr, histories.products, self.n_products, candidates.allowed, candidates.repeats)
        return Rankings(*rank_sparse(self.rows, self.recency.weights(queries), seen, k))

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) * B[product of e, j] for each event e and ranked product j: exact."""
        return added(queries, rankings, self.recency.weights(queries), self._entries)

    def _entries(self, of: Int32s, other: Int32s) -> Floats:
        """B[of, other], pair by pair, by bisection of each row."""
        low, end = self.rows.indptr[of], self.rows.indptr[of + 1]
        high, last = end.copy(), max(len(self.rows.others) - 1, 0)
        while (low < high).any():
            middle = (low + high) // 2
            before = (low < high) & (self.rows.others[np.minimum(middle, last)] < other)
            low, high = np.where(before, middle + 1, low), np.where(before, high, np.minimum(middle, high))
        found = np.zeros(len(of), dtype=np.float64)
        there = low < end
        there[there] = self.rows.others[low[there]] == other[there]
        found[there] = self.rows.values[low[there]]
        return found

    def state(self) -> Arrays:
        """B and the recency."""
        return {"indptr": self.rows.indptr, "others": self.rows.others, "values": self.rows.values, **self.recency.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises ValueError for arrays that are no such matrix."""
        return cls(Rows(state["indptr"], state["others"], state["values"]), Recency.from_state(state))  # type: ignore[arg-type]


def rows_of(matrix: csr_array, most: int | None = None) -> Rows:
    """The positive entries of a square sparse matrix, of each row the `most` largest, equals by the smaller column."""
    from scipy.sparse import csr_array

    matrix = csr_array(matrix)
    matrix.sum_duplicates()
    return Rows(*_best(matrix, most))


def in_blocks(rows: int, block: Callable[[int, int], csr_array], most: int, size: int = 2_048) -> Rows:
    """`rows_of` a matrix that never stands whole in memory: `block(first, last)` gives some rows, no column twice in one."""
    parts = [_best(block(first, min(first + size, rows)), most) for first in range(0, rows, size)]
    lengths, others, values = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.float32)]
    for part in parts:
        lengths.append(np.diff(part[0]))
        others.append(part[1])
        values.append(part[2])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Rows(indptr, np.concatenate(others), np.concatenate(values))


def _best(matrix: csr_array, most: int | None) -> tuple[Int64s, Int32s, Singles]:
    """Where rows begin, columns ascending, and values, of the positive entries kept."""
    from scipy.sparse import csr_array

    lengths = np.diff(matrix.indptr)
    values = matrix.data.astype(np.float32)
    kept = values > 0
    for rows in _long_rows(lengths, most):
        place = np.concatenate([np.arange(matrix.indptr[row], matrix.indptr[row + 1]) for row in rows.tolist()])
        kept[place] &= _among_largest(values[place], matrix.indices[place], lengths[rows], int(most or 0), matrix.shape[1])
    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    best = csr_array((values[kept], matrix.indices[kept], ends), shape=matrix.shape)
    best.sort_indices()  # of the few that are kept: to sort them all would take longer than to count them
    return best.indptr.astype(np.int64), best.indices.astype(np.int32), best.data


def _long_rows(lengths: Int64s, most: int | None) -> Iterator[Int64s]:
    """The rows with more than `most` entries, some at a time; short ones need no sorting."""
    long = np.flatnonzero(lengths > (np.inf if most is None else most))
    for first in range(0, len(long), _ROWS):
        yield long[first : first + _ROWS]


def _among_largest(values: Singles, columns: Int32s, lengths: Int64s, most: int, width: int) -> Bools:
    """Whether each entry of rows of these lengths is among the `most` of its row, equals by the smaller column.

    One whole number holds row, value and column of an entry, in the order wanted: the bits of positive floats rise with them.
    """
    across = max(int(width - 1).bit_length(), 1)
    row = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)
    falling = np.uint64(0xFFFFFFFF) - np.maximum(values, 0).view(np.uint32).astype(np.uint64)
    keys = ((row << np.uint64(32)) | falling) << np.uint64(across) | columns.astype(np.uint64)
    last = np.sort(keys)[np.cumsum(lengths) - lengths + most - 1]
    found: Bools = keys <= np.repeat(last, lengths)
    return found
