"""The cleaning rules, as data: each a name, a verb, and a condition in SQL over a row as it was mapped.

Rules are tried in their order; the first that sets a row aside takes it, and every one it breaks is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from basketry.core.errors import ConfigError
from basketry.core.tables import ACTIONS
from basketry.data.expressions import NUMBERS, literal, read_name, text_sql
from basketry.data.shapes import ACTION_LIST
from basketry.data.shopfile import REQUIRED, Rules

if TYPE_CHECKING:
    from basketry.data.shopfile import Source
    from basketry.data.sources import Kind

Verb = Literal["quarantine", "repair", "flag"]


@dataclass(frozen=True)
class Rule:
    """One rule of a table: what a row breaks it by (`condition`), what is then done (`verb`), and `why`, as a sentence's end.

    `shown` is SQL for the text to quote when the row is named; `parsing` marks rules that, broken by more than half of a
    source, mean that the mapping is wrong rather than the rows; a `firm` rule cannot be switched off, because every kept row
    satisfies its contract.
    """

    name: str
    verb: Verb
    condition: str
    why: str
    shown: str = "NULL"
    parsing: bool = False
    firm: bool = False

    @property
    def sets_aside(self) -> bool:
        """Whether a row that breaks it is quarantined."""
        return self.verb == "quarantine"


_ID_TAIL: Final = "is postage, a fee or a test, not a product"

_ORPHAN: Final = Rule(
    "orphan", "quarantine", "product_id IS NOT NULL AND NOT known", "product is not in the catalogue", "product_id"
)
_NEVER: Final = Rule("ts_never", "quarantine", "ts_never", "no clock showed this local time: clocks went forward over it", "ts")
_FUTURE: Final = Rule("ts_future", "quarantine", "ts > {now}", "is in the future", "ts")
_TWICE: Final = Rule("ts_twice", "flag", "ts_twice", "this local time occurred twice: the first is taken", "ts")


def _seen_before(what: str) -> tuple[Rule, Rule]:
    """Rows told twice: in one source, and in another."""
    return (
        Rule("duplicate", "quarantine", "repeated", f"the same {what} stand earlier in the file"),
        Rule("already_known", "quarantine", "already", f"the same {what} came from another source"),
    )


_LINES: Final = (
    Rule("duplicate", "quarantine", "repeated", "the same line stands earlier in the file"),
    Rule("already_known", "quarantine", "already", "the same order, product and instant came from another source"),
    Rule("cancellation_matched", "quarantine", "outcome = 'matched'", "gives back an earlier line; netted from it"),
    Rule(
        "cancellation_unmatched",
        "quarantine",
        "cancelling AND coalesce(outcome, '') <> 'matched'",
        "finds no purchase",
    ),
    Rule("cancelled", "quarantine", "units_off >= units_read", "was given back in full"),
    Rule("cancelled_in_part", "repair", "units_off < units_read", "was given back in part; netted"),
    _ORPHAN,
    Rule("units_not_positive", "quarantine", "units_read <= 0", "units is zero or negative", "units_read", firm=True),
    Rule("amount_not_positive", "quarantine", "amount_read <= 0", "amount is zero or negative", "amount_read"),
    Rule(
        "discount_negative",
        "quarantine",
        "loyalty_discount < 0 OR coupon_discount < 0 OR coupon_match_discount < 0",
        "a discount is negative",
    ),
    _NEVER,
    _FUTURE,
    _TWICE,
    Rule("sold_by_volume", "flag", "by_volume", "a product whose units are written in thousandths"),
    Rule("units_in_thousandths", "repair", "in_thousandths", "units were in thousandths: divided by 1000", "units_read"),
    Rule("volume_unknown", "flag", "by_volume AND NOT in_thousandths", "sold by volume, but units is no volume", "units_read"),
    Rule("outlier", "flag", "outlier", "units is far from what is usual for the product", "units_read"),
)
_PRODUCTS: Final = (
    Rule("duplicate", "quarantine", "repeated", "the same product_id stands earlier in the file", "product_id"),
    Rule("already_known", "quarantine", "already", "the same product_id came from another file of the catalogue", "product_id"),
)
_PROMOTIONS: Final = _seen_before("product, store and week")
_PRICES: Final = (
    *_seen_before("product and instant"),
    _ORPHAN,
    Rule("price_not_positive", "quarantine", "price_read <= 0", "price is zero or negative", "price_read", firm=True),
    Rule("cost_negative", "quarantine", "cost_read < 0", "cost is negative", "cost_read"),
    _NEVER,
    _TWICE,
)
_STOCK: Final = (*_seen_before("product, store and instant"), _ORPHAN, _NEVER, _FUTURE, _TWICE)
_RANK: Final = "place_read < 1 OR place_read <> floor(place_read) OR place_read > 2147483647"
_EVENTS: Final = (
    Rule(
        "action_unknown",
        "quarantine",
        f"action IS NOT NULL AND action NOT IN ({ACTION_LIST})",
        f"action is none of {', '.join(ACTIONS)}",
        "action",
        parsing=True,
        firm=True,
    ),
    *_seen_before("list, product and action"),
    _ORPHAN,
    Rule("place_not_a_rank", "quarantine", _RANK, "place is no rank from 1", "place_read", firm=True),
    Rule(
        "place_missing", "quarantine", "action = 'impression' AND place_read IS NULL", "an impression has no place", firm=True
    ),
    Rule(
        "propensity_out_of_range",
        "quarantine",
        "propensity_read <= 0 OR propensity_read > 1",
        "propensity lies outside (0, 1]",
        "propensity_read",
        firm=True,
    ),
    _NEVER,
    _FUTURE,
    _TWICE,
)
_OWN: Final = {
    "order_lines": _LINES,
    "products": _PRODUCTS,
    "promotions": _PROMOTIONS,
    "prices": _PRICES,
    "stock": _STOCK,
    "events": _EVENTS,
}


def rules_of(source: Source, columns: Mapping[str, Kind], rules: Rules, *, catalogue: bool) -> tuple[Rule, ...]:
    """The rules for a source, in order. Without a `catalogue` no line is an orphan.

    Raises ConfigError if `rules.off` names no rule, or one that cannot be switched off.
    """
    found = [*_read(source, columns), *_not_products(source, rules), *_OWN[source.table]]
    known = {rule.name for rule in found} | {rule.name for table in _OWN.values() for rule in table} | {"not_a_product"}
    unknown = [name for name in rules.off if name not in known]
    if unknown:
        raise ConfigError(f"[rules] off names {unknown[0]!r}, which is no rule", f"rules are {', '.join(sorted(known))}")
    firm = [rule.name for rule in found if rule.firm and rule.name in rules.off and source.table != "products"]
    if firm:
        raise ConfigError(f"[rules] off names {firm[0]!r}, which is firm", "kept rows satisfy their contract: leave it on")
    found = [rule for rule in found if (rule.firm or rule.name not in rules.off) and (catalogue or rule.name != "orphan")]
    if rules.outliers == "quarantine":
        found = [replace(rule, verb="quarantine") if rule.name == "outlier" else rule for rule in found]
    if not rules.cancellation_prefix:
        found = [rule for rule in found if not rule.name.startswith("cancel")]
    if not rules.thousandths:
        found = [rule for rule in found if "volume" not in rule.name and "thousandths" not in rule.name]
    return tuple(found)


def _read(source: Source, columns: Mapping[str, Kind]) -> list[Rule]:
    """Rules on what could not be read at all: these cannot be switched off, since a kept row satisfies its contract."""
    found = [
        Rule(
            "malformed",
            "quarantine",
            "__malformed IS NOT NULL",
            "cannot be split into the expected fields",
            parsing=True,
            firm=True,
        )
    ]
    for name, column in source.columns:
        text = text_sql(column, columns)
        typed = read_name(name)
        if name in REQUIRED[source.table]:
            missing = f"{typed} IS NULL AND __malformed IS NULL AND {text} IS NULL"
            found.append(Rule(f"missing_{name}", "quarantine", missing, f"{name} is empty", parsing=True, firm=True))
        what = "number" if name in NUMBERS else {"ts": "time", "first_day": "day"}.get(name)
        if what is not None:
            like = "" if what == "number" else f" like {source.timestamp_format or '2024-01-31 13:05:00'}"
            bad = f"{typed} IS NULL AND {text} IS NOT NULL"
            found.append(
                Rule(f"unreadable_{name}", "quarantine", bad, f"{name} is not a {what}{like}", text, parsing=True, firm=True)
            )
    return found


def _not_products(source: Source, rules: Rules) -> list[Rule]:
    if not rules.not_products or source.table not in ("order_lines", "products"):
        return []
    exact = [literal(code.upper()) for code in rules.not_products if not code.endswith("*")]
    tests = [f"upper(product_id) IN ({', '.join(exact)})"] if exact else []
    tests += [
        f"starts_with(upper(product_id), {literal(code[:-1].upper())})" for code in rules.not_products if code.endswith("*")
    ]
    return [Rule("not_a_product", "quarantine", " OR ".join(tests), _ID_TAIL, "product_id")]
