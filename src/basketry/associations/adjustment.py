"""How often a pair would meet by chance alone, given that some baskets are large: the yardstick of adjusted lift.

Raw lift compares with n_a n_b / n, as if every basket were alike. A large basket holds many products, and so many pairs, that
need have nothing to do with each other: where sizes vary, the lift of unrelated products lies well above 1.

Here chance is the configuration model of the graph of co-purchases (Chung and Lu, 2002; Newman, 2010, section 13.2). Let
w_a = sum of (size - 1) over the baskets with a: the number of co-purchases a takes part in, and W = sum of all w_a. One of
a's w_a partners, drawn at random from all that is not a, is b with probability w_b / (W - w_a); taken from both sides,

    expected_ab = w_a w_b / sqrt((W - w_a)(W - w_b)).

It is exact where the chance of a product in a basket is proportional to the basket's size, and near where large baskets
saturate. The simpler sqrt(w_a n_b / (S - n_a) * w_b n_a / (S - n_b)), S = sum of sizes, costs the same and knows the sizes of
a's baskets but not that b prefers large ones too. On the Complete Journey with products shuffled among baskets of one size
class (no association left) counts over expectations were 1.50 for pairs of large-basket products by the simpler form, 1.11 by
this one.

For two orders of a customer that follow each other, with sizes s and t: w_a = sum of t over the first orders with a, v_b =
sum of s over the second orders with b, W = sum of s t, and expected_ab = w_a v_b / W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from basketry.associations.baskets import BasketMatrix, Int32s

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Exposure:
    """The w (`of`) and v (`to`) of each product, float64 [n_products], and W (`total`); undirected, `of` and `to` are one."""

    of: Floats
    to: Floats
    total: float
    directed: bool

    def expected(self, a: Codes, b: Codes) -> Floats:
        """Meetings of a and b to expect by chance: float64, aligned with the codes a and b, a != b."""
        if not self.total:
            return np.zeros(len(a))
        if self.directed:
            return self.of[a] * (self.to[b] / self.total)
        return self.of[a] * self.of[b] / np.sqrt((self.total - self.of[a]) * (self.total - self.of[b]))


def exposure_together(baskets: BasketMatrix, counted: Mask) -> Exposure:
    """Exposure to the other products of the same basket, over the baskets where `counted` [n] is true."""
    sizes = baskets.sizes
    partners = np.where(counted, sizes - 1, 0)
    of = _sum_by_product(baskets, partners)
    return Exposure(of, of, float(partners @ sizes), directed=False)


def exposure_next(baskets: BasketMatrix, partner: Int32s, counted: Mask) -> Exposure:
    """Exposure to the products of the partner basket, over the baskets that have one (partner >= 0) where `counted` is true."""
    sizes = baskets.sizes
    first = np.flatnonzero((partner >= 0) & counted)
    second = partner[first]
    ahead, behind = np.zeros(len(baskets)), np.zeros(len(baskets))
    ahead[first] = sizes[second]
    behind[second] = sizes[first]
    total = float(sizes[first] @ sizes[second])
    return Exposure(_sum_by_product(baskets, ahead), _sum_by_product(baskets, behind), total, directed=True)


def _sum_by_product(baskets: BasketMatrix, weights: npt.NDArray[np.generic]) -> Floats:
    weighted = np.bincount(baskets.items, weights=np.repeat(weights, baskets.sizes), minlength=baskets.n_products)
    return weighted.astype(np.float64)


@dataclass(frozen=True, eq=False)
class AdjustedLift:
    """Baskets over expected baskets, with the ends of the 95% interval; float64, aligned."""

    lift: Floats
    low: Floats
    high: Floats


def adjusted_lift(n_ab: Counts, customers: Counts, expected: Floats) -> AdjustedLift:
    """n_ab / expected, with the exact Poisson interval of the number of customers (Garwood 1936) carried over.

    Repeat baskets of one customer are not independent, so the uncertainty is that of the `customers` c behind the pair: with
    deff = n_ab / c, low = deff / expected * gamma quantile(0.025; c), high = deff / expected * gamma quantile(0.975; c + 1).
    `low` serves as the shrunken lift to rank by. Takes customers >= 1 and expected > 0.
    """
    counts, position = np.unique(customers, return_inverse=True)
    per_customer = n_ab / customers / expected
    low = gammaincinv(counts, 0.025)[position] * per_customer
    high = gammaincinv(counts + 1, 0.975)[position] * per_customer
    return AdjustedLift(n_ab / expected, low, high)


def stability(first: tuple[Counts, Floats], second: tuple[Counts, Floats]) -> Floats:
    """Smaller over larger adjusted lift of two halves of time, each given as (n_ab, expected); 0 where a half has none."""
    lifts = [np.divide(count, expected, out=np.zeros(len(count)), where=count > 0) for count, expected in (first, second)]
    larger = np.maximum(*lifts)
    return np.divide(np.minimum(*lifts), larger, out=np.zeros(len(larger)), where=larger > 0)
