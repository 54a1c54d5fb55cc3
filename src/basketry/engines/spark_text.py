"""What DuckDB reads in a text as a number, a day or an instant, as Spark SQL over `:value`; NULL for anything else.

Spark's own casts read more in some texts (`2024`, `now`, `1d`) and less in others (`2024/01/31`, `1_000`, `24:00:00`), and a
row must not be kept by one engine and quarantined by the other. Each pattern states the grammar, and Spark casts what matched
once it is brought into the one form both read. Left out: years before 10 and after 9999, BC, `epoch`, `infinity`, offsets
beyond 18 hours, hexadecimal integers.
"""

from __future__ import annotations

import re
from typing import Final

from basketry.core.errors import EngineError

_NUMBER: Final = r"^\s*[+-]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][+-]?\d{1,4}(_\d+)*)?\s*\z"
_DAY: Final = r"(\d{2,4})([-/ \\])(\d{1,2})\2(\d{1,2})"
_TIME: Final = r"(\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)"
_OFFSET: Final = r"(Z|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)"
_NAIVE: Final = rf"^\s*{_DAY}(?:(?: +|T){_TIME}(?:{_OFFSET}\s*| +\S+\s*| *))?\z"
_INSTANT: Final = rf"^\s*{_DAY}(?:(?: +|T){_TIME}(?:{_OFFSET}\s*| +([A-Za-z]\S*)\s*| *))?\z"
_DATE: Final = rf"^\s*{_DAY}(?:(?: +|T){_TIME}(?:{_OFFSET}\s*| +\S+\s*| *)|\s*)\z"
_TO_THE_MINUTE: Final = r"([ T]\d{1,2}:\d{1,2})(?=\s|Z|[+-]|$)"
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL: Final = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember")


def _quoted(text: str) -> str:
    """A string literal of Spark, where a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def decimal_of(precision: int, scale: int) -> str:
    """A number, rounded half away from zero to `scale` digits; underscores may stand between digits."""
    plain = "REPLACE(CAST(:value AS STRING), '_', '')"
    number = f"TRY_CAST({plain} AS DECIMAL({precision}, {scale}))"
    return f"CASE WHEN CAST(:value AS STRING) RLIKE {_quoted(_NUMBER)} THEN {number} END"


def integer_of(name: str) -> str:
    """A number rounded to a whole one of the type `name`."""
    return f"TRY_CAST(ROUND({decimal_of(38, 10)}) AS {name})"


def naive_of() -> str:
    """A local time; an offset or a zone behind it is looked at and left out."""
    return _moment(_NAIVE, "TIMESTAMP_NTZ", "")


def instant_of() -> str:
    """An instant: with an offset or a zone behind it, else UTC."""
    return _moment(_INSTANT, "TIMESTAMP", "$6$7")


def date_of() -> str:
    """The day of a local time."""
    return f"CAST(DATE_TRUNC('DAY', {_moment(_DATE, 'TIMESTAMP_NTZ', '', midnight=False)}) AS DATE)"


def _moment(pattern: str, kind: str, zone: str, *, midnight: bool = True) -> str:
    """A matched text as `kind`; 24:00:00 is midnight at the end of the day (or, not `midnight`, the day itself)."""
    text = "CAST(:value AS STRING)"
    if zone:  # Spark reads an offset only behind seconds
        text = f"REGEXP_REPLACE({text}, {_quoted(_TO_THE_MINUTE)}, '$1:00')"
    plain = _quoted(f"00$1-$3-$4 $5{' ' if zone else ''}{zone}")
    whole = f"TRY_CAST(REGEXP_REPLACE({text}, {_quoted(pattern)}, {plain}) AS {kind})"
    late = r"[ T]24:0{1,2}(:0{1,2}(\.0*)?)?($|\s|Z|[+-])"
    early = f"REGEXP_REPLACE({text}, '([ T])24:', '$100:')"
    next_day = f"TRY_CAST(REGEXP_REPLACE({early}, {_quoted(pattern)}, {plain}) AS {kind})"
    shifted = f"{next_day} + INTERVAL '1' DAY" if midnight else next_day
    return (
        f"CASE WHEN NOT {text} RLIKE {_quoted(pattern)} THEN NULL "
        f"WHEN {text} RLIKE {_quoted(late)} THEN {shifted} ELSE {whole} END"
    )


def strptime_of(layout: str) -> str:
    """A text written as `layout` (strptime), with `%z` as an instant, else as a local time.

    Known are %Y %y %m %d %b %B %H %I %M %S %f %p %z %% (and %-d and the like). Raises EngineError for another.
    """
    pattern, places = _pattern(layout)

    def part(name: str, otherwise: str) -> str:
        if name not in places:
            return otherwise
        return f"REGEXP_EXTRACT(CAST(:value AS STRING), {_quoted(pattern)}, {places[name]})"

    year = part("Y", "'1900'")
    if "y" in places:
        short = part("y", "")
        year = (
            f"CASE WHEN TRY_CAST({short} AS INT) < 69 THEN CONCAT('20', LPAD({short}, 2, '0')) ELSE CONCAT('19', {short}) END"
        )
    month = part("m", "'01'")
    if "b" in places:
        numbers = ", ".join(f"'{name}', '{number}'" for number, name in enumerate(_MONTHS, start=1))
        month = f"ELEMENT_AT(MAP({numbers}), LCASE(SUBSTR({part('b', '')}, 1, 3)))"
    hour = part("H", "'00'")
    if "I" in places:
        half = f"CASE WHEN LCASE({part('p', repr(''))}) = 'pm' THEN 12 ELSE 0 END"
        twelve = f"TRY_CAST({part('I', '')} AS INT)"
        hour = f"CASE WHEN {twelve} BETWEEN 1 AND 12 THEN CAST({twelve} % 12 + {half} AS STRING) END"
    time = [hour, "':'", part("M", "'00'"), "':'", part("S", "'00'"), *(["'.'", part("f", "")] if "f" in places else [])]
    zone = ["' '", part("z", "")] if "z" in places else []
    whole = f"CONCAT(LPAD({year}, 4, '0'), '-', {month}, '-', {part('d', repr('01'))}, ' ', {', '.join([*time, *zone])})"
    kind = "TIMESTAMP" if "z" in places else "TIMESTAMP_NTZ"
    return f"CASE WHEN CAST(:value AS STRING) RLIKE {_quoted(pattern)} THEN TRY_CAST({whole} AS {kind}) END"


_FIELDS: Final = {
    "Y": r"(\d{1,4})",
    "y": r"(\d{1,2})",
    "b": "((?i:" + "|".join(_MONTHS) + "))",
    "B": "((?i:" + "|".join(a + b for a, b in zip(_MONTHS, _FULL, strict=True)) + "))",
    "f": r"(\d{1,6})",
    "p": "((?i:am|pm))",
    "z": r"([+-]\d{2}(?::?\d{2})?)",
} | dict.fromkeys("mdHIMS", r"(\d{1,2})")


def _pattern(layout: str) -> tuple[str, dict[str, int]]:
    """The pattern of a layout, and the group in which each field stands."""
    found = ""
    places: dict[str, int] = {}
    for literal, directive in re.findall(r"([^%]+)|%(-?.)", layout):
        name = directive.removeprefix("-")
        if literal or name == "%":
            text = literal or "%"
            found += re.sub(r"\s+", r"\\s+", re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text))
        elif name in _FIELDS:
            places["b" if name == "B" else name] = len(places) + 1
            found += _FIELDS[name]
        else:
            hint = "ingest with the default engine, or write timestamps without it"
            raise EngineError(f"the Spark engine does not read %{name} of timestamp_format {layout!r}", hint)
    return rf"^\s*{found}\s*\z", places
