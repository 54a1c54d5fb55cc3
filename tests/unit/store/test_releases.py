"""Publishing, proving, falling back, rolling back, pruning."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from basketry.core.errors import Busy, NotFound, ReleaseDamaged, ReleaseError, RequestError, StorageError
from basketry.store.lock import locked
from basketry.store.manifest import Manifest, is_release_id, new_release_id
from basketry.store.pointer import Pointer
from basketry.store.releases import Release, ReleaseStore
from basketry.store.sealed import seal

AT = dt.datetime(2025, 1, 31, 23, 59, 59, tzinfo=dt.UTC)
A, B, C, D = (f"2025010{day}T000000Z-0000000{day}" for day in (1, 2, 3, 4))
FILES = {"graph.parquet": b"graph", "vectors.safetensors": b"vectors"}


def manifest(release_id: str) -> Manifest:
    metrics = ({"metric": "auc", "model": "strength", "slice": "all", "value": 0.8, "low": 0.7, "high": 0.9, "n": 100},)
    return Manifest(release_id, "digest", AT, AT, "0.1.0", {"pairs": {"min_support": 5}}, {"split": 7}, metrics, {"产品": 3})


def publish(releases: ReleaseStore, release_id: str, files: dict[str, bytes] = FILES) -> Release:
    with releases.stage() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return releases.publish(folder, manifest(release_id))


def published(shop: Path, *ids: str) -> ReleaseStore:
    releases = ReleaseStore(shop)
    for one in ids:
        publish(releases, one)
    return releases


def flip(path: Path, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))


def test_a_release_is_read_back_whole(tmp_path: Path) -> None:
    releases = ReleaseStore(tmp_path)
    written = publish(releases, A)
    for release in (written, releases.open(A), releases.current()):
        assert release == written
        assert release.id == A
        assert replace(release.manifest, files={}) == manifest(A)
        assert {name: release.path(name).read_bytes() for name in release.manifest.files} == FILES
        assert release.fell_back_from is None
    assert releases.published() == (A,)
    assert releases.verify(A) == ()
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == [A]


def test_nothing_is_published_at_first(tmp_path: Path) -> None:
    releases = ReleaseStore(tmp_path)
    assert releases.published() == ()
    with pytest.raises(ReleaseError, match="nothing is published"):
        releases.current()
    with pytest.raises(ReleaseError, match="no release served before"):
        releases.rollback()
    with pytest.raises(NotFound):
        releases.open(A)
    with releases.stage() as folder:
        (folder / "x").write_bytes(b"x")
    assert list((tmp_path / "releases").iterdir()) == []


def test_a_published_release_never_changes(tmp_path: Path) -> None:
    releases = published(tmp_path, A)
    with pytest.raises(RequestError, match="already published"):
        publish(releases, A, {"other": b"other"})
    assert releases.current().path("graph.parquet").read_bytes() == b"graph"
    assert releases.verify(A) == ()


def test_a_folder_never_published_gives_way(tmp_path: Path) -> None:
    (tmp_path / "releases" / A).mkdir(parents=True)
    (tmp_path / "releases" / A / "half").write_bytes(b"")
    releases = published(tmp_path, A)
    assert releases.verify(A) == ()
    assert not (tmp_path / "releases" / A / "half").exists()


def test_every_flipped_bit_is_seen_before_the_file_is_given_out(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    folder = tmp_path / "releases" / B
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for bit in range(0, 8 * len(whole), 11 if path.name == "manifest.json" else 1):
            flip(path, bit)
            assert releases.verify(B) == (path.name,)
            current = releases.current()
            assert (current.id, current.fell_back_from) == (A, B)
            with pytest.raises(ReleaseDamaged):
                releases.open(B).path(path.name)
            path.write_bytes(whole)
    assert releases.current().id == B


@pytest.mark.parametrize("name", ["graph.parquet", "manifest.json"])
@pytest.mark.parametrize("how", ["gone", "cut", "longer", "empty", "a link"])
def test_a_spoilt_file_is_seen(tmp_path: Path, name: str, how: str) -> None:
    releases = published(tmp_path, A, B)
    path = tmp_path / "releases" / B / name
    data = path.read_bytes()
    path.unlink()
    if how == "a link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif how != "gone":
        path.write_bytes({"cut": data[:-1], "longer": data + b"\n", "empty": b""}[how])
    if how == "a link" and name == "manifest.json":
        assert releases.verify(B) == ()  # a manifest proves itself, wherever it lies
    else:
        assert releases.verify(B) == (name,)
        assert releases.current().fell_back_from == B


def test_only_the_files_asked_for_decide_what_serves(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    flip(tmp_path / "releases" / B / "vectors.safetensors")
    assert releases.current(["graph.parquet"]).id == B
    assert releases.current(["vectors.safetensors"]).id == A
    with pytest.raises(NotFound, match="no file 'none'"):
        releases.current(["none"])
    with pytest.raises(NotFound):
        releases.open(B).path("../../key")


def test_a_file_is_proved_once_for_each_opening(tmp_path: Path) -> None:
    releases = published(tmp_path, A)
    release = releases.open(A)
    path = release.path("graph.parquet")
    flip(path)
    assert release.path("graph.parquet") == path
    assert release.damaged() == ("graph.parquet",)
    with pytest.raises(ReleaseDamaged):
        releases.open(A).path("graph.parquet")


def test_a_damaged_pointer_falls_back_to_the_newest_good_release(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    releases.rollback()
    current = tmp_path / "current"
    whole = current.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        flip(current, bit)
        release = releases.current()
        assert (release.id, release.fell_back_from) == (B, "current")
        current.write_bytes(whole)
    assert (releases.current().id, releases.current().fell_back_from) == (A, None)
    flip(current)
    flip(tmp_path / "releases" / B / "graph.parquet")
    assert releases.current().id == A
    assert releases.published() == (A, B)
    assert publish(releases, C).id == releases.current().id == C
    assert releases.published() == (A, B, C)
    assert releases.current().fell_back_from is None


def test_a_lost_pointer_is_restored_by_naming_a_release(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    (tmp_path / "current").unlink()
    with pytest.raises(ReleaseError, match="nothing is published"):
        releases.current()
    assert releases.rollback(B).id == releases.current().id == B
    assert releases.rollback(A).id == releases.current().id == A
    assert set(releases.published()) == {A, B}


def test_with_nothing_intact_it_says_so(tmp_path: Path) -> None:
    releases = published(tmp_path, A)
    flip(tmp_path / "releases" / A / "graph.parquet")
    with pytest.raises(ReleaseDamaged, match="intact"):
        releases.current()
    shutil.rmtree(tmp_path / "releases")
    with pytest.raises(ReleaseDamaged, match="intact"):
        releases.current()


def test_going_back_is_going_back_to_what_served(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B, C)
    (tmp_path / ".current.00.aside").write_bytes(b"left by a killed run")
    assert releases.rollback().id == B
    assert not (tmp_path / ".current.00.aside").exists()
    publish(releases, D)
    assert releases.published() == (A, B, C, D)
    assert releases.rollback().id == B  # not C, which B had replaced again
    assert releases.rollback().id == A
    with pytest.raises(ReleaseError, match="no release served before"):
        releases.rollback()
    assert releases.rollback(C).id == releases.current().id == C


def test_what_fell_back_is_what_served_before(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B, C)
    releases.rollback()
    flip(tmp_path / "releases" / B / "graph.parquet")
    assert releases.current().id == A  # not C, which was taken back on purpose
    flip(tmp_path / "releases" / A / "graph.parquet")
    assert releases.current().id == C


def test_no_way_back_to_a_damaged_release(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    flip(tmp_path / "releases" / A / "graph.parquet")
    for to in (None, A):
        with pytest.raises(ReleaseDamaged, match=r"graph\.parquet"):
            releases.rollback(to)
    with pytest.raises(NotFound):
        releases.rollback(C)
    assert releases.current().id == B


def test_pruning_keeps_the_newest_and_what_serves(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B, C, D)
    releases.rollback(A)
    (tmp_path / "releases" / "20240101T000000Z-00000000").mkdir()
    assert releases.prune(2) == ("20240101T000000Z-00000000", B)
    assert releases.published() == (A, C, D)
    assert releases.current().id == A
    releases.rollback(C)
    assert releases.rollback().id == A  # B is gone, and came after A
    assert releases.prune(1) == (C,)
    assert releases.published() == (A, D)
    with pytest.raises(RequestError):
        releases.prune(0)


def test_staging_is_swept_and_one_build_runs_at_a_time(tmp_path: Path) -> None:
    releases = published(tmp_path, A, B)
    (tmp_path / "releases" / ".staging-left").mkdir()
    with releases.stage() as folder:
        assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == sorted([folder.name, A, B])
        with pytest.raises(Busy), releases.stage():
            pass
        assert releases.rollback().id == A  # does not wait for the build
        with locked(tmp_path, "releases"), pytest.raises(Busy):
            releases.rollback()
    assert not folder.exists()


@pytest.mark.parametrize("name", [".hidden", "with space", "é.txt", "manifest.json", "a" * 200])
def test_a_file_with_such_a_name_is_refused(tmp_path: Path, name: str) -> None:
    releases = ReleaseStore(tmp_path)
    with pytest.raises(RequestError, match="cannot be a file of a release"):
        publish(releases, A, {name: b"x"})
    assert releases.published() == ()


def test_folders_and_links_are_refused(tmp_path: Path) -> None:
    releases = ReleaseStore(tmp_path)
    (tmp_path / "key").write_bytes(b"secret")
    with releases.stage() as folder:
        (folder / "link").symlink_to(tmp_path / "key")
        with pytest.raises(RequestError, match="'link'"):
            releases.publish(folder, manifest(A))
        (folder / "link").unlink()
        (folder / "inner").mkdir()
        with pytest.raises(RequestError, match="'inner'"):
            releases.publish(folder, manifest(A))


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "../x", "/etc", "current", "20250101T000000Z-0000000", "20250101T000000Z-000000001", f"{A}\n", f" {A}",
        f"{A}/..", f"../{A}", "20250101t000000z-00000001", "20250101T000000Z-0000000G", "２0250101T000000Z-00000001", f"{A}\0",
        "20250101T000000Z_00000001", ".staging-00000000", "20250101T000000Z-ABCDEF01",
    ],
)  # fmt: skip
def test_what_is_no_release_id_goes_nowhere(tmp_path: Path, text: str) -> None:
    assert not is_release_id(text)
    releases = published(tmp_path, A, B)
    for use in (releases.open, releases.verify, lambda one: publish(releases, one)):
        with pytest.raises(RequestError, match="is not a release id"):
            use(text)
    if text:
        with pytest.raises(RequestError, match="is not a release id"):
            releases.rollback(text)
    assert releases.published() == (A, B)


def test_new_ids_differ_and_sort_by_time() -> None:
    later = new_release_id(AT + dt.timedelta(seconds=1))
    assert is_release_id(later)
    assert new_release_id(AT) < later
    assert len({new_release_id(AT) for _ in range(100)}) == 100
    berlin = AT.astimezone(dt.timezone(dt.timedelta(hours=1)))
    assert new_release_id(berlin).startswith("20250131T235959Z-")
    assert is_release_id(new_release_id())


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"id": A}, {"files": {"../../key": {"sha256": "0", "bytes": 1}}}, {"files": {"x": 1}}, {"as_of": "soon"},
        {"surprise": 1}, {"files": None},
    ],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    releases = published(tmp_path, A, B)
    body = releases.open(B).manifest.body() | change
    (tmp_path / "releases" / B / "manifest.json").write_bytes(seal(body))  # type: ignore[arg-type]
    with pytest.raises(ReleaseDamaged):
        releases.open(B)
    assert releases.current().id == A


@pytest.mark.parametrize(
    "body", [{}, {"format": 1, "current": "../x", "published": []}, {"format": 1, "current": 1, "published": []}]
)
def test_a_pointer_of_another_shape_is_not_followed(tmp_path: Path, body: dict[str, object]) -> None:
    releases = published(tmp_path, A)
    (tmp_path / "current").write_bytes(seal(body))  # type: ignore[arg-type]
    assert (releases.current().id, releases.current().fell_back_from) == (A, "current")


def test_a_shop_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError), ReleaseStore(tmp_path / "none").stage():
        pass


class History(RuleBasedStateMachine):
    """Whatever is published, taken back and pruned, the pointer agrees with itself and survives its JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.pointer = Pointer()
        self.served: list[str] = []
        self.count = 0

    @rule()
    def publish(self) -> None:
        self.count += 1
        before = self.pointer.current
        self.pointer = self.pointer.with_published(f"20250101T000000Z-{self.count:08x}")
        assert self.pointer.previous() == before

    @precondition(lambda self: self.pointer.previous() is not None)
    @rule()
    def back(self) -> None:
        self.pointer = self.pointer.pointing_to(self.pointer.previous() or "")

    @precondition(lambda self: len(self.pointer.published) > 1)
    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        others = sorted(set(self.pointer.published) - {self.pointer.current})
        self.pointer = self.pointer.without(frozenset(data.draw(st.sets(st.sampled_from(others)))))

    @invariant()
    def agrees(self) -> None:
        ids = set(self.pointer.published)
        assert self.pointer.current is None or self.pointer.current in ids
        assert set(self.pointer.published.values()) <= ids | {None}
        candidates = list(self.pointer.candidates())
        assert sorted(candidates) == sorted(ids)
        assert candidates[:1] == ([self.pointer.current] if self.pointer.current else [])
        assert list(self.pointer.published) == sorted(ids)
        assert Pointer.from_body(self.pointer.body()) == self.pointer


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
