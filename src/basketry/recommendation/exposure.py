"""A share of exposure for a group of products, at the least loss of score: one bonus to all of them, as small as will do.

Let x be the lists, d_r = 1 / log2(1 + r) the exposure of rank r, s(q, j) the scores of each query scaled so that its best list
has a total of 1 and its worst candidate 0. Wanted: the greatest total F(x) = sum of d_r s, with the group's share E(x) of all
exposure in [low, high]. For any bonus b the lists sorted by s + b [j in the group] have the greatest F + b E, so no lists with
as much E have more F (Everett, 1963): they are the optimum, not an approximation of it. E never falls as b rises, so the least
bonus is found by bisection. What the bisection leaves open is one swap of two products in one list.

Serving needs no more than the bonus: `with_bonus` gives a single list the place it would have had among all.

Source: Everett, Generalized Lagrange multiplier method (1963); the aim is that of Singh and Joachims (KDD 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Rankings

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats

_STEPS: Final = 50


@dataclass(frozen=True, eq=False)
class Bounded:
    """Lists whose `share` of exposure is the group's, and what it cost: the `loss` of score, a share from 0 to 1.

    `bonus` is in units of a list's best total, below 0 where the group was held down.
    """

    rankings: Rankings
    share: float
    loss: float
    bonus: float


def bound_exposure(rankings: Rankings, k: int, member: Bools, low: float = 0.0, high: float = 1.0) -> Bounded:
    """The lists of the k first with the group's share in [low, high], from rankings of more than k candidates.

    `member` bool [n_products]. Lists that keep the bounds as they stand are not touched. Cost: some 50 sorts of the candidates.
    Raises RequestError if the candidates cannot give such a share: rank more of them.
    """
    if not (0 <= low <= high <= 1) or not 1 <= k <= rankings.products.shape[1]:
        raise RequestError(
            f"a share in [{low:g}, {high:g}] of {k} places from {rankings.products.shape[1]} candidates",
            "the share lies in [0, 1], and there are as many candidates as places or more",
        )
    world = _World.of(rankings, k, member)
    start = world.at(0.0)
    if low <= start.share <= high or not (rankings.products >= 0).any():
        return start
    sign = 1.0 if start.share < low else -1.0
    best = world.at(sign * world.most)
    if not _enough(best, sign, low, high):
        raise RequestError(
            f"the candidates give the group a share of {best.share:.3f} at {'most' if sign > 0 else 'least'}",
            "rank more candidates, or widen the bounds",
        )
    near, far = 0.0, world.most
    for _ in range(_STEPS):
        middle = (near + far) / 2
        tried = world.at(sign * middle)
        if _enough(tried, sign, low, high):
            far, best = middle, tried
        else:
            near = middle
    return best


def _enough(bounded: Bounded, sign: float, low: float, high: float) -> bool:
    return bounded.share >= low if sign > 0 else bounded.share <= high


def with_bonus(rankings: Rankings, k: int, member: Bools, bonus: float) -> Rankings:
    """The k first of each row when the group's products have the bonus; scores stay those of the model."""
    return _World.of(rankings, k, member).at(bonus).rankings


@dataclass(frozen=True, eq=False)
class _World:
    rankings: Rankings
    scaled: Floats  # [queries, candidates], -inf where there is none
    inside: Bools  # [queries, candidates]
    gain: Floats  # [k]

    @classmethod
    def of(cls, rankings: Rankings, k: int, member: Bools) -> _World:
        there = rankings.products >= 0
        gain = 1 / np.log2(np.arange(2, k + 2))
        scores = np.where(there, rankings.scores, np.inf)
        above = np.where(there, rankings.scores - scores.min(axis=1, initial=np.inf, keepdims=True), 0.0)
        best = (above[:, :k] * gain).sum(axis=1, keepdims=True)
        scaled = np.divide(above, best, out=np.zeros_like(above), where=best > 0)
        inside = there & member[np.where(there, rankings.products, 0)]
        return cls(rankings, np.where(there, scaled, -np.inf), inside, gain)

    @property
    def most(self) -> float:
        """A bonus that puts every product of the group before every other."""
        return 2.0 * float(np.max(self.scaled, initial=1.0))

    def at(self, bonus: float) -> Bounded:
        """The lists under a bonus; candidates of equal sums keep the order of the model."""
        order = np.argsort(-(self.scaled + bonus * self.inside), axis=1, kind="stable")[:, : len(self.gain)]
        products = np.take_along_axis(self.rankings.products, order, axis=1)
        scores = np.take_along_axis(self.rankings.scores, order, axis=1)
        scaled, inside = np.take_along_axis(self.scaled, order, axis=1), np.take_along_axis(self.inside, order, axis=1)
        shown = (products >= 0) * self.gain
        share = float((shown * inside).sum() / shown.sum()) if shown.sum() else float("nan")
        best = np.where(np.isfinite(self.scaled), self.scaled, 0.0)[:, : len(self.gain)] @ self.gain
        kept = np.where(products >= 0, scaled, 0.0) @ self.gain
        lists = best > 0
        loss = float(1 - kept[lists].mean()) if lists.any() else 0.0
        return Bounded(Rankings(products, scores), share, loss, bonus)
