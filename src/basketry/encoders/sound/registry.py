"""Which encoders of sounds there are, and how one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf, Run
from basketry.encoders.registry import DEFAULT, load_encoder

SOUND_ENCODERS: Final = ("spectrogram", "speech", "whisper")


def load_sound_encoder(spec: str, run: Run, text: str = DEFAULT) -> EncoderOf[bytes]:
    """`spectrogram` (comes with the install), `speech` (English, extra sound), or `whisper:FOLDER` (package faster-whisper).

    The last two hear words and encode them by the text encoder called `text`.

    Raises EncoderError for an unknown kind, a missing extra (the hint is the pip command), or weights that cannot be read.
    """
    kind, colon, rest = spec.partition(":")
    if kind not in SOUND_ENCODERS or bool(colon) != (kind == "whisper") or bool(rest) != bool(colon):
        raise EncoderError(f"no encoder of sounds is called {spec!r}", "use spectrogram, speech or whisper:FOLDER")
    if kind == "spectrogram":
        from basketry.encoders.sound.spectrogram import SpectrogramEncoder

        return SpectrogramEncoder()
    from basketry.encoders.sound.speech import FasterWhisper, PocketSphinx, SpeechEncoder

    recogniser = PocketSphinx.load() if kind == "speech" else FasterWhisper.load(Path(rest), run)
    return SpeechEncoder(recogniser, load_encoder(text, run))
