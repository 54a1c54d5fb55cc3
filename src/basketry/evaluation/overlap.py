"""How alike two rankings of the same question are, whatever they are worth: arrays in, a number for each pair of lists out.

`first` and `second` are int [n, k] of product codes, best first, -1 where there is no product. With A_d and B_d the first d of
each, agreement at depth d is |A_d and B_d| / max(|A_d|, |B_d|), 1 where both are empty.

    overlap              agreement at depth k
    rank_biased_overlap  sum over d of p^(d-1) agreement_d / sum over d of p^(d-1), d from 1 to k: the top counts most

Source: Webber, Moffat and Zobel, A similarity measure for indefinite rankings (2010), cut at k and scaled so that 1 is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int32] | npt.NDArray[np.int64]


def overlap(first: Integers, second: Integers) -> Floats:
    """float64 [n]."""
    found: Floats = _agreement(first, second)[:, -1]
    return found


def rank_biased_overlap(first: Integers, second: Integers, p: float = 0.9) -> Floats:
    """float64 [n]. Raises RequestError for a p outside (0, 1)."""
    if not 0 < p < 1:
        raise RequestError(f"p is {p}", "give a number between 0 and 1; 0.9 looks at some ten places")
    weights = p ** np.arange(first.shape[1])
    found: Floats = _agreement(first, second) @ weights / weights.sum()
    return found


def _agreement(first: Integers, second: Integers) -> Floats:
    """float64 [n, k]: at each depth. Memory: 8 k^2 bytes a list."""
    if first.shape != second.shape or first.shape[1] == 0:
        raise RequestError(f"lists of shapes {first.shape} and {second.shape}", "give two lists of one length a question")
    same = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] >= 0)
    both = np.einsum("ndd->nd", same.cumsum(axis=1).cumsum(axis=2))
    longer = np.maximum((first >= 0).cumsum(axis=1), (second >= 0).cumsum(axis=1))
    found: Floats = np.divide(both, longer, out=np.ones(first.shape), where=longer > 0)
    return found
