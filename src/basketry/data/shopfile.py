"""`shop.toml`: the one place where a shop's own names meet the names of the house.

The file is read into frozen dataclasses. Every key is checked: one that is not known is refused, with the nearest that is.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from basketry.core.errors import ConfigError

FILE_NAME: Final = "shop.toml"
FORMATS: Final = ("csv", "parquet", "jsonl", "postgres")
TABLES: Final[Mapping[str, frozenset[str]]] = {
    "products": frozenset({"product_id", "title", "description", "brand", "department", "category", "subcategory", "size"}),
    "order_lines": frozenset(
        {"order_id", "customer_id", "product_id", "ts", "store_id", "units", "amount"}
        | {"loyalty_discount", "coupon_discount", "coupon_match_discount"}
    ),
    "promotions": frozenset({"product_id", "store_id", "first_day", "display", "mailer"}),
    "prices": frozenset({"product_id", "ts", "price", "cost"}),
    "stock": frozenset({"product_id", "store_id", "ts", "units"}),
    "events": frozenset({"list_id", "product_id", "action", "customer_id", "ts", "place", "scene", "model", "propensity"}),
}
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "products": frozenset({"product_id", "title"}),
    "order_lines": frozenset({"order_id", "product_id", "ts", "units", "amount"}),
    "promotions": frozenset({"product_id", "store_id", "first_day"}),
    "prices": frozenset({"product_id", "ts", "price"}),
    "stock": frozenset({"product_id", "ts", "units"}),
    "events": frozenset({"list_id", "product_id", "action", "ts"}),
}


@dataclass(frozen=True)
class Own:
    """The first of the shop's own columns `names` that is not empty; a value equal to `none` counts as empty."""

    names: tuple[str, ...]
    none: str | None = None


@dataclass(frozen=True)
class Constant:
    """The same `value` in every row."""

    value: str


@dataclass(frozen=True)
class Join:
    """Several columns joined with `separator`; empty ones are left out."""

    parts: tuple[Own, ...]
    separator: str = " "


@dataclass(frozen=True)
class Multiply:
    """The product of two numeric columns, for instance units and unit price."""

    left: str
    right: str


@dataclass(frozen=True)
class Week:
    """First day of the week whose number stands in column `name`.

    Weeks start on Monday; week 1 is the one that holds the day `begins`, and starts no earlier than that day.
    """

    name: str
    begins: dt.date


@dataclass(frozen=True)
class Reworded:
    """A column whose texts stand for others: pairs of the shop's own and the house's; one that is in no pair stays."""

    own: Own
    words: tuple[tuple[str, str], ...]


Column = Own | Constant | Join | Multiply | Week | Reworded


@dataclass(frozen=True)
class Source:
    """Where rows of one table come from, and how to read them. `columns` maps column names of the house to the shop's own.

    `timezone` is that of instants written without an offset; where it is not given, the shop's. With `distinct` the source is
    read as one row a `product_id`, each column its most frequent value: a catalogue made from order lines.
    """

    table: str
    columns: tuple[tuple[str, Column], ...]
    path: str = ""
    format: str = "csv"
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    timestamp_format: str = ""
    timezone: str = ""
    distinct: bool = False
    dsn_env: str = ""
    query: str = ""
    relation: str = ""

    @property
    def mapping(self) -> dict[str, Column]:
        """Columns of the house, each with what fills it."""
        return dict(self.columns)

    @property
    def place(self) -> str:
        """How to name the source in a sentence."""
        return self.path or self.relation or f"a query on ${self.dsn_env}"


@dataclass(frozen=True)
class Rules:
    """Parameters of the cleaning rules.

    `off`: names of rules not to apply. A line is an outlier where |ln units - median| exceeds `outlier_mads` times the larger
    of 1.4826 MAD and `outlier_floor`, over the lines of its product; `outliers` says what then happens. `thousandths`: values
    of Products.subcategory sold by volume, whose units are written in thousandths where one costs less than
    `thousandths_below`. `not_products`: ids that are postage, fees or tests (any case; a final `*` stands for any ending).
    `cancellation_prefix`: orders whose id begins with it give back what an earlier order bought.
    """

    off: tuple[str, ...] = ()
    outliers: Literal["flag", "quarantine"] = "flag"
    outlier_mads: float = 8.0
    outlier_floor: float = 0.25
    thousandths: tuple[str, ...] = ()
    thousandths_below: float = 0.1
    not_products: tuple[str, ...] = ()
    cancellation_prefix: str = ""


@dataclass(frozen=True)
class AdapterChoice:
    """A ready mapping for a known data set: its `name`, and the folder or file it lies in (empty: where it is installed)."""

    name: str
    path: str = ""
    promotions: bool = False


@dataclass(frozen=True)
class ShopFile:
    """A shop as its file describes it. Money is in `currency` (ISO 4217), days are those of `timezone` (IANA).

    `policy` is the table of that name as it was written; `recommendation.policy_file` reads it.
    """

    name: str
    currency: str
    timezone: str
    sources: tuple[Source, ...] = ()
    rules: Rules = Rules()
    adapter: AdapterChoice | None = None
    memory: str = "600MB"
    threads: int = 2
    engine: str = "duckdb"
    policy: Mapping[str, Any] = field(default_factory=dict)


def load(shop: Path) -> ShopFile:
    """Read and check `shop/shop.toml`. Raises ConfigError with the place and the nearest word that would be right."""
    path = shop / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{shop} is not a shop: it has no {FILE_NAME}", f"make one with: basketry init --shop {shop}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "it must be a readable UTF-8 text file") from error
    return parse(text, str(path))


def parse(text: str, place: str = FILE_NAME) -> ShopFile:
    """Read and check the text of a shop.toml; `place` is named in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place} is not TOML: {error}", "mend the line named above") from error
    data["sources"] = data.pop("source", [])
    if not isinstance(data["sources"], list):
        raise ConfigError(f"{place}: source is not a list", "write each source as [[source]], with two brackets")
    known = _checked(data, ShopFile, place, {"sources": "source"})
    sources = tuple(source(one, f"{place}, source {number}") for number, one in enumerate(data["sources"], start=1))
    sources = tuple(replace(one, timezone=one.timezone or str(known.get("timezone", ""))) for one in sources)
    rules = _rules(data.get("rules", {}), f"{place}, [rules]")
    if not isinstance(known.get("policy", {}), Mapping):
        raise ConfigError(f"{place}: policy is {known['policy']!r}", "write it as a table: [policy], then its keys")
    choice = _adapter(data["adapter"], f"{place}, [adapter]") if "adapter" in data else None
    known |= {"sources": sources, "rules": rules, "adapter": choice}
    missing = [name for name in ("name", "currency", "timezone") if not known.get(name)]
    if missing:
        raise ConfigError(f"{place} does not say {', '.join(missing)}", f'add a line such as {missing[0]} = "..." at the top')
    shop = ShopFile(**known)
    if not re.fullmatch(r"[A-Z]{3}", shop.currency):
        raise ConfigError(f"{place}: currency {shop.currency!r} is not an ISO 4217 code", 'write three capitals, such as "EUR"')
    if not re.fullmatch(r"\d+(MB|GB)", shop.memory) or not 1 <= shop.threads <= 256:
        raise ConfigError(f"{place}: memory {shop.memory!r}, threads {shop.threads}", 'write memory = "600MB", threads = 2')
    _zone(shop.timezone, place)
    return shop


def source(data: Mapping[str, Any], place: str) -> Source:
    """Check one `[[source]]`, given as a mapping."""
    columns = data.get("columns")
    if not isinstance(columns, Mapping) or not columns:
        raise ConfigError(f"{place} maps no columns", 'add [source.columns] with lines such as product_id = "SKU"')
    known = _checked(data, Source, place)
    table = known.get("table", "")
    if table not in TABLES:
        raise ConfigError(f"{place}: there is no input table {table!r}", _nearest(str(table), TABLES))
    mapping = tuple((name, _column(value, f"{place}, column {name}")) for name, value in sorted(columns.items()))
    for name, _ in mapping:
        if name not in TABLES[table]:
            raise ConfigError(f"{place}: table {table} has no column {name!r}", _nearest(name, TABLES[table]))
    missing = sorted(REQUIRED[table] - {name for name, _ in mapping})
    if missing:
        raise ConfigError(f"{place} does not map {', '.join(missing)}", f'add a line such as {missing[0]} = "your column"')
    known["columns"] = mapping
    result = Source(**({"format": _format(known.get("path", ""), "dsn_env" in data)} | known))
    _check_source(result, place)
    return result


def _check_source(source: Source, place: str) -> None:
    if source.format not in FORMATS:
        raise ConfigError(f"{place}: there is no format {source.format!r}", _nearest(source.format, FORMATS))
    if source.format == "postgres":
        if not re.fullmatch(r"[A-Za-z_]\w*", source.dsn_env) or bool(source.query) == bool(source.relation):
            hint = 'write dsn_env = "SHOP_DSN" (the variable that holds the address) and either query or relation'
            raise ConfigError(f"{place} does not say how to reach PostgreSQL", hint)
    elif not source.path:
        raise ConfigError(f"{place} has no path", 'add path = "folder/*.csv", relative to the shop folder')
    for name in ("delimiter", "quote", "decimal"):
        if len(getattr(source, name)) != 1:
            raise ConfigError(f"{place}: {name} must be one character, not {getattr(source, name)!r}", 'a tab is "\\t"')
    if len(source.thousands) > 1 or (source.thousands in (source.decimal, source.delimiter) and source.thousands):
        hint = "give one character, neither the decimal sign nor the delimiter"
        raise ConfigError(f"{place}: thousands cannot be {source.thousands!r}", hint)
    try:
        "".encode(source.encoding)
    except LookupError as error:
        raise ConfigError(
            f"{place}: there is no encoding {source.encoding!r}", "for instance utf-8, cp1252, gb18030"
        ) from error
    if source.timezone:
        _zone(source.timezone, place)
    customer = dict(source.columns).get("customer_id")
    for name, column in source.columns:
        shared = own_names(column) & own_names(customer) if customer is not None and name != "customer_id" else set()
        if shared:
            hint = "customer ids are stored as pseudonyms only: map another column, or leave customer_id out"
            raise ConfigError(f"{place}: {name} would carry the raw customer id of {', '.join(sorted(shared))}", hint)


def own_names(column: Column) -> set[str]:
    """The shop's own columns that `column` reads."""
    match column:
        case Own(names) | Reworded(Own(names)):
            return set(names)
        case Join(parts):
            return {name for part in parts for name in part.names}
        case Multiply(left, right):
            return {left, right}
        case Week(name):
            return {name}
        case Constant():
            return set()


def _column(value: object, place: str) -> Column:
    hint = 'write "their name", ["first", "else this"], {value = "constant"}, {join = [...]} or {multiply = ["a", "b"]}'
    match value:
        case str() | list():
            return _own(value, place)
        case {"column": own, **rest} if set(rest) <= {"none"}:
            return Own(_own(own, place).names, None if "none" not in rest else str(rest["none"]))
        case {"value": constant, **rest} if not rest and isinstance(constant, str | int | float):
            return Constant(str(constant))
        case {"join": [*parts], **rest} if parts and set(rest) <= {"separator"}:
            return Join(tuple(_own(part, place) for part in parts), str(rest.get("separator", " ")))
        case {"multiply": [str(left), str(right)], **rest} if not rest:
            return Multiply(left, right)
        case {"week": str(name), "begins": begins, **rest} if not rest and isinstance(begins, dt.date):
            return Week(name, begins)
        case {"column": own, "words": {**words}, **rest} if (
            words and not rest and all(isinstance(w, str) for w in words.values())
        ):
            return Reworded(_own(own, place), tuple((str(theirs), str(ours)) for theirs, ours in words.items()))
    raise ConfigError(f"{place}: cannot read {value!r}", hint)


def _own(value: object, place: str) -> Own:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{place}: {value!r} does not name a column", "write the column's name as it stands in the header")
    return Own(names)


def _rules(data: Mapping[str, Any], place: str) -> Rules:
    known = _checked(data, Rules, place)
    for name in ("off", "thousandths", "not_products"):
        known[name] = tuple(known.get(name, ()))
    rules = Rules(**known)
    if rules.outliers not in ("flag", "quarantine") or rules.outlier_mads <= 0 or rules.outlier_floor <= 0:
        hint = 'outliers is "flag" or "quarantine"; outlier_mads and outlier_floor are above 0'
        raise ConfigError(f"{place}: cannot clean outliers so", hint)
    return rules


def _adapter(data: Mapping[str, Any], place: str) -> AdapterChoice:
    known = _checked(data, AdapterChoice, place)
    if "name" not in known:
        raise ConfigError(f"{place} has no name", 'write name = "complete_journey" or name = "uci_online_retail"')
    return AdapterChoice(**known)


def _checked(data: Mapping[str, Any], kind: type, place: str, spelled: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The entries of `data` that are fields of dataclass `kind`; others, and values of the wrong type, are refused."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{place} is {data!r}", "write it as a table of keys and values")
    types = {field.name: str(field.type) for field in fields(kind)}
    words = {(spelled or {}).get(name, name) for name in types}
    for name, value in data.items():
        if name not in types:
            raise ConfigError(f"{place}: there is no key {name!r}", _nearest(name, words))
        expected: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
        if types[name].startswith("tuple[str"):
            right = isinstance(value, list) and all(isinstance(one, str) for one in value)
        else:
            right = isinstance(value, expected.get(types[name], (object,))) and not (
                isinstance(value, bool) and types[name] in ("int", "float")
            )
        if not right:
            raise ConfigError(f"{place}: {name} = {value!r} is not {types[name]}", "see the comments in a fresh shop.toml")
    return dict(data)


def _format(path: str, database: bool) -> str:
    if database:
        return "postgres"
    stem = path.lower().removesuffix(".gz")
    return "parquet" if stem.endswith(".parquet") else "jsonl" if stem.endswith((".jsonl", ".ndjson", ".json")) else "csv"


def _zone(name: str, place: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        known = _nearest(name, zoneinfo.available_timezones())
        raise ConfigError(f"{place}: there is no time zone {name!r}", known) from error


def _nearest(word: str, words: frozenset[str] | set[str] | Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, sorted(words), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(sorted(words)[:20])}"
