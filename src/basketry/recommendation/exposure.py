"""A share of exposure for a group of products, at the least loss of score: one bonus to all of them, as small as will do.

Let x be the lists, d_r = 1 / log2(1 + r) the exposure of rank r, s(q, j) the scores of a query scaled so that its best list
has a total of 1 and its worst candidate 0. Wanted: the greatest total F(x) = sum of d_r s, with the group's share E(x) of all
exposure in [low, high]. For any bonus b lists sorted by s + b [j in the group] have the greatest F + b E, so none with as
much E has more F (Everett, 1963): they are the optimum, not an approximation of it. E never falls as b rises, so the least
bonus is found by bisection. Where many candidates tie at it, the lists just below it and just above are equally good. From
above no more are taken, from the first on, than it needs, so the share passes its bound by one list's places at most.

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
    from basketry.core.histories import Bools, Floats, Int64s

_STEPS: Final = 50
_ROUNDING: Final = 1e-12  # of a share, which is a sum of many places


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
    near = world.order(0.0)
    start = world.share(near)
    if low <= start <= high or not (rankings.products >= 0).any():
        return world.bounded(near, 0.0)
    sign = 1.0 if start < low else -1.0
    far = world.order(sign * world.most)
    if not _enough(world.share(far), sign, low, high):
        raise RequestError(
            f"the candidates give the group a share of {world.share(far):.3f} at {'most' if sign > 0 else 'least'}",
            "rank more candidates, or widen the bounds",
        )
    least, most = 0.0, world.most
    for _ in range(_STEPS):
        middle = (least + most) / 2
        tried = world.order(sign * middle)
        if _enough(world.share(tried), sign, low, high):
            far, most = tried, middle
        else:
            near, least = tried, middle
    gained = np.cumsum(world.shown(far).sum(axis=1) - world.shown(near).sum(axis=1)) / world.total
    reached = world.share(near) + gained
    needed = int(np.argmax(reached >= low - _ROUNDING if sign > 0 else reached <= high + _ROUNDING)) + 1
    mixed = np.where(np.arange(len(near))[:, None] < needed, far, near)
    return world.bounded(mixed, sign * most)


def with_bonus(rankings: Rankings, k: int, member: Bools, bonus: float) -> Rankings:
    """The k first of each row when the group's products have the bonus; scores stay those of the model."""
    world = _World.of(rankings, k, member)
    return world.bounded(world.order(bonus), bonus).rankings


def _enough(share: float, sign: float, low: float, high: float) -> bool:
    return share >= low - _ROUNDING if sign > 0 else share <= high + _ROUNDING


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

    @property
    def total(self) -> float:
        """The exposure of all products in all lists."""
        k = len(self.gain)
        return float(((self.rankings.products[:, :k] >= 0) * self.gain).sum())

    def order(self, bonus: float) -> Int64s:
        """[queries, k]: which candidates stand in the lists; those of equal sums keep the order of the model."""
        return np.argsort(-(self.scaled + bonus * self.inside), axis=1, kind="stable")[:, : len(self.gain)]

    def shown(self, order: Int64s) -> Floats:
        """[queries, k]: the group's exposure."""
        exposed: Floats = np.take_along_axis(self.inside, order, axis=1) * self.gain
        return exposed

    def share(self, order: Int64s) -> float:
        """The group's share of all exposure, NaN where nothing is shown."""
        return float(self.shown(order).sum() / self.total) if self.total else float("nan")

    def bounded(self, order: Int64s, bonus: float) -> Bounded:
        """The lists, with their share and loss."""
        products = np.take_along_axis(self.rankings.products, order, axis=1)
        scores = np.take_along_axis(self.rankings.scores, order, axis=1)
        scaled = np.where(np.isfinite(self.scaled), self.scaled, 0.0)
        best, kept = scaled[:, : len(self.gain)] @ self.gain, np.take_along_axis(scaled, order, axis=1) @ self.gain
        lists = best > 0
        loss = float((best - kept)[lists].mean()) if lists.any() else 0.0
        return Bounded(Rankings(products, scores), self.share(order), loss, bonus)
