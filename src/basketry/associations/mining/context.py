"""Measures of a rule that need more than its own four counts: other rules of the tree, or the thresholds it was mined under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.associations.contingency import Floats
from basketry.associations.significance import benjamini_hochberg

if TYPE_CHECKING:
    from basketry.associations.mining.rules import MinedRules


@dataclass(frozen=True)
class ContextMeasure:
    """One such measure: `of` rules, its formula in words, its range, and where it comes from."""

    of: Callable[[MinedRules], Floats]
    formula: str
    range: tuple[float, float]
    source: str


def _improvement(rules: MinedRules) -> Floats:
    n_xy, n_x, _ = rules.counts()
    best_xy, best_x = (counts.astype(np.int64) for counts in rules.best_general)
    return (n_xy * best_x - best_xy * n_x) / n_x / best_x


def _boost(rules: MinedRules) -> Floats:
    n_xy, n_x, _ = rules.counts()
    best_xy, best_x = (counts.astype(np.int64) for counts in rules.best_general)
    return (n_xy * best_x) / (n_x * best_xy)


def _standardised_lift(rules: MinedRules) -> Floats:
    """Lift is n_xy times what the margins fix, so its place between the bounds of lift is n_xy's between those of n_xy.

    The bound 4 s / (1 + s)^2 of the paper, s being the least support, never is the larger one: it follows from the first two.
    """
    n_xy, n_x, n_y = rules.counts()
    least = np.maximum(np.maximum(n_x + n_y - rules.n_baskets, rules.itemsets.min_count), rules.min_confidence * n_x)
    room = np.minimum(n_x, n_y) - least
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > 0, np.clip((n_xy - least) / room, 0.0, 1.0), 1.0)


def _q(rules: MinedRules) -> Floats:
    return benjamini_hochberg(rules.measure("p"), max(rules.tested, rules.tried, len(rules)))


IN_CONTEXT: Final[dict[str, ContextMeasure]] = {
    "improvement": ContextMeasure(
        _improvement,
        "P(Y | X) - max over the proper subsets X' of X, the empty one too, of P(Y | X')",
        (-1, 1),
        "Bayardo 2000",
    ),
    "boost": ContextMeasure(
        _boost,
        "P(Y | X) / max over the proper subsets X' of X, the empty one too, of P(Y | X')",
        (0, np.inf),
        "Balcázar 2013",
    ),
    "standardised_lift": ContextMeasure(
        _standardised_lift,
        "(lift - least) / (most - least): the least and the most lift that P(X), P(Y) and the thresholds allow; 1 where equal",
        (0, 1),
        "McNicholas 2008",
    ),
    "q": ContextMeasure(
        _q,
        "false discovery rate among all rules within reach of the floors, of which those that are not here count as p = 1",
        (0, 1),
        "Benjamini 1995",
    ),
}
