"""Cleaning one source: rows in = kept + quarantined, in rows and in money, to the last digit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dataframely as dy
import numpy as np
import polars as pl

from basketry.core.errors import DataError, SourceFormat
from basketry.core.protocols import Engine, Parquet, Relation
from basketry.core.tables import MONEY_SCALE
from basketry.core.telemetry import span
from basketry.data import clock
from basketry.data.netting import Candidates, net
from basketry.data.pseudonyms import write_pseudonyms
from basketry.data.rules import Rule, rules_of
from basketry.data.shapes import JUDGED, timed
from basketry.data.shopfile import ShopFile
from basketry.data.stages import Clock, Stages

if TYPE_CHECKING:
    from basketry.core.protocols import S
    from basketry.data.sources import Input, OpenEngine, Raw

_DAY: Final = dt.timedelta(days=2)
_SORTED: Final = 1 << 24  # hashes sorted in memory at once: 128 MiB


class Totals(dy.Schema):
    """What a source holds, before anything is judged: a row a customer."""

    customer = dy.String(nullable=True)
    n = dy.Int64()
    money = dy.Decimal(38, MONEY_SCALE)
    first = dy.Datetime(nullable=True, time_unit="us")
    last = dy.Datetime(nullable=True, time_unit="us")


class Marks(dy.Schema):
    """How many rows break exactly the rules of a mask, and the first of them."""

    mask = dy.Int64(primary_key=True)
    n = dy.Int64()
    row = dy.Int64()
    shown = dy.String(nullable=True)


class Offenders(dy.Schema):
    """Rows that break a rule, and the text to quote of each."""

    row = dy.Int64()
    shown = dy.String(nullable=True)


class Hashes(dy.Schema):
    """What each row, or its key, hashes to."""

    hash = dy.UInt64()


class Sums(dy.Schema):
    """Rows and money of a file written."""

    n = dy.Int64()
    money = dy.Decimal(38, MONEY_SCALE)


class Days(dy.Schema):
    """Local days with lines, how many and for how much; one row without a day for a table that has none."""

    day = dy.Date(nullable=True)
    n = dy.Int64()
    money = dy.Decimal(38, MONEY_SCALE)


@dataclass(frozen=True)
class Volume:
    """Rows, and the money of those whose amount could be read."""

    rows: int
    money: Decimal


@dataclass(frozen=True)
class Count:
    """How many rows broke a rule; how many it `took`, and the first of them in words.

    A rule takes the rows that it is the first to set aside, or of those kept the ones it repaired or flagged.
    """

    rule: str
    verb: str
    broke: int
    took: int
    why: str
    example: str


@dataclass(frozen=True)
class Cleaned:
    """One source, cleaned: `kept` and `quarantined` are Parquet files (None where there is no such row).

    came = held + aside, in rows; came.money = held.money + netted + aside.money, where `netted` is what cancellations took off
    lines that were kept.
    """

    kept: Path | None
    quarantined: Path | None
    came: Volume
    held: Volume
    aside: Volume
    netted: Decimal
    counts: tuple[Count, ...]
    days: tuple[tuple[dt.date, int], ...]


@dataclass(frozen=True)
class Desk:
    """What cleaning works with: the shop, its key, the instant of this ingest, a folder to write in and a way to open engines.

    `known` holds the relations `products` (the catalogue) and `earlier` (the same table as committed so far), where they exist.
    """

    shop: ShopFile
    key: bytes
    now: dt.datetime
    staging: Path
    engine: OpenEngine
    known: Mapping[str, Parquet]


def clean(one: Input, raw: Raw, desk: Desk) -> Cleaned:
    """Judge every row of a source by the rules of its table, and write the kept and the quarantined.

    Raises SourceFormat where more than half of the rows cannot be read for the same reason, DataError should the account of
    rows or money not close.
    """
    work = _Work(one, raw, desk)
    with closing(work):
        with span(f"checking {one.name}"):
            work.take_totals()
            work.find_rows()
            marks = work.mark()
        work.refuse_if_unreadable(marks)
        with span(f"writing {one.source.table}"):
            return work.write(marks)


class _Work:
    """The steps of cleaning one source, in order; each leaves its row set beside the rows for those after it."""

    def __init__(self, one: Input, raw: Raw, desk: Desk) -> None:
        self.one, self.desk = one, desk
        self.table = one.source.table
        catalogue = "products" in desk.known and self.table in JUDGED
        self.rules = rules_of(one.source, raw.columns, desk.shop.rules, catalogue=catalogue)
        self.stages = Stages(one.source, raw, desk.shop.rules, one.id, catalogue)
        self.relations: dict[str, Relation] = {"raw": raw.relation, **desk.known}
        self.beside: list[str] = ["known"] if catalogue else []
        self.came = Volume(0, Decimal(0))
        self.open: Engine | None = None

    def take_totals(self) -> None:
        """Rows and money that came in, the span of time, and the pseudonyms of the customers."""
        totals = self._read(Totals, self.stages.totals())
        self.came = Volume(int(totals["n"].sum()), Decimal(totals["money"].sum()))
        path = self._path("pseudonyms")
        write_pseudonyms(self.desk.key, totals["customer"].drop_nulls(), path)
        self._beside(pseudonyms=path)
        if timed(self.table):
            first, last = totals["first"].min(), totals["last"].max()
            assert isinstance(first, dt.datetime | None) and isinstance(last, dt.datetime | None)
            first, last = first or dt.datetime(1970, 1, 1), last or dt.datetime(1970, 1, 1)
            low = first - _DAY if first > dt.datetime(1970, 1, 3) else first
            high = last + _DAY if last < dt.datetime(2100, 1, 1) else last
            zones = (self.one.source.timezone, self.desk.shop.timezone)
            begun = [clock.shifts(zone, low, high) for zone in zones]
            self.stages = replace(self.stages, clock=Clock(begun[0], begun[1]))

    def find_rows(self) -> None:
        """The sets of rows that can be told only beside other rows."""
        names = {rule.name for rule in self.rules}
        if "duplicate" in names and self._suspects():
            self._rows("repeated", self.stages.repeated())
        if "earlier" in self.relations and "already_known" in names:
            self._rows("already", self.stages.already())
        if self.table != "order_lines":
            return
        if "cancellation_unmatched" in names:
            candidates = self._read(Candidates, self.stages.candidates(self.beside))
            path = self._path("offsets")
            net(candidates).write_parquet(path)
            self._beside(offsets=path)
            self.beside.append("offsets")
        if "outlier" in names:
            light = [name for name in self.beside if name == "offsets"]
            self._rows("outlier", self.stages.outliers(light))

    def _suspects(self) -> bool:
        """Write the hashes that more than one row has: few, and every repeated row is among them.

        Sorting numbers costs a third of what grouping them costs; at most `_SORTED` of them stand in memory at once.
        """
        twice = [np.empty(0, np.uint64)]
        parts = 1 + self.came.rows // _SORTED
        for part in range(parts):
            frames = self._engine().stream(Hashes, self.stages.hashes(part, parts), {}, _SORTED)
            found = np.concatenate([np.empty(0, np.uint64), *(frame["hash"].to_numpy() for frame in frames)])
            found.sort()
            twice.append(np.unique(found[1:][found[1:] == found[:-1]]))
        path = self._path("suspects")
        suspects = pl.DataFrame({"hash": np.concatenate(twice)})
        if suspects.is_empty():
            return False
        suspects.write_parquet(path)
        self._beside(suspects=path)
        return True

    def mark(self) -> dy.DataFrame[Marks]:
        """Which rows break which rules."""
        now = f"TIMESTAMP '{self.desk.now.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
        path = self._path("marks")
        self._write(self.stages.marks(self.rules, self.beside, now), path)
        self._beside(marks=path)
        grouped = "SELECT mask, count(*) AS n, min(row) AS row, arg_min(shown, row) AS shown FROM stored.marks GROUP BY mask"
        return self._read(Marks, f"{grouped} ORDER BY row")

    def refuse_if_unreadable(self, marks: dy.DataFrame[Marks]) -> None:
        """More than half of a source unreadable in one way: the mapping is wrong, not the rows."""
        for bit, rule in enumerate(self.rules):
            if not rule.parsing:
                continue
            count = sum(row["n"] for row in marks.iter_rows(named=True) if row["mask"] & 1 << bit)
            if 2 * count > self.came.rows:
                rows = self._read(
                    Offenders, f"SELECT row, shown FROM stored.marks WHERE mask & {1 << bit} <> 0 ORDER BY row LIMIT 3"
                )
                first = ", ".join(f"row {row}{'' if shown is None else f' {shown!r}'}" for row, shown in rows.iter_rows())
                hint = "correct columns, format, timestamp_format, decimal or timezone of this source in shop.toml"
                raise SourceFormat(f"{self.one.name}: {rule.why} in {count} of {self.came.rows} rows, first {first}", hint)

    def write(self, marks: dy.DataFrame[Marks]) -> Cleaned:
        """Write both files and close the account."""
        light = [name for name in self.beside if name == "offsets"]
        kept, bad = self._path(self.table), self._path("quarantine")
        self._write(self.stages.kept(self.rules, light), kept)
        self._write(self.stages.quarantined(self.rules) + " ORDER BY row", bad)
        self._beside(kept=kept, bad=bad)
        days = self._read(Days, self._by_day())
        held = Volume(int(days["n"].sum()), Decimal(days["money"].sum()))
        put = self._sums("SELECT money FROM stored.bad" if self.table == "order_lines" else "SELECT 0 AS money FROM stored.bad")
        netted = self._sums(self.stages.netted(self.rules)).money if "offsets" in self.relations else Decimal(0)
        self._close(held, put, netted)
        return Cleaned(
            kept if held.rows else None,
            bad if put.rows else None,
            self.came,
            held,
            put,
            netted,
            self._counts(marks),
            tuple(days.filter(days["day"].is_not_null()).select("day", "n").iter_rows()),
        )

    def _close(self, held: Volume, aside: Volume, netted: Decimal) -> None:
        if self.came.rows != held.rows + aside.rows or self.came.money != held.money + netted + aside.money:
            raise DataError(
                f"{self.one.name}: {self.came.rows} rows and {self.came.money} came in, but {held.rows} and {held.money} were "
                f"kept (after {netted} netted), {aside.rows} and {aside.money} quarantined",
                "nothing was committed; the file may have changed while it was read: run again, or report this",
            )

    def _counts(self, marks: dy.DataFrame[Marks]) -> tuple[Count, ...]:
        found = []
        sets_aside = sum(1 << bit for bit, rule in enumerate(self.rules) if rule.sets_aside)
        for bit, rule in enumerate(self.rules):
            hits = [row for row in marks.iter_rows(named=True) if row["mask"] & 1 << bit]
            first = [row for row in hits if _first(self.rules, row["mask"]) is rule]
            example = self._example(rule, first or hits, quote=bool(first))
            took = first if rule.sets_aside else [row for row in hits if not row["mask"] & sets_aside]
            broke, took_rows = (sum(row["n"] for row in rows) for rows in (hits, took))
            found.append(Count(rule.name, rule.verb, broke, took_rows, rule.why, example))
        return tuple(found)

    def _example(self, rule: Rule, hits: list[dict[str, object]], *, quote: bool) -> str:
        if not hits:
            return ""
        shown = hits[0]["shown"] if quote and rule.shown != "NULL" else None
        return f"row {hits[0]['row']}: {'' if shown is None else f'{shown!r}, '}{rule.why}"

    def _rows(self, name: str, sql: str) -> None:
        path = self._path(name)
        if self._write(sql, path):
            self._beside(**{name: path})
            self.beside.append(name)

    def _by_day(self) -> str:
        lines = self.table == "order_lines"
        day, money = ("day", "sum(amount)") if lines else ("CAST(NULL AS DATE)", "0")
        sums = f"count(*) AS n, CAST({money} AS DECIMAL(38, 4)) AS money"
        return f"SELECT {day} AS day, {sums} FROM stored.kept GROUP BY 1 ORDER BY 1"

    def _sums(self, rows: str) -> Volume:
        sums = f"SELECT count(*) AS n, CAST(coalesce(sum(money), 0) AS DECIMAL(38, 4)) AS money FROM ({rows})"
        n, total = self._read(Sums, sums).row(0)
        return Volume(n, total)

    def _read(self, contract: type[S], sql: str) -> dy.DataFrame[S]:
        return self._engine().read(contract, sql, {})

    def _write(self, sql: str, path: Path) -> int:
        return self._engine().write(sql, {}, path)

    def _beside(self, **paths: Path) -> None:
        """Let later steps see what was written; the engine is opened anew when next needed."""
        self.relations |= {name: Parquet((path,)) for name, path in paths.items()}
        self.close()

    def _engine(self) -> Engine:
        if self.open is None:
            self.open = self.desk.engine(self.relations)
        return self.open

    def close(self) -> None:
        """Give the engine back."""
        if self.open is not None:
            self.open.close()
            self.open = None

    def _path(self, name: str) -> Path:
        return self.desk.staging / f"{self.one.id}-{self.table}-{name}.parquet"


def _first(rules: tuple[Rule, ...], mask: int) -> Rule | None:
    """The first rule of a mask that sets aside; failing that the first at all."""
    broken = [rule for bit, rule in enumerate(rules) if mask & 1 << bit]
    return next((rule for rule in broken if rule.sets_aside), broken[0] if broken else None)
