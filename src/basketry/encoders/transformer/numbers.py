"""Matrices of whole numbers: floats to 8 or 4 bits and back to what the kernels of a runtime read.

Rounding is symmetric per output channel, as in Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (2018), section 2: no offset, so that a product needs no correction.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays

    Floats = npt.NDArray[np.float32]

_LEVELS: Final = 255  # steps of an input between its two ends
_BLOCK: Final = 128  # columns that share a step, where an input is rounded row by row
_WIDE: Final = {"avx512_vnni", "avx_vnni", "amx_int8"}  # flags of processors whose byte products add up in 32 bits
_SMALLEST: Final = np.float32(1e-12)


def rounded_rows(matrix: Floats, bits: int = 8) -> tuple[npt.NDArray[np.int8], Floats]:
    """int8 [out, in] and scale float32 [out]: scale = max |row| / (2^(bits-1) - 1), numbers = round(row / scale).

    No entry is off by more than half its row's scale. 7 bits keep sums of two products within 16 bits, as processors without
    VNNI instructions need.
    """
    most = 2 ** (bits - 1) - 1
    scale = np.maximum(np.abs(matrix).max(axis=1) / most, _SMALLEST).astype(np.float32)
    return np.clip(np.rint(matrix / scale[:, None]), -most, most).astype(np.int8), scale


def packed_blocks(matrix: Floats, block: int) -> tuple[npt.NDArray[np.uint8], Floats]:
    """4 bits a number: uint8 [out, in / 2] and scale float32 [out, in / block], the scale of a block being max |block| / 7."""
    out, into = matrix.shape
    blocks = matrix.reshape(out, into // block, block)
    scale = np.maximum(np.abs(blocks).max(axis=2) / 7, _SMALLEST).astype(np.float32)
    numbers = (np.clip(np.rint(blocks / scale[:, :, None]), -7, 7) + 8).astype(np.uint8).reshape(out, into)
    return numbers[:, 0::2] | (numbers[:, 1::2] << 4), scale


@cache
def saturates() -> bool:
    """Whether this processor adds products of bytes in 16 bits, which saturate: x86 without VNNI. True where none can tell."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return not _WIDE & set(told.split())


def steps_of(span: npt.NDArray[np.generic]) -> tuple[np.float32, np.uint8]:
    """Step and zero of an input rounded to 0..255 between the two ends of `span`; 0 is always met exactly."""
    low, high = min(float(span[0]), 0.0), max(float(span[1]), 0.0)
    step = max((high - low) / _LEVELS, float(_SMALLEST))
    return np.float32(step), np.uint8(round(-low / step))


def blocks_of(arrays: Arrays, name: str) -> tuple[int, npt.NDArray[np.uint8], Floats, int]:
    """The matrix `name` as blocks: bits, numbers uint8 [out, blocks, bytes of a block], scale float32 [out, blocks], block."""
    base = name.removesuffix(".weight")
    scale = np.asarray(arrays[f"{base}.scale"], dtype=np.float32)
    if f"{base}.packed" in arrays:
        packed = np.asarray(arrays[f"{base}.packed"], dtype=np.uint8)
        return 4, packed.reshape(*scale.shape, -1), scale, packed.shape[1] * 2 // scale.shape[1]
    numbers = (np.asarray(arrays[name], dtype=np.int16) + 128).astype(np.uint8)
    out, into = numbers.shape
    block = next((size for size in (_BLOCK, 64, 32, 16) if into % size == 0), 0)
    if not block:
        padded = -into % 16
        numbers, block = np.pad(numbers, ((0, 0), (0, padded)), constant_values=128), 16
    blocks = numbers.shape[1] // block
    return 8, numbers.reshape(out, blocks, block), np.repeat(scale[:, None], blocks, axis=1), block
