"""iALS: customers and products as vectors whose dot product says what goes with whom, by alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.space import within
from basketry.core.telemetry import span
from basketry.kernels.ridge import Weighed, solve_ridge
from basketry.recommendation.factors import Factors, Penalty
from basketry.recommendation.recency import Recency
from basketry.recommendation.visits import customers_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.histories import Floats, Histories
    from basketry.core.protocols import Run

    Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ials:
    """Vectors x of customers u and y of products i that minimise, alternating between the two, each half exactly,

        sum over u, i that u bought of (1 - x_u . y_i)^2  +  unobserved * sum over all u, i of (x_u . y_i)^2
        + sum over u of p_u |x_u|^2  +  sum over i of p_i |y_i|^2.

    p_u = reg * (products of u + unobserved * products) ^ exponent, and p_i alike with customers. In the words of Hu, Koren and
    Volinsky (2008): confidence 1 + 1 / unobserved and lambda = reg * (1 + unobserved) / unobserved where exponent is 0.

    Turned into the axes of Y^T Y, that matrix is a diagonal, so a row of n < dim purchases is a system of n unknowns and not of
    dim: an epoch costs sum n^2 dim / 2 multiplications, and rows of n > dim cost n dim^2 / 2. Memory: 12 bytes times dim a
    customer or product. Source: Rendle, Krichene, Zhang and Koren, Revisiting the performance of iALS on item
    recommendation benchmarks (2022).
    """

    dim: int = within(64, 8, 512, "numbers of a vector", log=True)
    reg: float = within(0.01, 1e-4, 10.0, "penalty of a long vector", log=True)
    unobserved: float = within(0.01, 1e-3, 1.0, "weight of what was not bought", log=True)
    exponent: float = within(1.0, 0.0, 1.0, "how much the penalty grows with what is held")
    epochs: int = within(15, 4, 50, "times that both halves are solved", log=True)
    recency: Recency = field(default_factory=Recency)

    def fit(self, histories: Histories, run: Run) -> Factors:
        """Alternate from vectors drawn by the seed.

        Raises RequestError for a hyperparameter out of range, DataError where nothing was bought or float32 does not suffice.
        """
        from scipy.sparse import csr_array

        low = min(self.dim - 1, self.epochs - 1, self.exponent)
        if low < 0 or self.exponent > 1 or not (0 < self.reg < np.inf and 0 < self.unobserved < np.inf):
            raise RequestError(f"{self} cannot be fitted", "reg, unobserved, dim and epochs are above 0, exponent is in [0, 1]")
        held = customers_of(histories)
        kept = np.unique(held.indices).astype(np.int32)
        if not len(kept):
            raise DataError("the histories hold no products", "iALS needs at least one")
        narrow = csr_array(held[:, kept])
        narrow = narrow[np.diff(narrow.indptr) > 0]
        bought, buyers = _rows(narrow), _rows(csr_array(narrow.T))
        penalty = Penalty(self.reg, self.unobserved, self.exponent)
        products = np.random.default_rng(run.seed).normal(0, 0.1 / self.dim**0.5, (len(kept), self.dim)).astype(np.float32)
        with span("ials", total=self.epochs, unit="epochs") as progress:
            for _ in range(self.epochs):
                customers = _half(bought, products, penalty)
                products = _half(buyers, customers, penalty)
                progress.advance()
        return Factors(*on_axes(products), kept, histories.n_products, penalty, self.recency)


def _rows(held: csr_array) -> Weighed:
    held.sort_indices()
    return Weighed(
        held.indptr.astype(np.int64), held.indices.astype(np.int32), np.ones(held.nnz, dtype=np.float64), held.shape[1]
    )


def on_axes(vectors: Singles) -> tuple[Singles, Floats]:
    """The vectors [n, dim] turned so that V^T V is a diagonal, and that diagonal, float64 [dim], rising."""
    spectrum, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return vectors @ axes.astype(np.float32), np.maximum(spectrum, 0)


def _half(rows: Weighed, others: Singles, penalty: Penalty) -> Singles:
    """The best vectors of one side, given those of the other."""
    turned, spectrum = on_axes(others)
    held = np.diff(rows.indptr).astype(np.float64)
    found = solve_ridge(rows, turned, penalty.unobserved * spectrum, penalty.of(held, len(others)), np.float32)
    if not np.isfinite(found).all():
        raise DataError("a customer or product has no vector in float32", f"raise reg above {penalty.reg}")
    return found
