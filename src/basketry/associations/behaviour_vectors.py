"""What shoppers do with a product, as a vector: products that are bought with the same others lie together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.sparse import coo_array, csr_array

from basketry.associations.behaviour import BoughtTogether
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.training.fusion.factors import factorised
from basketry.training.fusion.modality import Modality

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.edges import Edges
    from basketry.core.protocols import Arrays, Run, Vectors

    Codes = npt.NDArray[np.int32]
    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Behaviour:
    """`vectors` float32 [n, dim]: unit norm where `known` (bool [n]), zero elsewhere. `a`, `b`, `weight`: its edges.

    Edges stand once, int32 codes a < b, float64 weight > 0: the logarithm of the lift that is certain.
    """

    vectors: Vectors
    known: Flags
    a: Codes
    b: Codes
    weight: Floats

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        return {"vectors": self.vectors, "known": self.known, "a": self.a, "b": self.b, "weight": self.weight}

    @property
    def partners(self) -> csr_array:
        """float64 [n, n], symmetric: the weight of each edge."""
        return symmetric(self.a, self.b, self.weight, len(self.known))

    @property
    def modality(self) -> Modality:
        """The vectors as a modality, whose evidence is the number of a product's partners."""
        return Modality(self.vectors, self.known, np.diff(self.partners.indptr).astype(np.float32))

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        return cls(
            np.asarray(state["vectors"], dtype=np.float32),
            np.asarray(state["known"], dtype=np.bool_),
            np.asarray(state["a"], dtype=np.int32),
            np.asarray(state["b"], dtype=np.int32),
            np.asarray(state["weight"], dtype=np.float64),
        )


@dataclass(frozen=True)
class BehaviourVectors:
    """Truncated eigenvectors of the matrix of certain log lifts, M_ab = max(0, log adjusted_low_ab), M_aa = 0.

    This is the positive pointwise mutual information of words and contexts, factorised (Levy and Goldberg, Neural word
    embedding as implicit matrix factorization, 2014), with two changes that baskets ask for: chance is that among baskets of
    one size (`adjustment`), and of the lift only the lower end of its 95% interval over distinct
    customers counts, which does for thin evidence what subtracting log k does there. With M = Q diag(l) Q^T and the `dim`
    largest l, the vector of a product is its row of Q max(0, l)^(1/2), divided by its norm.

    A product without an edge above chance (fewer than `min_customers` distinct customers behind any pair) has no vector. Edges
    are those of `BoughtTogether`, its floor and its privacy rule among them. 3,000 products and 30,000 edges cost 3 s of CPU.
    """

    dim: int = field(default=512, metadata={"help": "length of a vector; at least 1"})
    min_customers: int = field(default=20, metadata={"help": "distinct customers behind an edge", "unit": "customers"})

    def __post_init__(self) -> None:
        if min(self.dim, self.min_customers) < 1:
            raise RequestError(f"dim {self.dim}, min_customers {self.min_customers}", "both start at 1")

    def fit(self, baskets: BasketMatrix, run: Run) -> Behaviour:
        """Count, keep what is above chance, factorise. The order of baskets changes nothing; columns past the rank are zero."""
        with span("behaviour_vectors", total=2, unit="steps") as progress:
            edges = BoughtTogether(min_customers=self.min_customers).fit(baskets, run)
            progress.advance()
            found = self.of_edges(edges)
            progress.advance()
            progress.note(products=int(found.known.sum()), edges=len(found.a))
        return found

    def of_edges(self, edges: Edges) -> Behaviour:
        """The same from edges already counted."""
        rows = np.flatnonzero(edges.adjusted_low > 1)
        a, b, weight = edges.a[rows], edges.b[rows], np.log(edges.adjusted_low[rows])
        found = factorised(symmetric(a, b, weight, len(edges.baskets_of)), self.dim)
        return Behaviour(found.vectors, found.known, a, b, weight)


def symmetric(a: Codes, b: Codes, weight: Floats, n: int) -> csr_array:
    """float64 [n, n] with each edge both ways round."""
    places = (np.concatenate([a, b]), np.concatenate([b, a]))
    return csr_array(coo_array((np.tile(weight, 2), places), shape=(n, n)))
