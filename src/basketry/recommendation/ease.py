"""EASE: the linear item-item model that has a closed form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.space import within
from basketry.core.telemetry import span
from basketry.recommendation.events import added
from basketry.recommendation.narrow import Narrow, rank_narrow
from basketry.recommendation.recency import Recency
from basketry.recommendation.visits import customers_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Candidates, Evidence, Histories, Int32s, Queries, Rankings
    from basketry.core.protocols import Arrays, Run, Vectors

    Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ease:
    """B minimises |X - X B|^2 + reg |B|^2 with a diagonal of 0: B[i, j] = -P[i, j] / P[j, j], P = (X^T X + reg I)^-1.

    X is 0/1, customers by products. Learned for the `products` most bought by customers; the others have nothing to say and are
    never ranked. Time is that of a Cholesky inverse in float32, products ** 3 multiplications, and memory 8 bytes times
    products ** 2: about 3 GB at 20,000. Source: Steck, Embarrassingly shallow autoencoders for sparse data (2019).
    """

    reg: float = within(250.0, 1.0, 5_000.0, "added to the diagonal", log=True)
    products: int = 20_000
    recency: Recency = field(default_factory=Recency)

    def fit(self, histories: Histories, run: Run) -> DenseGraph:
        """Invert. Raises RequestError for a hyperparameter out of range, DataError where there is nothing to learn from."""
        from scipy.linalg.lapack import spotrf, spotri
        from scipy.sparse import csr_array

        del run
        if not (self.reg > 0 and self.products >= 2):
            raise RequestError(f"{self} cannot be fitted", "reg is above 0, products at least 2")
        held = customers_of(histories)
        customers = np.bincount(held.indices, minlength=histories.n_products)
        most = np.sort(np.argsort(-customers, kind="stable")[: self.products])
        kept: Int32s = most[customers[most] > 0].astype(np.int32)
        if len(kept) < 2:
            raise DataError(f"the histories hold {len(kept)} distinct products", "EASE needs at least 2")
        with span("ease", total=2, unit="steps") as progress:
            narrow = csr_array(held[:, kept])
            gram = np.asfortranarray((narrow.T @ narrow).toarray())
            gram[np.diag_indices_from(gram)] += np.float32(self.reg)
            progress.advance()
            factor, failed = spotrf(gram, lower=1, overwrite_a=1)
            inverse, broken = spotri(factor, lower=1, overwrite_c=1)
            if failed or broken:
                raise DataError("the Gram matrix is singular in float32", f"raise reg above {self.reg}")
            progress.advance()
        return DenseGraph(_weights(inverse), kept, histories.n_products, self.recency)


def _weights(inverse: Singles) -> Singles:
    """-P[i, j] / P[j, j] of a lower triangle in Fortran order, in its own memory; C order, as B[i] is read by rows."""
    upper = inverse.T  # the same memory in C order: its upper triangle is filled
    n = len(upper)
    for first in range(0, n, 512):  # mirror by blocks, with little besides
        last = min(first + 512, n)
        upper[last:, first:last] = upper[first:last, last:].T
        block = upper[first:last, first:last]
        block[...] = np.triu(block) + np.triu(block, 1).T
    upper /= -np.diag(upper).copy()
    np.fill_diagonal(upper, 0)
    return upper


@dataclass(frozen=True, eq=False)
class DenseGraph:
    """score(q, j) = sum over events e of weight(e) * B[product of e, j], B float32 [m, m] of the products `kept` int32 [m]."""

    weights: Singles
    kept: Int32s
    n_products: int
    recency: Recency

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products]; 0 for products the model does not know."""
        dense = np.zeros((len(queries), self.n_products), dtype=np.float32)
        dense[:, self.kept] = self._narrow(queries)
        return dense

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of each query with an event that is known; negative scores rank too."""

        def scored(first: int, last: int) -> Singles:
            found = self._narrow(queries.select(np.arange(first, last)))
            found[~found.any(axis=1)] = -np.inf
            return found

        return rank_narrow(Narrow(queries, self.kept, candidates), scored, k)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) * B[product of e, j]: exact, up to the rounding of a float32 sum."""
        place = np.full(self.n_products, -1, dtype=np.int64)
        place[self.kept] = np.arange(len(self.kept))

        def entries(of: Int32s, other: Int32s) -> npt.NDArray[np.float64]:
            known = (place[of] >= 0) & (place[other] >= 0)
            found = np.zeros(len(of), dtype=np.float64)
            found[known] = self.weights[place[of[known]], place[other[known]]]
            return found

        return added(queries, rankings, self.recency.weights(queries), entries)

    def _narrow(self, queries: Queries) -> Singles:
        """float32 [n, m]."""
        from scipy.sparse import csr_array

        histories = queries.histories
        weights = self.recency.weights(queries).astype(np.float32)
        weighed = csr_array((weights, histories.products, histories.indptr), shape=(len(histories), self.n_products))
        narrow: Singles = csr_array(weighed[:, self.kept]) @ self.weights
        return narrow

    def state(self) -> Arrays:
        """B, whose products, and the recency."""
        return {"weights": self.weights, "kept": self.kept, "n": np.array([self.n_products]), **self.recency.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        kept, weights = state["kept"].astype(np.int32), state["weights"].astype(np.float32, copy=False)
        return cls(weights, kept, int(state["n"][0]), Recency.from_state(state))
