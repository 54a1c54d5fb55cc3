"""How well a ranking finds what is relevant: hit, precision, recall, MRR, MAP and nDCG at k, with clustered intervals.

Arrays in, numbers out; knows no model. Of one query with `r` relevant documents, of whose first k places `f` are relevant, the
best of them at rank `b`:

    hit@k = 1 if f > 0 else 0        recall@k = f / min(k, r)        mrr@k = 1 / b, or 0 where f = 0
    precision@k = f / k              map@k = sum over the f ranks i of (relevant ones among the first i) / i, over min(k, r)
    ndcg@k = sum over the f ranks i of 1 / log2(1 + i), divided by the same sum over ranks 1 to min(k, r)

Dividing a recall by min(k, r) keeps 1 within reach of a query with more relevant documents than places; where every query has
one relevant document, hit@k and recall@k are the R@k of the literature. Figures are means over queries. A query without a
relevant document cannot be answered and counts in none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.evaluation.bootstrap import Resampled, case_weights

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

METRICS: Final = ("hit", "precision", "recall", "mrr", "map", "ndcg")


@dataclass(frozen=True, eq=False)
class Questions:
    """Queries and what is relevant to each: sparse bool [queries, documents]; `cluster` int64 [queries] are resampled together.

    Queries that share their answers (titles of one product) or their subject are not independent: give them one cluster.
    """

    relevant: csr_array
    cluster: Integers

    def select(self, rows: Integers) -> Questions:
        """Some of the questions, in the order of `rows`."""
        return Questions(self.relevant[rows], self.cluster[rows])

    def found(self, ranked: Integers) -> npt.NDArray[np.bool_]:
        """Whether each ranked document is relevant, in the shape of `ranked`: [queries, k], -1 for no document."""
        queries, documents = self.relevant.shape
        if ranked.ndim != 2 or len(ranked) != queries or (ranked.size and int(ranked.max()) >= documents):
            raise RequestError(
                f"a ranking of shape {ranked.shape} for {queries} queries and {documents} documents",
                "give one row of document numbers for each query, -1 where there is none",
            )
        key = np.arange(queries)[:, None] * documents + ranked
        indptr, indices = self.relevant.indptr, self.relevant.indices
        known = np.repeat(np.arange(queries), np.diff(indptr)) * documents + indices
        found: npt.NDArray[np.bool_] = np.isin(key, known) & (ranked >= 0)
        return found

    def per_query(self, ranked: Integers, ks: tuple[int, ...] = (1, 5, 10)) -> dict[str, Floats]:
        """Every figure of every query, float64 [queries], NaN where nothing is relevant; keys `hit@1`, `recall@5`, ..."""
        if ranked.ndim == 2 and ranked.shape[1] < max(ks):
            ranked = np.pad(ranked, ((0, 0), (0, max(ks) - ranked.shape[1])), constant_values=-1)
        found = self.found(ranked)
        wanted = np.diff(self.relevant.indptr).astype(np.int64)
        rank = np.arange(1, found.shape[1] + 1)
        gain = 1 / np.log2(1 + rank)
        precision = found * found.cumsum(axis=1) / rank  # at the ranks of relevant documents, else 0
        best = np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.inf)
        asked = np.where(wanted > 0, 1.0, np.nan)
        figures = {}
        for k in ks:
            most = np.clip(wanted, 1, k)
            figures[f"hit@{k}"] = asked * (best <= k)
            figures[f"precision@{k}"] = asked * found[:, :k].sum(axis=1) / k
            figures[f"recall@{k}"] = asked * found[:, :k].sum(axis=1) / most
            figures[f"mrr@{k}"] = asked * np.where(best <= k, 1 / best, 0.0)
            figures[f"map@{k}"] = asked * precision[:, :k].sum(axis=1) / most
            figures[f"ndcg@{k}"] = asked * (found[:, :k] @ gain[:k]) / np.cumsum(gain)[most - 1]
        return figures

    def measure(self, ranked: Integers, ks: tuple[int, ...] = (1, 5, 10), resamples: int = 500, seed: int = 0) -> Resampled:
        """Every figure over all queries and over `resamples` draws of the clusters.

        `ranked` int64 [queries, k], best first, -1 for no document, no document twice in a row. Raises RequestError if it does
        not fit the queries.
        """
        figures = self.per_query(ranked, ks)
        answerable = np.diff(self.relevant.indptr) > 0
        weight = case_weights(self.cluster[answerable], resamples, seed)
        total = weight.sum(axis=1)
        total[total == 0] = np.nan
        return Resampled({name: weight @ values[answerable] / total for name, values in figures.items()})


def same_group(groups: Integers) -> csr_array:
    """What is relevant among documents that query each other: all others of the same group. Sparse bool [n, n], no diagonal."""
    from scipy.sparse import csr_array, eye_array

    if len(groups) == 0:
        return csr_array((0, 0), dtype=np.bool_)
    member = csr_array(
        (np.ones(len(groups), dtype=np.int32), (np.arange(len(groups)), np.unique(groups, return_inverse=True)[1]))
    )
    alike = csr_array(member @ member.T - eye_array(len(groups), dtype=np.int32, format="csr"), dtype=np.bool_)
    alike.eliminate_zeros()
    alike.sort_indices()
    return alike
