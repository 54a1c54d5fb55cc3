"""Figures as sentences state them: one published rule to round, print and read back each.

==========  =====================================================  ==================================================
format      rounding                                               printed
==========  =====================================================  ==================================================
COUNT       none, whole                                            `4,210` in English, `4210` in Chinese
SHARE       3 significant digits; short of 1 it stays <= 0.999     `19.3%`: less than all is never stated as 100%
NUMBER      3 significant digits                                   `2.1`, `-0.12`, `∞`
CHANCE      2 significant digits; below 1e-300 it is taken as 0    `= 0.031`, `= 3.1e-45`, and for 0 `< 1e-300`
==========  =====================================================  ==================================================

Rounding is half to even on the exact binary value, and what is finite stays so (up to 1.79e308). Trailing zeros are dropped.
Below 0.0001 and from 1e15 on, numbers are printed in scientific notation. A null or a NaN is not a figure and is never stated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

from basketry.core.protocols import Scalar

LEAST_CHANCE: Final = 1e-300
GREATEST_FINITE: Final = 1.79e308  # what would round up to infinity
MOST_SHORT_OF_ALL: Final = 0.999
ANTECEDENTS: Final = "antecedents"  # baskets with A: no column of its own, derived where baskets / confidence is whole
_MOST_ANTECEDENTS: Final = 1e9

_WHOLE = r"[0-9]+(?:,[0-9]{3})*"
_DECIMAL = rf"-?(?:∞|{_WHOLE}(?:\.[0-9]+)?(?:e[+-][0-9]+)?)"


class Format(Enum):
    """How a figure is rounded and printed; the value is the regular expression of its printed form."""

    COUNT = _WHOLE
    SHARE = rf"{_DECIMAL}%"
    NUMBER = _DECIMAL
    CHANCE = rf"(?:= {_DECIMAL}|< 1e-300)"


FORMATS: Final[dict[str, Format]] = {
    "baskets": Format.COUNT,
    "customers": Format.COUNT,
    ANTECEDENTS: Format.COUNT,
    "confidence": Format.SHARE,
    "strength": Format.SHARE,
    "lift": Format.NUMBER,
    "adjusted_lift": Format.NUMBER,
    "adjusted_low": Format.NUMBER,
    "adjusted_high": Format.NUMBER,
    "contrast": Format.NUMBER,
    "contrast_low": Format.NUMBER,
    "contrast_high": Format.NUMBER,
    "stability": Format.NUMBER,
    "similarity": Format.NUMBER,
    "q": Format.CHANCE,
    "antecedent_baskets": Format.COUNT,
    "antecedent_customers": Format.COUNT,
    "confidence_low": Format.SHARE,
    "confidence_high": Format.SHARE,
    "lift_low": Format.NUMBER,
    "lift_high": Format.NUMBER,
    "p": Format.CHANCE,
    "factor": Format.NUMBER,
    "share": Format.SHARE,
}
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
    known = _known(edge, COLUMNS)
    antecedents = _antecedents(edge.get("baskets"), edge.get("confidence"))
    if antecedents is not None:
        known[ANTECEDENTS] = antecedents
    return known


def known_rule_figures(row: Mapping[str, Scalar], counted: str) -> dict[str, float]:
    """Every figure that a rule can state, rounded; what is null or NaN is left out.

    `counted` is what its confidence is a share of, `baskets` or `customers`. How many of them have the antecedent is derived,
    where the row does not say, from the two if they give it exactly.
    """
    known = _known(row, RULE_COLUMNS)
    whole = f"antecedent_{counted}"
    if whole not in known and (derived := _antecedents(row.get(counted), row.get("confidence"))) is not None:
        known[whole] = derived
    return known


def rounded(name: str, value: float) -> float:
    """The figure `name` as sentences state it."""
    return int(value) if FORMATS[name] is Format.COUNT else _rounded(FORMATS[name], value)


def _known(row: Mapping[str, Scalar], columns: Sequence[str]) -> dict[str, float]:
    known: dict[str, float] = {}
    for name in columns:
        value = row.get(name)
        if value is not None and not math.isnan(number := float(value)):
            known[name] = int(value) if FORMATS[name] is Format.COUNT else _rounded(FORMATS[name], number)
    return known


def _rounded(form: Format, value: float) -> float:
    near = float(f"{value:.2g}" if form is Format.CHANCE else f"{value:.3g}") + 0.0  # adding 0 turns -0 into 0
    if math.isinf(near) and not math.isinf(value):
        return math.copysign(GREATEST_FINITE, value)
    if form is Format.SHARE and near >= 1 > value:
        return MOST_SHORT_OF_ALL
    if form is Format.CHANCE and near < LEAST_CHANCE:
        return 0.0
    return near


def _antecedents(baskets: Scalar, confidence: Scalar) -> int | None:
    """Baskets with A, where the two columns give it exactly (to 1e-14 of the confidence, up to a billion baskets)."""
    if not baskets or not confidence or not float(baskets) <= float(confidence) * _MOST_ANTECEDENTS:
        return None
    count = round(int(baskets) / float(confidence))
    exact = count >= int(baskets) and math.isclose(int(baskets) / count, float(confidence), rel_tol=1e-14)
    return count if exact else None


def printed(name: str, value: float, grouped: bool) -> str:
    """The figure `name`, rounded already, as text; `grouped` puts commas between thousands."""
    form = FORMATS[name]
    if form is Format.COUNT:
        return format(value, "," if grouped else "d")
    if form is Format.CHANCE:
        return f"= {_plain(value, 0, grouped)}" if value else "< 1e-300"
    return f"{_plain(value, 2, grouped)}%" if form is Format.SHARE else _plain(value, 0, grouped)


@lru_cache(maxsize=65536)
def _plain(value: float, shift: int, grouped: bool) -> str:
    """The shortest decimal of `value` times ten to the power `shift`, exactly."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    exact = Decimal(repr(value)).scaleb(shift).normalize()
    if exact and not -5 < exact.adjusted() < 15:
        return format(exact, "e")
    return format(exact, ",f" if grouped else "f")


def read(name: str, text: str) -> float:
    """The figure `name` back from its printed form."""
    form = FORMATS[name]
    plain = text.replace(",", "").replace("∞", "inf")
    if form is Format.COUNT:
        return int(plain)
    if form is Format.SHARE:
        return float(Decimal(plain.removesuffix("%")).scaleb(-2))
    if form is Format.CHANCE:
        return 0.0 if plain.startswith("<") else float(plain.removeprefix("= "))
    return float(plain)
