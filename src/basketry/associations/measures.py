"""The measures of interest that every edge of the graph carries, a selection of those of rules."""

from __future__ import annotations

from typing import Final

from basketry.associations.contingency import Contingency, Counts, Floats
from basketry.associations.mining.interest import INTEREST

MEASURES: Final = (
    "support",
    "confidence",
    "confidence_back",
    "lift",
    "leverage",
    "conviction",
    "zhang",
    "cosine",
    "jaccard",
    "kulczynski",
    "imbalance",
    "joint_ratio",
)


def measures(n_ab: Counts, n_a: Counts, n_b: Counts, n: int) -> dict[str, Floats]:
    """Every measure of `MEASURES` for pairs with `n_ab` of `n` baskets holding both, `n_a` the one and `n_b` the other.

    Formulas, ranges and what a division by zero gives: `associations.mining.interest`, and the page of measures. Differences
    are taken between whole numbers, so each measure is right to a few units in the last place up to n = 2**31. Arrays are
    aligned; the order of A and B matters to confidence, confidence_back, conviction and zhang.
    Raises ValueError unless 0 <= n_ab <= min(n_a, n_b), 1 <= n_a, n_b and n_a + n_b - n_ab <= n.
    """
    table = Contingency.of(n_ab, n_a, n_b, n)
    return {name: INTEREST[name].of(table) for name in MEASURES}
