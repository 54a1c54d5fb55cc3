"""A policy against a catalogue: what may be shown at all, and what every product weighs. The one place that forbids."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import NotFound, RequestError
from basketry.core.histories import Candidates
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.filters import EVERYTHING, passing
from basketry.recommendation.policy import BOOST_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from basketry.core.histories import Bools, Floats, Int32s
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.filters import Filter
    from basketry.recommendation.policy import Policy

    Flags = npt.NDArray[np.uint16]


class Rule(enum.IntFlag):
    """What moved a product in a list, or kept it out."""

    BOOST = 1
    MARGIN = 2
    LOW_STOCK = 4
    DIVERSITY = 8
    CALIBRATION = 16
    CAP = 32
    PIN = 64
    EXPLORATION = 128
    FORBIDDEN = 256


@dataclass(frozen=True, eq=False)
class Shelf:
    """What `policy` makes of the products of `facts`; made once, for as many lists as you like.

    `forbidden` holds by name what each limit keeps off, bool [n], and `eligible` bool [n] is false of all that; `factor`
    float64 [n] multiplies relevance, and `weighed` uint16 [n] holds the rules that made it other than 1. Of each cap, `capped`
    has the group of every product, -1 for none, and the most of one; `pinned` maps positions from 0 to codes; `tastes` are the
    groups that calibration mirrors, where it does.
    """

    facts: Facts
    policy: Policy
    forbidden: Mapping[str, Bools]
    eligible: Bools
    factor: Floats
    weighed: Flags
    capped: tuple[tuple[Int32s, int], ...]
    pinned: dict[int, int]
    tastes: Int32s | None

    def candidates(self, only: Filter = EVERYTHING, *, repeats: bool = False, strict: bool = True) -> Candidates:
        """What may be ranked: products never forbidden that pass `only`. All of it still helps as history.

        Raises RequestError, or where `strict` NotFound, as `filters.passing` does.
        """
        allowed = self.eligible if only == EVERYTHING else self.eligible & passing(only, self.facts, strict=strict)
        return Candidates(allowed, repeats)


def shelf_of(facts: Facts, policy: Policy, *, strict: bool = False) -> Shelf:
    """Work a policy out: some 5 ms for 20,000 products and a handful of rules, the first time their columns are read.

    Where `strict`, which is for the moment when a policy is written, products and values that are not in the catalogue raise
    NotFound; later they may leave it, and a rule about what is not there does nothing. Columns must be there always: else
    RequestError. So must vectors for diversity, and the columns `margin` and `stock` for what is decided by them.
    """
    if strict:
        missing = [each for each in (*policy.excluded, *(pin.product for pin in policy.pins)) if facts.code(each) < 0]
        if missing:
            raise NotFound(
                f"no product has the id {missing[0]!r}, which the policy names", "correct the policy, or leave it out"
            )
    if policy.diversity and facts.vectors is None:
        raise RequestError(f"diversity {policy.diversity} needs vectors to compare products by", "give Facts the vectors")
    forbidden = _forbidden(facts, policy, strict=strict)
    eligible = ~np.logical_or.reduce(list(forbidden.values()))
    factor, weighed = _factor(facts, policy, strict=strict)
    pinned = {pin.position - 1: facts.code(pin.product) for pin in policy.pins if facts.code(pin.product) >= 0}
    capped = tuple((facts.groups(cap.column)[0], cap.most) for cap in policy.caps)
    tastes = facts.groups(policy.calibration.column)[0] if policy.calibration.weight else None
    return Shelf(facts, policy, forbidden, eligible, factor, weighed, capped, pinned, tastes)


def _forbidden(facts: Facts, policy: Policy, *, strict: bool) -> dict[str, Bools]:
    """What each limit keeps off the shelf."""
    excluded = np.zeros(len(facts), dtype=np.bool_)
    excluded[[code for code in map(facts.code, policy.excluded) if code >= 0]] = True
    found = {"excluded": excluded}
    if facts.has("hidden"):
        found["hidden"] = facts.frame["hidden"].fill_null(value=False).to_numpy()
    if facts.has("stock"):
        found["sold_out"] = facts.numbers("stock") <= 0
    if policy.never.strip():
        found["never"] = passing(parsed(policy.never), facts, strict=strict)
    return found


def _factor(facts: Facts, policy: Policy, *, strict: bool) -> tuple[Floats, Flags]:
    factor = np.ones(len(facts))
    weighed = np.zeros(len(facts), dtype=np.uint16)
    for boost in policy.boosts:
        fits = passing(parsed(boost.where), facts, strict=strict)
        factor[fits] *= boost.factor
        weighed[fits] |= np.uint16(Rule.BOOST if boost.factor != 1 else 0)
    if policy.margin_weight:
        preferred = 1 + policy.margin_weight * (2 * _standing(facts.numbers("margin")) - 1)
        factor *= preferred
        weighed[preferred != 1] |= np.uint16(Rule.MARGIN)
    factor = np.clip(factor, *BOOST_LIMITS)
    if policy.low_stock:
        stock = facts.numbers("stock")
        low = stock < policy.low_stock
        factor[low] *= np.maximum(stock[low], 0) / policy.low_stock
        weighed[low] |= np.uint16(Rule.LOW_STOCK)
    return factor, weighed


def _standing(values: Floats) -> Floats:
    """The share of known values below each one, half of equal ones counted; a half where it is unknown."""
    known = np.isfinite(values)
    held = np.sort(values[known])
    standing = np.full(len(values), 0.5)
    if len(held):
        below, upto = (np.searchsorted(held, values[known], side=side) for side in ("left", "right"))
        standing[known] = (below + upto) / (2 * len(held))
    return standing
