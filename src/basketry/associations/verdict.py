"""What the evidence allows to be said of a pair: complement, substitute, met on the same trips only, or unknown.

A raw lift above 1 is no verdict: big baskets hold everything, and a household that likes both products buys both, together or
not. So two rivals have to be beaten. Basket size: the adjusted lift counts against what the sizes of the baskets explain.
Taste: the *placebo* counts A in one order and B in the same customer's next order. Taste, season and store act on both; only
what is particular to one trip sets them apart. The **contrast** is their ratio:

    contrast = (together / expected together) / (across / expected across)

Above 1 the two are wanted on the same trip (buns and patties). Below 1 one visit takes the one and the next visit the other:
between products that mean the same, and that share a basket less often than chance, this is substitution (two milks). Where
customers are unknown there is no placebo, and the size-adjusted lift stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.associations.significance import benjamini_hochberg

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Integers = npt.NDArray[np.int64]


MIN_EXPOSURE: Final = 5.0  # meetings expected by chance below which a contrast could hardly be found


@dataclass(frozen=True)
class Tally:
    """What was counted of pairs: `baskets`, distinct `customers`, and the baskets `expected` by chance and basket size."""

    baskets: Integers
    customers: Integers
    expected: Floats

    def lift(self) -> Floats:
        """Baskets over expected; NaN where nothing was expected."""
        lift: Floats = np.divide(self.baskets, self.expected, out=np.full(len(self.baskets), np.nan), where=self.expected > 0)
        return lift

    def either(self, other: Tally) -> Tally:
        """Both tallies as one. Their customers may be the same people, so only the larger number of them is believed."""
        customers = np.maximum(self.customers, other.customers)
        return Tally(self.baskets + other.baskets, customers, self.expected + other.expected)

    def exposure(self) -> Floats:
        """Expected distinct customers: `expected` deflated by the pair's own baskets a customer (1 where it has none)."""
        return self.expected * np.divide(self.customers, self.baskets, out=np.ones(len(self.baskets)), where=self.baskets > 0)


@dataclass(frozen=True)
class Contrast:
    """Same trip against next trip: `ratio`, its exact 95% interval, two-sided exact `p`; NaN (p: 1) where nothing counted.

    `exposure`: meetings expected by chance, in both settings together.
    """

    ratio: Floats
    low: Floats
    high: Floats
    p: Floats
    exposure: Floats

    def tested(self) -> Flags:
        """Pairs popular enough for a test to be able to speak: by their margins alone, not by what was counted."""
        return self.exposure >= MIN_EXPOSURE


def contrast(together: Tally, across: Tally) -> Contrast:
    """Compare two Poisson rates given their sum: of n = c1 + c2 distinct customers, c1 is Binomial(n, r E1 / (r E1 + E2)).

    Clopper-Pearson limits of that share give those of r (Przyborowski & Wilenski 1940).
    """
    from scipy.stats import beta, binom

    c1, c2 = together.customers.astype(float), across.customers.astype(float)
    e1, e2 = together.exposure(), across.exposure()
    known = (c1 + c2 > 0) & (e1 > 0) & (e2 > 0)
    c1, c2, e1, e2 = (np.where(known, each, 1.0) for each in (c1, c2, e1, e2))
    low = np.where(c1 > 0, beta.ppf(0.025, np.maximum(c1, 0.5), c2 + 1), 0.0)
    high = np.where(c2 > 0, beta.ppf(0.975, c1 + 1, np.maximum(c2, 0.5)), 1.0)
    with np.errstate(divide="ignore"):
        ratio, ends = (c1 / e1) / (c2 / e2), [share / (1 - share) * e2 / e1 for share in (low, high)]
    null = e1 / (e1 + e2)
    tails = np.minimum(binom.cdf(c1, c1 + c2, null), binom.sf(c1 - 1, c1 + c2, null))
    p = np.where(known, np.minimum(2 * tails, 1.0), 1.0)
    ratio, first, last = (np.where(known, each, np.nan) for each in (ratio, *ends))
    return Contrast(ratio, first, last, p, together.expected + across.expected)


@dataclass(frozen=True)
class Findings:
    """What a verdict rests on, pair by pair, NaN where not known; `contrast` is None where customers are unknown.

    `adjusted` is known of every pair, the other lifts and `q` of those with an edge alone.
    """

    lift: Floats
    q: Floats
    adjusted: Floats
    adjusted_low: Floats
    adjusted_high: Floats
    similarity: Floats
    contrast: Contrast | None


@dataclass(frozen=True)
class VerdictRule:
    """When a verdict is given. `level`: false discovery rate of both tests; `alike`: similarity of texts that name one need."""

    level: float = 0.05
    alike: float = 0.75

    def judge(self, found: Findings) -> npt.NDArray[np.str_]:
        """One of the four verdicts per pair; comparisons with NaN are false, so what is not known never speaks."""
        associated = (found.q <= self.level) & (found.lift > 1)
        alike = found.similarity >= self.alike
        if found.contrast is None:
            apart, joint = found.adjusted_high < 1, found.adjusted_low > 1
        else:
            apart = self._rejected(found.contrast, alike & found.contrast.tested()) & (found.contrast.high < 1)
            joint = self._rejected(found.contrast, associated) & (found.contrast.low > 1)
        complement = associated & (found.adjusted_low > 1) & joint
        substitute = alike & apart & (found.adjusted < 1)
        return np.select([complement, substitute, associated], ["complement", "substitute", "co_trip"], "unknown")

    def _rejected(self, contrast: Contrast, family: Flags) -> Flags:
        """Where the contrast is not 1, by Benjamini-Hochberg over one family: the associated pairs, or the alike ones."""
        rejected = np.zeros(len(family), dtype=np.bool_)
        rejected[family] = benjamini_hochberg(contrast.p[family], int(family.sum())) <= self.level
        return rejected
