"""How often a pair would meet by chance alone, given that some baskets are large: the yardstick of adjusted lift.

Raw lift compares with n_a n_b / n, as if every basket were alike. A large basket holds many products, and so many pairs, that
need have nothing to do with each other: where sizes vary, the lift of unrelated products lies well above 1.

Here chance is independence *among baskets of about one size* (stratification, as Mantel and Haenszel, 1959), so nothing need be
assumed of how a product's chance grows with the basket: staples may stand in every basket, party goods in large ones alone.
Within a stratum k it is the configuration model (Newman, 2010, section 13.2), which knows that a basket's products share its
places: with w_ak = sum of (size - 1) over the stratum's baskets with a, and W_k = sum of size (size - 1) over all of them,

    expected_ab = sum over k of w_ak w_bk / sqrt((W_k - w_ak)(W_k - w_bk)).

For two orders of a customer that follow each other, k and l being the strata of the first and of the second, N_kl such pairs of
orders, f_ak the share of first orders of stratum k with a, and g_bl that of second orders of stratum l with b,

    expected_ab = sum over k, l of N_kl f_ak g_bl.

Both are a dot product of two short vectors a pair. Strata: sizes 1, 2, 3, 4, 5, then each about a third larger than the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from basketry.associations.baskets import BasketMatrix, Int32s

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

STRATA: Final = (2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 31, 46, 71)  # the least size of each stratum after the first
_BLOCK: Final = 100_000  # pairs multiplied at a time: 20 MB


@dataclass(frozen=True, eq=False)
class Exposure:
    """How a product is exposed to others, as A (`of`) and as B (`to`): float64 [n_products, 14]; undirected, both are one."""

    of: Floats
    to: Floats

    def expected(self, a: Codes, b: Codes) -> Floats:
        """Meetings of a and b to expect by chance: float64, aligned with the codes a and b, a != b."""
        found = np.empty(len(a))
        for start in range(0, len(a), _BLOCK):
            rows = slice(start, start + _BLOCK)
            found[rows] = np.einsum("ij,ij->i", self.of[a[rows]], self.to[b[rows]])
        return found


def exposure_together(baskets: BasketMatrix, counted: Mask) -> Exposure:
    """Exposure to the other products of the same basket, over the baskets where `counted` [n] is true."""
    sizes = baskets.sizes
    stratum = np.digitize(sizes, STRATA)
    partners = np.where(counted, sizes - 1, 0)
    own = _by_stratum(baskets, stratum, partners)
    total = np.bincount(stratum, partners * sizes, len(STRATA) + 1)
    of = np.divide(own, np.sqrt(total - own), out=np.zeros_like(own), where=total > own)
    return Exposure(of, of)


def exposure_next(baskets: BasketMatrix, partner: Int32s, counted: Mask) -> Exposure:
    """Exposure to the products of the partner basket, over the baskets that have one (partner >= 0) where `counted` is true."""
    stratum = np.digitize(baskets.sizes, STRATA)
    first = np.flatnonzero((partner >= 0) & counted)
    second = partner[first]
    strata = len(STRATA) + 1
    steps = np.bincount(stratum[first] * strata + stratum[second], minlength=strata**2).reshape(strata, strata).astype(float)
    shares = []
    for side, number in ((first, steps.sum(axis=1)), (second, steps.sum(axis=0))):
        chosen = np.zeros(len(baskets))
        chosen[side] = 1.0
        holding = _by_stratum(baskets, stratum, chosen)
        shares.append(np.divide(holding, number, out=np.zeros_like(holding), where=number > 0))
    return Exposure(shares[0] @ steps, shares[1])


def _by_stratum(baskets: BasketMatrix, stratum: Codes, weights: npt.NDArray[np.generic]) -> Floats:
    """Sum of the baskets' `weights` by product and stratum."""
    strata = len(STRATA) + 1
    cell = baskets.items.astype(np.int64) * strata + np.repeat(stratum, baskets.sizes)
    sums = np.bincount(cell, weights=np.repeat(weights, baskets.sizes), minlength=baskets.n_products * strata)
    return sums.astype(np.float64).reshape(baskets.n_products, strata)


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
