"""A folder of files as documents, images or sounds: read when asked for, and what cannot be read set aside and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, overload

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf
from basketry.core.telemetry import span
from basketry.encoders.files import LARGEST, Refused

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors

_HEAD: Final = 64  # bytes that say what a file is
_CHUNK: Final = 256


class Files(Sequence[bytes]):
    """The contents of files, each read whenever it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths: Final = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> bytes | Files:
        """The bytes of one file, or some of the files, still unread. Raises EncoderError if a file cannot be read any more."""
        if isinstance(index, slice):
            return Files(self.paths[index])
        try:
            return self.paths[index].read_bytes()
        except OSError as error:
            raise EncoderError(
                f"cannot read {self.paths[index]}: {error.strerror}", "leave the folder alone meanwhile"
            ) from error


class SetAside(NamedTuple):
    """A file left out, and why, in words that go on from its name."""

    name: str
    reason: str


class FileFolder(NamedTuple):
    """What a folder holds: for each file its path below the folder, as `fruit/apple.jpg`, and its content."""

    names: tuple[str, ...]
    contents: Sequence[bytes]
    set_aside: tuple[SetAside, ...]


class EncodedFiles(NamedTuple):
    """The names of the files that could be encoded, float32 [n, dim] beside them, and what was set aside."""

    names: tuple[str, ...]
    vectors: Vectors
    set_aside: tuple[SetAside, ...]


def read_folder(folder: Path, wanted: Callable[[Path], bool], look: Callable[[bytes], object]) -> FileFolder:
    """The files below `folder` that are `wanted` by their names, in order of their names; nothing is decoded.

    Set aside are those whose first 64 bytes `look` refuses (it raises Refused), empty ones, those over 32 MiB and links that
    lead out of the folder; hidden files are not looked at. Raises EncoderError if the folder cannot be read.
    """
    if not folder.is_dir():
        raise EncoderError(f"no folder at {folder}", "name a folder that holds the files to encode")
    whole = folder.resolve()
    names: list[str] = []
    paths: list[Path] = []
    set_aside: list[SetAside] = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts) or path.is_dir() or not wanted(path):
            continue
        try:
            _admit(path, whole, look)
        except Refused as reason:
            set_aside.append(SetAside(inside.as_posix(), str(reason)))
            continue
        names.append(inside.as_posix())
        paths.append(path)
    return FileFolder(tuple(names), Files(paths), tuple(set_aside))


def encode_files(encoder: EncoderOf[bytes], files: FileFolder) -> EncodedFiles:
    """The vectors of a folder's files; one that the encoder refuses is set aside, and the others go on.

    With a CachedEncoder a second run encodes only what is new, and tries again what was refused.
    """
    kept: list[int] = []
    parts: list[Vectors] = []
    refused: list[SetAside] = []

    def encode(positions: range) -> None:
        """All at once; if one is refused, each half by itself: a broken file among n costs about log2(n) calls more."""
        contents = files.contents[positions.start : positions.stop]
        try:
            vectors = encoder.encode(contents)
        except EncoderError as error:
            if len(positions) > 1:
                middle = len(positions) // 2
                encode(positions[:middle])
                encode(positions[middle:])
                return
            if not error.message.startswith(("document 0 ", "cannot read ")):
                raise  # it is the encoder that fails, not the file
            refused.append(SetAside(files.names[positions[0]], error.message.removeprefix("document 0 ")))
            return
        parts.append(vectors)
        kept.extend(positions)

    with span("encode files", total=len(files.names), unit="files") as progress:
        for start in range(0, len(files.names), _CHUNK):
            positions = range(start, min(start + _CHUNK, len(files.names)))
            encode(positions)
            progress.advance(len(positions))
    vectors = np.concatenate(parts) if parts else np.empty((0, encoder.dim), dtype=np.float32)
    return EncodedFiles(tuple(files.names[position] for position in kept), vectors, (*files.set_aside, *refused))


def _admit(path: Path, whole: Path, look: Callable[[bytes], object]) -> None:
    """Raises Refused for a file that is nothing by its first bytes, or not to be read."""
    try:
        if not path.resolve().is_relative_to(whole):
            raise Refused("leads out of the folder")
        if not path.is_file():
            raise Refused("is no file")
        size = path.stat().st_size
        if size > LARGEST:
            raise Refused(f"has {size:,} bytes; the limit is {LARGEST:,}")
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from error
    if not head:
        raise Refused("is empty")
    look(head)
