"""Figures as sentences state them: one published rule to round, print and read back each.

==========  =====================================================  ==================================================
format      rounding                                               printed
==========  =====================================================  ==================================================
COUNT       none, whole                                            `4,210` in English, `4210` in Chinese
SHARE       3 significant digits; short of 1 it stays <= 0.999     `19.3%`: less than all is never stated as 100%
NUMBER      3 significant digits                                   `2.1`, `-0.12`, `∞`
CHANCE      2 significant digits; below 1e-300 it is taken as 0    `= 0.031`, `= 3.1e-45`, and for 0 `< 1e-300`
==========  =====================================================  ==================================================

Rounding is half to even on the exact binary value. Trailing zeros are dropped. Below 0.0001 and from 1e15 on, numbers are
printed in scientific notation. A null or a NaN is not a figure and is never stated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

from basketry.core.protocols import Scalar

LEAST_CHANCE: Final = 1e-300
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
    "stability": Format.NUMBER,
    "similarity": Format.NUMBER,
    "q": Format.CHANCE,
}
COLUMNS: Final = tuple(name for name in FORMATS if name != ANTECEDENTS)


def rounded(form: Format, value: float) -> float:
    """`value` under the rule of `form`; idempotent. Counts come back as int."""
    if form is Format.COUNT:
        return int(value)
    near = float(f"{value:.2g}" if form is Format.CHANCE else f"{value:.3g}") + 0.0  # adding 0 turns -0 into 0
    if form is Format.SHARE and near >= 1 > value:
        return MOST_SHORT_OF_ALL
    if form is Format.CHANCE and near < LEAST_CHANCE:
        return 0.0
    return near


def known_figures(edge: Mapping[str, Scalar]) -> dict[str, float]:
    """Every figure that a row of Associations can state, rounded; what is null or NaN is left out."""
    known = {}
    for name in COLUMNS:
        value = edge.get(name)
        if value is not None and not math.isnan(number := float(value)):
            known[name] = int(value) if FORMATS[name] is Format.COUNT else rounded(FORMATS[name], number)
    antecedents = _antecedents(edge.get("baskets"), edge.get("confidence"))
    if antecedents is not None:
        known[ANTECEDENTS] = antecedents
    return known


def _antecedents(baskets: Scalar, confidence: Scalar) -> int | None:
    """Baskets with A, where the two columns give it exactly (to 1e-14 of the confidence, up to a billion baskets)."""
    if not baskets or not confidence or not float(baskets) <= float(confidence) * _MOST_ANTECEDENTS:
        return None
    count = round(int(baskets) / float(confidence))
    exact = count >= int(baskets) and math.isclose(int(baskets) / count, float(confidence), rel_tol=1e-14)
    return count if exact else None


@lru_cache(maxsize=65536)
def printed(form: Format, value: float, grouped: bool) -> str:
    """A figure that `rounded` returned, as text; `grouped` puts commas between thousands."""
    if form is Format.CHANCE:
        return f"= {_plain(Decimal(str(value)), grouped)}" if value else "< 1e-300"
    if form is Format.SHARE:
        return f"{_plain(Decimal(str(value)).scaleb(2), grouped)}%"
    return _plain(Decimal(value) if form is Format.COUNT else Decimal(str(value)), grouped)


def _plain(value: Decimal, grouped: bool) -> str:
    if value.is_infinite():
        return "∞" if value > 0 else "-∞"
    if value == value.to_integral_value() and abs(value) < Decimal("1e15"):
        return format(int(value), "," if grouped else "d")
    if Decimal("1e-4") <= abs(value) < Decimal("1e15"):
        return format(value.normalize(), ",f" if grouped else "f")
    return format(value.normalize(), "e")


def read(form: Format, text: str) -> float:
    """The figure back from its printed form."""
    plain = text.replace(",", "").replace("∞", "inf")
    if form is Format.COUNT:
        return int(plain)
    if form is Format.SHARE:
        return float(Decimal(plain.removesuffix("%")).scaleb(-2))
    if form is Format.CHANCE:
        return 0.0 if plain.startswith("<") else float(plain.removeprefix("= "))
    return float(plain)
