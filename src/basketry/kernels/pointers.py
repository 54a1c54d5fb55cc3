"""How an array's memory is handed to C."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi

_C_NAMES = {
    np.dtype(np.int32).char: "int32_t",
    np.dtype(np.int64).char: "int64_t",
    np.dtype(np.uint8).char: "uint8_t",
}


def pointer(array: npt.NDArray[np.generic] | None) -> object:
    """The array's memory as a C pointer of its own element type, NULL for None; the pointer keeps the array alive."""
    if array is None:
        return ffi.NULL
    return ffi.from_buffer(f"{_C_NAMES[array.dtype.char]}[]", array)
