"""Vectors kept by content: a document is encoded once per encoder, and a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from basketry.core.errors import StorageError
from basketry.core.protocols import EncoderOf
from basketry.core.telemetry import span
from basketry.encoders.documents import distinct
from basketry.encoders.files import distinct_files
from basketry.store import durable

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

D = TypeVar("D", bound=str | bytes)

CHUNK: Final = 2_048  # texts encoded and stored together: what a kill can cost, 4 MB at 512 dimensions
FILES: Final = 256  # images or sounds encoded and stored together: they take longer, and stand in memory meanwhile
_STALE: Final = 3_600.0  # seconds after which a file set aside belongs to no living run


class CachedEncoder(Generic[D]):
    """An encoder that remembers, in `folder/DIGEST_OF_ITS_NAME/`, every vector it ever gave: of texts, or of files by content.

    A chunk file holds `keys` (uint8 [n, 32], sha256 of the encoder's name, a zero byte and the document) and `vectors` (float32
    [n, dim]) as safetensors, under the sha256 of its own bytes as its name: one that does not hash to its name is deleted when
    the cache is opened, and its documents are encoded again. Files are written aside, synced and renamed, never changed. Two
    processes may use one folder. For builds: a single document encoded through it makes a file of its own.

    Opening reads every chunk once (2 KB a text at 512 dimensions, about 1 GB a second); vectors are then read as asked for.
    """

    def __init__(self, encoder: EncoderOf[D], folder: Path) -> None:
        self.name: Final = encoder.name
        self.dim: Final = encoder.dim
        self._encoder: Final = encoder
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

    def encode(self, documents: Sequence[D]) -> Vectors:
        """As the encoder's own, from memory where it can. Each chunk of new documents (2,048 texts, or 256 images or sounds) is
        safe on disk before the next begins.

        Raises EncoderError as the encoder does (the position it gives for a broken file is one within the chunk), StorageError
        if the folder cannot be written or read.
        """  # noqa: D205
        chosen, place, size = _distinct(documents)
        keys = [self._key(document) for document in chosen]
        missing = [number for number, key in enumerate(keys) if key not in self._found]
        with span("encode", total=len(missing), unit="documents") as progress:
            progress.note(documents=len(keys), remembered=len(keys) - len(missing))
            for start in range(0, len(missing), size):
                chunk = missing[start : start + size]
                vectors = self._encoder.encode([chosen[number] for number in chunk])
                self._keep([keys[number] for number in chunk], vectors)
                progress.advance(len(chunk))
        return self._remembered(keys)[place]

    def _key(self, document: D) -> bytes:
        content = document.encode() if isinstance(document, str) else document
        return hashlib.sha256(self.name.encode() + b"\0" + content).digest()

    def _admit(self, file: Path) -> None:
        with suppress(FileNotFoundError):  # another process renames what it had set aside, or deletes what is broken
            if file.name.startswith("."):
                if time.time() - file.stat().st_mtime > _STALE:
                    file.unlink()
                return
            content = file.read_bytes()
            keys = _keys(content) if hashlib.sha256(content).hexdigest() == file.stem else None
            if keys is None:
                file.unlink()
                return
            self._found.update((key.tobytes(), (file, row)) for row, key in enumerate(keys))

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


def _keys(content: bytes) -> npt.NDArray[np.uint8] | None:
    """The keys of a chunk; None for what is no chunk."""
    try:
        chunk = load(content)
    except SafetensorError:
        return None
    if set(chunk) != {"keys", "vectors"}:
        return None
    keys, vectors = chunk["keys"], chunk["vectors"]
    fits = keys.dtype == np.uint8 and vectors.ndim == 2 and keys.shape == (len(vectors), 32)
    return cast("npt.NDArray[np.uint8]", keys) if fits else None


def _distinct(documents: Sequence[D]) -> tuple[Sequence[D], npt.NDArray[np.int64], int]:
    """The distinct documents, for each document its place among them, and how many to encode at once."""
    given: object = documents  # one document in place of a list is refused below
    if isinstance(given, bytes) or (len(documents) and isinstance(documents[0], bytes)):
        files, place = distinct_files(cast("Sequence[bytes]", documents))
        return cast("Sequence[D]", files), place, FILES
    texts, place = distinct(cast("Sequence[str]", documents))
    return cast("Sequence[D]", texts), place, CHUNK
