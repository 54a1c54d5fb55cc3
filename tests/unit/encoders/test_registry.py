from __future__ import annotations

import sys
from pathlib import Path

import pytest

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders import DEFAULT, ENCODERS, load_encoder


def test_the_default_is_the_one_that_comes_with_the_install() -> None:
    encoder = load_encoder(DEFAULT, Run())
    assert (encoder.name, encoder.dim) == ("universal-multilingual-3@5779c80e51f0c10b", 512)


@pytest.mark.parametrize("spec", ["", "word2vec", "onnx", "onnx:", "sentence:", "universal:", "universal:x", "Universal"])
def test_other_names_are_refused(spec: str) -> None:
    with pytest.raises(EncoderError):
        load_encoder(spec, Run())


@pytest.mark.parametrize(
    ("kind", "package", "extra"), [("onnx", "onnxruntime", "onnx"), ("sentence", "sentence_transformers", "train")]
)
def test_a_missing_extra_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, package: str, extra: str
) -> None:
    assert kind in ENCODERS
    monkeypatch.setitem(sys.modules, package, None)
    if kind == "sentence":
        monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EncoderError) as refused:
        load_encoder(f"{kind}:{tmp_path}", Run())
    assert refused.value.hint == f"pip install 'basketry[{extra}]'"
