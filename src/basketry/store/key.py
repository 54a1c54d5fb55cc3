"""The shop's secret: the key of the keyed hash that turns customer ids into pseudonyms."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from basketry.core.errors import ConfigError
from basketry.store import durable
from basketry.store.lock import locked

_HEX = re.compile(rb"[0-9a-f]{64}\n")


def load_or_create_key(shop: Path) -> bytes:
    """The 32 bytes of `SHOP/key`, drawn from the system's random source on first use (64 hex digits, mode 0600).

    The file appears whole or not at all and is never overwritten: a second key would give every customer a second pseudonym.
    Raises ConfigError if the file is damaged or others may read it, Busy if another process is creating it, StorageError if the
    disk refuses.
    """
    path = shop / "key"
    if not path.exists():
        with locked(shop, "key"):
            _create(path)
    with durable.guarded(path, "read"):
        durable.sync(path.parent)  # a run killed at the wrong moment may have shown a key that was not yet on the disk
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes()
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others (mode {mode:04o})", f"Take their rights away: chmod 600 {path}")
    if not _HEX.fullmatch(text):
        raise ConfigError(
            f"{path} does not hold 64 hex digits",
            "Restore it from a backup; with a new key every known customer would look like a new one.",
        )
    return bytes.fromhex(text.decode("ascii"))


def _create(path: Path) -> None:
    durable.sweep(path.parent, path.name)
    if path.exists():
        return
    with durable.writing(path) as aside:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(32).hex().encode("ascii") + b"\n")
