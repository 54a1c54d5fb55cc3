"""From a mapping to SQL: the text, the number, the instant or the day behind each column of the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from basketry.core.errors import SourceFormat
from basketry.core.tables import MONEY_SCALE, UNITS_SCALE
from basketry.data.shopfile import Column, Constant, Join, Multiply, Own, Reworded, Source, Week

if TYPE_CHECKING:
    from basketry.data.sources import Kind

NUMBERS = {
    "units": UNITS_SCALE,
    "amount": MONEY_SCALE,
    "loyalty_discount": MONEY_SCALE,
    "coupon_discount": MONEY_SCALE,
    "coupon_match_discount": MONEY_SCALE,
    "price": MONEY_SCALE,
    "cost": MONEY_SCALE,
    "place": UNITS_SCALE,
    "propensity": 15,
}
DISCOUNTS = ("loyalty_discount", "coupon_discount", "coupon_match_discount")
_OFFSET = r"\d{2}:\d{2}.*(Z|z|[+-]\d{2}(:?\d{2})?)$"


def read_name(name: str) -> str:
    """The SQL name of a mapped column as it was read, before it is judged: numbers have one of their own."""
    if name not in NUMBERS:
        return name
    return f"read_{name}" if name in DISCOUNTS else f"{name}_read"


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def own(name: str) -> str:
    """The SQL name, in all later steps, of one of the shop's own columns."""
    return identifier(f"own {name}")


def text_sql(column: Column, columns: Mapping[str, Kind]) -> str:
    """SQL for the text of a mapped column; empty text is NULL."""
    match column:
        case Constant(value):
            return literal(value)
        case Own(names, none):
            found = [_own_text(name, columns[name]) for name in names]
            whole = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
            return whole if none is None else f"nullif({whole}, {literal(none)})"
        case Reworded(own_column, words):
            found_text = text_sql(own_column, columns)
            pairs = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in words)
            return f"CASE {found_text} {pairs} ELSE {found_text} END"
        case Join(parts, separator):
            found = [text_sql(part, columns) for part in parts]
            return f"nullif(concat_ws({literal(separator)}, {', '.join(found)}), '')"
        case Multiply(left, right):
            both = [_own_text(name, columns[name]) for name in (left, right)]
            return f"{both[0]} || ' x ' || {both[1]}"
        case Week(name):
            return _own_text(name, columns[name])


def number_sql(column: Column, columns: Mapping[str, Kind], source: Source, scale: int) -> str:
    """SQL for a decimal with `scale` digits; NULL where the text is no number."""
    match column:
        case Constant(value):
            return f"TRY_CAST({literal(value)} AS DECIMAL(18, {scale}))"
        case Multiply(left, right):
            first, second = (_own_number(name, columns[name], source, 6) for name in (left, right))
            return f"TRY_CAST({first} * {second} AS DECIMAL(18, {scale}))"
        case Own(names=(name,), none=None):
            return _own_number(name, columns[name], source, scale)
    return f"TRY_CAST({_plain(text_sql(column, columns), source)} AS DECIMAL(18, {scale}))"


def date_sql(column: Column, columns: Mapping[str, Kind], source: Source) -> str:
    """SQL for a local day; NULL where it cannot be read."""
    match column:
        case Week(name, begins):
            number = f"TRY_CAST({_own_text(name, columns[name])} AS SMALLINT)"
            monday = f"DATE '{begins.isoformat()}' - {begins.weekday()}"
            # greatest() passes over NULL: a week that is no number from 1 would become the first day.
            return f"CASE WHEN {number} >= 1 THEN greatest(DATE '{begins.isoformat()}', {monday} + 7 * ({number} - 1)) END"
    text = text_sql(column, columns)
    if source.timestamp_format:
        return f"CAST(try_strptime({text}, {literal(source.timestamp_format)}) AS DATE)"
    return f"TRY_CAST({text} AS DATE)"


def naive_sql(column: Column, columns: Mapping[str, Kind], source: Source) -> tuple[str, bool | str]:
    """SQL for a TIMESTAMP, and whether it is already UTC (as against local): a fact, or SQL that says so of each row."""
    kind: Kind = columns[column.names[0]] if isinstance(column, Own) and len(column.names) == 1 else "text"
    if kind in {"other", "number"}:
        hint = "give it as a timestamp or as text with timestamp_format"
        raise SourceFormat(f"the instant ts of {source.place} is stored as a {kind}", hint)
    if isinstance(column, Own) and kind in ("naive", "date"):
        return f"CAST({own(column.names[0])} AS TIMESTAMP)", source.timezone == "UTC"
    if isinstance(column, Own) and kind == "instant":
        return f"timezone('UTC', {own(column.names[0])})", True
    text = text_sql(column, columns)
    if source.timestamp_format:
        parsed = f"try_strptime({text}, {literal(source.timestamp_format)})"
        if "%z" in source.timestamp_format:
            return f"timezone('UTC', {parsed})", True
        return parsed, source.timezone == "UTC"
    instant = f"timezone('UTC', TRY_CAST({text} AS TIMESTAMPTZ))"
    # a time that is written as it is printed has no offset, and needs not the costlier reading of an instant
    plain = f"TRY_CAST({text} AS TIMESTAMP)"
    instant = f"CASE WHEN CAST({plain} AS VARCHAR) = {text} THEN {plain} ELSE {instant} END"
    return instant, True if source.timezone == "UTC" else f"regexp_matches({text}, {literal(_OFFSET)})"


def _own_text(name: str, kind: Kind) -> str:
    quoted = own(name)
    if kind != "text":
        return f"CAST({quoted} AS VARCHAR)"
    # trim knows every space of Unicode and looks for them in each text; few texts need it
    spaced = f"starts_with({quoted}, ' ') OR ends_with({quoted}, ' ') OR strlen({quoted}) <> length({quoted})"
    return f"nullif(CASE WHEN {spaced} THEN trim({quoted}) ELSE {quoted} END, '')"


def _own_number(name: str, kind: Kind, source: Source, scale: int) -> str:
    quoted = own(name)
    return f"TRY_CAST({_plain(quoted, source) if kind == 'text' else quoted} AS DECIMAL(18, {scale}))"


def _plain(text: str, source: Source) -> str:
    """A number's text with the source's own marks replaced by a decimal point."""
    if source.thousands:
        text = f"replace({text}, {literal(source.thousands)}, '')"
    return text if source.decimal == "." else f"replace({text}, {literal(source.decimal)}, '.')"
