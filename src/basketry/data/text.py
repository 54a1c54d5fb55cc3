"""One streamed pass over a text file before anything parses it: what it is, whether it is text, and a UTF-8 copy where needed.

Memory stays at a few MiB whatever the file holds: a line of 300 MB is refused after its first 4 MiB.
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from basketry.core.errors import SourceEmpty, SourceEncoding, SourceFormat, SourceMissing
from basketry.core.telemetry import span

if TYPE_CHECKING:
    from io import BufferedReader

    from basketry.core.telemetry import Span

CHUNK: Final = 1 << 20
MAX_LINE: Final = 4 << 20
_LIKELY: Final = ("utf-8", "gb18030", "cp1252", "shift_jis", "big5")


@dataclass(frozen=True)
class Surveyed:
    """A file known to be text: `path` is UTF-8 (the file itself, or a copy), `digest` the sha256 of the file's own bytes."""

    path: Path
    digest: str
    head: str


def survey(path: Path, encoding: str, copy: Path) -> Surveyed:
    """Read all of `path` once, in chunks of 1 MiB: hash it, inflate it (gzip), decode it, and look at its lines.

    Writes a UTF-8 `copy` only if the file is compressed or in another encoding. `head` is the text up to the first line break
    that follows something. Raises SourceEmpty; SourceEncoding with line and byte of the first bad bytes; SourceFormat on a line
    over 4 MiB, on a NUL and on a damaged gzip stream; SourceMissing if the file is gone or changes meanwhile.
    """
    as_is = codecs.lookup(encoding).name == "utf-8"
    before = stamp(path)
    digest = hashlib.sha256()
    with ExitStack() as stack:
        progress = stack.enter_context(span(f"reading {path.name}", before[0], "bytes"))
        stream = stack.enter_context(_opened(path))
        zipped = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        target = stack.enter_context(copy.open("wb")) if zipped or not as_is else None
        reader = _Reader(path, encoding)
        chunks = _chunks(stream, before[0], digest, progress)
        for chunk in _inflated(chunks, path) if zipped else chunks:
            text = reader.feed(chunk)
            if target is not None:
                target.write(text.encode("utf-8"))
        tail = reader.feed(b"", final=True)
        if target is not None:
            target.write(tail.encode("utf-8"))
    if stamp(path) != before:
        raise SourceMissing(
            f"{path} changed while it was read", "wait until it is fully written, then run the same command again"
        )
    if not reader.head.strip():
        raise SourceEmpty(f"{path} is empty", "give a file with a header line and at least one row")
    return Surveyed(path if target is None else copy, digest.hexdigest(), reader.head.lstrip("\r\n").split("\n")[0])


def digest_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hex. Raises SourceMissing if it is gone or changes meanwhile."""
    before = stamp(path)
    with _opened(path) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if stamp(path) != before:
        raise SourceMissing(
            f"{path} changed while it was read", "wait until it is fully written, then run the same command again"
        )
    return digest


class _Reader:
    """Decodes chunk by chunk and keeps account of lines, so that an error can say where."""

    def __init__(self, path: Path, encoding: str) -> None:
        name = codecs.lookup(encoding).name
        self.path, self.encoding = path, encoding
        self.decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)("strict")
        self.head = ""
        self.fed = 0
        self.lines = 0
        self.open_line = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> str:
        """The text of the next bytes."""
        pending = self.decoder.getstate()[0]
        try:
            text = self.decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self._refuse(error, len(pending))
        self.fed += len(chunk)
        if "\0" in text:
            line = self.lines + text.count("\n", 0, text.index("\0")) + 1
            hint = "it may be UTF-16 (say encoding) or not text at all (say format)"
            raise SourceFormat(f"{self.path}, line {line}: a NUL character", hint)
        if len(self.head) <= MAX_LINE and "\n" not in self.head.lstrip("\r\n"):
            self.head += text
        self._measure(text)
        return text

    def _measure(self, text: str) -> None:
        first = text.find("\n")
        self.open_line += first if first >= 0 else len(text)
        if self.open_line > MAX_LINE:
            hint = "a line break or a closing quote may be missing; lines may be 4 MiB long"
            raise SourceFormat(f"{self.path}, line {self.lines + 1}: the line is longer than 4 MiB", hint)
        if first >= 0:
            self.open_line = len(text) - text.rfind("\n") - 1
            self.lines += text.count("\n")

    def _refuse(self, error: UnicodeDecodeError, pending: int) -> None:
        bad: bytes = error.object[error.start : error.start + 4]
        before = error.object[: error.start].decode(error.encoding, "replace")
        line = self.lines + before.count("\n") + 1
        offset = self.fed - pending + error.start
        others = [name for name in _LIKELY if name != codecs.lookup(self.encoding).name and _reads(error, name)]
        hint = f"set encoding in shop.toml; the line reads as {' or '.join(others)}" if others else "set encoding in shop.toml"
        raise SourceEncoding(
            f"{self.path}, line {line}, byte {offset}: the bytes {bad.hex(' ')} are not {self.encoding}",
            f"{hint}; if only some lines are wrong, the file mixes encodings: export it again",
        ) from error


def _reads(error: UnicodeDecodeError, encoding: str) -> bool:
    """Whether the line around the bad bytes is text in `encoding`."""
    data: bytes = error.object
    start = data.rfind(b"\n", 0, error.start) + 1
    end = data.find(b"\n", error.start)
    try:
        text = data[start : end if end >= 0 else len(data)].decode(encoding)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\r" for char in text)


def _chunks(stream: BufferedReader, size: int, digest: hashlib._Hash, progress: Span) -> Iterator[bytes]:
    """The first `size` bytes: a file that grows as fast as it is read would never end."""
    left = size
    while chunk := stream.read(min(CHUNK, left)):
        left -= len(chunk)
        digest.update(chunk)
        progress.advance(len(chunk))
        yield chunk


def _inflated(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """The bytes inside a gzip stream of any number of members, never more than 1 MiB at once."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if inflate.eof:
                    inflate = zlib.decompressobj(wbits=31)
                yield inflate.decompress(data, CHUNK)
                data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    except zlib.error as error:
        raise SourceFormat(f"{path} is damaged: {error}", "copy or export the file again") from error
    yield inflate.flush()
    if not inflate.eof:
        raise SourceFormat(f"{path} is cut short: its gzip stream does not end", "copy or export the file again")


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise _gone(path, error) from error


def stamp(path: Path) -> tuple[int, int, int]:
    """Size, time of the last change and inode of a file: as long as they stay, so does its content."""
    try:
        now = path.stat()
    except OSError as error:
        raise _gone(path, error) from error
    return now.st_size, now.st_mtime_ns, now.st_ino


def _gone(path: Path, error: OSError) -> SourceMissing:
    return SourceMissing(f"{path} cannot be read: {error.strerror}", "put it there, or correct path in shop.toml")
