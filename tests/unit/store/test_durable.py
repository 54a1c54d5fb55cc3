"""Atomic files, folders, locks and the key; what a full disk does."""

from __future__ import annotations

import datetime as dt
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import Busy, ConfigError, StorageError
from basketry.store import durable
from basketry.store.key import load_or_create_key
from basketry.store.lock import locked
from basketry.store.manifest import Manifest
from basketry.store.releases import ReleaseStore
from basketry.store.sealed import seal, unseal
from basketry.store.tables import Staged, TableStore

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=12,
)


def test_a_file_is_replaced_whole_and_nothing_is_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"first", b"", b"third" * 10_000):
        durable.write_file(path, data)
        assert path.read_bytes() == data
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write_file(path, b"old")
    with pytest.raises(RuntimeError), durable.writing(path) as aside:
        aside.write_bytes(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_refused_write_names_the_path_the_reason_and_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory") as caught:
        durable.write_file(tmp_path / "nowhere" / "file", b"")
    assert "nowhere" in caught.value.message
    assert caught.value.hint
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        durable.make_folder(tmp_path / "file" / "folder")


def test_a_published_folder_is_never_overwritten(tmp_path: Path) -> None:
    staging, target = tmp_path / "staging", tmp_path / "target"
    (staging / "inner").mkdir(parents=True)
    (staging / "inner" / "file").write_bytes(b"x")
    target.mkdir()
    with pytest.raises(StorageError, match="exists"):
        durable.publish_folder(staging, target)
    target.rmdir()
    durable.publish_folder(staging, target)
    assert (target / "inner" / "file").read_bytes() == b"x"
    assert not staging.exists()


def test_the_sweep_takes_only_what_was_left_aside(tmp_path: Path) -> None:
    for name in (".current.0a.aside", "current", ".currents.0a.aside", ".other.aside"):
        (tmp_path / name).write_bytes(b"")
    durable.sweep(tmp_path, "current")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".currents.0a.aside", ".other.aside", "current"]


def test_a_second_process_is_kept_out_until_the_first_dies(tmp_path: Path) -> None:
    holder = "import sys, time\nfrom pathlib import Path\nfrom basketry.store.lock import locked\n"
    holder += "with locked(Path(sys.argv[1]), 'tables'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    source = str(Path(durable.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": source}
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"process {process.pid}"), locked(tmp_path, "tables"):
            pass
        with locked(tmp_path, "releases"):
            pass
        process.kill()
        process.wait()
    with locked(tmp_path, "tables"), pytest.raises(Busy), locked(tmp_path, "tables"):
        pass


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".tables.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageError), locked(tmp_path, "tables"):
        pass
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_the_key_is_secret_and_stays(tmp_path: Path) -> None:
    key = load_or_create_key(tmp_path)
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert load_or_create_key(tmp_path) == key
    (tmp_path / "other").mkdir()
    assert load_or_create_key(tmp_path / "other") != key


@pytest.mark.parametrize("content", [b"", b"\n", b"0" * 63 + b"\n", b"0" * 64, b"G" * 64 + b"\n", b"0" * 64 + b"\n\n"])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(ConfigError, match="64 hex digits"):
        load_or_create_key(tmp_path)
    assert (tmp_path / "key").read_bytes() == content


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ConfigError, match="0644"):
        load_or_create_key(tmp_path)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=4))
def test_a_sealed_body_comes_back(body: dict[str, object]) -> None:
    assert unseal(seal(body)) == body  # type: ignore[arg-type]


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=3), st.data())
def test_any_flipped_bit_breaks_the_seal(body: dict[str, object], data: st.DataObject) -> None:
    sealed = bytearray(seal(body))  # type: ignore[arg-type]
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError):
        unseal(bytes(sealed))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"body": 1}', b'{"body": {}, "sha256": ""}', b"\xff", b"null"])
def test_what_was_never_sealed_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        unseal(text)


def test_the_store_is_imported_without_anything_heavy() -> None:
    program = "import sys, basketry.store.tables, basketry.store.releases, basketry.store.key, basketry.store.arrays\n"
    program += "print(sorted({'numpy', 'polars', 'safetensors', 'duckdb', 'dataframely'} & set(sys.modules)))"
    source = str(Path(durable.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": source}
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here: it takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        while True:
            stream.write(b"b" * 4096)


def test_a_full_disk_harms_nothing_and_is_recovered_from(small_disk: Path) -> None:
    tables = TableStore(small_disk)
    with tables.stage() as staging:
        part = staging.folder / "part"
        part.write_bytes(b"a" * 1000)
        before = staging.commit({"order_lines": [Staged(part, 1)]}, [{"table": "order_lines", "digest": "one"}])
    ballast = small_disk / "ballast"
    fill(ballast)
    with pytest.raises(StorageError, match="No space left") as caught:
        durable.write_file(small_disk / "file", b"c" * 5000)
    assert "Free some space" in caught.value.hint
    with pytest.raises(StorageError, match="No space left"), tables.stage() as staging:
        durable.write_file(staging.folder / "part", b"d" * 1000)
    assert tables.snapshot() == before
    assert tables.verify() == ()
    ballast.unlink()
    with tables.stage() as staging:
        part = staging.folder / "part"
        part.write_bytes(b"d" * 1000)
        after = staging.commit({"order_lines": [Staged(part, 1)]}, [{"table": "order_lines", "digest": "two"}])
    assert tables.snapshot() == after
    assert tables.verify() == ()
    assert len(after.parts("order_lines")) == 2


def test_a_commit_that_meets_a_full_disk_changes_nothing(small_disk: Path) -> None:
    tables = TableStore(small_disk)
    ballast = small_disk / "ballast"
    with tables.stage() as staging:
        part = staging.folder / "part"
        part.write_bytes(b"a" * 1000)
        fill(ballast)
        with pytest.raises(StorageError, match="No space left"):
            staging.commit({"order_lines": [Staged(part, 1)]}, [])
        assert tables.snapshot() == staging.before
    ballast.unlink()
    with tables.stage() as staging:
        assert list((small_disk / "tables").glob("*.parquet")) == []


def test_a_publish_that_meets_a_full_disk_changes_nothing(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases, ballast, really = ReleaseStore(small_disk), small_disk / "ballast", durable.publish_folder
    at = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    ids = ["20250101T000000Z-00000001", "20250101T000000Z-00000002"]

    def publish(release_id: str) -> None:
        with releases.stage() as folder:
            (folder / "graph").write_bytes(release_id.encode() * 1000)
            releases.publish(folder, Manifest(release_id, "digest", at, at, "0", {}, {}))

    def publish_folder_and_fill(staging: Path, target: Path) -> None:
        really(staging, target)
        fill(ballast)

    publish(ids[0])
    monkeypatch.setattr(durable, "publish_folder", publish_folder_and_fill)
    with pytest.raises(StorageError, match="No space left"):
        publish(ids[1])
    assert releases.current().id == ids[0]
    assert releases.published() == (ids[0],)
    assert [path.name for path in (small_disk / "releases").iterdir()] == [ids[0]]
    monkeypatch.undo()
    ballast.unlink()
    publish(ids[1])
    assert releases.current().id == ids[1]
