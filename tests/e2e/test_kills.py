"""Killed at any durable system call, the store loses nothing acknowledged and shows nothing half-done.

One run of `kill_driver.py` is traced to list every system call that changes the shop. The driver is then run again once for
each of them, killed as it enters that call. A second check reads the trace itself: what is renamed into view must be on the
disk before, and its name before the acknowledgement; a kill cannot show that, since the system keeps what a killed process
wrote. Both checks are then run on a store spoilt on purpose, and must fail.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from basketry.core.errors import BasketryError, ReleaseError
from basketry.store.releases import ReleaseStore
from basketry.store.tables import TableStore

DRIVER = Path(__file__).with_name("kill_driver.py")
PYTHON = [sys.executable, "-I", "-S", "-B"]
CALLS = (
    "open,openat,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,copy_file_range,sendfile,truncate,ftruncate,fallocate,"
    "fsync,fdatasync,sync_file_range,msync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,flock"
)
LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
PATHS = re.compile(r'"(/[^"]*)"|<(/[^>]*)>')
NAMED = {"rename", "renameat", "renameat2", "link", "linkat"}
WRITES = {"write", "writev", "pwrite64", "pwritev", "copy_file_range", "sendfile", "ftruncate", "fallocate", "truncate"}


@dataclass(frozen=True)
class Call:
    """One system call that succeeded: the `count`-th of its `name` in the process."""

    name: str
    count: int
    paths: tuple[Path, ...]
    text: str

    @property
    def creates(self) -> bool:
        return self.name in ("mkdir", "mkdirat", "creat") or (self.name in ("open", "openat") and "O_CREAT" in self.text)

    @property
    def changes(self) -> bool:
        return self.creates or self.name not in ("open", "openat")


def run(
    strace: str, folder: Path, how: str = "", kill: Call | None = None, trace: str = "trace"
) -> subprocess.CompletedProcess[str]:
    """Run the driver in `folder`, traced, and killed as it enters the call `kill`."""
    inject = [] if kill is None else ["-e", f"inject={kill.name}:signal=KILL:when={kill.count}"]
    tracing = [strace, "-f", "-qq", "-y", "-o", str(folder / trace), "-e", f"trace={CALLS}", *inject]
    command = [*tracing, *PYTHON, str(DRIVER), str(folder / "shop"), str(folder / "acks"), "--break", how]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def calls_of(trace: Path) -> list[Call]:
    seen: Counter[str] = Counter()
    calls = []
    for line in trace.read_text().splitlines():
        matched = LINE.match(line)
        if matched is None:
            continue
        name, text, result = matched.groups()
        seen[name] += 1
        paths = tuple(Path(one or other) for one, other in PATHS.findall(text))
        if int(result) >= 0:
            calls.append(Call(name, seen[name], paths, text))
    return calls


def acknowledged(folder: Path) -> list[str]:
    acks = folder / "acks"
    return acks.read_text().splitlines() if acks.exists() else []


def problems(folder: Path) -> list[str]:
    """What is wrong with a shop after a kill, seen through the store."""
    tables, releases = TableStore(folder / "shop"), ReleaseStore(folder / "shop")
    wrong = []
    try:
        snapshot = tables.snapshot()
        sources = [source["digest"] for source in snapshot.sources]
        if sources != ["one", "two"][: len(sources)]:
            wrong.append(f"sources {sources}")
        for table, most in (("products", 1), ("order_lines", 2), ("quarantine", 2)):
            if len(snapshot.parts(table)) != min(len(sources), most):
                wrong.append(f"{table} has {len(snapshot.parts(table))} parts after sources {sources}")
        wrong += [f"damaged part {path}" for path in tables.verify()]
        published = releases.published()
        wrong += [f"damaged release {one}: {damaged}" for one in published if (damaged := releases.verify(one))]
        for line in acknowledged(folder):
            what, _, name = line.partition(" ")
            if what == "key" and (folder / "shop/key").read_text() != name + "\n":
                wrong.append("the key is not the one acknowledged")
            if (what == "source" and name not in sources) or (what == "release" and name not in published):
                wrong.append(f"lost: {line}")
            if what == "current" and releases.current().id != name:
                wrong.append(f"lost: {line}")
        if published and releases.current().fell_back_from:
            wrong.append("what serves is not what was published")
        if not published:
            with pytest.raises(ReleaseError):
                releases.current()
    except BasketryError as error:
        wrong.append(str(error))
    return wrong


def state(folder: Path) -> dict[str, str]:
    """Every path of the shop with the checksum of its content, but for the random key and the locks."""
    shop = folder / "shop"
    return {
        str(path.relative_to(shop)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(shop.rglob("*"))
        if path.name != "key" and path.suffix != ".lock"
    }


def survive(strace: str, tmp: Path, how: str = "", only: str = "") -> tuple[int, list[str]]:
    """Kill the driver at every call that changes the shop: how many kills, and what went wrong.

    With `only`, at the calls that touch such a path, and no further than the first thing that goes wrong.
    """
    reference = tmp / "reference"
    reference.mkdir()
    assert run(strace, reference, how).returncode == 0
    assert not problems(reference)
    calls = calls_of(reference / "trace")
    points = [call for call in calls if call.changes and any(reference / "shop" in (one, *one.parents) for one in call.paths)]
    points = [call for call in points if only in call.text]
    wrong = []
    for number, call in enumerate(points):
        folder = tmp / f"kill-{number}"
        folder.mkdir()
        where = f"{call.name} {call.text.replace(str(reference), '')}"
        assert run(strace, folder, how, kill=call).returncode == -9, f"not killed at {where}"
        before = calls[: calls.index(call)]
        expected = sum(one.name == "write" and one.paths[0] == reference / "acks" for one in before)
        assert len(acknowledged(folder)) == expected, f"killed somewhere else than at {where}"
        wrong += [f"killed at {where}: {problem}" for problem in problems(folder)]
        if wrong and only:
            break
        again = run(strace, folder, trace="trace of the next run")
        if again.returncode != 0:
            wrong.append(f"killed at {where}: the next run fails: {again.stderr}")
        elif state(folder) != state(reference):
            wrong.append(
                f"killed at {where}: the next run ends elsewhere: {sorted(state(folder).items() ^ state(reference).items())}"
            )
        else:
            promises = broken_promises(folder, "trace", "trace of the next run")
            wrong += [f"completed after a kill at {where}: {problem}" for problem in (*problems(folder), *promises)]
    return len(points), wrong


@dataclass
class Ledger:
    """What a power cut could still take, as a trace goes by."""

    root: Path
    acks: Path
    unflushed_files: set[Path] = field(default_factory=set)
    unflushed_folders: set[Path] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def hidden(self, path: Path) -> bool:
        """Whether no reader looks at `path`: what is staged, aside or a lock."""
        return any(part.startswith(".") for part in path.relative_to(self.root).parts)

    def see(self, call: Call) -> None:
        if call.name in WRITES and call.paths and call.paths[0] == self.acks:
            self.acknowledge(re.findall(r'"(\w+)', call.text)[0])
        if not call.paths or self.root not in (call.paths[0], *call.paths[0].parents) or call.paths[0] == self.acks:
            return
        first = call.paths[-1] if call.name in ("open", "openat", "mkdirat") else call.paths[0]
        if call.name in ("fsync", "fdatasync"):
            self.unflushed_files.discard(first)
            self.unflushed_folders.discard(first)
        elif call.creates:
            if not self.hidden(first) or self.hidden(first.parent):  # a hidden name in a visible folder may be lost
                self.unflushed_folders.add(first.parent)
            if not call.name.startswith("mkdir"):
                self.write(first, call)
        elif call.name in WRITES:
            self.write(first, call)
        elif call.name in NAMED:
            self.rename(call.paths[0], call.paths[1])

    def write(self, path: Path, call: Call) -> None:
        if path.suffix != ".lock":
            self.unflushed_files.add(path)
        if not self.hidden(path):
            self.wrong.append(f"written in place: {call.text}")

    def rename(self, source: Path, target: Path) -> None:
        below = {one for one in self.unflushed_files | self.unflushed_folders if source in (one, *one.parents)}
        if below:
            self.wrong.append(f"{source} renamed to {target} before {sorted(map(str, below))} was flushed")
        self.unflushed_files -= below
        self.unflushed_folders -= below
        self.unflushed_folders.add(target.parent)

    def acknowledge(self, what: str) -> None:
        """A key promises nothing of the tables, and a source nothing of the releases that a killed run was about to publish."""
        promised = {"key": {"key"}, "source": {"key", "tables", "quarantine"}}.get(what)
        for path in sorted(self.unflushed_files | self.unflushed_folders):
            inside = path.relative_to(self.root).parts[1:2]
            if not self.hidden(path) and (promised is None or not inside or inside[0] in promised):
                self.wrong.append(f"{what} acknowledged before {path} was flushed")


def broken_promises(folder: Path, *traces: str) -> list[str]:
    """What was promised before it was on the disk, in runs that followed one another."""
    ledger = Ledger(folder, folder / "acks")
    for trace in traces:
        for call in calls_of(folder / trace):
            ledger.see(call)
    return ledger.wrong


def test_everything_promised_was_on_the_disk(strace: str, tmp_path: Path) -> None:
    assert run(strace, tmp_path).returncode == 0
    assert broken_promises(tmp_path, "trace") == []
    renames = [call for call in calls_of(tmp_path / "trace") if call.name in NAMED]
    assert len(renames) == 16  # a key, three parts and a snapshot twice, a manifest, a folder and `current` twice, a rollback


@pytest.mark.parametrize("how", ["no-fsync", "no-file-fsync", "no-folder-fsync", "in-place:snapshot.json"])
def test_the_trace_check_sees_a_broken_build(strace: str, tmp_path: Path, how: str) -> None:
    assert run(strace, tmp_path, how).returncode == 0
    assert broken_promises(tmp_path, "trace")


@pytest.mark.slow
def test_killed_at_every_durable_call(strace: str, tmp_path: Path) -> None:
    kills, wrong = survive(strace, tmp_path)
    assert wrong == []
    assert kills >= 100, "the trace lists too few calls to be the whole driver"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "only", "seen"),
    [
        ("in-place:key", "/key", "does not hold 64 hex digits"),
        ("in-place:snapshot.json", "/snapshot.json", "snapshot.json cannot be believed"),
        ("in-place:current", "/current", "what serves is not what was published"),
        ("early-ack", "/tables", "lost: source one"),
    ],
)
def test_the_kill_check_sees_a_broken_build(strace: str, tmp_path: Path, how: str, only: str, seen: str) -> None:
    _, wrong = survive(strace, tmp_path, how, only)
    assert seen in "\n".join(wrong)
