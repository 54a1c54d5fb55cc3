"""What products that were cold came to be bought with: the truth that neighbours of cold products are measured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from scipy.sparse import csr_array

from basketry.associations.behaviour import BoughtTogether
from basketry.evaluation.retrieval import Questions

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.core.protocols import Run, Vectors
    from basketry.evaluation.bootstrap import Resampled

    Codes = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

MEASURE: Final = "recall@10"
_K: Final = 10
_BLOCK: Final = 1_024  # queries ranked at a time
_DECIMALS: Final = 6  # scores that differ by less are ties


@dataclass(frozen=True, eq=False)
class Partners:
    """Product codes `cold` int64 [q] and `warm` int64 [w]; `questions` has a row for each cold, a column for each warm one."""

    cold: Codes
    warm: Codes
    questions: Questions

    @classmethod
    def of(cls, later: BasketMatrix, cold: Flags, warm: Flags, min_customers: int, run: Run, q: float = 0.05) -> Self:
        """From the baskets of the time that was to be foretold. Cold products without a partner are left out.

        A partner is a warm product in as many baskets with the cold one as at least `min_customers` distinct customers stand
        behind, more than baskets of their sizes explain (adjusted_low > 1), at a false discovery rate below `q`.
        """
        edges = BoughtTogether(min_customers=min_customers).fit(later, run)
        true = np.flatnonzero((edges.adjusted_low > 1) & (edges.q < q))
        a = np.concatenate([edges.a[true], edges.b[true]]).astype(np.int64)
        b = np.concatenate([edges.b[true], edges.a[true]]).astype(np.int64)
        asked = cold[a] & warm[b]
        a, b = a[asked], b[asked]
        rows, row = np.unique(a, return_inverse=True)
        columns = np.flatnonzero(warm)
        place = (row, np.searchsorted(columns, b))
        relevant = csr_array((np.ones(len(a), dtype=np.bool_), place), shape=(len(rows), len(columns)))
        return cls(rows, columns, Questions(relevant, rows))

    def ranked(self, scores: Vectors) -> Codes:
        """The ten best warm products of each cold one by `scores` [q, w], ties to the smaller code: int64 [q, 10]."""
        order: Codes = np.argsort(-np.round(scores, _DECIMALS), axis=1, kind="stable")[:, :_K]
        return order

    def nearest(self, vectors: Vectors) -> Codes:
        """The same by the cosine of `vectors`: float32 [n, dim], one for every product, unit norm."""
        parts = [np.empty((0, min(_K, len(self.warm))), dtype=np.int64)]
        for start in range(0, len(self.cold), _BLOCK):
            parts.append(self.ranked(vectors[self.cold[start : start + _BLOCK]] @ vectors[self.warm].T))
        return np.concatenate(parts)

    def measure(self, ranked: Codes, seed: int = 0, resamples: int = 1_000) -> Resampled:
        """hit, recall, MRR and nDCG at 10 of a ranking, with resamples of the cold products."""
        return self.questions.measure(ranked, (_K,), resamples=resamples, seed=seed)

    def recall(self, vectors: Vectors) -> float:
        """recall@10 of the neighbours by `vectors`; NaN where there are no questions."""
        return float(self.measure(self.nearest(vectors), resamples=0).values[MEASURE][0])
