"""Image files to pixels, each file in a child process that may die of it."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import selectors
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.files import Refused
from basketry.encoders.image import child

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

_PATIENCE: Final = 60.0  # seconds by the clock for one image: its processor time is limited in the child
_EXTRA: Final = "pip install 'basketry[images]'"
_KNOWN: Final = {"GIF": b"GIF8", "TIFF": b"II*\0", "BMP": b"BM", "PDF": b"%PDF", "ZIP": b"PK\3\4", "SVG, HTML or XML": b"<"}


@dataclass(frozen=True)
class Cut:
    """From image to rectangle: `resize` to (short side,) or (width, height), then `crop` (width, height) of its middle.

    `resample` is Pillow's number: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming.
    """

    resize: tuple[int, ...] | None
    crop: tuple[int, int] | None
    resample: int = 3


def format_of(content: bytes) -> str:
    """JPEG, PNG or WEBP by the first bytes of a file, whatever its name. Raises Refused for any other."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    kind = next((name for name, start in _KNOWN.items() if content.startswith(start)), "of no kind known here")
    raise Refused(f"is {kind}, not JPEG, PNG or WebP")


class Decoder:
    """Turns files into pixels with up to `children` processes, started when first needed and ended with this object.

    A child is 22 MB of memory and 70 ms of processor to start; it serves image after image. One that dies, or does not answer
    within 60 seconds, is replaced, and only the image that it had is refused.
    """

    def __init__(self, children: int = 1) -> None:
        found = importlib.util.find_spec("PIL")
        if found is None or found.origin is None:
            raise EncoderError("reading images needs package pillow", _EXTRA)
        self._packages = str(Path(found.origin).parents[1])
        self._children = children
        self._places: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        for _ in range(children):
            self._places.put(None)

    def decode(self, contents: Sequence[bytes], cut: Cut) -> list[Pixels | Refused]:
        """For each file uint8 [height, width, 3], or the reason why not; in their order."""
        if self._children == 1 or len(contents) == 1:
            return [self._one(content, cut) for content in contents]
        with ThreadPoolExecutor(self._children) as threads:  # they wait for children: the work is not theirs
            return list(threads.map(lambda content: self._one(content, cut), contents))

    def _one(self, content: bytes, cut: Cut) -> Pixels | Refused:
        try:
            request = {
                "bytes": len(content),
                "format": format_of(content),
                "resize": cut.resize,
                "crop": cut.crop,
                "resample": cut.resample,
            }
            with self._child() as process:
                return process.ask(request, content)
        except Refused as reason:
            return reason

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        """A child of this caller's own for the time of one image; its place is empty again if it does not survive."""
        process = self._places.get()
        if process is None or not process.alive():
            process = _Child(self._packages)
        try:
            yield process
        finally:
            self._places.put(process if process.alive() else None)


class _Child:
    def __init__(self, packages: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", child.__file__, packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            bufsize=0,
        )
        weakref.finalize(self, _end, self._process)

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], content: bytes) -> Pixels:
        try:
            return self._ask(request, content)
        except Refused:
            raise
        except (OSError, ValueError, EOFError) as error:  # a pipe that broke, an answer that is none, no answer at all
            _end(self._process)
            raise Refused(f"ended the process that decoded it ({_fate(self._process.returncode, error)})") from error

    def _ask(self, request: dict[str, Any], content: bytes) -> Pixels:
        source, target = self._process.stdout, self._process.stdin
        assert source is not None and target is not None
        deadline = time.monotonic() + _PATIENCE
        with memoryview(json.dumps(request).encode() + b"\n" + content) as rest:
            sent = 0
            while sent < len(rest):  # the child reads all of it before it answers, so this cannot wait for itself
                sent += os.write(target.fileno(), rest[sent : sent + 2**20])
        line = _read(source.fileno(), None, deadline)
        head = json.loads(line)
        if "refused" in head:
            raise Refused(f"cannot be read: {str(head['refused'])[:200]}")
        width, height = int(head["width"]), int(head["height"])
        if not 0 < width * height <= child.PIXELS:
            raise ValueError(f"an answer of {width} x {height}")
        body = _read(source.fileno(), width * height * 3, deadline)
        return np.frombuffer(body, dtype=np.uint8).reshape(height, width, 3)


def _read(descriptor: int, size: int | None, deadline: float) -> bytes:
    """So many bytes, or one short line where no size is given; TimeoutError past the deadline, EOFError at the end."""
    got = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(descriptor, selectors.EVENT_READ)
        while not got.endswith(b"\n") if size is None else len(got) < size:
            if not waiting.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
            piece = os.read(descriptor, 1 if size is None else min(size - len(got), 2**20))
            if not piece:
                raise EOFError("no answer")
            got += piece
            if size is None and len(got) > 1_000:
                raise ValueError("an answer without end")
    return bytes(got)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _fate(status: int | None, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return str(error)
    return {-24: f"more than {child.SECONDS} s of processor time", -9: "killed", -11: "a crash"}.get(
        status or 0, f"status {status}"
    )
