"""Exact tail probabilities over arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def hypergeometric_upper_tail(k: Int64s, good: Int64s, drawn: Int64s, population: Int64s) -> Floats:
    """P(X >= k) when `drawn` are taken without replacement out of `population`, of which `good` are good.

    P(X = j) = C(good, j) C(population - good, drawn - j) / C(population, drawn), summed upwards from k, or downwards from k -
    1 and taken from 1 where k lies below the mean. All four are int64 arrays [n]. The relative error stays below 1e-9
    (measured: 1e-12) down to p = 1e-300, for populations to 2**50; smaller p may come out as 0. Cost: about a microsecond a
    value far in the tail, and some standard deviations' worth of terms near the mean.
    Raises ValueError unless 0 <= k <= min(good, drawn) and max(good, drawn) <= population <= 2**50.
    Source of the first term: C. Loader, Fast and accurate computation of binomial probabilities, 2000.
    """
    arrays = [np.ascontiguousarray(values, dtype=np.int64) for values in (k, good, drawn, population)]
    if any(values.shape != (len(arrays[0]),) for values in arrays):
        raise ValueError(f"four arrays of one length are needed, got shapes {[values.shape for values in arrays]}")
    least, most = np.minimum(arrays[1], arrays[2]), np.maximum(arrays[1], arrays[2])
    if ((arrays[0] < 0) | (arrays[0] > least) | (most > arrays[3]) | (arrays[3] > 2**50)).any():
        raise ValueError("0 <= k <= min(good, drawn) and max(good, drawn) <= population <= 2**50 must hold for every value")
    out = np.empty(len(arrays[0]))
    lib.hypergeometric_tail(
        len(out), *(ffi.from_buffer("int64_t[]", values) for values in arrays), ffi.from_buffer("double[]", out)
    )
    return out
