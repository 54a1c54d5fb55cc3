"""What every search here asks of vectors: a matrix of float32, all finite, each of length one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

TOLERANCE: Final = 1e-3  # of a norm: what float16 storage of a unit vector leaves
_ROWS: Final = 65_536  # checked at a time, so that a mapped file is read once and never held


def checked_unit(vectors: npt.ArrayLike, dim: int | None = None) -> Vectors:
    """`vectors` as C-ordered float32 [n, dim]; not copied where they are that already.

    Raises RequestError if they are no matrix, have another `dim` than asked for, or one of them is not finite or not of length
    1 within 0.001.
    """
    matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise RequestError(f"vectors of shape {matrix.shape}", "give a matrix, one vector a row")
    if dim is not None and matrix.shape[1] != dim:
        raise RequestError(f"vectors of {matrix.shape[1]} dimensions, where {dim} are held", "use the same encoder for both")
    for start in range(0, len(matrix), _ROWS):
        block = matrix[start : start + _ROWS]
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        near = np.abs(norms - 1) <= TOLERANCE  # which NaN never is
        if not near.all():
            wrong = int(np.argmin(near))
            raise RequestError(f"vector {start + wrong} has norm {norms[wrong]:.4f}", "divide each vector by its norm")
    return matrix


def padded(vectors: Vectors, dim: int) -> Vectors:
    """Zeros behind each vector, up to `dim`: they change no product. C-ordered; copied only if need be."""
    missing = dim - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(vectors)
