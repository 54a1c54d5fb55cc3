"""The best k products of each query, from dense scores or from a sparse matrix that the history adds up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.kernels._kernels import ffi, lib

if TYPE_CHECKING:
    import numpy.typing as npt

    Int32s = npt.NDArray[np.int32]
    Int64s = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]
    Bools = npt.NDArray[np.bool_]

_CHUNK: Final = 1_024  # queries between two chances to stop


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix of positive numbers: row i holds `values[indptr[i]:indptr[i + 1]]` in columns `others`.

    int64 [n + 1], int32 and float32. Raises ValueError for arrays that break any of this, so that no walk leaves them.
    """

    indptr: Int64s
    others: Int32s
    values: Singles

    def __post_init__(self) -> None:
        _check("indptr", self.indptr, np.int64)
        _check("others", self.others, np.int32)
        _check("values", self.values, np.float32)
        _check_rows(self.indptr, self.others, len(self.indptr) - 1)
        if len(self.values) != len(self.others) or not (np.isfinite(self.values) & (self.values > 0)).all():
            raise ValueError("values must be finite and above 0, one for each of others")

    @property
    def n(self) -> int:
        """Rows, and columns."""
        return len(self.indptr) - 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What each query holds, `items[indptr[q]:indptr[q + 1]]`, codes in [0, n_products), and what it may be given.

    `allowed` is None, bool [n_products] or bool [n, n_products]; unless `repeats`, what a query holds is not ranked.
    """

    indptr: Int64s
    items: Int32s
    n_products: int
    allowed: Bools | None = None
    repeats: bool = False

    def __post_init__(self) -> None:
        _check("indptr", self.indptr, np.int64)
        _check("items", self.items, np.int32)
        _check_rows(self.indptr, self.items, self.n_products)
        n = len(self.indptr) - 1
        if self.allowed is not None and self.allowed.shape not in ((self.n_products,), (n, self.n_products)):
            raise ValueError(f"allowed is of shape {self.allowed.shape}, not [{self.n_products}] or [{n}, {self.n_products}]")


def rank_dense(scores: Singles, seen: Seen, k: int) -> tuple[Int32s, Floats]:
    """The k highest of each row of `scores` float32 [n, n_products]: int32 [n, k], -1 for none, and float64 [n, k].

    Equal scores go by the smaller code; NaN and minus infinity are never ranked. Cost: a comparison a score, some .4 ns.
    """
    n = len(seen.indptr) - 1
    if scores.shape != (n, seen.n_products) or scores.dtype != np.float32 or not scores.flags.c_contiguous:
        raise ValueError(f"scores must be contiguous float32 [{n}, {seen.n_products}]")

    def chunk(target: object, first: int, last: int) -> None:
        lib.rank_dense(target, first, last, ffi.from_buffer("float[]", scores[first:last]))

    return _ranked(seen, k, chunk)


def rank_sparse(rows: Rows, weights: Floats, seen: Seen, k: int) -> tuple[Int32s, Floats]:
    """The k highest of `score(q, j) = sum over the events e of q of weights[e] * rows[item e, j]`, among those above 0.

    `weights` float64 [events] of `seen`; those not above 0 add nothing. Answers as `rank_dense`. Cost: 1 to 4 ns an addition.
    """
    _check_weighed(rows, weights, seen)
    sums = np.zeros(seen.n_products, dtype=np.float64)
    touched = np.empty(seen.n_products, dtype=np.int32)
    pointers = [
        *_matrix(rows, weights),
        ffi.from_buffer("double[]", sums, require_writable=True),
        ffi.from_buffer("int32_t[]", touched, require_writable=True),
    ]

    def chunk(target: object, first: int, last: int) -> None:
        lib.rank_sparse(target, first, last, *pointers)

    return _ranked(seen, k, chunk)


def score_sparse(rows: Rows, weights: Floats, seen: Seen) -> Singles:
    """The sums that `rank_sparse` ranks by, of all products: float32 [n, n_products], each rounded once.

    Cost: 1 to 4 ns an addition, and 1 ns a query and product.
    """
    _check_weighed(rows, weights, seen)
    n = len(seen.indptr) - 1
    out = np.empty((n, seen.n_products), dtype=np.float32)
    sums = np.empty(seen.n_products, dtype=np.float64)
    target = ffi.new("ranking *")
    target.n_products = seen.n_products
    target.seen_start = owner_start = ffi.from_buffer("int64_t[]", seen.indptr)
    target.seen = owner_seen = ffi.from_buffer("int32_t[]", seen.items)
    pointers = (*_matrix(rows, weights), ffi.from_buffer("double[]", sums, require_writable=True))
    for first in range(0, n, _CHUNK):
        last = min(first + _CHUNK, n)
        lib.score_sparse(target, first, last, *pointers, ffi.from_buffer("float[]", out[first:last], require_writable=True))
    del owner_start, owner_seen
    return out


def _check_weighed(rows: Rows, weights: Floats, seen: Seen) -> None:
    _check("weights", weights, np.float64)
    if len(weights) != len(seen.items) or rows.n != seen.n_products:
        raise ValueError(f"{len(weights)} weights for {len(seen.items)} events, {rows.n} rows for {seen.n_products} products")


def _matrix(rows: Rows, weights: Floats) -> tuple[object, ...]:
    return (
        ffi.from_buffer("double[]", weights),
        ffi.from_buffer("int64_t[]", rows.indptr),
        ffi.from_buffer("int32_t[]", rows.others),
        ffi.from_buffer("float[]", rows.values),
    )


def _ranked(seen: Seen, k: int, chunk: Callable[[object, int, int], None]) -> tuple[Int32s, Floats]:
    if k < 1:
        raise ValueError(f"k is {k}, not 1 or more")
    n = len(seen.indptr) - 1
    products = np.empty((n, k), dtype=np.int32)
    scores = np.empty((n, k), dtype=np.float64)
    mark = np.full(seen.n_products, -1, dtype=np.int32)
    allowed = None if seen.allowed is None else np.ascontiguousarray(seen.allowed).view(np.uint8).reshape(-1)
    target = ffi.new("ranking *")
    target.n_products = seen.n_products
    target.seen_start = owner_start = ffi.from_buffer("int64_t[]", seen.indptr)
    target.seen = owner_seen = ffi.from_buffer("int32_t[]", seen.items)
    target.allowed = owner_allowed = ffi.NULL if allowed is None else ffi.from_buffer("uint8_t[]", allowed)
    target.allowed_stride = seen.n_products if seen.allowed is not None and seen.allowed.ndim == 2 else 0
    target.repeats, target.k = seen.repeats, k
    target.mark = owner_mark = ffi.from_buffer("int32_t[]", mark, require_writable=True)
    target.out_product = owner_product = ffi.from_buffer("int32_t[]", products.reshape(-1), require_writable=True)
    target.out_score = owner_score = ffi.from_buffer("double[]", scores.reshape(-1), require_writable=True)
    owners = (owner_start, owner_seen, owner_allowed, owner_mark, owner_product, owner_score)
    for first in range(0, n, _CHUNK):
        chunk(target, first, min(first + _CHUNK, n))
    del owners
    return products, scores


def _check(name: str, array: npt.NDArray[np.generic], kind: type[np.generic]) -> None:
    if array.ndim != 1 or array.dtype != kind or not array.flags.c_contiguous:
        raise ValueError(f"{name} must be a contiguous one-dimensional {np.dtype(kind)} array")


def _check_rows(indptr: Int64s, items: Int32s, n_items: int) -> None:
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(items) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError("indptr must start at 0, never fall and end at the number of items")
    if len(items) and not (items.min() >= 0 and items.max() < n_items):
        raise ValueError(f"an item lies outside [0, {n_items})")
