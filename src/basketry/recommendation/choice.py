"""The greedy choice of one list, place by place: relevance against nearness and against a mirror of the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.recommendation.shelf import Rule

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Int32s
    from basketry.recommendation.shelf import Flags, Shelf

SMOOTHING: Final = 0.01  # of the list's shares by the history's, so that a group not yet shown costs finitely much (Steck 2018)


@dataclass(frozen=True, eq=False)
class Picked:
    """`places`: products in order, with the `flags` of rules that chose them and whether they were `pinned`.

    `capped` bool [ranked]: those of the ranking that a cap kept out.
    """

    places: Int32s
    flags: Flags
    pinned: Bools
    capped: Bools


def chosen(shelf: Shelf, ranked: Int32s, relevance: Floats, allowed: Bools, history: Int32s, k: int, more: int) -> Picked:
    """The k products of one list, and `more` that come next in line; no cap is broken by all of them together."""
    counts = [dict[int, int]() for _ in shelf.capped]
    pins: dict[int, int] = {}
    for place in sorted(shelf.pinned):
        product = shelf.pinned[place]
        if allowed[product] and not _full(shelf, counts, product):
            pins[place] = product
            _count(shelf, counts, product)
    alive = allowed[ranked]
    if pins:
        alive &= ~np.isin(ranked, list(pins.values()))
    pool = _Pool(shelf, ranked, relevance * shelf.factor[ranked], alive, history)
    for counted, (groups, most) in zip(counts, shelf.capped, strict=True):
        for group in [each for each, count in counted.items() if count >= most]:
            pool.close(groups, group)
    places: list[int] = []
    flags: list[int] = []
    pinned: list[bool] = []
    while len(places) < k + more:
        pin = pins.pop(len(places), None) if len(places) < k else None
        index, why = (-1, int(Rule.PIN)) if pin is not None else pool.best()
        if pin is None and index < 0:  # products have run out: pins move up
            if not pins or len(places) >= k:
                break
            pin, why = pins.pop(min(pins)), int(Rule.PIN)
        product = pin if pin is not None else int(ranked[index])
        if pin is None:
            for group, groups in _count(shelf, counts, product):
                pool.close(groups, group)
        pool.took(index, product)
        places.append(product)
        flags.append(why)
        pinned.append(pin is not None)
    return Picked(
        np.array(places, dtype=np.int32), np.array(flags, dtype=np.uint16), np.array(pinned, dtype=np.bool_), pool.capped
    )


def _full(shelf: Shelf, counts: list[dict[int, int]], product: int) -> bool:
    return any(
        groups[product] >= 0 and counted.get(int(groups[product]), 0) >= most
        for counted, (groups, most) in zip(counts, shelf.capped, strict=True)
    )


def _count(shelf: Shelf, counts: list[dict[int, int]], product: int) -> list[tuple[int, Int32s]]:
    """Count a product in its groups; those that are now full."""
    full = []
    for counted, (groups, most) in zip(counts, shelf.capped, strict=True):
        group = int(groups[product])
        if group >= 0:
            counted[group] = counted.get(group, 0) + 1
            if counted[group] >= most:
                full.append((group, groups))
    return full


class _Pool:
    """What is left to choose from, and what the choice so far makes of it."""

    def __init__(self, shelf: Shelf, ranked: Int32s, weight: Floats, alive: Bools, history: Int32s) -> None:
        self.shelf, self.ranked, self.weight, self.alive = shelf, ranked, weight, alive
        self.capped = np.zeros(len(ranked), dtype=np.bool_)
        self.diversity, self.mirror = shelf.policy.diversity, shelf.policy.calibration.weight
        self.nearest = np.zeros(len(ranked))  # nothing is above the first place, so nothing is near
        self.taken = 0
        self.base = np.where(shelf.weighed[ranked] > 0, shelf.weighed[ranked], 0)
        if self.diversity and shelf.facts.vectors is not None:
            self.vectors = shelf.facts.vectors[ranked]
        self.taste: Floats | None = None
        if shelf.tastes is not None:
            liked = shelf.tastes[history]
            liked = liked[liked >= 0]
            if len(liked):
                size = int(shelf.tastes.max()) + 1
                self.groups = shelf.tastes[ranked]
                self.taste = np.bincount(liked, minlength=size) / len(liked)
                self.held = np.zeros(size)

    def best(self) -> tuple[int, int]:
        """The next choice, -1 if none is left, and the rules without which it would have been another."""
        if not self.alive.any():
            return -1, 0
        value = self.weight
        index = self._top(value)
        why = 0
        if self.diversity:
            value = (1 - self.diversity) * value - self.diversity * self.nearest
            before, index = index, self._top(value)
            why |= Rule.DIVERSITY if index != before else 0
        if self.taste is not None:
            value = (1 - self.mirror) * value - self.mirror * self._distance(self.taste)
            before, index = index, self._top(value)
            why |= Rule.CALIBRATION if index != before else 0
        return index, why | int(self.base[index])

    def _top(self, value: Floats) -> int:
        """The first of the greatest among those left."""
        return int(np.where(self.alive, value, -np.inf).argmax())

    def _distance(self, taste: Floats) -> Floats:
        """KL(taste || the list's shares with each product added), float64 [ranked]."""
        total = self.held.sum()
        without = (1 - SMOOTHING) * self.held / (total + 1) + SMOOTHING * taste
        added = without + (1 - SMOOTHING) / (total + 1)
        liked = taste > 0
        gain = np.zeros(len(taste))
        gain[liked] = taste[liked] * np.log(added[liked] / without[liked])
        all_of = float((taste[liked] * np.log(taste[liked] / without[liked])).sum())
        distance: Floats = all_of - np.where(self.groups >= 0, gain[self.groups], 0.0)
        return distance

    def took(self, index: int, product: int) -> None:
        """A product now stands in the list; `index` is -1 for a pin."""
        if index >= 0:
            self.alive[index] = False
        if self.diversity and self.shelf.facts.vectors is not None:
            near = self.vectors @ self.shelf.facts.vectors[product]
            self.nearest = np.maximum(self.nearest, near) if self.taken else near.astype(np.float64)
        if self.taste is not None and self.shelf.tastes is not None and self.shelf.tastes[product] >= 0:
            self.held[self.shelf.tastes[product]] += 1
        self.taken += 1

    def close(self, groups: Int32s, group: int) -> None:
        """No more of a group that is full."""
        full = self.alive & (groups[self.ranked] == group)
        self.capped |= full
        self.alive &= ~full
