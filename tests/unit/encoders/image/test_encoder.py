"""The networks here are built on the spot and small enough that every vector is known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("onnxruntime")
import onnx
from onnx import TensorProto, helper, numpy_helper

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders import CachedEncoder
from basketry.encoders.image.encoder import ImageEncoder
from basketry.encoders.image.registry import load_image_encoder
from basketry.testing.encoders import _png, check_encoder, images

FLOAT = TensorProto.FLOAT
CARD = {"resize": [8, 8], "crop": None, "interpolation": "nearest", "mean": [0, 0, 0], "std": [1, 1, 1]}
MIX = np.random.default_rng(3).normal(size=(5, 3, 4, 4)).astype(np.float32)
CONVOLVED = [helper.make_node("Conv", ["pixels", "mix"], ["places"], strides=[4, 4], kernel_shape=[4, 4])]
QUANTISED = [
    helper.make_node("DynamicQuantizeLinear", ["pixels"], ["small", "scale", "zero"]),
    helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["rough"]),
    helper.make_node("Conv", ["rough", "mix"], ["places"], strides=[4, 4], kernel_shape=[4, 4]),
]
POOLED = [
    *CONVOLVED,
    helper.make_node("GlobalMaxPool", ["places"], ["most"]),
    helper.make_node("Flatten", ["most"], ["image_embeds"], axis=1),
]
TOKENS = [
    *CONVOLVED,
    helper.make_node("Reshape", ["places", "as_tokens"], ["turned"]),
    helper.make_node("Transpose", ["turned"], ["tokens"], perm=[0, 2, 1]),
]


def folder(path: Path, nodes: list[onnx.NodeProto], outputs: dict[str, int], card: dict[str, object] = CARD) -> Path:
    inputs = [helper.make_tensor_value_info("pixels", FLOAT, ["n", 3, 8, 8])]
    given = {"mix": MIX, "as_tokens": np.array([0, 5, -1])}
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [helper.make_tensor_value_info(name, FLOAT, [None] * rank) for name, rank in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in given.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path / "model.onnx")
    (path / "image.json").write_text(json.dumps(card))
    return path


def places(pixels: np.ndarray) -> np.ndarray:
    """The convolution by hand: [5, 2, 2] of uint8 [8, 8, 3]."""
    scaled = pixels.astype(np.float64).transpose(2, 0, 1) / 255
    tiles = scaled.reshape(3, 2, 4, 2, 4)
    return np.einsum("oiab,iyaxb->oyx", MIX.astype(np.float64), tiles)


PIXELS = np.random.default_rng(4).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("nodes", "outputs", "expected"),
    [
        (CONVOLVED, {"places": 4}, places(PIXELS).mean(axis=(1, 2))),
        (POOLED, {"places": 4, "image_embeds": 2}, places(PIXELS).max(axis=(1, 2))),
        (TOKENS, {"tokens": 3}, places(PIXELS)[:, 0, 0]),
    ],
    ids=["mean over places", "the embedding by its name", "first token"],
)
def test_the_vector_is_the_one_computed_by_hand(
    tmp_path: Path, nodes: list[onnx.NodeProto], outputs: dict[str, int], expected: np.ndarray
) -> None:
    encoder = ImageEncoder.load(folder(tmp_path, nodes, outputs), Run())
    assert np.allclose(encoder.encode([_png(PIXELS)])[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_every_law_is_kept(tmp_path: Path) -> None:
    encoder = load_image_encoder(f"image:{folder(tmp_path, CONVOLVED, {'places': 4})}", Run())
    check_encoder(encoder, images())
    check_encoder(CachedEncoder(encoder, tmp_path / "vectors"), images())


def test_scales_from_the_batch_are_found_out(tmp_path: Path) -> None:
    encoder = ImageEncoder.load(folder(tmp_path, QUANTISED, {"places": 4}), Run())
    assert encoder._batch == 1
    check_encoder(encoder, images())


def test_a_broken_file_is_named_by_its_position(tmp_path: Path) -> None:
    encoder = ImageEncoder.load(folder(tmp_path, CONVOLVED, {"places": 4}), Run())
    good = images()
    with pytest.raises(EncoderError, match="document 3 cannot be read"):
        encoder.encode([*good[:3], good[1][:40]])
    with pytest.raises(EncoderError, match="document 1 is GIF, not JPEG, PNG or WebP"):
        encoder.encode([good[0], b"GIF89a"])
    with pytest.raises(EncoderError, match="document 0 is str, not bytes"):
        encoder.encode(["milk"])  # type: ignore[list-item]


def test_the_name_follows_weights_and_preparation(tmp_path: Path) -> None:
    first = ImageEncoder.load(folder(tmp_path, CONVOLVED, {"places": 4}), Run()).name
    assert ImageEncoder.load(tmp_path, Run()).name == first
    assert ImageEncoder.load(folder(tmp_path, CONVOLVED, {"places": 4}, CARD | {"std": [2, 2, 2]}), Run()).name != first


def test_folders_that_cannot_serve_say_why(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no model\.onnx"):
        ImageEncoder.load(tmp_path, Run())
    folder(tmp_path, CONVOLVED, {"places": 4}, CARD | {"sha256": "0" * 64})
    with pytest.raises(EncoderError, match="differ from the pinned"):
        ImageEncoder.load(tmp_path, Run())
    folder(tmp_path, CONVOLVED, {"places": 4}, CARD | {"resize": [9, 9]})
    with pytest.raises(EncoderError, match="the model failed"):
        ImageEncoder.load(tmp_path, Run())
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EncoderError, match="cannot read the model"):
        ImageEncoder.load(tmp_path, Run())


@pytest.mark.parametrize("spec", ["", "image", "image:", "resnet:x", "clip:", "efficientnet:"])
def test_no_such_encoder(spec: str) -> None:
    with pytest.raises(EncoderError, match="no encoder of images is called"):
        load_image_encoder(spec, Run())
