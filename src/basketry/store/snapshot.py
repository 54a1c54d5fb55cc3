"""What a shop's tables hold, as of one commit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from basketry.store.sealed import Json, canonical

FORMAT: Final = 1
QUARANTINE: Final = "quarantine"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TABLE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Part:
    """One committed Parquet file: `name` in its table's folder, sha256 in hex, length in bytes, rows."""

    name: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class Snapshot:
    """All tables and the quarantine as one commit left them; what a later commit does never changes it.

    `tables` maps a table to its parts, in commit order; the quarantine is the table named `quarantine`. `sources` holds one
    record a source ingested, each with at least `table` and `digest`; the rest is the ingest's own (rows in, kept,
    quarantined, money).
    """

    shop: Path
    tables: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    sources: tuple[Mapping[str, Any], ...] = ()

    @property
    def digest(self) -> str:
        """sha256 over the checksums of all parts by table, the quarantine left out: two equal digests mean the same data."""
        parts = {name: [part.sha256 for part in parts] for name, parts in self.tables.items() if name != QUARANTINE and parts}
        return hashlib.sha256(canonical(parts)).hexdigest()

    def parts(self, table: str) -> tuple[Path, ...]:
        """The Parquet files of `table`, in commit order; none if nothing was ever committed to it."""
        return tuple(folder_of(self.shop, table) / part.name for part in self.tables.get(table, ()))

    def rows(self, table: str) -> int:
        """How many rows `table` holds."""
        return sum(part.rows for part in self.tables.get(table, ()))

    def has_source(self, table: str, digest: str) -> bool:
        """Whether a source with this digest was committed to `table`."""
        return any(source["table"] == table and source["digest"] == digest for source in self.sources)

    def body(self) -> dict[str, Json]:
        """The snapshot as JSON."""
        return {
            "format": FORMAT,
            "tables": {table: [vars(part) for part in parts] for table, parts in self.tables.items()},
            "sources": list(self.sources),
        }

    @classmethod
    def from_body(cls, shop: Path, body: Mapping[str, Any]) -> Snapshot:
        """The snapshot back from its JSON. Raises ValueError if another version of the format wrote it."""
        if body.get("format") != FORMAT:
            raise ValueError(f"format {body.get('format')!r}, and this version reads format {FORMAT}")
        tables = {table: tuple(Part(**part) for part in parts) for table, parts in body["tables"].items()}
        for table, parts in tables.items():
            folder_of(shop, table)
            if any(not _SHA256.fullmatch(part.sha256) or part.name != part_name(table, part.sha256) for part in parts):
                raise ValueError(f"a part of {table} is not named by its content")
        return cls(shop, tables, tuple(body["sources"]))


def part_name(table: str, sha256: str) -> str:
    """A part's name from its content; 128 bits, so that nobody can make two files that would share one."""
    return f"{table}-{sha256[:32]}.parquet"


def folder_of(shop: Path, table: str) -> Path:
    """Where the parts of `table` lie. Raises ValueError unless it is a lower-case word."""
    if not _TABLE_NAME.fullmatch(table):
        raise ValueError(f"not a table name: {table!r}")
    return shop / QUARANTINE if table == QUARANTINE else shop / "tables"
