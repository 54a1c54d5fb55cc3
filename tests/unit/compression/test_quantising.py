"""Whole numbers: within half a step of what they round, the same in a batch as alone, and near the float encoder."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transformer_worlds
from basketry.compression.quantising import Float16, Int4, Int8
from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, export_state
from basketry.encoders.registry import load_encoder
from basketry.encoders.state import read_state, write_state
from basketry.encoders.transformer.layout import plain, unpacked
from basketry.encoders.transformer.numbers import packed_blocks, rounded_rows, steps_of
from basketry.testing.encoders import DOCUMENTS, check_encoder

RECIPES = (
    "int8",
    "int8:dynamic",
    "feed:keep=45,by=l2+int8:dynamic",
    "int8:float",
    "int8:bits=7,keep=0",
    "int4",
    "int4:block=16,inputs=dynamic",
    "float16",
)
FACTORED = "lowrank:rank=0.4,weighted=false+int8"


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9), st.sampled_from([7, 8]))
def test_a_rounded_number_is_within_half_a_step(seed, out, into, bits):
    matrix = np.random.default_rng(seed).normal(size=(out, into)).astype(np.float32)
    numbers, scale = rounded_rows(matrix, bits)
    assert np.abs(numbers).max() <= 2 ** (bits - 1) - 1
    assert (np.abs(numbers * scale[:, None] - matrix) <= scale[:, None] * 0.5001).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4))
def test_a_packed_number_is_within_half_a_step_of_its_block(seed, out, blocks):
    matrix = np.random.default_rng(seed).normal(size=(out, blocks * 16)).astype(np.float32)
    packed, scale = packed_blocks(matrix, 16)
    assert packed.shape == (out, blocks * 8)
    back = unpacked({"x.packed": packed, "x.scale": scale}, "x")
    assert (np.abs(back - matrix) <= np.repeat(scale, 16, axis=1) * 0.5001).all()


def test_packing_by_hand():
    packed, scale = packed_blocks(np.array([[7, -7, 0, 1] * 4], dtype=np.float32), 16)
    assert scale.tolist() == [[1.0]]
    assert packed.tolist() == [[15 | 1 << 4, 8 | 9 << 4] * 4]


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_zero_is_met_exactly_and_ends_within_a_step(one, two):
    low, high = min(one, two), max(one, two) + 1e-3
    step, zero = steps_of(np.array([low, high], dtype=np.float32))
    assert 0 <= zero <= 255
    assert (255 - float(zero)) * step >= min(high, 0) - step
    assert -float(zero) * step <= max(low, 0) + step
    assert (255 - float(zero)) * step == pytest.approx(max(high, 0), abs=float(step))


@pytest.mark.parametrize("recipe", [*RECIPES, FACTORED])
def test_the_laws_hold_and_vectors_stay_near(recipe, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer(hidden=32, heads=(4, 2), feed=(64, 48))
    made = Recipe.parse(recipe).apply(state, Materials(DOCUMENTS, (state,), Run(threads=1)))
    encoder = encoder_of(made, Run(threads=1))
    check_encoder(encoder)
    assert made.bytes < state.bytes
    if "+" in recipe:  # beside the same shape in float
        state = Recipe.parse(recipe.rpartition("+")[0]).apply(state, Materials(DOCUMENTS, (state,), Run()))
    ours, theirs = encoder.encode(DOCUMENTS), encoder_of(state, Run(threads=1)).encode(DOCUMENTS)
    least = 0.9 if recipe.startswith("int4") else 0.995
    assert float((ours * theirs).sum(1).min()) > least
    write_state(tmp_path, made)
    assert np.array_equal(encoder_of(read_state(tmp_path), Run(threads=1)).encode(DOCUMENTS), ours)


def test_a_batch_beside_extremes_changes_nothing():
    """The reason for fixed ranges: with a range taken from the batch, an outlier would coarsen its neighbours."""
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    arrays = {**state.arrays, "embeddings.norm.gain": state.arrays["embeddings.norm.gain"] * 3}
    made = Int8().apply(replace(state, arrays=arrays), Materials(DOCUMENTS[:3], (state,), Run(threads=1)))
    encoder = encoder_of(made, Run(threads=1))
    alone = encoder.encode(["bread"])
    assert np.abs(encoder.encode(["bread", "z z z z z", *DOCUMENTS])[0] - alone[0]).max() <= 1e-6


def test_whole_numbers_mean_the_same_to_every_runtime(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer(hidden=32, heads=(4,), feed=(64,))
    made = Int8().apply(state, Materials(DOCUMENTS, (state,), Run(threads=1)))
    expected = encoder_of(made, Run(threads=1)).encode(DOCUMENTS)
    export_state(made, tmp_path)
    exported = load_encoder(f"onnx:{tmp_path}", Run(threads=1)).encode(DOCUMENTS)
    assert float((exported * expected).sum(1).min()) > 0.9999
    pytest.importorskip("openvino", reason="needs the extra openvino")
    assert float((encoder_of(made, Run(threads=1), "openvino").encode(DOCUMENTS) * expected).sum(1).min()) > 0.999


def test_layers_that_are_kept_stay_in_float():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    materials = Materials(DOCUMENTS, (state,), Run(threads=1))
    made = Int8(keep="1", words=False).apply(state, materials)
    kinds = {name: array.dtype.name for name, array in made.arrays.items() if name.endswith(".weight")}
    assert {kind for name, kind in kinds.items() if name.startswith("layers.0")} == {"int8"}
    assert {kind for name, kind in kinds.items() if name.startswith("layers.1")} == {"float32"}
    assert made.arrays["embeddings.word"].dtype == np.float32
    with pytest.raises(RequestError, match="no layer 2"):
        Int8(keep="2").apply(state, materials)


def test_half_precision_keeps_eleven_bits():
    state = transformer_worlds.transformer()
    made = Float16().apply(state, Materials((), (state,), Run()))
    name = "layers.0.feed.inner.weight"
    assert made.arrays[name].dtype == np.float16
    assert plain(made.arrays, name) == pytest.approx(state.arrays[name], rel=2**-11, abs=1e-7)
    assert made.arrays["layers.0.feed.norm.gain"].dtype == np.float32


def test_int4_of_odd_widths_falls_back_to_int8():
    state = transformer_worlds.transformer(feed=(20, 24))
    made = Int4(block=32).apply(state, Materials((), (state,), Run()))
    assert made.arrays["layers.0.feed.inner.packed"].dtype == np.uint8
    assert made.arrays["layers.0.feed.outer.weight"].dtype == np.int8


def test_half_floats_leave_the_scales_of_blocks_as_they_are():
    state = transformer_worlds.transformer()
    materials = Materials(DOCUMENTS, (state,), Run())
    made = Float16().apply(Int4(block=16).apply(state, materials), materials)
    scales = [array for name, array in made.arrays.items() if name.endswith(".scale")]
    assert any(array.ndim == 2 for array in scales) and {array.dtype for array in scales} == {np.dtype(np.float32)}
