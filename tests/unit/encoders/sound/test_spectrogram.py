from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.sound.registry import load_sound_encoder
from basketry.encoders.sound.spectrogram import BANDS, FRAME, STEP, SpectrogramEncoder, log_mel, mel_filters
from basketry.encoders.sound.waves import RATE
from basketry.testing.encoders import _wav, sounds

TIME = np.arange(RATE) / RATE


def test_a_tone_rises_in_the_band_that_holds_it() -> None:
    """1,000 Hz is 1,000 mel by the scale's making; bands lie evenly on it, so which one is told beforehand."""
    low, high = (2_595 * np.log10(1 + frequency / 700) for frequency in (60, 7_600))
    expected = round((2_595 * np.log10(1 + 1_000 / 700) - low) / (high - low) * (BANDS + 1)) - 1
    levels = log_mel(np.sin(2 * np.pi * 1_000 * TIME).astype(np.float32), mel_filters())
    assert levels.shape == ((RATE - FRAME) // STEP + 1, BANDS)
    assert levels.mean(axis=0).argmax() == expected


def test_filters_cover_every_frequency_between_their_ends() -> None:
    filters = mel_filters()
    middle = filters[:, 10:230].sum(axis=0)
    assert filters.min() >= 0
    assert filters.max() <= 1
    assert (middle > 0).all()


@given(st.floats(0.05, 0.9))
def test_loudness_does_not_count(gain: float) -> None:
    encoder = SpectrogramEncoder()
    noise = np.random.default_rng(1).normal(size=RATE) * 0.2
    loud, soft = encoder.encode([_wav(noise), _wav(noise * gain)])
    assert loud @ soft > 0.999


def test_the_same_thing_again_is_nearer_than_another() -> None:
    """Ten sounds, each once more with a little noise and a quarter of it cut off: each finds its own."""
    draw = np.random.default_rng(2)
    first, second = [], []
    for number in range(10):
        base = 150 * 1.3**number
        tone = sum(np.sin(2 * np.pi * base * k * TIME + k) / k ** draw.uniform(0.5, 2) for k in range(1, 6))
        tone = tone * (0.5 + 0.4 * np.sin(2 * np.pi * draw.uniform(1, 8) * TIME)) * 0.2
        first.append(_wav(tone))
        second.append(_wav(tone[: RATE * 3 // 4] + draw.normal(size=RATE * 3 // 4) * 0.002))
    encoder = SpectrogramEncoder()
    found = (encoder.encode(second) @ encoder.encode(first).T).argmax(axis=1)
    assert found.tolist() == list(range(10))


def test_refusals_give_the_position() -> None:
    with pytest.raises(EncoderError, match="document 1 is no WAV"):
        SpectrogramEncoder().encode([sounds()[0], b"MThd, a song"])


def test_the_name_is_stable() -> None:
    assert SpectrogramEncoder().name == load_sound_encoder("spectrogram", Run()).name == "spectrogram@32094b9c81d34c30"


@pytest.mark.parametrize("spec", ["", "spectrogram:x", "speech:", "whisper", "whisper:", "ear"])
def test_no_such_encoder(spec: str) -> None:
    with pytest.raises(EncoderError, match="no encoder of sounds is called"):
        load_sound_encoder(spec, Run())
