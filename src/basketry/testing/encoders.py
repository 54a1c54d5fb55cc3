"""The laws every encoder obeys, of texts, images or sounds; a broken law is an AssertionError.

Run them on a new one: `check_encoder(my_encoder)`, `check_encoder(my_image_encoder, images())`, and so with `sounds()`.
"""

from __future__ import annotations

import io
import struct
import wave
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf

D = TypeVar("D", bound=str | bytes)

DOCUMENTS: Final = (
    "whole milk 1 l",
    "bread",
    "a long line about a tin of tomatoes, peeled, in their own juice, from the south of Italy, four hundred grams",
    "牛奶",
    "新鲜全脂牛奶 1升",
    "crème fraîche 30%",
    "bread",
    "dog food 15 kg",
)
EMPTY: Final = ("", "   ", "\n\t", "\u200b", "\ud800")
TOLERANCE: Final = 1e-5
RATE: Final = 16_000


def images() -> tuple[bytes, ...]:
    """Six PNG files: flat colours, stripes, noise, one wider than high, one twice."""
    draw = np.random.default_rng(0)
    stripes = np.zeros((40, 60, 3), dtype=np.uint8)
    stripes[::4] = (200, 180, 20)
    flat = (np.full((48, 48, 3), colour, dtype=np.uint8) for colour in ((250, 10, 10), (20, 200, 60)))
    noise = draw.integers(0, 256, (64, 32, 3), dtype=np.uint8)
    files = [_png(pixels) for pixels in (*flat, stripes, noise, noise // 4)]
    return (*files, files[0])


def sounds() -> tuple[bytes, ...]:
    """Five WAV files of 16 bits at 16 kHz: two tones, a sweep, noise, and the first once more."""
    time = np.arange(RATE) / RATE
    noise = np.random.default_rng(0).normal(size=RATE // 2) * 0.1
    waves = [np.sin(2 * np.pi * 220 * time), np.sin(2 * np.pi * 3_000 * time) * time, np.sin(2 * np.pi * 900 * time**2), noise]
    files = [_wav(samples * 0.5) for samples in waves]
    return (*files, files[0])


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")


def _wav(samples: np.ndarray[Any, np.dtype[np.float64]]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setparams((1, 2, RATE, 0, "NONE", ""))
        target.writeframes((samples * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def check_shape(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """A named encoder gives float32 [n, dim], finite, of unit norm; of no documents, [0, dim]."""
    assert isinstance(encoder, EncoderOf), f"{type(encoder).__name__} is not an encoder"
    assert encoder.name, "an encoder has a name"
    vectors = encoder.encode(documents)
    assert vectors.dtype == np.float32, f"vectors are {vectors.dtype}, not float32"
    assert vectors.shape == (len(documents), encoder.dim), f"{vectors.shape} for {len(documents)} documents of {encoder.dim}"
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert np.allclose(norms, 1, rtol=0, atol=TOLERANCE), f"norms from {norms.min()} to {norms.max()}"
    assert encoder.encode([]).shape == (0, encoder.dim), "no documents, no vectors"


def check_batch(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """A document's vector does not depend on what is encoded beside it, by more than 1e-5 in any component."""
    together = encoder.encode(documents)
    alone = np.concatenate([encoder.encode([document]) for document in documents])
    worst = float(np.abs(together - alone).max())
    assert worst <= TOLERANCE, f"the batch changes a component by {worst}"


def check_order(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """Vectors come in the order of the documents: reversing these reverses those; equal documents have equal vectors."""
    forward, backward = encoder.encode(documents), encoder.encode(list(reversed(documents)))
    worst = float(np.abs(forward - backward[::-1]).max())
    assert worst <= TOLERANCE, f"the order changes a component by {worst}"
    twice = encoder.encode([documents[0], *documents, documents[0]])
    assert np.array_equal(twice[0], twice[-1]), "equal documents have different vectors"


def check_repeatable(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """The same call gives the same bytes."""
    assert np.array_equal(encoder.encode(documents), encoder.encode(documents)), "two equal calls differ"


def check_different(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """Different documents do not all fall on one vector."""
    vectors = encoder.encode(sorted(set(documents)))
    assert float((vectors @ vectors[0]).min()) < 1 - TOLERANCE, "all documents have the same vector"


def check_refusal(encoder: EncoderOf[D], documents: Sequence[D]) -> None:
    """A document without content is refused with EncoderError, wherever it stands; so is one document in place of a list.

    A text without anything to see; a file that is empty, of another kind, or cut off in its middle.
    """
    for broken in _broken(documents[0]):
        for batch in ([broken], [*documents, broken]):
            _refuses(encoder, batch, f"the document {broken[:20]!r}")
    _refuses(encoder, documents[0], "one document in place of a list")


def _broken(document: str | bytes) -> tuple[Any, ...]:
    return EMPTY if isinstance(document, str) else (b"", b"neither image nor sound", document[: len(document) // 2])


def _refuses(encoder: EncoderOf[Any], documents: Any, what: str) -> None:
    try:
        encoder.encode(documents)
    except EncoderError:
        return
    raise AssertionError(f"the encoder accepts {what}")


LAWS: Final[tuple[Callable[[EncoderOf[Any], Sequence[Any]], None], ...]] = (
    check_shape,
    check_batch,
    check_order,
    check_repeatable,
    check_different,
    check_refusal,
)


def check_encoder(encoder: EncoderOf[D], documents: Sequence[D] = DOCUMENTS) -> None:  # type: ignore[assignment]
    """All laws at once, on documents it can tell apart."""
    for law in LAWS:
        law(encoder, documents)
