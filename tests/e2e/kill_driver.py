"""Two ingests, two publishes and a rollback through the store, each acknowledged in a flushed file once it has returned.

    python kill_driver.py SHOP ACKS [--break HOW]

Every step looks first whether it was done by an earlier run, as a use case does, so running it again completes what a kill cut
short. `--break` spoils the store on purpose, to prove that the checks which use this driver can fail.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from basketry.store import durable
from basketry.store.key import load_or_create_key
from basketry.store.manifest import Manifest
from basketry.store.releases import ReleaseStore
from basketry.store.tables import Staged, TableStore

FIRST, SECOND = "20250101T000000Z-00000001", "20250102T000000Z-00000002"
WHEN = dt.datetime(2025, 1, 3, tzinfo=dt.UTC)


def write_in_place(name: str) -> None:
    atomic = durable.writing

    @contextmanager
    def writing(path: Path) -> Iterator[Path]:
        if path.name != name:
            with atomic(path) as aside:
                yield aside
        else:
            yield path
            durable.sync(path)
            durable.sync(path.parent)

    durable.writing = writing


def is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def spoil(how: str) -> None:
    real = os.fsync
    if how == "no-fsync":
        os.fsync = lambda descriptor: None
    elif how == "no-file-fsync":
        os.fsync = lambda descriptor: real(descriptor) if is_folder(descriptor) else None
    elif how == "no-folder-fsync":
        os.fsync = lambda descriptor: None if is_folder(descriptor) else real(descriptor)
    elif how.startswith("in-place:"):
        write_in_place(how.removeprefix("in-place:"))


def ingest(tables: TableStore, name: str, rows: int) -> None:
    with tables.stage() as staging:
        if staging.before.has_source("order_lines", name):
            return
        parts = {}
        for table in ("products", "order_lines", "quarantine"):
            path = staging.folder / f"{table}.parquet"
            path.write_bytes(f"{table} of {name}\n".encode() * rows)
            parts[table] = [Staged(path, rows)]
        source = {"table": "order_lines", "digest": name, "rows_in": 2 * rows, "kept": rows, "quarantined": rows}
        staging.commit(parts, [source], replaced={"products"})


def publish(releases: ReleaseStore, release_id: str, data_digest: str) -> None:
    with releases.stage() as folder:
        if release_id in releases.published():
            return
        (folder / "graph.parquet").write_bytes(release_id.encode() * 100)
        (folder / "vectors.safetensors").write_bytes(data_digest.encode() * 100)
        releases.publish(
            folder, Manifest(release_id, data_digest, WHEN, WHEN, "0", {"pairs": {"min_support": 5}}, {"split": 7})
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shop", type=Path)
    parser.add_argument("acks", type=Path)
    parser.add_argument("--break", dest="how", default="")
    arguments = parser.parse_args()
    acks = os.open(arguments.acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    flush = os.fsync

    def acknowledge(line: str) -> None:
        os.write(acks, f"{line}\n".encode())
        flush(acks)

    spoil(arguments.how)
    durable.make_folder(arguments.shop)
    tables, releases = TableStore(arguments.shop), ReleaseStore(arguments.shop)
    acknowledge(f"key {load_or_create_key(arguments.shop).hex()}")
    for name, rows in (("one", 10), ("two", 20)):
        if arguments.how == "early-ack":
            acknowledge(f"source {name}")
        ingest(tables, name, rows)
        if arguments.how != "early-ack":
            acknowledge(f"source {name}")
    for release_id in (FIRST, SECOND):
        publish(releases, release_id, tables.snapshot().digest)
        acknowledge(f"release {release_id}")
    releases.rollback(FIRST)
    acknowledge(f"current {FIRST}")
    with tables.stage(), releases.stage():  # the next run begins: what killed runs left is swept
        pass
    acknowledge("swept")


if __name__ == "__main__":
    main()
