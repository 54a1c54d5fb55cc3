"""Many small ridge regressions that share one diagonal, solved exactly: the half steps of alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from basketry.kernels._kernels import ffi, lib

if TYPE_CHECKING:
    import numpy.typing as npt

    Int32s = npt.NDArray[np.int32]
    Int64s = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]

R = TypeVar("R", np.float32, np.float64)

_CHUNK: Final = 4_096  # rows between two chances to stop


@dataclass(frozen=True, eq=False)
class Weighed:
    """Row r holds `items[indptr[r]:indptr[r + 1]]`, codes in [0, n_items), each with a weight of 0 or more.

    int64 [n + 1], int32 and float64. Raises ValueError for arrays that break any of this, so that no walk leaves them.
    """

    indptr: Int64s
    items: Int32s
    weights: Floats
    n_items: int

    def __post_init__(self) -> None:
        for name, kind in (("indptr", np.int64), ("items", np.int32), ("weights", np.float64)):
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != kind or not array.flags.c_contiguous:
                raise ValueError(f"{name} must be a contiguous one-dimensional {np.dtype(kind)} array")
        indptr, items = self.indptr, self.items
        if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(items) or (indptr[1:] < indptr[:-1]).any():
            raise ValueError("indptr must start at 0, never fall and end at the number of items")
        if len(items) and not (items.min() >= 0 and items.max() < self.n_items):
            raise ValueError(f"an item lies outside [0, {self.n_items})")
        if len(self.weights) != len(items) or not (np.isfinite(self.weights) & (self.weights >= 0)).all():
            raise ValueError("weights must be finite and not below 0, one for each of items")

    def __len__(self) -> int:
        return len(self.indptr) - 1


def solve_ridge(rows: Weighed, factors: Singles, spectrum: Floats, own: Floats, real: type[R]) -> npt.NDArray[R]:
    """Vectors x [n, dim]: of each row the minimum of sum_e w_e (1 - y_e . x)^2 + sum_f (spectrum[f] + own[r]) x[f]^2.

    `factors` float32 [n_items, dim] holds y of every item, `spectrum` float64 [dim], `own` float64 [n]; each of their sums must
    be above 0. A row of n <= dim entries costs n^2 dim / 2 + n^3 / 6 multiplications, a longer one n dim^2 / 2 + dim^3 / 6, in
    numbers of the kind `real`. Raises ValueError for arrays that do not fit.
    """
    n_items, dim = factors.shape
    if n_items != rows.n_items or factors.dtype != np.float32 or not factors.flags.c_contiguous or dim < 1:
        raise ValueError(f"factors must be contiguous float32 [{rows.n_items}, dim]")
    for name, array, length in (("spectrum", spectrum, dim), ("own", own, len(rows))):
        if array.shape != (length,) or array.dtype != np.float64 or not array.flags.c_contiguous:
            raise ValueError(f"{name} must be contiguous float64 [{length}]")
    if len(own) and not spectrum.min() + own.min() > 0:
        raise ValueError("spectrum and own must sum to more than 0")
    out = np.empty((len(rows), dim), dtype=real)
    kernel, kind = (lib.ridge_single, "float[]") if out.dtype == np.float32 else (lib.ridge_double, "double[]")
    of = ffi.new("ridge *")
    of.dim = dim
    of.start = owner_start = ffi.from_buffer("int64_t[]", rows.indptr)
    of.item = owner_item = ffi.from_buffer("int32_t[]", rows.items)
    of.weight = owner_weight = ffi.from_buffer("double[]", rows.weights)
    of.factors = owner_factors = ffi.from_buffer("float[]", factors.reshape(-1))
    of.spectrum = owner_spectrum = ffi.from_buffer("double[]", spectrum)
    of.own = owner_own = ffi.from_buffer("double[]", own)
    owners = (owner_start, owner_item, owner_weight, owner_factors, owner_spectrum, owner_own)
    space = ffi.new("char[]", lib.ridge_scratch(dim))
    target = ffi.from_buffer(kind, out.reshape(-1), require_writable=True)
    for first in range(0, len(rows), _CHUNK):
        kernel(of, first, min(first + _CHUNK, len(rows)), space, target)
    del owners
    return out
