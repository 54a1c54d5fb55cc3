"""Releases on disk: immutable folders with a manifest of checksums, and one small file that says which of them serves.

```
SHOP/current                       which release serves, and the order of publishing; replacing it is what publishes
SHOP/releases/ID/manifest.json     what was fitted, on what, with which result, and the sha256 of every file
SHOP/releases/ID/...               arrays, tables, JSON: never anything whose reading runs code
SHOP/releases/.staging-*/          a build under way, or what a killed one left
```

A release is written into a staging folder, flushed whole, renamed to its id and only then named by `current`. A folder that
`current` does not list was never published. A file is compared with its checksum before its path is given to any parser.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from basketry.core.errors import NotFound, ReleaseDamaged, ReleaseError, RequestError, StorageError
from basketry.store import durable
from basketry.store.lock import locked
from basketry.store.manifest import MANIFEST, FileEntry, Manifest, checked_id, is_file_name, is_release_id
from basketry.store.pointer import Pointer
from basketry.store.sealed import MALFORMED, seal, unseal

_STAGING: Final = ".staging-"
_CURRENT: Final = "current"


@dataclass(frozen=True)
class Release:
    """One published release, opened; `fell_back_from` names what should have served but is damaged: an id, or `current`."""

    folder: Path
    manifest: Manifest
    fell_back_from: str | None = None
    _verified: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def id(self) -> str:
        """Its id, which is also its folder's name."""
        return self.manifest.id

    def path(self, name: str) -> Path:
        """The path of one of its files, compared with its checksum on the first call for that name.

        Raises ReleaseDamaged if the content differs or the file is gone, NotFound if the manifest lists no such file.
        """
        if name not in self.manifest.files:
            raise NotFound(f"release {self.id} has no file {name!r}", f"It has: {', '.join(sorted(self.manifest.files))}.")
        if name not in self._verified:
            if _is_damaged(self.folder / name, self.manifest.files[name]):
                raise ReleaseDamaged(f"{self.folder / name} differs from the checksum in its manifest", _DAMAGED_HINT)
            self._verified.add(name)
        return self.folder / name

    def damaged(self) -> tuple[str, ...]:
        """The names of its files that differ from their checksums or are gone; reads every byte of all of them."""
        return tuple(name for name, entry in sorted(self.manifest.files.items()) if _is_damaged(self.folder / name, entry))


_DAMAGED_HINT: Final = "Roll back to another release, or build and publish again; check the disk."


@dataclass(frozen=True)
class ReleaseStore:
    """The releases of the shop in folder `shop`, which must exist: any number of readers, one build, one publisher."""

    shop: Path

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Begin a build: take the lock `build`, sweep what killed builds left, and give a fresh folder to write files into.

        Files lie directly in it. What is not published by the end of the block is gone after it. Raises Busy if another
        process is building, StorageError if the disk refuses. Rolling back does not wait for a build.
        """
        with locked(self.shop, "build"):
            root = self.shop / "releases"
            durable.make_folder(root)  # flushes the shop folder, where a killed run may have left `current` unflushed
            with durable.guarded(root, "clear"):
                durable.sync(root)
                for left in root.glob(f"{_STAGING}*"):
                    durable.remove_folder(left)
                folder = root / f"{_STAGING}{os.urandom(4).hex()}"
                folder.mkdir()
            try:
                yield folder
            finally:
                durable.remove_folder(folder)

    def publish(self, staging: Path, manifest: Manifest) -> Release:
        """Make the files of `staging` the release `manifest.id` and let it serve; on return both are on the disk.

        Raises RequestError for an id of the wrong form or one already published, a file name that is not allowed, or a folder
        or link among the files; StorageError if the disk refuses, and then what served before goes on serving.
        """
        target = self.shop / "releases" / checked_id(manifest.id)
        with durable.guarded(staging, "read"):
            complete = replace(manifest, files={path.name: _entry(path) for path in sorted(staging.iterdir())})
        durable.write_file(staging / MANIFEST, seal(complete.body()))
        durable.sync_tree(staging)  # before the lock: it may take long, and a rollback must not wait for it

        def change(pointer: Pointer) -> Pointer:
            if manifest.id in pointer.published:
                raise RequestError(f"release {manifest.id} is already published", "A release never changes: publish a new id.")
            durable.remove_folder(target)  # left by a run killed before it could name it
            durable.publish_folder(staging, target)
            return pointer.with_published(manifest.id)

        try:
            self._point(change)
        except StorageError:
            if manifest.id not in self.published():  # a full disk would only get fuller
                durable.remove_folder(target)
            raise
        return self.open(manifest.id)

    def published(self) -> tuple[str, ...]:
        """The ids of all published releases, in publish order."""
        return tuple(self._pointer()[0].published)

    def open(self, release_id: str) -> Release:
        """A release by its id, its manifest proved; each file is proved when its path is asked for.

        Raises RequestError for an id of the wrong form, NotFound if there is none, ReleaseDamaged if the manifest is not what
        was published.
        """
        folder = self.shop / "releases" / checked_id(release_id)
        with durable.guarded(folder, "read"):
            if not folder.is_dir():
                raise NotFound(f"{self.shop} has no release {release_id}", "List the releases to see which there are.")
            try:
                manifest = Manifest.from_body(unseal((folder / MANIFEST).read_bytes()))
            except (*MALFORMED, FileNotFoundError) as error:
                raise ReleaseDamaged(f"the manifest of {folder} cannot be believed: {error}", _DAMAGED_HINT) from error
        if manifest.id != release_id:
            raise ReleaseDamaged(f"{folder} holds the manifest of release {manifest.id}", _DAMAGED_HINT)
        return Release(folder, manifest)

    def current(self, files: Collection[str] | None = None) -> Release:
        """The release that serves, its `files` (all if None) proved; if any is damaged, the last good release in its place.

        The order of falling back is what served before the damaged one, then the others, newest first; `fell_back_from` says
        so. Raises ReleaseError if nothing is published or nothing published is good, NotFound if the release lacks one of
        `files`.
        """
        pointer, whole = self._pointer()
        blamed = None if whole else _CURRENT
        for release_id in pointer.candidates():
            release = self._proved(release_id, files)
            if release is not None:
                return replace(release, fell_back_from=blamed)
            blamed = blamed or release_id
        if pointer.current is None:
            raise ReleaseError(f"nothing is published in {self.shop}", "Build a release first, or roll back to one by its id.")
        raise ReleaseDamaged(
            f"no published release of {self.shop} is intact", "Restore `releases` from a backup, or build again."
        )

    def verify(self, release_id: str) -> tuple[str, ...]:
        """The names of the files of a release that are damaged or gone, `manifest.json` among them; empty if it is whole."""
        try:
            return self.open(release_id).damaged()
        except ReleaseDamaged:
            return (MANIFEST,)

    def rollback(self, to: str | None = None) -> Release:
        """Let the release that served before the current one serve again, or the one named; it is proved whole first.

        Naming a release that is on the disk but not in the list of published ones (after `current` was lost, say) puts it
        there. Raises ReleaseError if there is none before, ReleaseDamaged if the one to go back to is not whole, NotFound.
        """

        def change(pointer: Pointer) -> Pointer:
            wanted = to or pointer.previous()
            if wanted is None:
                raise ReleaseError(
                    f"no release served before {pointer.current or 'any other'}", "Name the release to go back to."
                )
            damaged = self.open(wanted).damaged()
            if damaged:
                raise ReleaseDamaged(f"release {wanted} is damaged: {', '.join(damaged)}", _DAMAGED_HINT)
            return pointer.pointing_to(wanted)

        pointer = self._point(change)
        return self.open(pointer.current or "")

    def prune(self, keep: int) -> tuple[str, ...]:
        """Remove all but the `keep` newest published releases and the current one, and folders that were never published.

        Returns the ids removed. A process that has a removed release open keeps reading it. Raises RequestError if keep < 1.
        """
        if keep < 1:
            raise RequestError(f"cannot keep {keep} releases", "Keep at least 1.")

        def change(pointer: Pointer) -> Pointer:
            newest = [*pointer.published][-keep:]
            return pointer.without(frozenset(pointer.published) - {*newest, pointer.current})

        pointer = self._point(change)
        gone = tuple(release_id for release_id in self._folders() if release_id not in pointer.published)
        for release_id in gone:
            durable.remove_folder(self.shop / "releases" / release_id)
        return gone

    def _proved(self, release_id: str, files: Collection[str] | None) -> Release | None:
        with suppress(ReleaseDamaged):
            try:
                release = self.open(release_id)
            except NotFound:
                return None
            for name in sorted(release.manifest.files) if files is None else files:
                release.path(name)
            return release
        return None

    def _point(self, change: Callable[[Pointer], Pointer]) -> Pointer:
        """Replace `current` by what `change` makes of it, under the lock `releases`."""
        with locked(self.shop, "releases"):
            durable.sweep(self.shop, _CURRENT)
            pointer = change(self._pointer()[0])
            durable.write_file(self.shop / _CURRENT, seal(pointer.body()))
            return pointer

    def _pointer(self) -> tuple[Pointer, bool]:
        """What `current` says, and whether it could be believed; if not, what the folders say."""
        with durable.guarded(self.shop / _CURRENT, "read"):
            try:
                return Pointer.from_body(unseal((self.shop / _CURRENT).read_bytes())), True
            except FileNotFoundError:
                return Pointer(), True
            except MALFORMED:
                return Pointer.rebuilt(self._folders()), False

    def _folders(self) -> list[str]:
        root = self.shop / "releases"
        return sorted(path.name for path in root.iterdir() if is_release_id(path.name)) if root.is_dir() else []


def _entry(path: Path) -> FileEntry:
    if not is_file_name(path.name) or not stat.S_ISREG(path.lstat().st_mode):
        raise RequestError(
            f"{path.name!r} cannot be a file of a release", "Plain files with plain names only, no folders, no links."
        )
    return FileEntry(*durable.fingerprint(path))


def _is_damaged(path: Path, entry: FileEntry) -> bool:
    with durable.guarded(path, "read"), suppress(FileNotFoundError):
        return not stat.S_ISREG(path.lstat().st_mode) or durable.fingerprint(path) != (entry.sha256, entry.bytes)
    return True
