"""Ingest: from the sources that `shop.toml` names to committed tables, cleaned and accounted for."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from basketry.app.engines import HELP, opener
from basketry.core.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.engines import OpenEngine
    from basketry.app.shop import Shop
    from basketry.core.protocols import Parquet
    from basketry.data.cleaning import Cleaned
    from basketry.data.shopfile import ShopFile, Source
    from basketry.data.sources import Input
    from basketry.store.tables import Staged, Staging

CLEANING: Final = 2  # raise it when a rule changes what it does: sources are then cleaned again
_ORDER: Final = ("products", "promotions", "prices", "stock", "order_lines", "events")
_REPLACES: Final = frozenset({"products"})


@dataclass(frozen=True)
class Frame:
    """Rows in memory for one table: anything Polars takes. `columns` maps as `[source.columns]` does, by default to itself."""

    table: str
    frame: Any
    columns: Mapping[str, Any] = field(default_factory=dict)
    timezone: str = "UTC"


@dataclass(frozen=True)
class IngestRequest:
    """What to ingest: the `frames`, or if there are none every source of shop.toml.

    `now` is the instant after which a line lies in the future (default: the present).
    """

    frames: tuple[Frame, ...] = field(default=(), metadata={"python_only": True})
    again: bool = field(default=False, metadata={"help": "Clean sources anew that are already known."})
    now: dt.datetime | None = field(default=None, metadata={"python_only": True})
    engine: str = field(default="", metadata={"local": True, "help": HELP})


@dataclass(frozen=True)
class IngestResult:
    """What an ingest did: the digest of the tables as they now are, and the account of every source.

    `tables`: one row a source: table, name, status (`new`, `again`: cleaned anew, `known`: nothing changed); rows = kept +
    quarantined; money = money_kept + money_netted + money_quarantined (Decimal).
    `rules`: one row a rule broken: verb, how many rows broke it, how many it took (was the first to set aside, or kept and
    repaired or flagged), why, and an example in words.
    """

    digest: str
    changed: bool
    tables: pl.DataFrame
    rules: pl.DataFrame
    notes: tuple[str, ...]


def ingest(shop: Shop, request: IngestRequest) -> IngestResult:
    """Read, clean and commit the sources of a shop, all or nothing.

    A file that is known, with the mapping and rules it was cleaned with, changes nothing. Catalogues replace the older; order
    lines and promotions add up. A changed mapping, or changed rules, cleans a known file anew; a changed catalogue does not, so
    give `again` to have orphans judged by it. A killed run leaves the tables as they were, and the next one starts over.
    """
    from basketry.data.adapters import with_adapter
    from basketry.store.key import load_or_create_key

    file = with_adapter(shop.settings)
    wanted = _frames(request.frames) if request.frames else [(source, None) for source in file.sources]
    if not wanted:
        raise ConfigError(f"{shop.folder} has no source to ingest", "add a [[source]] or an [adapter] to shop.toml")
    key = load_or_create_key(shop.folder)
    with shop.tables.stage() as staging, opener(request.engine, file, staging.folder) as engine:
        run = _Run(shop.folder, file, key, request, staging, engine)
        for table in _ORDER:
            chosen = [(source, frame) for source, frame in wanted if source.table == table]
            if chosen:
                run.take(table, chosen)
        return run.finish()


class _Run:
    """One ingest under way: what is retained of the tables, what is new, and the accounts."""

    def __init__(
        self, shop: Path, file: ShopFile, key: bytes, request: IngestRequest, staging: Staging, engine: OpenEngine
    ) -> None:
        self._engine = engine
        self.shop, self.file, self.key, self.request, self.staging = shop, file, key, request, staging
        self.now = request.now or dt.datetime.now(dt.UTC)
        self.dropped: list[Mapping[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.parts: dict[str, list[Staged]] = {}
        self.results: list[tuple[Mapping[str, Any], str]] = []

    def take(self, table: str, chosen: Iterable[tuple[Source, Any]]) -> None:
        """Ingest the sources of one table."""
        inputs = [one for source, frame in chosen for one in self._open(source, frame)]
        known = {(old["digest"], old["signature"]): old for old in self._old(table)}
        signed = [(one, _signature(one.source, self.file)) for one in inputs]
        if table in _REPLACES:
            same = not self.request.again and {(one.digest, signature) for one, signature in signed} == set(known)
            self.dropped += [] if same else known.values()
        for one, signature in signed:
            old = known.get((one.digest, signature))
            twice = any(record["table"] == table and record["digest"] == one.digest for record in self.records)
            if old is not None and not self.request.again and old not in self.dropped:
                self.results.append((old, "known"))
            elif not twice:
                before = [record for record in self._old(table) if record["digest"] == one.digest]
                self.dropped += [record for record in before if record not in self.dropped]
                self._clean(one, signature, "again" if before else "new")

    def finish(self) -> IngestResult:
        """Commit everything at once, if there is anything to commit."""
        if not self.records and not self.dropped:
            return _result(self.results, self.staging.before.digest)
        replaced = {record["table"] for record in self.dropped}
        replaced |= {"quarantine"} if replaced else set()
        records = [old for old in self.staging.before.sources if old["table"] in replaced and old not in self.dropped]
        after = self.staging.commit(self._with_retained(replaced), [*records, *self.records], replaced)
        return _result(self.results, after.digest)

    def _with_retained(self, replaced: set[str]) -> dict[str, list[Staged]]:
        """The new parts, after those old ones of replaced tables that stay, linked into the staging folder."""
        from basketry.store.tables import Staged

        gone = {sha for record in self.dropped for sha in record["parts"]}
        stay = {sha for record in self.staging.before.sources if record not in self.dropped for sha in record["parts"]}
        before = self.staging.before
        parts: dict[str, list[Staged]] = {}
        for table in replaced:
            for path, part in zip(before.parts(table), before.tables.get(table, ()), strict=True):
                if part.sha256 in gone - stay:
                    continue
                link = self.staging.folder / f"old-{path.name}"
                link.hardlink_to(path)
                parts.setdefault(table, []).append(Staged(link, part.rows))
        for table, staged in self.parts.items():
            parts.setdefault(table, []).extend(staged)
        return parts

    def _old(self, table: str) -> list[Mapping[str, Any]]:
        return [record for record in self.staging.before.sources if record["table"] == table]

    def _open(self, source: Source, frame: Any) -> list[Input]:
        from basketry.data import sources
        from basketry.engines.postgres import copy_rows

        def fetch(dsn_env: str, query: str, relation: str, path: Path) -> None:
            if not os.environ.get(dsn_env):
                raise ConfigError(f"the environment variable {dsn_env} is not set", "set it to the address of the database")
            copy_rows(os.environ[dsn_env], query, relation, path)

        if frame is not None:
            return [sources.open_frame(source, frame, self.staging.folder)]
        if source.format == "postgres":
            return [sources.open_query(source, self.staging.folder, fetch)]
        return [sources.open_file(source, path, self.staging.folder) for path in sources.files(source, self.shop)]

    def _clean(self, one: Input, signature: str, status: str) -> None:
        from basketry.data import cleaning, sources
        from basketry.store.tables import Staged

        work = self.staging.folder / f"work-{len(self.records)}"
        work.mkdir()
        raw = sources.to_relation(one, work, self._engine)
        if one.source.distinct:
            one, raw = sources.one_a_product(one, raw, work, self._engine)
        desk = cleaning.Desk(self.file, self.key, self.now, work, self._engine, self._beside(one.source.table))
        done = cleaning.clean(one, raw, desk)
        sources.still_there(one)
        parts = []
        for table, path, rows in (
            (one.source.table, done.kept, done.held.rows),
            ("quarantine", done.quarantined, done.aside.rows),
        ):
            if path is not None:
                self.parts.setdefault(table, []).append(Staged(path, rows))
                parts.append(path)
        for path in work.iterdir():
            if path not in parts:
                path.unlink()
        record = _record(one, signature, done, parts)
        self.records.append(record)
        self.results.append((record | {"counts": [vars(count) for count in done.counts]}, status))

    def _beside(self, table: str) -> dict[str, Parquet]:
        """The catalogue, and what is already in the table, from other sources."""
        from basketry.core.protocols import Parquet
        from basketry.data.shapes import JUDGED

        found = {"products": self._paths("products")} if table in JUDGED else {}
        found |= {"earlier": self._paths(table)}
        return {name: Parquet(paths) for name, paths in found.items() if paths}

    def _paths(self, table: str) -> tuple[Path, ...]:
        before = self.staging.before
        gone = {sha for record in self.dropped for sha in record["parts"]}
        pairs = zip(before.parts(table), before.tables.get(table, ()), strict=True)
        old = [path for path, part in pairs if part.sha256 not in gone]
        return (*old, *(staged.path for staged in self.parts.get(table, [])))


def _frames(frames: tuple[Frame, ...]) -> list[tuple[Source, Any]]:
    from basketry.data import shopfile

    wanted = []
    for frame in frames:
        names = shopfile.TABLES.get(frame.table, frozenset())
        columns = frame.columns or {name: name for name in list(getattr(frame.frame, "columns", ())) if name in names}
        data = {"table": frame.table, "path": "frame.parquet", "timezone": frame.timezone, "columns": columns}
        wanted.append((shopfile.source(data, f"the frame for {frame.table}"), frame.frame))
    return wanted


def _signature(source: Source, file: ShopFile) -> str:
    """What a source's cleaning depends on, besides its bytes and the other tables."""
    how = replace(source, path="", dsn_env="")
    return hashlib.sha256(repr((CLEANING, how, file.rules, file.timezone)).encode()).hexdigest()


def _record(one: Input, signature: str, done: Cleaned, parts: list[Path]) -> dict[str, Any]:
    from basketry.store.durable import fingerprint

    return {
        "table": one.source.table,
        "name": one.name,
        "digest": one.digest,
        "signature": signature,
        "parts": [fingerprint(path)[0] for path in parts],
        "rows": done.came.rows,
        "kept": done.held.rows,
        "quarantined": done.aside.rows,
        "money": str(done.came.money),
        "money_kept": str(done.held.money),
        "money_netted": str(done.netted),
        "money_quarantined": str(done.aside.money),
        "counts": [vars(count) | {"example": ""} for count in done.counts],  # nobody knows what stood in a broken row
        "notes": _weeks(done.days),
    }


def _result(results: list[tuple[Mapping[str, Any], str]], digest: str) -> IngestResult:
    import polars as pl

    amounts = ("money", "money_kept", "money_netted", "money_quarantined")
    money, names = pl.Decimal(38, 4), ("table", "name", "status", "rows", "kept", "quarantined")
    schema = {name: pl.Int64 if name in names[3:] else pl.String for name in names} | dict.fromkeys(amounts, money)
    plain = [
        {**{name: record.get(name, status) for name in names}, **{a: Decimal(record[a]) for a in amounts}}
        for record, status in results
    ]
    pairs = [(record, count) for record, _ in results for count in record["counts"] if count["broke"]]
    rules = [{"table": record["table"], "name": record["name"], **count} for record, count in pairs]
    kinds = dict.fromkeys(("table", "name", "rule", "verb"), pl.String) | {"broke": pl.Int64, "took": pl.Int64}
    kinds |= {"why": pl.String, "example": pl.String}
    notes = [f"{record['name']}: {note}" for record, _ in results for note in record["notes"]]
    changed = any(status != "known" for _, status in results)
    return IngestResult(digest, changed, pl.DataFrame(plain, schema), pl.DataFrame(rules, kinds), tuple(notes))


def _weeks(days: tuple[tuple[dt.date, int], ...]) -> list[str]:
    """Facts on a first and a last week, Monday to Sunday, that have not seven days with lines: sums over them mislead."""
    weeks: dict[dt.date, int] = {}
    for day, _ in days:
        monday = day - dt.timedelta(days=day.weekday())
        weeks[monday] = weeks.get(monday, 0) + 1
    if not weeks:
        return []
    ends = (("first", min(weeks)), ("last", max(weeks)))
    return [f"the {which} week, of {monday}, has {weeks[monday]} of 7 days" for which, monday in ends if weeks[monday] < 7]
