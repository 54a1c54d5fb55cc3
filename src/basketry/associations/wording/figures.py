"""Which figures of an edge and of a rule sentences state, under the rounding rule published in `core.figures`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from basketry.core.figures import ANTECEDENTS, known
from basketry.core.protocols import Scalar

_MOST_ANTECEDENTS: Final = 1e9
COLUMNS: Final = (
    "baskets",
    "customers",
    "confidence",
    "strength",
    "lift",
    "adjusted_lift",
    "adjusted_low",
    "adjusted_high",
    "contrast",
    "contrast_low",
    "contrast_high",
    "stability",
    "similarity",
    "q",
)
RULE_COLUMNS: Final = (
    "baskets",
    "antecedent_baskets",
    "customers",
    "antecedent_customers",
    "confidence",
    "confidence_low",
    "confidence_high",
    "lift",
    "lift_low",
    "lift_high",
    "p",
    "q",
)


def known_figures(edge: Mapping[str, Scalar]) -> dict[str, float]:
    """Every figure that a row of Associations can state, rounded; what is null or NaN is left out."""
    figures = known(edge, COLUMNS)
    antecedents = _antecedents(edge.get("baskets"), edge.get("confidence"))
    if antecedents is not None:
        figures[ANTECEDENTS] = antecedents
    return figures


def known_rule_figures(row: Mapping[str, Scalar], counted: str) -> dict[str, float]:
    """Every figure that a rule can state, rounded; what is null or NaN is left out.

    `counted` is what its confidence is a share of, `baskets` or `customers`. How many of them have the antecedent is derived,
    where the row does not say, from the two if they give it exactly.
    """
    figures = known(row, RULE_COLUMNS)
    whole = f"antecedent_{counted}"
    if whole not in figures and (derived := _antecedents(row.get(counted), row.get("confidence"))) is not None:
        figures[whole] = derived
    return figures


def _antecedents(baskets: Scalar, confidence: Scalar) -> int | None:
    """Baskets with A, where the two columns give it exactly (to 1e-14 of the confidence, up to a billion baskets)."""
    if not baskets or not confidence or not float(baskets) <= float(confidence) * _MOST_ANTECEDENTS:
        return None
    count = round(int(baskets) / float(confidence))
    exact = count >= int(baskets) and math.isclose(int(baskets) / count, float(confidence), rel_tol=1e-14)
    return count if exact else None
