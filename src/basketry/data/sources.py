"""From a source as `shop.toml` names it to a relation an engine can scan any number of times."""

from __future__ import annotations

import csv
import difflib
import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from basketry.core.errors import SourceColumns, SourceEmpty, SourceFormat, SourceMissing
from basketry.core.protocols import Csv, Engine, JsonLines, Parquet, Relation
from basketry.core.telemetry import span
from basketry.data.expressions import identifier, own, text_sql
from basketry.data.malformed import MALFORMED, ROW, rewrite_csv, rewrite_jsonl
from basketry.data.shopfile import Own, Source, own_names
from basketry.data.text import Surveyed, digest_of, stamp, survey

if TYPE_CHECKING:
    OpenEngine = Callable[[Mapping[str, Relation]], Engine]
    Fetch = Callable[[str, str, str, Path], None]

Kind = Literal["text", "number", "naive", "instant", "date", "other"]
_RESERVED: Final = (ROW, MALFORMED)


@dataclass(frozen=True)
class Input:
    """One file (or spooled query, or frame) of a source, hashed but not yet parsed.

    `name` is how to name it in a sentence; `path` is what to read, `surveyed` what is known of it if it is text.
    """

    source: Source
    name: str
    path: Path
    digest: str
    stamp: tuple[int, int, int]
    surveyed: Surveyed | None = None

    @property
    def id(self) -> str:
        """What stands in the lineage column `source`."""
        return self.digest[:16]


@dataclass(frozen=True)
class Raw:
    """An input as a relation: `columns` are the shop's own, with their kind; `numbered` if it holds `__row` itself."""

    relation: Parquet
    columns: Mapping[str, Kind]
    numbered: bool
    malformed: bool


def files(source: Source, shop: Path) -> tuple[Path, ...]:
    """The files a source's path matches, sorted. Raises SourceMissing if there is none."""
    pattern = source.path if Path(source.path).is_absolute() else f"{glob.escape(str(shop))}/{source.path}"
    found = sorted(Path(one) for one in glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    found = [path for path in found if path.is_file()]
    if not found:
        raise SourceMissing(f"there is no file {pattern}", "put it there, or correct path in shop.toml")
    return tuple(found)


def open_file(source: Source, path: Path, staging: Path) -> Input:
    """Hash a file; a text file is surveyed in the same pass."""
    now = stamp(path)
    if source.format == "parquet":
        return Input(source, path.name, path, digest_of(path), now)
    found = survey(path, source.encoding, _spool(staging, path.name, "txt"))
    return Input(source, path.name, path, found.digest, now, found)


def open_query(source: Source, staging: Path, fetch: Fetch) -> Input:
    """Spool the rows of a PostgreSQL query into a CSV file with a header; its digest is that of the spooled rows."""
    path = _spool(staging, "query", "csv")
    with span(f"reading {source.place}"):
        fetch(source.dsn_env, source.query, source.relation, path)
    found = survey(path, "utf-8", path)
    return Input(source, source.place, path, found.digest, stamp(path), found)


def open_frame(source: Source, frame: Any, staging: Path) -> Input:
    """Spool a data frame (pandas, Polars, Arrow: whatever Polars takes) into a Parquet file; its digest is that of the file."""
    try:
        table = frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
    except (TypeError, ValueError, ImportError, pl.exceptions.PolarsError) as error:
        hint = "give a pandas, Polars or Arrow table"
        raise SourceFormat(f"the frame for {source.table} cannot be read: {error}", hint) from error
    if table.is_empty():
        raise SourceEmpty(f"the frame for {source.table} has no rows", "give at least one row")
    _no_duplicates(list(table.columns), source.table)
    path = _spool(staging, "frame", "parquet")
    table.write_parquet(path)
    return Input(source, f"a frame for {source.table}", path, digest_of(path), stamp(path))


def still_there(one: Input) -> None:
    """Raise SourceMissing if the file has gone or changed since it was hashed."""
    if stamp(one.path) != one.stamp:
        hint = "wait until it is fully written, then run the same command again; nothing was committed"
        raise SourceMissing(f"{one.path} changed while it was read", hint)


def to_relation(one: Input, staging: Path, engine: OpenEngine) -> Raw:
    """Parse an input into a relation. Text becomes Parquet with a row number, once, whatever reads it later.

    Raises SourceColumns if a mapped column is not in the header or there twice, SourceFormat if it cannot be parsed,
    SourceEmpty if it has no rows.
    """
    source = one.source
    if one.surveyed is None:
        columns = _parquet_columns(one)
        return Raw(Parquet((one.path,)), columns, numbered=False, malformed=False)
    text = one.surveyed
    relation: Csv | JsonLines
    if source.format == "jsonl":
        relation = JsonLines(text.path, tuple(sorted(mapped_columns(source))))
    else:
        relation = Csv(text.path, _header(one, text.head), _delimiter(source), source.quote)
    spooled = _spool(staging, one.name, "parquet")
    wanted = ", ".join(identifier(name) for name in relation.columns if name in mapped_columns(source))
    numbered = f"SELECT row_number() OVER () AS {ROW}, {wanted} FROM stored.raw"
    malformed = False
    try:
        rows = _write(engine, relation, numbered, spooled)
    except SourceFormat:
        copy = _spool(staging, one.name, "csv")
        if isinstance(relation, Csv):
            relation = rewrite_csv(relation, copy, one.name)
        else:
            relation = rewrite_jsonl(relation.path, relation.columns, copy)
        malformed = True
        columns_sql = f"SELECT CAST({ROW} AS BIGINT) AS {ROW}, {MALFORMED}, {wanted} FROM stored.raw"
        rows = _write(engine, relation, columns_sql, spooled)
    if rows == 0:
        raise SourceEmpty(f"{one.name} has a header and no rows", "give at least one row, or remove the file")
    columns = dict.fromkeys(sorted(mapped_columns(source)), "text")
    return Raw(Parquet((spooled,)), columns, numbered=True, malformed=malformed)


def one_a_product(one: Input, raw: Raw, staging: Path, engine: OpenEngine) -> tuple[Input, Raw]:
    """A catalogue out of rows of anything: one row a product_id, each column its most frequent value, the last of equals."""
    mapping = one.source.mapping
    base = ", ".join(f"{identifier(name)} AS {own(name)}" for name in sorted(mapped_columns(one.source)))
    texts = ", ".join(f"{text_sql(column, raw.columns)} AS {name}" for name, column in mapping.items())
    rows = f"SELECT row_number() OVER () AS nth, {texts} FROM (SELECT {base} FROM stored.raw)"
    names = [name for name in mapping if name != "product_id"]
    joins = []
    for name in names:
        counted = (
            f"SELECT product_id, {name}, count(*) AS n, max(nth) AS last FROM ({rows}) WHERE {name} IS NOT NULL GROUP BY ALL"
        )
        order = "row_number() OVER (PARTITION BY product_id ORDER BY n DESC, last DESC) AS place"
        best = f"SELECT product_id, {name} FROM (SELECT *, {order} FROM ({counted})) WHERE place = 1"
        joins.append(f"LEFT JOIN ({best}) AS {name}_of USING (product_id)")
    keys = f"SELECT product_id, min(nth) AS {ROW} FROM ({rows}) GROUP BY product_id"
    path = _spool(staging, one.name, "parquet")
    _write(engine, raw.relation, f"SELECT * FROM ({keys}) {' '.join(joins)} ORDER BY {ROW}", path)
    plain = replace(one.source, columns=tuple((name, Own((name,))) for name in mapping), distinct=False)
    return replace(one, source=plain), Raw(Parquet((path,)), dict.fromkeys(mapping, "text"), numbered=True, malformed=False)


def mapped_columns(source: Source) -> set[str]:
    """The shop's own columns that the mapping reads."""
    return {name for _, column in source.columns for name in own_names(column)}


def _write(engine: OpenEngine, relation: Relation, sql: str, path: Path) -> int:
    opened = engine({"raw": relation})
    try:
        return opened.write(sql, {}, path)
    finally:
        opened.close()


def _delimiter(source: Source) -> str:
    return "," if source.format == "postgres" else source.delimiter


def _parquet_columns(one: Input) -> dict[str, Kind]:
    try:
        schema = pl.read_parquet_schema(one.path)
        rows = pl.scan_parquet(one.path).select(pl.len()).collect().item()
    except FileNotFoundError as error:
        raise SourceMissing(f"{one.path} vanished while it was read", "put it back and run the same command again") from error
    except pl.exceptions.PolarsError as error:
        raise SourceFormat(f"{one.name} is not a Parquet file: {error}", "export it again, or correct format") from error
    if rows == 0:
        raise SourceEmpty(f"{one.name} has no rows", "give at least one row, or remove the file")
    columns = {name: _kind(dtype) for name, dtype in schema.items()}
    _check_header(one, tuple(columns))
    return columns


def _kind(dtype: pl.DataType) -> Kind:
    match dtype:
        case pl.String() | pl.Categorical() | pl.Enum():
            return "text"
        case pl.Datetime():
            return "naive" if dtype.time_zone is None else "instant"
        case pl.Date():
            return "date"
    return "number" if dtype.is_numeric() else "other"


def _header(one: Input, head: str) -> tuple[str, ...]:
    source = one.source
    line = head.rstrip("\r\n")
    try:
        names = next(csv.reader([line], delimiter=_delimiter(source), quotechar=source.quote), [])
    except csv.Error as error:
        hint = "save it with ordinary line ends (LF or CRLF), and check delimiter and quote in shop.toml"
        raise SourceFormat(f"{one.name}, line 1: not a CSV header: {error}", hint) from error
    names = [name.strip() or f"column {place}" for place, name in enumerate(names, start=1)]
    if len(names) == 1 and len(mapped_columns(source)) > 1:
        others = [char for char in ",;\t|" if char in line and char != source.delimiter]
        hint = f"set delimiter = {others[0]!r} in shop.toml" if others else "correct delimiter or columns in shop.toml"
        raise SourceColumns(f"{one.name}, line 1: one column only, {names[0][:60]!r}", hint)
    _check_header(one, tuple(names))
    return tuple(names)


def _check_header(one: Input, names: tuple[str, ...]) -> None:
    _no_duplicates(list(names), one.name)
    missing = sorted(mapped_columns(one.source) - set(names))
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"its columns are {', '.join(names[:30])}"
        raise SourceColumns(f"{one.name} has no column {', '.join(map(repr, missing))}", f"{hint} Mend columns in shop.toml.")


def _no_duplicates(names: list[str], place: str) -> None:
    folded = [name.casefold() for name in [*_RESERVED, *names]]
    for position, name in enumerate(names):
        if name.casefold() in folded[: position + len(_RESERVED)]:
            first = folded.index(name.casefold()) - len(_RESERVED) + 1
            hint = "rename one of them in the file: which is meant cannot be known"
            raise SourceColumns(f"{place}: column {name!r} stands twice, in places {first} and {position + 1}", hint)


def _spool(staging: Path, name: str, ending: str) -> Path:
    number = len(list(staging.iterdir()))
    if len(name) > 100:
        name = name[:100]
    return staging / f"spool-{number}-{''.join(char if char.isalnum() else '_' for char in name)}.{ending}"
