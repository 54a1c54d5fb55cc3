"""Commits, snapshots and sweeping, against a model of what the tables should hold."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from basketry.core.errors import StorageError, TablesDamaged
from basketry.store.sealed import seal
from basketry.store.snapshot import Snapshot
from basketry.store.tables import Staged, Staging, TableStore


def staged(staging: Staging, name: str, content: bytes, rows: int = 1) -> Staged:
    path = staging.folder / name
    path.write_bytes(content)
    return Staged(path, rows)


def ingest(tables: TableStore, table: str, *contents: bytes, digest: str = "d", replaced: bool = False) -> Snapshot:
    with tables.stage() as staging:
        parts = [staged(staging, str(number), content) for number, content in enumerate(contents)]
        return staging.commit({table: parts}, [{"table": table, "digest": digest}], {table} if replaced else ())


def files(shop: Path) -> set[str]:
    return {str(path.relative_to(shop)) for path in shop.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_a_shop_without_tables_has_an_empty_snapshot(tmp_path: Path) -> None:
    snapshot = TableStore(tmp_path).snapshot()
    assert snapshot == Snapshot(tmp_path)
    assert snapshot.parts("order_lines") == ()
    assert snapshot.rows("order_lines") == 0
    assert not snapshot.has_source("order_lines", "d")
    assert files(tmp_path) == set()


def test_a_commit_is_read_back_whole(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    source = {"table": "order_lines", "digest": "one", "kept": 3, "money": "12.34", "by_rule": {"缺失": 2}}
    with tables.stage() as staging:
        written = staging.commit(
            {
                "order_lines": [staged(staging, "a", b"first", 2), staged(staging, "b", b"second", 3)],
                "quarantine": [staged(staging, "q", b"bad", 4)],
            },
            [source],
        )
        assert tables.snapshot() == written
    snapshot = TableStore(tmp_path).snapshot()
    assert snapshot == written
    assert [path.read_bytes() for path in snapshot.parts("order_lines")] == [b"first", b"second"]
    assert [path.parent.name for path in snapshot.parts("quarantine")] == ["quarantine"]
    assert (snapshot.rows("order_lines"), snapshot.rows("quarantine")) == (5, 4)
    assert snapshot.sources == (source,)
    assert snapshot.has_source("order_lines", "one")
    assert not snapshot.has_source("products", "one")
    assert not snapshot.has_source("order_lines", "two")
    assert not list((tmp_path / "tables").glob(".*"))


def test_what_is_not_committed_is_gone(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    with pytest.raises(RuntimeError), tables.stage() as staging:
        staged(staging, "a", b"x")
        raise RuntimeError
    assert files(tmp_path) == set()


def test_replaced_files_stay_until_the_next_ingest(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    old = ingest(tables, "products", b"old", digest="one")
    new = ingest(tables, "products", b"new", digest="two", replaced=True)
    assert [path.read_bytes() for path in old.parts("products")] == [b"old"]
    assert [path.read_bytes() for path in new.parts("products")] == [b"new"]
    assert not new.has_source("products", "one")
    assert new.has_source("products", "two")
    with tables.stage():
        assert not old.parts("products")[0].exists()
        assert new.parts("products")[0].exists()


def test_the_digest_follows_the_data_and_nothing_else(tmp_path: Path) -> None:
    shops = [TableStore(tmp_path / name) for name in "abc"]
    for shop in shops:
        shop.shop.mkdir()
    one = ingest(shops[0], "order_lines", b"x", b"y", digest="one").digest
    assert ingest(shops[1], "order_lines", b"x", b"y", digest="other").digest == one
    assert ingest(shops[2], "order_lines", b"y", b"x").digest != one
    assert ingest(shops[0], "quarantine", b"bad").digest == one
    assert ingest(shops[0], "products", b"z").digest != one
    assert ingest(shops[1], "products", b"x", b"y").digest != one


def test_the_same_part_is_not_added_twice(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    first = ingest(tables, "order_lines", b"x")
    assert ingest(tables, "order_lines", b"x").tables == first.tables


def test_an_ingest_heals_a_part_it_writes_again(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    part = ingest(tables, "order_lines", b"x").parts("order_lines")[0]
    part.write_bytes(b"y")
    assert tables.verify() == (part,)
    ingest(tables, "order_lines", b"x")
    assert tables.verify() == ()


def test_damaged_and_missing_parts_are_named(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    snapshot = ingest(tables, "order_lines", b"one", b"two", b"three")
    assert tables.verify() == ()
    one, two, _ = snapshot.parts("order_lines")
    one.write_bytes(b"onf")
    two.unlink()
    assert tables.verify() == (one, two)


def test_a_damaged_snapshot_is_refused_bit_by_bit(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    ingest(tables, "order_lines", b"one")
    path = tmp_path / "tables" / "snapshot.json"
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(spoilt))
        with pytest.raises(TablesDamaged):
            tables.snapshot()
        with pytest.raises(TablesDamaged), tables.stage():
            pass
    path.write_bytes(whole)
    assert tables.verify() == ()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"format": 2, "tables": {}, "sources": []},
        {"format": 1},
        {"format": 1, "tables": {"../x": []}, "sources": []},
        {"format": 1, "tables": {"x": [{"name": "../../key", "sha256": "0" * 64, "bytes": 1, "rows": 1}]}, "sources": []},
        {
            "format": 1,
            "tables": {"x": [{"name": "x-/../key.parquet", "sha256": "/../key", "bytes": 1, "rows": 1}]},
            "sources": [],
        },
        {"format": 1, "tables": {"x": [{"name": "x"}]}, "sources": []},
        {"format": 1, "tables": [], "sources": []},
    ],
)
def test_a_snapshot_of_another_shape_is_refused(tmp_path: Path, body: dict[str, object]) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "snapshot.json").write_bytes(seal(body))  # type: ignore[arg-type]
    with pytest.raises(TablesDamaged):
        TableStore(tmp_path).snapshot()


@pytest.mark.parametrize("name", ["", "Order", "order lines", "../x", "x/y", "1x", "x\n", "x" * 64, "café"])
def test_only_words_name_tables(tmp_path: Path, name: str) -> None:
    tables = TableStore(tmp_path)
    with tables.stage() as staging, pytest.raises(ValueError, match="not a table name"):
        staging.commit({name: [staged(staging, "a", b"x")]}, [])
    with tables.stage() as staging, pytest.raises(ValueError, match="not a table name"):
        staging.commit({name: []}, [])
    assert tables.snapshot() == Snapshot(tmp_path)


def test_parts_come_from_the_staging_folder_only(tmp_path: Path) -> None:
    tables = TableStore(tmp_path)
    (tmp_path / "mine").write_bytes(b"x")
    with tables.stage() as staging:
        for path in (tmp_path / "mine", staging.folder / ".." / ".." / "mine"):
            with pytest.raises(ValueError, match="not in the staging folder"):
                staging.commit({"x": [Staged(path, 1)]}, [])
        with pytest.raises(StorageError, match="No such file"):
            staging.commit({"x": [Staged(staging.folder / "none", 1)]}, [])
        with pytest.raises(ValueError, match="a table and a digest"):
            staging.commit({}, [{"table": "x"}])
    assert (tmp_path / "mine").exists()
    assert tables.snapshot() == Snapshot(tmp_path)


def test_a_shop_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError), TableStore(tmp_path / "none").stage():
        pass


class Ingests(RuleBasedStateMachine):
    """Any sequence of commits, abandoned ingests and litter leaves exactly what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Path(tempfile.mkdtemp())
        self.tables = TableStore(self.shop)
        self.model: dict[str, list[bytes]] = {}
        self.sources: list[tuple[str, str]] = []
        self.last = self.tables.snapshot()

    def teardown(self) -> None:
        shutil.rmtree(self.shop)

    @rule(
        table=st.sampled_from(["products", "order_lines", "quarantine"]),
        contents=st.lists(st.binary(max_size=4), max_size=3),
        digest=st.sampled_from("abc"),
        replaced=st.booleans(),
    )
    def commit(self, table: str, contents: list[bytes], digest: str, replaced: bool) -> None:
        if replaced:
            self.model[table] = []
            self.sources = [source for source in self.sources if source[0] != table]
        self.model[table] = list(dict.fromkeys([*self.model.get(table, []), *contents]))
        self.sources.append((table, digest))
        self.last = ingest(self.tables, table, *contents, digest=digest, replaced=replaced)

    @rule(content=st.binary(max_size=4))
    def abandon(self, content: bytes) -> None:
        with self.tables.stage() as staging:
            staged(staging, "a", content)
            assert staging.before == self.last

    @rule(name=st.sampled_from([".staging-x/part", "products-0.parquet", ".snapshot.json.00.aside"]))
    def litter(self, name: str) -> None:
        path = self.shop / "tables" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left by a killed run")
        with self.tables.stage():
            assert not path.exists()

    @invariant()
    def holds_what_the_model_says(self) -> None:
        snapshot = self.tables.snapshot()
        assert snapshot == self.last
        for table, contents in self.model.items():
            assert [path.read_bytes() for path in snapshot.parts(table)] == contents
        assert [(source["table"], source["digest"]) for source in snapshot.sources] == self.sources
        assert self.tables.verify() == ()


TestIngests = Ingests.TestCase
TestIngests.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
