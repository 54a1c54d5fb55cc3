"""Writes that survive a kill and a power cut: write aside, flush to the disk, rename, flush the folder.

A rename within one folder is atomic on every POSIX file system: a reader sees the old file or the new one. It says nothing
about what a power cut leaves, so the data are flushed (fsync) before the rename and the folder, which holds the name, after
it. A function here that returns has done both; one that raises has left the old state in place.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from basketry.core.errors import StorageError

_ASIDE: Final = ".aside"

_HINTS: Final = {
    errno.ENOSPC: "Free some space and run the same command again; everything acknowledged before is intact.",
    errno.EDQUOT: "Your disk quota is used up: free some space and run the same command again.",
    errno.EROFS: "The file system is mounted read-only: mount it for writing, or copy the shop elsewhere.",
    errno.EACCES: "Give this user write permission on the shop folder.",
    errno.EPERM: "Give this user write permission on the shop folder.",
    errno.EXDEV: "Keep the whole shop folder on one file system: its parts are moved by rename.",
    errno.EIO: "The disk reports an error: check its health before anything else, then verify the shop.",
}


@contextmanager
def guarded(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError that names `path`, the reason and the way out."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "Check the path and the file system, then run the same command again.")
        raise StorageError(f"cannot {doing} {path}: {error.strerror or error}", hint) from error


def sync(path: Path) -> None:
    """Flush one file's data, or one folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and every folder below `folder`, and `folder` itself last."""
    with guarded(folder, "flush"):
        for root, _, names in os.walk(folder, topdown=False):
            for name in names:
                sync(Path(root, name))
            sync(Path(root))


def make_folder(path: Path) -> None:
    """Create `path` and its missing parents, durably.

    A folder that is there already is flushed into its parent all the same: the run that made it may have been killed before
    that.
    """
    with guarded(path, "create"):
        missing = [path]
        while not missing[-1].parent.is_dir():
            missing.append(missing[-1].parent)
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            sync(folder.parent)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a path aside, in the same folder, to be written by the block; then put it durably in the place of `path`.

    If the block or the disk fails, `path` is as it was and nothing is left aside (unless the process is killed: see `sweep`).
    """
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}{_ASIDE}")
    with guarded(path):
        try:
            yield aside
            sync(aside)
            aside.replace(path)
            sync(path.parent)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise


def write_file(path: Path, data: bytes) -> None:
    """Put `data` durably and atomically into `path`, in the place of what was there."""
    with writing(path) as aside:
        aside.write_bytes(data)


def move_file(staged: Path, target: Path) -> None:
    """Flush the file `staged` and rename it to `target`; the caller flushes the target's folder, once for many files."""
    with guarded(target):
        sync(staged)
        staged.replace(target)


def publish_folder(staging: Path, target: Path) -> None:
    """Rename the folder `staging`, flushed by `sync_tree`, durably to `target`, which must not exist; both in one file system.

    Raises StorageError if the disk refuses or if `target` is there: a published folder is never overwritten.
    """
    with guarded(target):
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        staging.rename(target)
        sync(target.parent)


def sweep(folder: Path, name: str) -> None:
    """Remove what killed writers of `folder/name` left aside. Only under the lock that all writers of that name take."""
    with guarded(folder, "clear"):
        for left in folder.glob(f".{name}.*{_ASIDE}"):
            left.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder and all below it; one that is not there is no error."""
    with guarded(folder, "remove"), suppress(FileNotFoundError):
        shutil.rmtree(folder)


def fingerprint(path: Path) -> tuple[str, int]:
    """The sha256 of a file in hex and its length in bytes, read as a stream."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return digest.hexdigest(), stream.tell()
