"""What every encoder of files asks of its documents: the bytes of an image or of a sound, as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

import numpy as np

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    import numpy.typing as npt

LARGEST: Final = 32 * 2**20  # bytes of one file


class Refused(Exception):
    """Why one file is no document, in words that go on from its name: `is GIF, not ...`."""


class Picked(Sequence[bytes]):
    """Some of a sequence's files, read when they are asked for: a folder of images need not stand in memory at once."""

    def __init__(self, files: Sequence[bytes], positions: list[int]) -> None:
        self._files = files
        self.positions: Final = positions

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Picked: ...
    def __getitem__(self, index: int | slice) -> bytes | Picked:
        """One file, or some of them, still unread."""
        if isinstance(index, slice):
            return Picked(self._files, self.positions[index])
        return self._files[self.positions[index]]


def distinct_files(documents: Sequence[bytes]) -> tuple[Picked, npt.NDArray[np.int64]]:
    """The distinct files in order of their sha256, and for each document the place of its content among them.

    Raises EncoderError, naming the position, for a document that is not bytes, is empty, or is larger than 32 MiB.
    """
    given: object = documents
    if isinstance(given, bytes | bytearray | str):
        raise EncoderError("one document was given where a list of them is needed", "put it in a list")
    keys: list[bytes] = []
    first: dict[bytes, int] = {}
    for position, content in enumerate(documents):
        _check(position, content)
        keys.append(hashlib.sha256(content).digest())
        first.setdefault(keys[-1], position)
    ordered = sorted(first)
    place = {key: number for number, key in enumerate(ordered)}
    picked = Picked(documents, [first[key] for key in ordered])
    return picked, np.fromiter((place[key] for key in keys), dtype=np.int64, count=len(keys))


def _check(position: int, content: object) -> None:
    if not isinstance(content, bytes):
        hint = "give the bytes of the file, as they came"
        raise EncoderError(f"document {position} is {type(content).__name__}, not bytes", hint)
    if not content:
        raise EncoderError(f"document {position} is empty", "leave empty files out before encoding")
    if len(content) > LARGEST:
        raise EncoderError(f"document {position} has {len(content):,} bytes; the limit is {LARGEST:,}", "make it smaller")
