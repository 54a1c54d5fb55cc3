"""Rows of a symmetric table of weights as vectors: what is joined to the same others lies together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import csr_array

from basketry.training.fusion.modality import Modality

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_NOTHING: Final = 1e-6  # a row shorter than this has no direction
_DENSE: Final = 400  # rows up to which all eigenvectors cost less than a few


def factorised(table: csr_array, dim: int) -> Modality:
    """With M = Q diag(l) Q^T and the `dim` largest l: the rows of Q max(0, l)^(1/2), of unit norm; what is past the rank is 0.

    `table` float64 [n, n], symmetric, non-negative, zero on its diagonal. A row without an entry is unknown. 3,000 rows with
    60,000 entries and 256 dimensions cost 3 s of CPU; the same table always gives the same vectors.
    """
    vectors = np.zeros((table.shape[0], dim), dtype=np.float32)
    named = np.flatnonzero(np.diff(table.indptr))
    scaled = _scaled_eigenvectors(csr_array(table[named][:, named]), dim)
    norms = np.linalg.norm(scaled, axis=1)
    there = norms > _NOTHING
    vectors[named[there], : scaled.shape[1]] = scaled[there] / norms[there, None]
    return Modality(vectors, np.asarray(vectors.any(axis=1)))


def _scaled_eigenvectors(matrix: csr_array, dim: int) -> Floats:
    """Columns q_i max(0, l_i)^(1/2) of the at most `dim` largest eigenvalues, the largest entry of each column positive."""
    n = matrix.shape[0]
    if n == 0:
        return np.empty((0, 0))
    if n <= max(_DENSE, dim + 1):
        values, columns = np.linalg.eigh(matrix.toarray())
    else:
        from scipy.sparse.linalg import eigsh

        values, columns = eigsh(matrix, k=dim, which="LA", v0=np.random.default_rng(0).normal(size=n))
    best = np.argsort(-values, kind="stable")[:dim]
    values, columns = values[best], columns[:, best]
    sign = np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])])
    scaled: Floats = columns * sign * np.sqrt(np.maximum(values, 0))
    return scaled
