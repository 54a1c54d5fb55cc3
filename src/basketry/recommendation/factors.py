"""A ranker by vectors of products: the customer's vector is solved for from the history when asked, so nobody is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.histories import Evidence
from basketry.kernels.ridge import Weighed, solve_ridge
from basketry.recommendation.narrow import Narrow, rank_narrow
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Candidates, Floats, Int32s, Queries, Rankings
    from basketry.core.protocols import Arrays, Vectors

    Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Penalty:
    """What a vector's squared length costs: reg * (held + unobserved * others) ^ exponent; see `Ials`."""

    reg: float
    unobserved: float
    exponent: float

    def of(self, held: Floats, others: int) -> Floats:
        """float64 [n], of rows that hold as much of `others`."""
        found: Floats = self.reg * (held + self.unobserved * others) ** self.exponent
        return found


@dataclass(frozen=True, eq=False)
class Factors:
    """score(q, j) = x_q . y_j, where x_q minimises, over the events e of the history,

        sum of weight(e) * (1 - x . y_e)^2  +  unobserved * sum over products i of (x . y_i)^2  +  p_q |x|^2.

    That is what a customer's vector is in `Ials`; weights are those of the recency, and their sum is what p_q counts as held.
    With A = sum of weight(e) y_e y_e^T + unobserved * Y^T Y + p_q I the score is a sum over events, weight(e) * y_j A^-1 y_e of
    each (Hu, Koren and Volinsky 2008, section 5). Asking costs what a row of a half epoch costs, and a dot product a product.

    `vectors` float32 [m, dim] of the products `kept`, turned so that Y^T Y is the diagonal `spectrum` float64 [dim].
    """

    vectors: Singles
    spectrum: Floats
    kept: Int32s
    n_products: int
    penalty: Penalty
    recency: Recency

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products]; 0 for products nobody bought and for customers of whom nothing is known."""
        dense = np.zeros((len(queries), self.n_products), dtype=np.float32)
        dense[:, self.kept] = self.customers(queries).astype(np.float32) @ self.vectors.T
        return dense

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best candidates of each query with an event that is known; negative scores rank too."""
        customers = self.customers(queries).astype(np.float32)
        nobody = np.count_nonzero(customers, axis=1) == 0

        def scored(first: int, last: int) -> Singles:
            found: Singles = customers[first:last] @ self.vectors.T
            found[nobody[first:last]] = -np.inf
            return found

        return rank_narrow(Narrow(queries, self.kept, candidates), scored, k)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """weight(e) * y_j A^-1 y_e of each event e and ranked product j: exact, up to the rounding of a float32 sum."""
        events = self._events(queries)
        own = self._penalties(events)
        place = self._places(rankings.products)
        lengths, k = queries.histories.lengths, rankings.products.shape[1]
        start = np.concatenate([[0], np.cumsum(lengths * k)]).astype(np.int64)
        said = np.zeros(start[-1], dtype=np.float64)
        ends = queries.histories.indptr
        known = self._places(queries.histories.products)
        for query in np.flatnonzero((place >= 0).any(axis=1)).tolist():
            span = slice(events.indptr[query], events.indptr[query + 1])
            y, weights = self.vectors[events.items[span]].astype(np.float64), events.weights[span]
            ranks = np.flatnonzero(place[query] >= 0)
            normal = (y.T * weights) @ y
            normal[np.diag_indices_from(normal)] += self.penalty.unobserved * self.spectrum + own[query]
            ranked = self.vectors[place[query, ranks]].astype(np.float64)
            block = said[start[query] : start[query + 1]].reshape(k, lengths[query])
            there = np.flatnonzero(known[ends[query] : ends[query + 1]] >= 0)
            block[np.ix_(ranks, there)] = ranked @ np.linalg.solve(normal, y.T * weights)
        return Evidence(start[:-1], said, np.zeros(rankings.products.shape, dtype=np.float64), exact=True)

    def customers(self, queries: Queries) -> Floats:
        """Vectors x float64 [n, dim] of the queries; 0 where the history holds nothing known."""
        events = self._events(queries)
        return solve_ridge(events, self.vectors, self.penalty.unobserved * self.spectrum, self._penalties(events), np.float64)

    def _events(self, queries: Queries) -> Weighed:
        """The events of known products."""
        place = self._places(queries.histories.products)
        there = place >= 0
        ends = np.concatenate([[0], np.cumsum(there)])[queries.histories.indptr].astype(np.int64)
        return Weighed(ends, place[there].astype(np.int32), self.recency.weights(queries)[there], len(self.kept))

    def _penalties(self, events: Weighed) -> Floats:
        """float64 [n]."""
        total = np.concatenate([[0.0], np.cumsum(events.weights)])[events.indptr]
        return self.penalty.of(np.diff(total), len(self.kept))

    def _places(self, products: Int32s) -> npt.NDArray[np.int64]:
        """Which row of `vectors` is each product's; -1 for none."""
        place = np.full(self.n_products + 1, -1, dtype=np.int64)  # the last is for -1, no product
        place[self.kept] = np.arange(len(self.kept))
        return place[products]

    def state(self) -> Arrays:
        """The vectors, what they are of, and the numbers that a customer is solved for with."""
        penalty = np.array([self.penalty.reg, self.penalty.unobserved, self.penalty.exponent], dtype=np.float64)
        return {
            "vectors": self.vectors,
            "spectrum": self.spectrum,
            "kept": self.kept,
            "n": np.array([self.n_products]),
            "penalty": penalty,
            **self.recency.state(),
        }

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        vectors = np.ascontiguousarray(state["vectors"], dtype=np.float32)
        spectrum, kept = state["spectrum"].astype(np.float64), state["kept"].astype(np.int32)
        reg, unobserved, exponent = state["penalty"].tolist()
        recency = Recency.from_state(state)
        return cls(vectors, spectrum, kept, int(state["n"][0]), Penalty(reg, unobserved, exponent), recency)
