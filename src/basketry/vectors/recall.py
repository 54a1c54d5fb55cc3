"""Recall of a search that may miss: what share of the true nearest it finds, and how sure one is of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

_Z: Final = 1.959964  # 95%, two-sided
_TIE: Final = 2e-5  # two roundings of a cosine to 5 decimals


@dataclass(frozen=True)
class Recall:
    """Share of the `k` nearest that are found, over `queries` queries, and the ends of its 95% interval.

    Wilson's interval (1927) with the number of trials that hits of one query are worth: value (1 - value) / variance of the
    mean over queries, as they come and fail together; where every query has the same share, the number of queries.
    """

    value: float
    low: float
    high: float
    k: int
    queries: int

    @classmethod
    def exact(cls, k: int) -> Self:
        """Of a search that misses nothing, which need not be measured."""
        return cls(1.0, 1.0, 1.0, k, 0)

    @classmethod
    def of_shares(cls, shares: npt.NDArray[np.float64], k: int) -> Self:
        """From the share found of each query's k nearest."""
        n, mean = len(shares), float(np.mean(shares))
        spread = float(np.var(shares, ddof=1)) / n if n > 1 else 0.0
        trials = min(mean * (1 - mean) / spread, float(n * k)) if spread > 0 else float(n)
        centre = (mean + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
        half = _Z / (1 + _Z**2 / trials) * math.sqrt(max(mean * (1 - mean), 0.0) / trials + _Z**2 / (4 * trials**2))
        return cls(mean, max(centre - half, 0.0), min(centre + half, 1.0), k, n)


def shares_found(found: Vectors, true: Vectors) -> npt.NDArray[np.float64]:
    """Of each query, the share of its true nearest that were found; both are cosines [q, k], best first, to 5 decimals.

    What is as near as the farthest of the true nearest counts as one of them: between equals there is no miss. Columns that
    `found` lacks are misses.
    """
    k = true.shape[1]
    if k == 0:
        return np.ones(len(true))
    shares: npt.NDArray[np.float64] = np.count_nonzero(found[:, :k] >= true[:, -1:] - np.float32(_TIE), axis=1) / k
    return shares
