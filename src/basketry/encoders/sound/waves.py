"""WAV files to samples: 16-bit PCM, read by the standard library."""

from __future__ import annotations

import io
import math
import wave
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    import numpy.typing as npt

RATE: Final = 16_000  # samples a second after reading
LONGEST: Final = 120.0  # seconds
SHORTEST: Final = 0.1
_RATES: Final = (8_000, 48_000)
_CHANNELS: Final = 8
_HINT: Final = "save it as WAV, 16-bit PCM, 8 to 48 kHz, of at most two minutes"


def samples(content: bytes, position: int = 0) -> npt.NDArray[np.float32]:
    """float32 [n] at 16 kHz within -1..1, the channels averaged.

    Raises EncoderError, naming `position`, for a file that is no WAV, is not 16-bit PCM, ends before its header says, holds
    nothing but silence, or is shorter than 0.1 or longer than 120 seconds.
    """
    try:
        with wave.open(io.BytesIO(content)) as source:
            told = source.getparams()
            if told.sampwidth != 2 or not 1 <= told.nchannels <= _CHANNELS or not _RATES[0] <= told.framerate <= _RATES[1]:
                kind = f"{8 * told.sampwidth} bits, {told.nchannels} channels, {told.framerate:,} Hz"
                raise EncoderError(f"document {position} is WAV of {kind}", _HINT)
            seconds = told.nframes / told.framerate
            if not SHORTEST <= seconds <= LONGEST:
                raise EncoderError(
                    f"document {position} is a sound of {seconds:,.2f} s; from {SHORTEST} to {LONGEST:.0f} s can be read", _HINT
                )
            frames = source.readframes(told.nframes)
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:
        raise EncoderError(f"document {position} is no WAV of PCM: {error or 'it ends too early'}", _HINT) from error
    if len(frames) != told.nframes * told.nchannels * 2:
        raise EncoderError(f"document {position} ends before its header says", _HINT)
    whole = np.frombuffer(frames, dtype="<i2").reshape(-1, told.nchannels).astype(np.float32)
    mono = whole.mean(axis=1) / np.float32(32_768)
    if not mono.any():
        raise EncoderError(f"document {position} is silent", "leave it out")
    return mono if told.framerate == RATE else _resampled(mono, told.framerate)


def _resampled(mono: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    from scipy.signal import resample_poly

    common = math.gcd(rate, RATE)
    at_rate: npt.NDArray[np.float32] = resample_poly(mono, RATE // common, rate // common).astype(np.float32)
    return at_rate
