"""The models of a shop: folders `SHOP/models/NAME/`, written aside and renamed, never changed afterwards.

What stands in a folder is the business of who writes it; here it is only made to appear whole or not at all.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from basketry.core.errors import NotFound, RequestError
from basketry.store import durable
from basketry.store.lock import locked

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ASIDE: Final = ".aside-"
_STALE: Final = 86_400.0  # seconds after which what is aside belongs to no living writer: each waits for its last file at most
_PATIENCE: Final = 10.0  # seconds: a rename takes none of them


@dataclass(frozen=True)
class ModelStore:
    """The models of the shop in folder `shop`: any number of readers, one writer."""

    shop: Path

    def published(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        root = self.shop / "models"
        with durable.guarded(root, "read"):
            return tuple(sorted(each.name for each in root.iterdir() if _is_model(each))) if root.is_dir() else ()

    def path(self, name: str) -> Path:
        """The folder of one model. Raises NotFound if there is none of that name."""
        folder = self.shop / "models" / checked_name(name)
        if not _is_model(folder):
            raise NotFound(f"{self.shop} has no model {name!r}", f"it has: {', '.join(self.published()) or 'none yet'}")
        return folder

    def publish(self, name: str, write: Callable[[Path], None]) -> Path:
        """Let `write` fill an empty folder, flush it and give it its name; on return it is on the disk.

        Raises RequestError for a name of the wrong form or one that is taken, Busy if another process holds the lock for longer
        than a rename takes, StorageError if the disk refuses.
        """
        target = self.shop / "models" / checked_name(name)
        root = target.parent
        durable.make_folder(root)
        with durable.guarded(root, "clear"):
            for left in root.glob(f"{_ASIDE}*"):
                if time.time() - left.lstat().st_mtime > _STALE:
                    durable.remove_folder(left)
            folder = root / f"{_ASIDE}{os.urandom(4).hex()}"
            folder.mkdir()
        try:
            write(folder)
            durable.sync_tree(folder)
            with locked(self.shop, "models", wait=_PATIENCE):
                self.refuse_taken(name)
                durable.publish_folder(folder, target)
        finally:
            durable.remove_folder(folder)
        return target

    def refuse_taken(self, name: str) -> None:
        """Raise RequestError if a model of that name is there: ask before hours of work."""
        folder = self.shop / "models" / checked_name(name)
        if _is_model(folder):
            raise RequestError(f"model {name!r} is there already", f"choose another name, or: basketry models --remove {name}")
        if os.path.lexists(folder):
            raise RequestError(f"{folder} is in the way, and is no model", "choose another name, or move it elsewhere")

    def remove(self, name: str) -> None:
        """Remove one model. Raises NotFound if there is none of that name."""
        folder = self.path(name)
        with locked(self.shop, "models", wait=_PATIENCE):
            aside = folder.with_name(f"{_ASIDE}{os.urandom(4).hex()}")
            with durable.guarded(folder, "remove"):
                folder.rename(aside)
                durable.sync(folder.parent)
            durable.remove_folder(aside)


def checked_name(name: str) -> str:
    """`name`, if it may name a model. Raises RequestError otherwise."""
    if not _is_name(name):
        raise RequestError(
            f"{name!r} may not name a model", "use up to 64 small letters, digits and . _ -, a letter or digit first"
        )
    return name


def _is_model(folder: Path) -> bool:
    """Whether it is a real folder of a model's name: not a file that strayed here, nor a link to elsewhere."""
    return _is_name(folder.name) and folder.is_dir() and not folder.is_symlink()


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None
