"""Figures as sentences state them: one published rule to round, print and read back each.

==========  =====================================================  ==================================================
format      rounding                                               printed
==========  =====================================================  ==================================================
COUNT       none, whole                                            `4,210` in English, `4210` in Chinese
TIMES       none, whole                                            `once`, `twice`, `3 times`; `3次`
DAY         none, whole, days since 1970-01-01                     `3 May 2026`, `2026年5月3日`; years 1 to 9999
SHARE       3 significant digits; short of 1 it stays <= 0.999     `19.3%`: less than all is never stated as 100%
NUMBER      3 significant digits                                   `2.1`, `-0.12`, `∞`
CHANCE      2 significant digits; below 1e-300 it is taken as 0    `= 0.031`, `= 3.1e-45`, and for 0 `< 1e-300`
==========  =====================================================  ==================================================

Rounding is half to even on the exact binary value, and what is finite stays so (up to 1.79e308). Trailing zeros are dropped.
Below 0.0001 and from 1e15 on, numbers are printed in scientific notation. A null or a NaN is not a figure and is never stated.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final, Literal

from basketry.core.protocols import Scalar

Language = Literal["en", "zh"]

LEAST_CHANCE: Final = 1e-300
GREATEST_FINITE: Final = 1.79e308  # what would round up to infinity
MOST_SHORT_OF_ALL: Final = 0.999
ANTECEDENTS: Final = "antecedents"  # baskets with A: no column of its own, derived where baskets / confidence is whole
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
_TIMES: Final = {1: "once", 2: "twice"}

_WHOLE = r"[0-9]+(?:,[0-9]{3})*"
_DECIMAL = rf"-?(?:∞|{_WHOLE}(?:\.[0-9]+)?(?:e[+-][0-9]+)?)"


class Format(Enum):
    """How a figure is rounded and printed; the value is the regular expression of its printed form."""

    COUNT = _WHOLE
    TIMES = rf"(?:once|twice|{_WHOLE} times|{_WHOLE}次)"
    DAY = rf"(?:[0-9]{{1,2}} (?:{'|'.join(MONTHS)}) [0-9]{{1,4}}|[0-9]{{1,4}}年[0-9]{{1,2}}月[0-9]{{1,2}}日)"
    SHARE = rf"{_DECIMAL}%"
    NUMBER = _DECIMAL
    CHANCE = rf"(?:= {_DECIMAL}|< 1e-300)"


WHOLE: Final = (Format.COUNT, Format.TIMES, Format.DAY)
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
    "times": Format.TIMES,
    "events": Format.COUNT,
    "first": Format.COUNT,
    "place": Format.COUNT,
    "rank": Format.COUNT,
    "ranked": Format.COUNT,
    "quarter": Format.COUNT,
    "window": Format.COUNT,
    "last": Format.DAY,
    "due": Format.DAY,
    "due_low": Format.DAY,
    "due_high": Format.DAY,
    "gap": Format.NUMBER,
    "regularity": Format.SHARE,
}


def rounded(name: str, value: float) -> float:
    """The figure `name` as sentences state it."""
    form = FORMATS[name]
    return int(value) if form in WHOLE else _rounded(form, float(value))


def known(row: Mapping[str, Scalar], names: Sequence[str]) -> dict[str, float]:
    """Those of `names` that `row` knows, rounded; what is null or NaN, or a day that no calendar has, is left out."""
    figures: dict[str, float] = {}
    for name in names:
        value = row.get(name)
        if value is None or math.isnan(number := float(value)):
            continue
        if FORMATS[name] is Format.DAY and not 1 <= int(value) + _EPOCH <= dt.date.max.toordinal():
            continue
        figures[name] = int(value) if FORMATS[name] in WHOLE else _rounded(FORMATS[name], number)
    return figures


def _rounded(form: Format, value: float) -> float:
    near = float(f"{value:.2g}" if form is Format.CHANCE else f"{value:.3g}") + 0.0  # adding 0 turns -0 into 0
    if math.isinf(near) and not math.isinf(value):
        return math.copysign(GREATEST_FINITE, value)
    if form is Format.SHARE and near >= 1 > value:
        return MOST_SHORT_OF_ALL
    if form is Format.CHANCE and near < LEAST_CHANCE:
        return 0.0
    return near


def printed(name: str, value: float, language: Language) -> str:
    """The figure `name`, rounded already, as text; English puts commas between thousands."""
    form, grouped = FORMATS[name], language == "en"
    if form is Format.COUNT:
        return format(value, "," if grouped else "d")
    if form is Format.TIMES:
        return _TIMES.get(int(value), f"{value:,} times") if grouped else f"{value}次"
    if form is Format.DAY:
        day = dt.date.fromordinal(int(value) + _EPOCH)
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}" if grouped else f"{day.year}年{day.month}月{day.day}日"
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
    if form is Format.DAY:
        return _day(text)
    plain = text.replace(",", "").replace("∞", "inf")
    if form is Format.TIMES:
        return next((times for times, word in _TIMES.items() if plain == word), 0) or int(plain.removesuffix("次").split()[0])
    if form is Format.COUNT:
        return int(plain)
    if form is Format.SHARE:
        return float(Decimal(plain.removesuffix("%")).scaleb(-2))
    if form is Format.CHANCE:
        return 0.0 if plain.startswith("<") else float(plain.removeprefix("= "))
    return float(plain)


def _day(text: str) -> int:
    """Days since 1970-01-01; what is no day of the calendar reads as 0, which is printed otherwise."""
    if "年" in text:
        year, month, day = map(int, re.findall("[0-9]+", text))
    else:
        of_month, name, of_year = text.split()
        year, month, day = int(of_year), MONTHS.index(name) + 1, int(of_month)
    try:
        return dt.date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return 0
