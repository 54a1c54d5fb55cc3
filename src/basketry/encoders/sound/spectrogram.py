"""How a sound sounds: statistics of its log-mel spectrogram. No weights, no training, and no understanding of words.

Frames of 25 ms every 10 ms; the power spectrum of each through 64 triangular filters, evenly spaced on the mel scale
m = 2595 log10(1 + f / 700) from 60 to 7,600 Hz; its logarithm, the clip's mean level taken away so that loudness does not
count. Over time then, per band: the mean, the standard deviation, and the mean absolute change from frame to frame. Each of
the three curves over the bands passes a cosine transform (its first 24 coefficients: what is smooth in it), and the three
stand side by side in 72 dimensions, each of unit norm before they are joined.

The vector tells tone, timbre and liveliness: the same jingle, the same machine, a voice from a buzzer. It cannot tell what was
said: for spoken descriptions use a recogniser (`speech.py`).

Source: Davis and Mermelstein (1980) for cepstra on the mel scale; Stevens, Volkmann and Newman (1937) for the scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.fft import dct

from basketry.encoders.files import distinct_files
from basketry.encoders.sound.waves import RATE, samples

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

    Floats = npt.NDArray[np.float64]

FRAME: Final = 400  # samples: 25 ms
STEP: Final = 160  # 10 ms
BANDS: Final = 64
KEPT: Final = 24
_TRANSFORM: Final = 512
_RANGE: Final = (60.0, 7_600.0)
_FLOOR: Final = 1e-8  # power: 80 dB below full scale


class SpectrogramEncoder:
    """72 dimensions from numpy alone; some 200 seconds of sound in 0.1 CPU seconds."""

    dim: Final = 3 * KEPT

    def __init__(self) -> None:
        self._filters = mel_filters()
        # There are no weights: the figures that make the vector are told apart instead.
        figures = f"{RATE} {FRAME} {STEP} {BANDS} {KEPT} {_TRANSFORM} {_RANGE} {_FLOOR} 1"
        self.name: Final = f"spectrogram@{hashlib.sha256(figures.encode()).hexdigest()[:16]}"

    def encode(self, documents: Sequence[bytes]) -> Vectors:
        """float32 [len(documents), 72], unit norm; equal files are computed once.

        Raises EncoderError, giving the position, for a file that `waves.samples` refuses.
        """
        files, place = distinct_files(documents)
        vectors = np.empty((len(files), self.dim), dtype=np.float32)
        for row, (content, position) in enumerate(zip(files, files.positions, strict=True)):
            vectors[row] = self._vector(samples(content, position))
        return vectors[place]

    def _vector(self, sound: npt.NDArray[np.float32]) -> Floats:
        levels = log_mel(sound, self._filters)
        levels -= levels.mean()
        changes = np.abs(np.diff(levels, axis=0)).mean(axis=0) if len(levels) > 1 else np.zeros(BANDS)
        curves = np.stack([levels.mean(axis=0), levels.std(axis=0), changes])
        smooth = dct(curves, type=2, norm="ortho", axis=1)[:, :KEPT]
        norms = np.linalg.norm(smooth, axis=1, keepdims=True)
        parts = smooth / np.where(norms == 0, 1, norms)
        joined: Floats = parts.reshape(-1) / np.linalg.norm(parts)
        return joined


def log_mel(sound: npt.NDArray[np.float32], filters: Floats) -> Floats:
    """Natural logarithm of the power in each band, float64 [frames, bands]."""
    windows = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), FRAME)[::STEP]
    power = np.abs(np.fft.rfft(windows * np.hanning(FRAME), _TRANSFORM, axis=1)) ** 2 / FRAME
    levels: Floats = np.log(power @ filters.T + _FLOOR)
    return levels


def mel_filters() -> Floats:
    """Triangles float64 [64, 257] over the bins of the transform, each with its peak at 1."""
    low, high = (2_595 * np.log10(1 + frequency / 700) for frequency in _RANGE)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2_595) - 1)
    bins = np.fft.rfftfreq(_TRANSFORM, 1 / RATE)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles: Floats = np.maximum(0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    return triangles
