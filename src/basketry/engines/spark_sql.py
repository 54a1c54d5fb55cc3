"""From the house's SQL, a subset of DuckDB's, to Spark's: sqlglot translates, and the corrections here mend what it leaves.

```
stored.NAME                  the view `stored_NAME`: a temporary view of Spark has no schema
a / b                        of doubles: DuckDB divides decimals as doubles, Spark as decimals
CAST(a / b AS DECIMAL)       rounded as DuckDB rounds: the scaled double, half away from zero
trim(x)                      every space of Unicode (Zs), not only U+0020
lower(x)                     letter by letter: Java would look at neighbours (a final sigma) and turn one letter into two
row_number() OVER ()         in the order of the scan; as BIGINT, and so are the ranks
regexp_matches(x, '...$')    `$` is the very end, not also before a last line feed
arg_min(a, b)                rows where a is NULL do not count
hash(a, ...)                 another hash, of 63 bits; equal values have equal hashes, and that is all it is for
timezone('UTC', t)           the naive time of an instant (of a naive time it would be the reverse, which nothing here asks)
to_seconds, make_timestamptz, epoch_us, strlen, struct_pack, to_json, ENUM, MATERIALIZED
TRY_CAST(text), try_strptime only what DuckDB reads: see spark_text.py
```

Translating proves nothing: tests/contracts/test_engines.py runs every named query on both engines and compares rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

from basketry.core.errors import ConfigError, EngineError
from basketry.engines.spark_text import date_of, decimal_of, instant_of, integer_of, naive_of, strptime_of

if TYPE_CHECKING:
    from sqlglot import exp

PREFIX: Final = "stored_"
_SPACES: Final = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_JSON: Final = "MAP('ignoreNullFields', 'false', 'timestampNTZFormat', 'yyyy-MM-dd HH:mm:ss')"
_INTEGERS: Final = frozenset({"TINYINT", "SMALLINT", "INT", "BIGINT"})


@cache
def to_spark(sql: str) -> str:
    """The SQL for Spark; `$name` becomes `:name`. Raises EngineError if it does not parse, ConfigError without sqlglot."""
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError as error:
        raise ConfigError("the Spark engine needs the package sqlglot", "pip install 'basketry[spark]'") from error
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        for node in list(tree.walk(bfs=False))[::-1]:  # leaves first, so that what is replaced stands complete
            correct = _CORRECTIONS.get(type(node).__name__)
            if correct is not None:
                new = correct(node)
                if new is not node:
                    tree = new if node is tree else tree
                    node.replace(new)
        return tree.sql("spark")
    except SqlglotError as error:
        said = " ".join(str(error).split())[:300]
        raise EngineError(f"{said} in: {' '.join(sql.split())[:200]}", "this is a defect: please report it") from error


def _spark(sql: str, **inputs: exp.Expr) -> exp.Expr:
    """Spark SQL with each `:name` in it replaced by a tree, in parentheses unless it is one word or call."""
    from sqlglot import exp, parse_one

    def filled(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        given = inputs[node.name].copy()
        return exp.Paren(this=given) if isinstance(given, exp.Binary | exp.Unary) else given

    return parse_one(sql, read="spark").transform(filled)


def _table(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    if node.args.get("db") is None or node.args["db"].name != "stored":
        return node
    table = node.copy()
    table.set("db", None)
    table.set("this", exp.to_identifier(PREFIX + node.name, quoted=True))
    if not node.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
    return table


def _division(node: exp.Expr) -> exp.Expr:
    return _spark("CAST(:a AS DOUBLE) / CAST(:b AS DOUBLE)", a=node.this, b=node.expression)


def _trim(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    if node.expression is not None or node.args.get("position"):
        return node
    return _spark("TRIM(BOTH :spaces FROM :text)", spaces=exp.Literal.string(_SPACES), text=node.this)


def _lower(node: exp.Expr) -> exp.Expr:
    # U+0130 is the one letter whose lower case is two code points; a final sigma needs neighbours, which a letter alone lacks
    letters = "SPLIT(REPLACE(:text, '\u0130', 'i'), '')"
    return _spark(f"ARRAY_JOIN(TRANSFORM({letters}, letter -> LCASE(letter)), '')", text=node.this)


def _numbering(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    if not isinstance(node.this, exp.RowNumber | exp.DenseRank | exp.Rank):
        return node
    window = node.copy()
    if isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
        window.set("order", exp.Order(expressions=[_spark("MONOTONICALLY_INCREASING_ID()")]))
    return _spark("CAST(:window AS BIGINT)", window=window)


def _arg_min(node: exp.Expr) -> exp.Expr:
    return _spark("MIN_BY(:a, :b) FILTER (WHERE NOT :a IS NULL)", a=node.this, b=node.expression)


def _hash(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return _spark("(:hash & 9223372036854775807)", hash=exp.func("XXHASH64", *(part.copy() for part in node.expressions)))


def _cast(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    kind: exp.DataType = node.args["to"]
    value: exp.Expr = node.this
    name = kind.this.name if isinstance(kind.this, exp.DataType.Type) else str(kind.this)
    if name == "ENUM":
        return value
    if name == "DECIMAL" and isinstance(_inside(value), exp.Div):
        precision, scale = (int(part.name) for part in kind.expressions)
        scaled = _spark(f"ROUND(:value * 1E{scale}D)", value=value)
        whole = f"CAST(:scaled AS DECIMAL({precision}, 0)) / 1{'0' * scale}"
        return _spark(f"CAST({whole} AS DECIMAL({precision}, {scale}))", scaled=scaled)
    if not isinstance(node, exp.TryCast):
        return node
    if name == "DECIMAL" and isinstance(value, exp.Mul):
        return node
    if name == "DECIMAL":
        precision, scale = (int(part.name) for part in kind.expressions)
        return _spark(decimal_of(precision, scale), value=value)
    if name in _INTEGERS:
        return _spark(integer_of(name), value=value)
    found = {"DATE": date_of, "TIMESTAMP": naive_of, "TIMESTAMPNTZ": naive_of, "TIMESTAMPTZ": instant_of}.get(name)
    return node if found is None else _spark(found(), value=value)


def _inside(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _pattern(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    pattern = node.expression
    if not isinstance(pattern, exp.Literal) or not pattern.name.endswith("$") or pattern.name.endswith("\\$"):
        return node
    whole = node.copy()
    whole.set("expression", exp.Literal.string(pattern.name[:-1] + "\\z"))
    return whole


def _with(node: exp.Expr) -> exp.Expr:
    node.set("materialized", None)
    return node


def _call(node: exp.Expr) -> exp.Expr:
    """Functions that sqlglot passes through by name."""
    name, arguments = node.name.upper(), node.expressions
    match name:
        case "TO_SECONDS":
            return _spark("MAKE_DT_INTERVAL(0, 0, 0, :a)", a=arguments[0])
        case "TIMEZONE" if arguments[0].name == "UTC":
            return _spark("CAST(:a AS TIMESTAMP_NTZ)", a=arguments[1])
        case "MAKE_TIMESTAMPTZ":
            return _spark("TIMESTAMP_MICROS(:a)", a=arguments[0])
        case "EPOCH_US":
            return _spark("UNIX_MICROS(CAST(:a AS TIMESTAMP))", a=arguments[0])
        case "STRLEN":
            return _spark("OCTET_LENGTH(:a)", a=arguments[0])
        case "HASH":
            return _hash(node)
        case "TO_JSON":
            return _spark(f"TO_JSON(:a, {_JSON})", a=arguments[0])
        case "TRY_STRPTIME":
            return _spark(strptime_of(arguments[1].name), value=arguments[0])
    return node


_CORRECTIONS: Final[dict[str, Callable[[exp.Expr], exp.Expr]]] = {
    "Table": _table,
    "Div": _division,
    "Trim": _trim,
    "Lower": _lower,
    "Window": _numbering,
    "ArgMin": _arg_min,
    "Cast": _cast,
    "TryCast": _cast,
    "RegexpLike": _pattern,
    "CTE": _with,
    "Anonymous": _call,
}
