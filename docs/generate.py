"""Writes the reference pages that come from the code; with --check, only says which of them are stale.

python docs/generate.py [--check]
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import dataframely as dy

from basketry.app.operations import OPERATIONS, Operation
from basketry.associations.mining import interest
from basketry.associations.mining.context import IN_CONTEXT
from basketry.associations.mining.sources import SOURCES
from basketry.compression import recipe as recipes
from basketry.core import tables
from basketry.core.errors import BasketryError
from basketry.data.adapters import ADAPTERS
from basketry.data.rules import Rule, rules_of
from basketry.data.shopfile import (
    REQUIRED,
    TABLES,
    Column,
    Constant,
    Join,
    Multiply,
    Own,
    Reworded,
    Rules,
    ShopFile,
    Source,
    Week,
)
from basketry.data.templates import template
from basketry.encoders.weights import WEIGHTS
from basketry.recommendation.policy import Policy
from basketry.recommendation.policy_file import ONE, SEVERAL

FOLDER: Final = Path(__file__).parent / "reference"
COLUMNS: Final[tuple[tuple[str, type[Column]], ...]] = (
    ('"name", ["first", "else this"] or {column = "name", none = "-"}', Own),
    ('{value = "constant"}', Constant),
    ('{join = ["first", "second"], separator = " "}', Join),
    ('{multiply = ["quantity", "unit_price"]}', Multiply),
    ('{week = "number", begins = 2017-01-01}', Week),
    ('{column = "name", words = {view = "impression"}}', Reworded),
)
NOTE: Final = "<!-- Written by docs/generate.py from the code: do not edit by hand, run `make docs`. -->"


def row(*cells: object) -> str:
    """One line of a Markdown table; a bar inside a cell is escaped."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def head(*names: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [row(*names), row(*("---" for _ in names))]


def words(documented: object) -> str:
    """A docstring as Markdown."""
    return inspect.getdoc(documented) or ""


def tables_page() -> Iterator[str]:
    """Every contract: column, type, unit, meaning, null, key."""
    yield "# Tables"
    yield words(tables)
    groups = {
        "Input tables": tables.INPUTS,
        "Derived tables": tables.DERIVED,
        "Answers": tables.ANSWERS,
    }
    for title, contracts in groups.items():
        yield f"## {title}"
        for name, contract in contracts.items():
            yield f"### {name}"
            yield words(contract)
            yield "\n".join([*head("Column", "Type", "Unit", "Meaning", "Null", "Key"), *map(column_row, columns(contract))])


def columns(contract: type[dy.Schema]) -> list[tuple[str, dy.Column]]:
    """The columns of a contract in their order."""
    return list(contract.columns().items())


def column_row(named: tuple[str, dy.Column]) -> str:
    """One column of a contract as a line."""
    name, column = named
    unit = (column.metadata or {}).get("unit", "")
    kind = ", ".join(column.categories) if isinstance(column, dy.Enum) else str(column.dtype)
    marks = ("yes" if column.nullable else "", "key" if column.primary_key else "")
    return row(f"`{name}`", kind, unit, column.description or "", *marks)


def commands_page() -> Iterator[str]:
    """Every operation: what it does, its arguments and options, what it answers."""
    yield "# Commands"
    yield cleandoc("""
        Every operation is a command, `basketry NAME`, and a function of Python, `basketry.app.NAME`. All commands take
        `--shop FOLDER` (`-s`; default: the current folder, or the variable `BASKETRY_SHOP`), `--format table|json|csv` (`-f`)
        and `--quiet` (`-q`, no progress bars). `csv` prints the first table of the answer. The exit status of a failure is
        that of its [error](errors.md).
    """)
    for operation in OPERATIONS:
        yield f"## {operation.name}"
        yield words(operation.call)
        yield f"```text\n{usage(operation)}\n```"
        fields = dataclasses.fields(operation.request)
        if fields:
            yield "\n".join([*head("Field", "On the command line", "Default", "Meaning"), *map(field_row, fields)])
        yield answer(operation)


def usage(operation: Operation) -> str:
    """How the command is written."""
    named = [field.name.upper() for field in dataclasses.fields(operation.request) if field.metadata.get("argument")]
    return " ".join(["basketry", operation.name, *named, "[OPTIONS]"])


def field_row(field: dataclasses.Field[Any]) -> str:
    """One field of a request as a line."""
    flag = f"`--{field.name.replace('_', '-')}`"
    where = "argument" if field.metadata.get("argument") else "from Python only" if is_python_only(field) else flag
    default = "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
    return row(f"`{field.name}`", where, default, field.metadata.get("help", "see the request's docstring"))


def is_python_only(field: dataclasses.Field[Any]) -> bool:
    """Whether a field cannot be written on a command line."""
    return bool(field.metadata.get("python_only"))


def answer(operation: Operation) -> str:
    """What the operation answers."""
    result = getattr(sys.modules[operation.call.__module__], operation.call.__annotations__["return"])
    fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(result))
    return f"Answers {fields}.\n{words(result)}"


def subclasses(kind: type[BasketryError]) -> Iterator[type[BasketryError]]:
    """Every class of errors below `kind`, as the tree is drawn."""
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def recipes_page() -> Iterator[str]:
    """Every step of a recipe: what it does and its hyperparameters."""
    yield "# Recipes of compression"
    yield words(recipes)
    yield "Used by [`basketry compress`](commands.md#compress): see [compress an encoder](../how-to/compress-an-encoder.md)."
    for name, step in recipes.STEPS.items():
        yield f"## {name}"
        yield words(step)
        fields = dataclasses.fields(step)  # type: ignore[arg-type]
        if fields:
            lines = [row(f"`{each.name}`", f"`{each.default}`", each.metadata["help"]) for each in fields]
            yield "\n".join([*head("Hyperparameter", "Default", "Meaning"), *lines])


def errors_page() -> Iterator[str]:
    """Index of errors by code."""
    yield "# Errors"
    yield cleandoc("""
        Every failure on purpose is printed as `error [CODE] what is wrong`, then a hint with the way out, and ends the command
        with its exit status. In Python it is an exception of `basketry.core.errors` with `code`, `message` and `hint`.
        Anything else that is raised is a defect: please report it.
    """)
    rows = [
        row(f"[`{kind.code}`](../errors/{kind.code}.md)", f"`{kind.__name__}`", kind.exit_status, words(kind))
        for kind in subclasses(BasketryError)
    ]
    yield "\n".join([*head("Code", "Class", "Exit status", "Means"), *rows])


def cleaning_rules(table: str) -> tuple[Rule, ...]:
    """The rules of a table when every column is mapped and every parameter set."""
    mapped = tuple((name, Own((name,))) for name in sorted(TABLES[table]))
    source = Source(table=table, columns=mapped, path="all.csv")
    given = Rules(thousandths=("fuel",), not_products=("POST",), cancellation_prefix="C")
    return rules_of(source, dict.fromkeys(TABLES[table], "text"), given, catalogue=True)


def rules_page() -> Iterator[str]:
    """The cleaning rules in the order they are tried."""
    yield "# Cleaning rules"
    yield cleandoc("""
        A row that breaks a rule is set aside (`quarantine`), mended and kept (`repair`), or kept and counted (`flag`). Rules
        are tried in this order: the first that sets a row aside takes it, and every rule it breaks is counted.
        `basketry ingest` prints the rules that were broken, with an example of each. Firm rules cannot be switched off in
        `[rules] off`, because every kept row satisfies its [contract](tables.md); where more than half of a source breaks a
        rule marked *mapping*, the ingest stops instead, since then the mapping is wrong and not the rows.
    """)
    for table in TABLES:
        yield f"## {table}"
        lines = [
            row(f"`{rule.name}`", rule.verb, rule.why, "yes" if rule.firm else "", "yes" if rule.parsing else "")
            for rule in cleaning_rules(table)
        ]
        yield "\n".join([*head("Rule", "Verb", "A row breaks it when", "Firm", "Mapping"), *lines])
    yield "## Parameters, `[rules]` in shop.toml"
    yield words(Rules)
    yield key_table(Rules)


def key_table(kind: type[Any], without: Collection[str] = ()) -> str:
    """Keys, types and defaults of a dataclass that a part of shop.toml is read into."""
    lines = []
    for field in dataclasses.fields(kind):
        default = "required" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        lines += [row(f"`{field.name}`", f"`{field.type}`", default)] if field.name not in without else []
    return "\n".join([*head("Key", "Type", "Default"), *lines])


def shop_page() -> Iterator[str]:
    """The keys of shop.toml."""
    yield "# shop.toml"
    yield "One file a shop; a key that is not known is refused, with the nearest that is. `basketry init` writes this one:"
    yield f"```toml\n{template('').strip()}\n```"
    yield "## At the top"
    yield words(ShopFile)
    yield key_table(ShopFile, without=("sources", "rules", "adapter", "policy"))
    yield "## `[[source]]`"
    yield words(Source)
    yield key_table(Source, without=("columns",))
    yield "## `[source.columns]`"
    lines = [row(f"`{table}`", ", ".join(f"`{name}`" for name in sorted(REQUIRED[table])), optional(table)) for table in TABLES]
    yield "\n".join([*head("Table", "Required", "Also"), *lines])
    yield "A column is written in one of these ways:"
    yield "\n".join([*head("Write", "Means"), *(row(f"`{written}`", words(kind).split("\n")[0]) for written, kind in COLUMNS)])
    yield "## `[policy]`"
    yield words(Policy)
    yield key_table(Policy)
    for name, kind in (SEVERAL | ONE).items():
        yield f"`{name}`{', each' if name in SEVERAL else ''}: {words(kind)}"
        yield key_table(kind)
    yield "[How to shape recommendations](../how-to/shape-recommendations.md)."
    yield "## `[adapter]`"
    yield (
        "Known names: " + ", ".join(f"`{name}`" for name in ADAPTERS) + ". `basketry init --adapter NAME` writes a whole file."
    )
    yield "## `[rules]`"
    yield "See [cleaning rules](rules.md)."


def optional(table: str) -> str:
    """The columns of a table that need not be mapped."""
    return ", ".join(f"`{name}`" for name in sorted(TABLES[table] - REQUIRED[table]))


def weights_page() -> Iterator[str]:
    """Weights of encoders, pinned."""
    yield "# Weights"
    yield cleandoc("""
        Weights of the encoders that come with a package, each pinned by its sha256 and compared with it before anything
        parses it. `basketry doctor` says whether they are here and whole. Other encoders are named by the digest of their
        folder.
    """)
    lines = [row(w.name, w.package, f"{w.size:,}", w.licence, w.origin, f"`{w.sha256}`") for w in WEIGHTS]
    yield "\n".join([*head("Name", "Package", "Bytes", "Licence", "Origin", "sha256"), *lines])


def measures_page() -> Iterator[str]:
    """Every measure of a rule: its formula, range, value at independence, whether it has a direction, and source."""
    yield "# Measures of rules"
    yield cleandoc("""
        Of a rule X → Y, each under the name that `basketry rules --where`, `--order` and `--measures` take, and that
        `MinedRules.measure` takes in Python. [How to read them](../explanation/rules.md). P(.) is a share of the n baskets,
        not-X means a basket that lacks an item of X, log is natural.
    """)
    yield cleandoc(interest.__doc__ or "").split("\n\n", 2)[2]
    yield "## From the four counts"
    lines = [
        row(
            f"`{name}`",
            m.formula,
            interval(m.range),
            "" if m.neutral is None else f"{m.neutral:g}",
            "" if m.symmetric else "yes",
            m.source,
        )
        for name, m in interest.INTEREST.items()
    ]
    yield "\n".join([*head("Name", "Formula", "Range", "At independence", "Has a direction", "Source"), *lines])
    yield "## From other rules, or the thresholds"
    lines = [row(f"`{name}`", m.formula, interval(m.range), m.source) for name, m in IN_CONTEXT.items()]
    yield "\n".join([*head("Name", "Formula", "Range", "Source"), *lines])
    yield "## Other names"
    yield "\n".join([*head("Also called", "Here"), *(row(f"`{also}`", f"`{name}`") for also, name in interest.ALIASES.items())])
    yield "## Sources"
    yield "\n".join(f"- **{short}**: {title}." for short, title in SOURCES.items())


def interval(bounds: tuple[float, float]) -> str:
    """A range as [least, most]; an infinite end is written out."""
    least, most = (f"{bound:.4g}".replace("inf", "∞") for bound in bounds)
    return f"[{least}, {most}]"


PAGES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "tables.md": tables_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
    "rules.md": rules_page,
    "measures.md": measures_page,
    "shop-toml.md": shop_page,
    "weights.md": weights_page,
    "recipes.md": recipes_page,
}


def text(page: Callable[[], Iterator[str]]) -> str:
    """A page with its note."""
    return "\n\n".join([NOTE, *page()]) + "\n"


def stale() -> list[str]:
    """Names of pages that are not what the code would write."""
    return [name for name, page in PAGES.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text(page)]


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check only compare them."""
    if arguments == ["--check"]:
        for name in stale():
            sys.stderr.write(f"docs/reference/{name} is stale: run `make docs`\n")
        return 1 if stale() else 0
    for name, page in PAGES.items():
        (FOLDER / name).write_text(text(page))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
