"""Exact search: every query against every vector, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

    Rows = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

DECIMALS: Final = 5  # of a cosine; what differs by less is a tie, as encoders promise no more
_SCALE: Final = 10**DECIMALS
_BLOCK: Final = 512  # queries compared at a time, fewer where there are many vectors
_CELLS: Final = 2**25  # cosines in memory at a time: 128 MB
_GROUP: Final = 16  # columns whose largest stands for them while the k-th best is bounded
_ROW_BITS: Final = 44
MISSING: Final = np.iinfo(np.int64).max  # the sort key of no row


def nearest(vectors: Vectors, queries: Vectors, k: int) -> tuple[Rows, Vectors]:
    """The `k` rows of `vectors` with the largest cosine to each query, best first, ties to the smaller row.

    `vectors` float32 [n, dim] and `queries` [q, dim] of unit norm; returns rows int64 and cosines float32 [q, min(k, n)].
    """
    return nearest_allowed(vectors, queries, k, None)


def nearest_others(vectors: Vectors, queries: Rows, k: int) -> Rows:
    """The `k` rows nearest to each of the rows `queries`, itself left out, best first, ties to the smaller row: int64 [q, k].

    Exact; 4 bytes a query and row, 512 queries at a time. Where there are fewer than `k` others, -1.
    """
    most = min(k, len(vectors) - 1)
    found = np.full((len(queries), k), -1, dtype=np.int64)
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        cosine = np.round(vectors[block] @ vectors.T, 6)
        cosine[np.arange(len(block)), block] = -np.inf
        bound = np.partition(cosine, -most, axis=1)[:, -most] if most else np.full(len(block), np.inf)
        query, row = np.nonzero(cosine >= bound[:, None])
        order = np.lexsort((row, -cosine[query, row], query))
        place = np.arange(len(order)) - np.searchsorted(query, query)
        first = place < most
        found[start + query[order][first], place[first]] = row[order][first]
    return found


def nearest_allowed(vectors: Vectors, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Rows, Vectors]:
    """The same among the rows that `allowed` (bool [n]; None: all) lets through; [q, min(k, number allowed)].

    Where under a quarter is allowed, those rows are copied and compared alone; else all are, and the others left out.
    """
    if allowed is not None and 4 * (few := int(np.count_nonzero(allowed))) <= len(vectors):
        rows = np.flatnonzero(allowed)
        found, cosine = nearest_allowed(vectors[rows], queries, min(k, few), None)
        return rows[found], cosine
    k = min(k, len(vectors) if allowed is None else int(np.count_nonzero(allowed)))
    rows, scores = np.empty((len(queries), k), dtype=np.int64), np.empty((len(queries), k), dtype=np.float32)
    if k == 0:
        return rows, scores
    barred = None if allowed is None else np.flatnonzero(~allowed)
    for query, row, cosine in close_pairs(vectors, queries, k, barred):
        begin, end = int(query[0]), int(query[-1]) + 1
        rows[begin:end], scores[begin:end] = _cut(query - begin, row, cosine, k)
    return rows, scores


def _cut(query: Rows, row: Rows, cosine: Vectors, k: int) -> tuple[Rows, Vectors]:
    """The k best of each query; every query from 0 up has at least k entries, and they stand in its order."""
    keys = sort_keys(row, cosine)
    order = np.lexsort((keys, query))
    counts = np.bincount(query)
    first = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
    return unpack(keys[order][first])


def sort_keys(rows: Rows, cosine: Vectors) -> Rows:
    """One int64 of each row and cosine, smallest for the best: by cosine to 5 decimals, then by row. Row -1 comes last."""
    missing = rows < 0
    some = bool(missing.any())
    known = np.where(missing, np.float32(-1), cosine) if some else cosine
    keys: Rows = ((2 * _SCALE - np.rint(known * np.float32(_SCALE)).astype(np.int64)) << _ROW_BITS) | rows
    if some:
        keys[missing] = MISSING
    return keys


def unpack(keys: Rows) -> tuple[Rows, Vectors]:
    """Rows and cosines back; row -1 and minus infinity where there was none."""
    rows = keys & ((1 << _ROW_BITS) - 1)
    cosine = np.clip((2 * _SCALE - (keys >> _ROW_BITS)) / _SCALE, -1, 1).astype(np.float32)
    missing = keys == MISSING
    rows[missing], cosine[missing] = -1, -np.inf
    return rows, cosine


def close_pairs(vectors: Vectors, queries: Vectors, k: int, barred: Rows | None = None) -> Iterator[tuple[Rows, Rows, Vectors]]:
    """Block by block, (query, row, cosine) of at least the `k` best rows of each query, and of all that tie with the k-th.

    Rows of `barred` are left out; at least k others must remain. Cosines are as computed, not rounded.
    """
    k = min(k, len(vectors))
    if k == 0:
        return
    block = max(1, min(_BLOCK, _CELLS // len(vectors)))
    for start in range(0, len(queries), block):
        cosine = queries[start : start + block] @ vectors.T
        if barred is not None:
            cosine[:, barred] = -np.inf
        bound = np.maximum(_kth_at_least(cosine, k) - np.float32(2 / _SCALE), np.float32(-2))
        query, row = np.nonzero(cosine >= bound[:, None])
        yield query + start, row, cosine[query, row]


def _kth_at_least(scores: Vectors, k: int) -> Vectors:
    """A lower bound of the k-th largest of each row, close to it: the k-th largest of the largest of each group of columns."""
    groups = scores.shape[1] // _GROUP
    if groups <= 4 * k:
        kth: Vectors = np.partition(scores, -k, axis=1)[:, -k]
        return kth
    whole = scores[:, : groups * _GROUP].reshape(len(scores), _GROUP, groups)
    largest = np.partition(whole.max(axis=1), -k, axis=1)
    bound: Vectors = largest[:, -k]
    return bound
