"""Counting, at its best where there is little to count: P(B | A) shrunk to what the products of A say one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.recommendation.neural_rules import counted, likeliest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Bools, Floats, Int64s

STRENGTHS: Final = (0.3, 1, 3, 10, 30, 100, 300)
_TOLD: Final = 10


@dataclass(frozen=True)
class BackingOff:
    """Choose the strengths of least log loss on the last `validation` share of the baskets, `asked` antecedents a size.

    Antecedents hold one or two products. Needs torch no more than drawing them does: see `training.baskets.Antecedents`.
    """

    asked: int = 1_000
    validation: float = 0.2

    def fit(self, baskets: csr_array) -> BackedOff:
        """Of `baskets`, sparse 0/1 [n, products], the oldest first. Raises RequestError for too few of them."""
        from basketry.training.baskets import Antecedents

        cut = round(baskets.shape[0] * (1 - self.validation))
        if not 0 < cut < baskets.shape[0]:
            raise RequestError(f"{baskets.shape[0]} baskets are too few", "give some hundreds at least")
        drawn = Antecedents.drawn(baskets[cut:], 2, self.asked, seed=1)
        happened = baskets[cut:][drawn.basket].toarray() > 0
        before = baskets[:cut]
        whole = BackedOff(before, 10, 10, 10).counts(drawn.antecedent)
        told = likeliest(whole.chances(10, 10), drawn.antecedent, _TOLD)
        seen, few = np.take_along_axis(happened, told, 1), whole.at(told)

        def loss(chances: Floats) -> float:
            return float(log_loss(chances, seen).mean())

        plain = min(STRENGTHS, key=lambda c: loss(few.plainly(c)))
        both = ((alone, pair) for alone in STRENGTHS for pair in STRENGTHS)
        alone, pair = min(both, key=lambda one: loss(few.chances(*one)))
        return BackedOff(baskets, alone, pair, plain)


@dataclass(frozen=True, eq=False)
class Counts:
    """What is counted for antecedents.

    `held` [n, 1] baskets with each, `both` [n, m] with each product beside; `sides`, the same of its two products one by one;
    `share` [n, m], P(B); float64. `single` bool [n]: of one product alone.
    """

    held: Floats
    both: Floats
    sides: tuple[tuple[Floats, Floats], ...]
    share: Floats
    single: Bools

    def chances(self, alone: float, pair: float) -> Floats:
        """P(B | A) [n, m], backed off."""
        prior = sum((_shrunk(both, held, self.share, alone) for held, both in self.sides), np.zeros(self.both.shape)) / 2
        prior[self.single] = self.share[self.single]
        return _shrunk(self.both, self.held, prior, np.where(self.single, alone, pair)[:, None])

    def plainly(self, plain: float) -> Floats:
        """P(B | A) [n, m], shrunk to P(B) whatever A holds."""
        return _shrunk(self.both, self.held, self.share, plain)

    def at(self, places: Int64s) -> Counts:
        """Those of some products only, `places` int64 [n, k]."""

        def some(array: Floats) -> Floats:
            return np.take_along_axis(array, places, 1)

        sides = tuple((held, some(both)) for held, both in self.sides)
        return Counts(self.held, some(self.both), sides, some(self.share), self.single)


@dataclass(frozen=True, eq=False)
class BackedOff:
    """n_A and n_AB of `baskets`, n_AB shrunk as if `alone`, `pair` or `plain` more baskets had been seen.

    Memory of an answer: 32 bytes an antecedent and product; ask in parts.
    """

    baskets: csr_array
    alone: float
    pair: float
    plain: float

    def confidence(self, antecedents: Int64s) -> Floats:
        """P(B | A) float64 [n, products] of antecedents int64 [n, 2], -1 where one product alone.

        Of one product (n_AB + alone P(B)) / (n_A + alone); of two (n_AB + pair m) / (n_A + pair), m being the mean of the two
        products' own chances.
        """
        return self.counts(antecedents).chances(self.alone, self.pair)

    def plainly(self, antecedents: Int64s) -> Floats:
        """(n_AB + plain P(B)) / (n_A + plain), float64 [n, products], whatever A holds."""
        return self.counts(antecedents).plainly(self.plain)

    def counts(self, antecedents: Int64s) -> Counts:
        """All that is counted for these antecedents."""
        held, both = counted(antecedents, self.baskets)
        single = antecedents[:, 1] < 0
        sides = []
        for side in range(2):
            products = np.where(antecedents[:, side] >= 0, antecedents[:, side], antecedents[:, 0])
            beside = self._together[products].toarray()
            sides.append((np.take_along_axis(beside, products[:, None], 1), beside))
        share = np.asarray(self.baskets.mean(axis=0), dtype=np.float64).ravel()
        shares = np.broadcast_to(share, (len(antecedents), len(share)))
        return Counts(held[:, None].astype(np.float64), both.toarray().astype(np.float64), tuple(sides), shares, single)

    @cached_property
    def _together(self) -> csr_array:
        """n_ab of every two products, and n_a where they are one."""
        from scipy.sparse import csr_array

        columns = self.baskets.astype(np.float64)
        return csr_array(columns.T @ columns)


def _shrunk(both: Floats, held: Floats, prior: Floats, strength: Floats | float) -> Floats:
    found: Floats = (both + strength * prior) / (held + strength)
    return found


def log_loss(chances: Floats, happened: Bools) -> Floats:
    """-log of what was said of what came, with chances no nearer than 1e-6 to 0 and 1."""
    p = np.clip(chances, 1e-6, 1 - 1e-6)
    found: Floats = -np.where(happened, np.log(p), np.log1p(-p))
    return found
