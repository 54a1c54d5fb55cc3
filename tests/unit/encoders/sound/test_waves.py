from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.encoders.sound.waves import RATE, samples


def wav(values: np.ndarray, rate: int = RATE, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setparams((channels, width, rate, 0, "NONE", ""))
        target.writeframes(values.astype({1: "u1", 2: "<i2", 4: "<i4"}[width]).tobytes())
    return file.getvalue()


TONE = (np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE) * 16_384).round()


def test_samples_are_the_numbers_divided_by_their_range() -> None:
    found = samples(wav(TONE))
    assert found.dtype == np.float32
    assert np.array_equal(found, (TONE / 32_768).astype(np.float32))


def test_channels_are_averaged() -> None:
    both = np.stack([TONE, np.zeros_like(TONE)], axis=1).reshape(-1)
    assert np.allclose(samples(wav(both, channels=2)), TONE / 65_536)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_other_rates_become_ours(rate: int) -> None:
    """A tone of 440 Hz stays one, at any rate it was written in."""
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 16_384
    found = samples(wav(tone, rate))
    assert len(found) == RATE
    spectrum = np.abs(np.fft.rfft(found))
    assert spectrum.argmax() == 440
    assert spectrum[440] ** 2 / (spectrum**2).sum() > 0.99


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no WAV of PCM"),
        (b"RIFF\x04\0\0\0WAVE", "no WAV of PCM"),
        (b"ID3\x03" + bytes(100), "no WAV of PCM"),
        (wav(TONE)[:-1_000], "ends before its header says"),
        (wav(TONE, width=4), "is WAV of 32 bits, 1 channels, 16,000 Hz"),
        (wav(TONE, rate=96_000), "is WAV of 16 bits, 1 channels, 96,000 Hz"),
        (wav(TONE[:100]), "a sound of 0.01 s; from 0.1 to 120 s"),
        (wav(np.zeros(RATE)), "is silent"),
    ],
    ids=["empty", "header only", "mp3", "cut", "32 bits", "96 kHz", "short", "silent"],
)
def test_what_cannot_be_read_is_refused_with_its_position(content: bytes, said: str) -> None:
    with pytest.raises(EncoderError, match="document 7") as caught:
        samples(content, 7)
    assert said in caught.value.message


def test_a_header_that_promises_hours_is_refused_before_it_is_read() -> None:
    content = bytearray(wav(TONE))
    content[40:44] = struct.pack("<I", 2**31)
    with pytest.raises(EncoderError, match=r"a sound of 67,108\.86 s"):
        samples(bytes(content))
