"""What was said: a recogniser turns a sound into words, and a text encoder the words into a vector beside those of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf, Run
from basketry.core.telemetry import span
from basketry.encoders.documents import readable
from basketry.encoders.files import distinct_files
from basketry.encoders.sound.waves import RATE, samples
from basketry.encoders.weights import file_digest, folder_digest

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors


class Recogniser(Protocol):
    """From sound to words; one sound never changes what is heard in another."""

    @property
    def name(self) -> str:
        """Stable name, with the sha256 of the model."""
        ...

    def words(self, sound: npt.NDArray[np.float32]) -> str:
        """What is said in float32 [n] at 16 kHz; empty if nothing was understood."""
        ...


class SpeechEncoder:
    """Spoken descriptions in the space of a text encoder: speech finds the texts, and texts the speech."""

    def __init__(self, recogniser: Recogniser, encoder: EncoderOf[str]) -> None:
        self.name: Final = f"{recogniser.name}>{encoder.name}"
        self.dim: Final = encoder.dim
        self._recogniser = recogniser
        self._encoder = encoder

    def words(self, documents: Sequence[bytes]) -> list[str]:
        """What is said in each file. Raises EncoderError, giving the position, for one that cannot be read or understood."""
        files, place = distinct_files(documents)
        heard: list[str] = []
        with span("recognise speech", total=len(files), unit="sounds") as progress:
            for content, position in zip(files, files.positions, strict=True):
                text = self._recogniser.words(samples(content, position))
                if not readable(text):
                    raise EncoderError(
                        f"document {position} holds no word that was understood", "speak nearer, or leave it out"
                    )
                heard.append(text)
                progress.advance()
        return [heard[number] for number in place]

    def encode(self, documents: Sequence[bytes]) -> Vectors:
        """float32 [len(documents), dim], unit norm, of the words; equal files are heard once. Raises as `words` does."""
        return self._encoder.encode(self.words(documents))


class PocketSphinx:
    """English dictation with the model inside the package pocketsphinx (BSD, 40 MB): light, offline, and often wrong.

    Read speech close to a microphone it gets mostly right; noise, accents, synthetic voices and the names of brands
    it does not. The spectrum is normalised over each sound by itself, so that no sound leaves a trace in the next. A third to
    two thirds of the sound's length in CPU time.
    """

    def __init__(self, name: str, decoder: Any) -> None:
        self.name: Final = name
        self._decoder = decoder

    @classmethod
    def load(cls) -> Self:
        """Raises EncoderError if the extra is missing or its model cannot be read."""
        try:
            from pocketsphinx import Config, Decoder, get_model_path
        except ImportError as error:
            raise EncoderError("recognising speech needs package pocketsphinx", "pip install 'basketry[sound]'") from error
        model = Path(get_model_path("en-us"))
        digest = hashlib.sha256()
        for file in sorted(path for path in model.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"{file.relative_to(model).as_posix()}\0{file_digest(file)}\n".encode())
        try:
            decoder = Decoder(Config(samprate=RATE, cmn="batch", loglevel="FATAL"))
        except (RuntimeError, ValueError) as error:
            raise EncoderError(f"cannot read the model in {model}: {error}", "install pocketsphinx again") from error
        return cls(f"pocketsphinx@{digest.hexdigest()[:16]}", decoder)

    def words(self, sound: npt.NDArray[np.float32]) -> str:
        """What is said, in small letters; words not in its dictionary of 134,000 never come out."""
        pcm = np.clip(sound * 32_768, -32_768, 32_767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return str(found.hypstr) if found is not None else ""


class FasterWhisper:
    """A Whisper model in CTranslate2's form, by local folder, greedy and at temperature 0: a sound always says the same."""

    def __init__(self, name: str, model: Any) -> None:
        self.name: Final = name
        self._model = model

    @classmethod
    def load(cls, folder: Path, run: Run) -> Self:
        """From a folder with `model.bin`, `config.json`, `tokenizer.json`. Raises EncoderError if it cannot be read."""
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise EncoderError(f"encoder speech:{folder} needs package faster-whisper", "pip install faster-whisper") from error
        weights = folder / "model.bin"
        if not weights.is_file():
            raise EncoderError(f"no model.bin in {folder}", "name a folder with a Whisper model converted for CTranslate2")
        digest = hashlib.sha256(f"{file_digest(weights)}{folder_digest(folder)}".encode()).hexdigest()
        try:
            model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=run.threads, local_files_only=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise EncoderError(f"cannot read the model in {folder}: {error}", "convert the model again") from error
        return cls(f"whisper@{digest[:16]}", model)

    def words(self, sound: npt.NDArray[np.float32]) -> str:
        """What is said, in the language that the model takes it for."""
        segments, _ = self._model.transcribe(sound, beam_size=1, temperature=0.0, condition_on_previous_text=False)
        return " ".join(segment.text.strip() for segment in segments)
