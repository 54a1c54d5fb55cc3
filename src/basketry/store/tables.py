"""A shop's tables on disk: immutable Parquet parts, and one small file that says which of them count.

```
SHOP/tables/snapshot.json              the committed state; replacing it is the commit
SHOP/tables/TABLE-SHA256.parquet       parts, named by their content
SHOP/quarantine/quarantine-SHA256.parquet
SHOP/tables/.staging-*/                an ingest under way, or what a killed one left
```

An ingest writes its parts into a staging folder, then commits: parts are flushed and renamed into place, the folders flushed,
and only then is `snapshot.json` replaced. That one rename makes all tables and the quarantine of one ingest appear together.
Parts that no snapshot names are swept when the next ingest begins, so the files of a snapshot stay readable at least until
then, and until the one after if nothing replaced them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from basketry.core.errors import TablesDamaged
from basketry.store import durable
from basketry.store.lock import locked
from basketry.store.sealed import MALFORMED, Json, seal, unseal
from basketry.store.snapshot import QUARANTINE, Part, Snapshot, folder_of, part_name

_STAGING: Final = ".staging-"
_SNAPSHOT: Final = "snapshot.json"


@dataclass(frozen=True)
class Staged:
    """A Parquet file written into the staging folder, and the rows it holds."""

    path: Path
    rows: int


@dataclass(frozen=True)
class TableStore:
    """The tables of the shop in folder `shop`, which must exist. Any number of readers, one writer."""

    shop: Path

    def snapshot(self) -> Snapshot:
        """The last commit; an empty snapshot before the first. Raises TablesDamaged if its file cannot be believed."""
        path = self.shop / "tables" / _SNAPSHOT
        with durable.guarded(path, "read"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return Snapshot(self.shop)
        try:
            return Snapshot.from_body(self.shop, unseal(data))
        except MALFORMED as error:
            raise TablesDamaged(
                f"{path} cannot be believed: {error}",
                "Restore it from a backup, or ingest again into a new shop; published releases still serve.",
            ) from error

    @contextmanager
    def stage(self) -> Iterator[Staging]:
        """Begin an ingest: take the lock `tables`, sweep what killed ingests left, and give a fresh staging folder.

        Whatever is in the staging folder and not committed by the end of the block is gone after it. Raises Busy if another
        process is ingesting, StorageError if the disk refuses.
        """
        with locked(self.shop, "tables"):
            for folder in (self.shop / "tables", self.shop / QUARANTINE):
                durable.make_folder(folder)
                with durable.guarded(folder, "flush"):
                    durable.sync(folder)  # a killed run may have shown a commit that was not yet on the disk
            before = self.snapshot()
            self._sweep(before)
            folder = self.shop / "tables" / f"{_STAGING}{os.urandom(4).hex()}"
            with durable.guarded(folder, "create"):
                folder.mkdir()
            try:
                yield Staging(self, folder, before)
            finally:
                durable.remove_folder(folder)

    def verify(self) -> tuple[Path, ...]:
        """The committed parts whose content differs from its checksum, or that are missing; reads every byte of them."""
        snapshot = self.snapshot()
        checked = (
            (path, part)
            for table, parts in snapshot.tables.items()
            for path, part in zip(snapshot.parts(table), parts, strict=True)
        )
        return tuple(path for path, part in checked if not path.is_file() or _is_damaged(path, part))

    def _sweep(self, snapshot: Snapshot) -> None:
        named = {path for table in snapshot.tables for path in snapshot.parts(table)}
        durable.sweep(self.shop / "tables", _SNAPSHOT)
        with durable.guarded(self.shop, "clear"):
            for folder in (self.shop / "tables", self.shop / QUARANTINE):
                for path in folder.glob("*.parquet"):
                    if path not in named:
                        path.unlink()
                for path in folder.glob(f"{_STAGING}*"):
                    durable.remove_folder(path)


@dataclass(frozen=True)
class Staging:
    """An ingest under way: a `folder` to write parts into, and the state `before` it, which is certain to be on the disk."""

    store: TableStore
    folder: Path
    before: Snapshot

    def commit(
        self, parts: Mapping[str, Sequence[Staged]], sources: Iterable[Mapping[str, Json]], replaced: Collection[str] = ()
    ) -> Snapshot:
        """Add `parts` to their tables (`quarantine` is one) and `sources` to the list, all at once and durably.

        For a table in `replaced`, the new parts take the place of all its old ones, and its new sources that of its old
        sources; the old files stay until the next ingest begins. A part whose content is already in the table is not added a
        second time. Each source is a mapping of JSON values with at least `table` and `digest`. On return it is on the disk;
        if it raises, the tables are as they were.

        Raises StorageError if the disk refuses, ValueError if a part lies outside the staging folder, a table's name is not a
        lower-case word, or a source lacks `table` or `digest`.
        """
        shop, now = self.store.shop, self.store.snapshot()
        new_sources = tuple(sources)
        for source in new_sources:
            if not {"table", "digest"} <= source.keys():
                raise ValueError(f"a source needs a table and a digest: {source!r}")
        tables = {table: old for table, old in now.tables.items() if table not in replaced}
        moves: dict[Path, Path] = {}
        for table, staged in parts.items():
            named = [(one.path, self._part(table, one)) for one in staged]
            tables[table] = tuple(dict.fromkeys((*tables.get(table, ()), *(part for _, part in named))))
            moves |= {path: folder_of(shop, table) / part.name for path, part in named}
        kept = tuple(source for source in now.sources if source["table"] not in replaced)
        data = seal(replace(now, tables=tables, sources=(*kept, *new_sources)).body())
        after = Snapshot.from_body(shop, unseal(data))  # what could not be read back is refused before anything moves
        for path, target in moves.items():
            durable.move_file(path, target)
        with durable.guarded(shop, "flush"):
            for folder in sorted({target.parent for target in moves.values()}):
                durable.sync(folder)
        durable.write_file(shop / "tables" / _SNAPSHOT, data)
        return after

    def _part(self, table: str, staged: Staged) -> Part:
        if self.folder not in staged.path.parents or ".." in staged.path.parts:
            raise ValueError(f"{staged.path} is not in the staging folder {self.folder}")
        with durable.guarded(staged.path, "read"):
            digest, length = durable.fingerprint(staged.path)
        return Part(part_name(table, digest), digest, length, staged.rows)


def _is_damaged(path: Path, part: Part) -> bool:
    with durable.guarded(path, "read"):
        return durable.fingerprint(path) != (part.sha256, part.bytes)
