"""What a list is beside right: how much of the catalogue it shows, how new, how varied, how popular and how like the customer.

Arrays in, numbers out; knows no model. `ranked` is int [queries, k] of product codes, best first, -1 where there is no product.
Of a list L of a query, its products j, and of the events of its history H:

    novelty          mean over L of -log2 p(j), in bits; p(j) = (count(j) + 1) / (sum of counts + number of products)
    diversity        1 - mean cosine of the vectors of the pairs of L, from 0 (all alike) to 2
    categories       how many distinct categories stand in L
    popularity_bias  mean percentile of popularity over L minus that over H, from -1 to 1; 0 where they are alike
    miscalibration   KL(p || q') in nats of the shares of categories: p of H, q of L, q' = .99 q + .01 p; 0 for the same shares

These are figures of each query, NaN where they have no meaning (an empty list, one product for a diversity, no history for a
bias), and are averaged and resampled like any other. Coverage and the Gini index are of all lists together. They have no
interval: a resample holds some lists twice and others never, so it always shows less of the catalogue than the lists did.

Sources: Castells, Hurley and Vargas, Novelty and diversity in recommender systems (2015); Ziegler et al., Improving
recommendation lists through topic diversification (2005); Abdollahpouri et al., The unfairness of popularity bias (2019);
Steck, Calibrated recommendations (2018), whose smoothing is .01.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int32] | npt.NDArray[np.int64]

SMOOTHING: Final = 0.01


@dataclass(frozen=True, eq=False)
class Products:
    """What is known of each product: how often it was bought, `counts` [n]; perhaps `vectors` [n, d] and `category` int [n].

    A category is a number from 0, or -1 where it is not known: such a product counts in no category. Vectors need not be of
    unit length; a zero vector is like nothing. Raises RequestError for arrays of different lengths.
    """

    counts: Floats
    vectors: npt.NDArray[np.float32] | None = None
    category: Integers | None = None

    def __post_init__(self) -> None:
        for name, values in (("vectors", self.vectors), ("categories", self.category)):
            if values is not None and len(values) != len(self.counts):
                raise RequestError(f"{len(values)} {name} for {len(self.counts)} products", "give one for each product")

    @cached_property
    def surprise(self) -> Floats:
        """-log2 p(j), in bits."""
        counts = self.counts.astype(np.float64)
        bits: Floats = -np.log2((counts + 1) / (counts.sum() + len(counts)))
        return bits

    @cached_property
    def percentile(self) -> Floats:
        """The share of products bought less often than each, those bought as often counting half."""
        ordered = np.sort(self.counts)
        less, most = (np.searchsorted(ordered, self.counts, side) for side in ("left", "right"))
        return (less + most) / 2 / max(len(ordered), 1)

    @cached_property
    def directions(self) -> npt.NDArray[np.float32]:
        """`vectors` at unit length, zero where they were."""
        if self.vectors is None:
            raise RequestError("diversity needs a vector of every product", "give vectors")
        length = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = np.zeros_like(self.vectors, dtype=np.float32)
        np.divide(self.vectors, length, out=unit, where=length > 0)
        return unit

    def per_query(self, ranked: Integers, indptr: Integers, history: Integers) -> dict[str, Floats]:
        """Every figure that can be told, float64 [queries]; the history of query q is `history[indptr[q]:indptr[q + 1]]`.

        Memory: 8 bytes a query and category, and 4 a query, rank and dimension of a vector; ask in parts.
        """
        figures = {
            "novelty": _mean_of(self.surprise, ranked),
            "popularity_bias": _mean_of(self.percentile, ranked) - _mean_of(self.percentile, _table(indptr, history)),
        }
        if self.vectors is not None:
            figures["diversity"] = self._diversity(ranked)
        if self.category is not None:
            shown, bought = self._shares(ranked), self._shares(_table(indptr, history))
            figures["categories"] = (shown > 0).sum(axis=1) + np.where((ranked >= 0).any(axis=1), 0.0, np.nan)
            figures["miscalibration"] = divergence(bought, shown)
        return figures

    def _diversity(self, ranked: Integers) -> Floats:
        there = ranked >= 0
        vectors = self.directions[np.where(there, ranked, 0)] * there[..., None]
        n = there.sum(axis=1)
        total = vectors.sum(axis=1, dtype=np.float64)
        alone = (vectors.astype(np.float64) ** 2).sum(axis=(1, 2))
        pairs = n * (n - 1)
        cosine = (total**2).sum(axis=1) - alone  # every pair twice
        unlike: Floats = 1 - np.divide(cosine, pairs, out=np.full(len(ranked), np.nan), where=pairs > 0)
        return unlike

    def _shares(self, rows: Integers) -> Floats:
        """float64 [queries, categories]: the share of each among those that are known; NaN where none is."""
        assert self.category is not None
        classes = int(self.category.max(initial=0)) + 1
        label = np.where(rows >= 0, self.category[np.where(rows >= 0, rows, 0)], -1)
        query, _ = np.nonzero(label >= 0)
        counts = np.bincount(query * classes + label[label >= 0], minlength=len(rows) * classes).reshape(len(rows), classes)
        total = counts.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
        return shares


def divergence(wanted: Floats, given: Floats, smoothing: float = SMOOTHING) -> Floats:
    """KL(p || (1 - smoothing) q + smoothing p) of each row in nats, p `wanted` and q `given`: at most -ln(smoothing)."""
    smooth = (1 - smoothing) * given + smoothing * wanted
    ratio = np.divide(wanted, smooth, out=np.ones_like(wanted), where=wanted > 0)
    total: Floats = (wanted * np.log(ratio)).sum(axis=1) + given.sum(axis=1) * 0  # NaN where either is unknown
    return total


def exposure(ranked: Integers, n_products: int, discounted: bool = False) -> Floats:
    """float64 [n_products]: in how many places each product stands, a place at rank r counting 1, or 1 / log2(1 + r)."""
    there = ranked >= 0
    weight = 1 / np.log2(np.arange(2, ranked.shape[1] + 2)) if discounted else np.ones(ranked.shape[1])
    shown = np.bincount(ranked[there], np.broadcast_to(weight, ranked.shape)[there], n_products)
    return shown.astype(np.float64)


def coverage(shown: Floats) -> float:
    """The share of products that stand in a list at all, of their exposure."""
    return float((shown > 0).mean()) if len(shown) else float("nan")


def gini(shown: Floats) -> float:
    """The Gini index of exposure: 0 where all products are shown alike, 1 - 1/n where one has it all; NaN without any.

    With exposures x in rising order: sum over i of (2i - n - 1) x_i / (n sum of x).
    """
    n, total = len(shown), float(shown.sum())
    if total == 0:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ np.sort(shown) / (n * total))


def _mean_of(values: Floats, rows: Integers) -> Floats:
    """The mean of `values` over the products of each row, NaN for an empty one."""
    there = rows >= 0
    total, n = np.where(there, values[np.where(there, rows, 0)], 0.0).sum(axis=1), there.sum(axis=1)
    mean: Floats = np.divide(total, n, out=np.full(len(rows), np.nan), where=n > 0)
    return mean


def _table(indptr: Integers, items: Integers) -> Integers:
    """Ragged rows as a table, padded with -1."""
    lengths = np.diff(indptr)
    table = np.full((len(lengths), int(lengths.max(initial=0))), -1, dtype=np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = items
    return table
