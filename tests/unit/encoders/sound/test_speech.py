"""Real speech: the recordings of the Debian package pocketsphinx-testdata, with what was said in them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders import load_encoder
from basketry.encoders.sound.registry import load_sound_encoder
from basketry.encoders.sound.speech import FasterWhisper, PocketSphinx, SpeechEncoder
from basketry.testing.encoders import check_batch, check_refusal, check_shape, sounds

RECORDINGS = Path("/usr/share/pocketsphinx/test/data")


@pytest.fixture(scope="module")
def recogniser() -> PocketSphinx:
    pytest.importorskip("pocketsphinx")
    return PocketSphinx.load()


@pytest.fixture(scope="module")
def recordings() -> dict[str, bytes]:
    """What was said, and the file."""
    if not RECORDINGS.is_dir():
        pytest.skip("no recorded speech here (apt-get install pocketsphinx-testdata)")
    said = (RECORDINGS / "cards" / "cards.transcription").read_text()
    found = re.findall(r"<s> (.*?) *</s> *\((\w+)\)", said)
    return {words: (RECORDINGS / "cards" / f"{name}.wav").read_bytes() for words, name in found}


def errors(heard: str, said: str) -> int:
    """Words to change, add or leave out (Levenshtein)."""
    row = list(range(len(said.split()) + 1))
    for number, word in enumerate(heard.split(), 1):
        before, row = row, [number]
        for place, other in enumerate(said.split(), 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1]


def test_most_words_of_recorded_speech_are_heard(recogniser: PocketSphinx, recordings: dict[str, bytes]) -> None:
    heard = SpeechEncoder(recogniser, load_encoder("universal", Run())).words(list(recordings.values()))
    wrong = sum(errors(ours, said) for ours, said in zip(heard, recordings, strict=True))
    assert wrong <= 0.2 * sum(len(said.split()) for said in recordings)


def test_speech_keeps_the_laws_and_finds_its_text(recogniser: PocketSphinx, recordings: dict[str, bytes]) -> None:
    text = load_encoder("universal", Run())
    encoder = SpeechEncoder(recogniser, text)
    assert encoder.name == f"{recogniser.name}>{text.name}"
    said = ["ten of clubs", "five five"]
    files = [recordings[words] for words in said]
    for law in (check_shape, check_batch, check_refusal):  # the other laws hear the same again, seconds each time
        law(encoder, files)
    assert (encoder.encode(files) @ text.encode(said).T).argmax(axis=1).tolist() == [0, 1]


def test_a_sound_without_words_is_refused() -> None:
    class Deaf:
        name = "deaf"

        def words(self, sound: np.ndarray) -> str:
            return " "

    with pytest.raises(EncoderError, match="document 0 holds no word"):
        SpeechEncoder(Deaf(), load_encoder("universal", Run())).encode(sounds()[:1])


def test_a_missing_extra_says_how_to_get_it(tmp_path: Path) -> None:
    try:
        import faster_whisper  # noqa: F401
    except ImportError:
        with pytest.raises(EncoderError, match="needs package faster-whisper"):
            load_sound_encoder(f"whisper:{tmp_path}", Run())
        return
    with pytest.raises(EncoderError, match=r"no model\.bin"):
        FasterWhisper.load(tmp_path, Run())
