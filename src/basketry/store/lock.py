"""One writer at a time: an advisory lock that the operating system gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from basketry.core.errors import Busy
from basketry.store.durable import guarded

_GLANCE: Final = 0.05  # seconds between two tries


@contextmanager
def locked(shop: Path, work: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock `work` of a shop (`SHOP/.WORK.lock`) for the block; waits `wait` seconds for it; not re-entrant.

    The lock is flock(2) on a file that stays: a killed process leaves none behind. It binds processes and threads that ask
    for it, on one machine. Readers need no lock. Raises Busy, naming the holder's process id, if another has it; StorageError
    if the file system cannot lock.
    """
    path = shop / f".{work}.lock"
    with guarded(path, "lock"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        with guarded(path, "lock"):
            if not _taken(descriptor, wait):
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise Busy(
                    f"process {holder} holds the {work} lock of {shop}",
                    "Wait until it ends, or stop it: the lock goes with the process.",
                )
        with suppress(OSError):  # the process id is a courtesy: a full disk must not keep the next run from clearing up
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, wait: float) -> bool:
    """Whether the lock could be had within `wait` seconds; flock itself can wait for ever only."""
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_GLANCE)
        else:
            return True
