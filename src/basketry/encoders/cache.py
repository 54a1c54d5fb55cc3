"""Vectors kept by content: a text is encoded once per encoder, and a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from basketry.core.errors import StorageError
from basketry.core.protocols import Encoder
from basketry.core.telemetry import span
from basketry.encoders.documents import distinct
from basketry.store import durable

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors

CHUNK: Final = 2_048  # texts encoded and stored together: what a kill can cost, 4 MB at 512 dimensions
_STALE: Final = 3_600.0  # seconds after which a file set aside belongs to no living run


class CachedEncoder:
    """An encoder that remembers, in `folder/DIGEST_OF_ITS_NAME/`, every vector it ever gave.

    A chunk file holds `keys` (uint8 [n, 32], sha256 of the encoder's name, a zero byte and the text) and `vectors` (float32
    [n, dim]) as safetensors, under the sha256 of its own bytes as its name: one that does not hash to its name is deleted when
    the cache is opened, and its texts are encoded again. Files are written aside, synced and renamed, never changed. Two
    processes may use one folder. For builds: a single text encoded through it makes a file of its own.

    Opening reads every chunk once (2 KB a text at 512 dimensions, about 1 GB a second); vectors are then read as asked for.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name: Final = encoder.name
        self.dim: Final = encoder.dim
        self._encoder = encoder
        self._folder = folder / hashlib.sha256(encoder.name.encode()).hexdigest()[:16]
        self._found: dict[bytes, tuple[Path, int]] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for file in sorted(self._folder.iterdir()):
                self._admit(file)
        except OSError as error:
            raise StorageError(
                f"cannot use the cache {self._folder}: {error.strerror}", "check the disk, or delete it"
            ) from error

    def encode(self, documents: Sequence[str]) -> Vectors:
        """As the encoder's own, from memory where it can. Each chunk of 2,048 new texts is safe on disk before the next begins.

        Raises EncoderError as the encoder does, StorageError if the folder cannot be written or read.
        """
        texts, place = distinct(documents)
        keys = [self._key(text) for text in texts]
        missing = [number for number, key in enumerate(keys) if key not in self._found]
        with span("encode", total=len(missing), unit="texts") as progress:
            progress.note(texts=len(texts), remembered=len(texts) - len(missing))
            for start in range(0, len(missing), CHUNK):
                chunk = missing[start : start + CHUNK]
                vectors = self._encoder.encode([texts[number] for number in chunk])
                self._keep([keys[number] for number in chunk], vectors)
                progress.advance(len(chunk))
        return self._remembered(keys)[place]

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.name}\0{text}".encode()).digest()

    def _admit(self, file: Path) -> None:
        if file.name.startswith("."):
            if time.time() - file.stat().st_mtime > _STALE:
                file.unlink(missing_ok=True)
            return
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.stem:
            file.unlink(missing_ok=True)
            return
        for row, key in enumerate(load(content)["keys"]):
            self._found[key.tobytes()] = (file, row)

    def _keep(self, keys: list[bytes], vectors: Vectors) -> None:
        rows = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        content = save({"keys": rows, "vectors": np.ascontiguousarray(vectors, dtype=np.float32)})
        file = self._folder / f"{hashlib.sha256(content).hexdigest()}.safetensors"
        durable.write_file(file, content)
        self._found.update((key, (file, row)) for row, key in enumerate(keys))

    def _remembered(self, keys: list[bytes]) -> Vectors:
        rows_of: dict[Path, list[tuple[int, int]]] = {}
        for number, key in enumerate(keys):
            file, row = self._found[key]
            rows_of.setdefault(file, []).append((number, row))
        out = np.empty((len(keys), self.dim), dtype=np.float32)
        for file, pairs in rows_of.items():
            numbers, rows = np.array(pairs, dtype=np.int64).T
            try:
                out[numbers] = load(file.read_bytes())["vectors"][rows]
            except (OSError, SafetensorError) as error:
                raise StorageError(f"the cache file {file} changed while in use: {error}", "run again") from error
        return out
