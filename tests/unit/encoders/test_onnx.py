"""The models here are built on the spot: an embedding table behind a byte tokeniser, so every vector is known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.onnx import load_onnx
from basketry.encoders.registry import load_encoder
from basketry.testing.encoders import check_encoder

DIM = 6
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
TABLE = np.random.default_rng(1).normal(size=(len(ALPHABET), DIM)).astype(np.float32)
INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT

TOKENS = [helper.make_node("Gather", ["table", "input_ids"], ["tokens"])]
POOLED = [
    *TOKENS,
    helper.make_node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
    helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
    helper.make_node("Mul", ["tokens", "column"], ["masked"]),
    helper.make_node("ReduceMax", ["masked", "second"], ["sentence_embedding"], keepdims=0),
]
QUANTISED = [
    helper.make_node("Gather", ["table", "input_ids"], ["wide"]),
    helper.make_node("DynamicQuantizeLinear", ["wide"], ["small", "scale", "zero"]),
    helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["tokens"]),
]


def _folder(path: Path, nodes: list[onnx.NodeProto], outputs: dict[str, int], kind: int = INT64, extra: str = "") -> Path:
    """A model of `nodes`; `outputs` gives the rank of each output."""
    inputs = [helper.make_tensor_value_info(name, kind, ["b", "t"]) for name in ("input_ids", "attention_mask", extra) if name]
    constants = {"table": TABLE, "last": np.array([2]), "second": np.array([1])}
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [helper.make_tensor_value_info(name, FLOAT, [None] * rank) for name, rank in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path / "model.onnx")
    tokeniser = Tokenizer(models.BPE({sign: number for number, sign in enumerate(ALPHABET)}, []))
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    tokeniser.save(str(path / "tokenizer.json"))
    return path


def _rows(text: str) -> np.ndarray:
    """The rows of TABLE for an ASCII text without spaces."""
    return TABLE[[ALPHABET.index(sign) for sign in text]]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_tokens_are_averaged_under_the_mask(tmp_path: Path) -> None:
    encoder = load_onnx(_folder(tmp_path, TOKENS, {"tokens": 3}), Run())
    vectors = encoder.encode(["milk", "a-much-longer-text"])
    assert np.allclose(vectors[0], _unit(_rows("milk").mean(axis=0)), atol=1e-6)
    assert encoder.dim == DIM


@pytest.mark.parametrize("said", [{"pooling_mode_cls_token": True}, {"pooling_mode": "cls"}])
def test_the_first_token_stands_for_the_text_where_the_folder_says_so(tmp_path: Path, said: dict[str, object]) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(said))
    encoder = load_onnx(_folder(tmp_path, TOKENS, {"tokens": 3}), Run())
    assert np.allclose(encoder.encode(["milk"])[0], _unit(_rows("m")[0]), atol=1e-6)


def test_a_pooling_that_is_not_computed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "max"}))
    with pytest.raises(EncoderError, match=r"pools by \['max'\]"):
        load_onnx(_folder(tmp_path, TOKENS, {"tokens": 3}), Run())
    load_onnx(_folder(tmp_path, POOLED, {"tokens": 3, "sentence_embedding": 2}), Run())  # its own output needs none


def test_an_output_called_sentence_embedding_is_taken_as_it_is(tmp_path: Path) -> None:
    encoder = load_onnx(_folder(tmp_path, POOLED, {"tokens": 3, "sentence_embedding": 2}), Run())
    assert np.allclose(encoder.encode(["milk"])[0], _unit(_rows("milk").max(axis=0)), atol=1e-6)


def test_long_texts_are_cut_where_the_folder_says(tmp_path: Path) -> None:
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 4}))
    encoder = load_onnx(_folder(tmp_path, TOKENS, {"tokens": 3}), Run())
    assert np.array_equal(*encoder.encode(["milk", "milkshake"]))


@pytest.mark.parametrize("kind", [INT64, TensorProto.INT32])
def test_every_law_is_kept(tmp_path: Path, kind: int) -> None:
    check_encoder(load_encoder(f"onnx:{_folder(tmp_path, TOKENS, {'tokens': 3}, kind)}", Run()))


def test_a_model_whose_batch_would_leak_is_run_text_by_text(tmp_path: Path) -> None:
    check_encoder(load_onnx(_folder(tmp_path, QUANTISED, {"tokens": 3}), Run()))


def test_the_name_follows_the_weights(tmp_path: Path) -> None:
    folder = _folder(tmp_path, TOKENS, {"tokens": 3})
    before = load_onnx(folder, Run()).name
    assert before == load_onnx(folder, Run()).name
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content.replace(TABLE[0].tobytes(), TABLE[1].tobytes(), 1))
    assert load_onnx(folder, Run()).name != before


def test_a_text_of_more_than_one_batch_comes_back_in_order(tmp_path: Path) -> None:
    encoder = load_onnx(_folder(tmp_path, TOKENS, {"tokens": 3}), Run())
    texts = [f"{'x' * (number % 13)}{number}" for number in range(100)]
    expected = np.array([_unit(_rows(text).mean(axis=0)) for text in texts])
    assert np.allclose(encoder.encode(texts), expected, atol=1e-6)


def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no model\.onnx"):
        load_onnx(tmp_path, Run())
    _folder(tmp_path, TOKENS, {"tokens": 3}, extra="pixel_values")
    with pytest.raises(EncoderError, match=r"asks for .*pixel_values"):
        load_onnx(tmp_path, Run())
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(EncoderError, match="cannot read the model"):
        load_onnx(tmp_path, Run())
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"no tokenizer\.json"):
        load_onnx(tmp_path, Run())


def test_a_vector_without_direction_is_refused(tmp_path: Path) -> None:
    zero = [
        *TOKENS[:0],
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("Sub", ["x", "x"], ["tokens"]),
    ]
    with pytest.raises(EncoderError, match="without direction"):
        load_onnx(_folder(tmp_path, zero, {"tokens": 3}), Run())
