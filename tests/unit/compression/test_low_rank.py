"""Factors: exact at full rank, nearest below it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transformer_worlds
from basketry.compression.low_rank import LowRank, factors
from basketry.compression.step import Materials
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of
from basketry.testing.encoders import DOCUMENTS


@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(2, 7), st.booleans())
def test_full_rank_is_exact(seed, out, into, weighted):
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(out, into)).astype(np.float32)
    inputs = draw.normal(size=(50, into))
    left, right = factors(matrix, min(out, into), inputs.T @ inputs / 50 if weighted else None)
    assert np.abs(left @ right - matrix).max() < 1e-5


def test_one_direction_by_hand():
    left, right = factors(np.array([[3, 0], [0, 1]], dtype=np.float32), 1)
    assert left @ right == pytest.approx(np.array([[3, 0], [0, 0]]), abs=1e-6)
    # Inputs that lie almost all along the second axis: keeping that one loses least of the outputs.
    left, right = factors(np.array([[3, 0], [0, 1]], dtype=np.float32), 1, np.diag([0.01, 1.0]))
    assert left @ right == pytest.approx(np.array([[0, 0], [0, 1]]), abs=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_no_other_factors_keep_outputs_better(seed, rank):
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(6, 5)).astype(np.float32)
    inputs = draw.normal(size=(200, 5)) * draw.uniform(0.05, 3, 5)

    def lost(pair):
        return np.square(inputs @ (matrix - pair[0] @ pair[1]).T).mean()

    best = lost(factors(matrix, rank, inputs.T @ inputs / 200))
    assert best <= lost(factors(matrix, rank)) * (1 + 1e-3) + 1e-9


def test_a_factored_encoder_at_full_width_is_unchanged_and_below_it_smaller():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer(hidden=64, heads=(8,), feed=(256,))
    materials = Materials(DOCUMENTS, (state,), Run(threads=1))
    whole = LowRank(1.0, weighted=False).apply(state, materials)
    assert whole.digest == state.digest, "what would grow stays in one piece"
    half = LowRank(0.5).apply(state, materials)
    assert half.bytes < state.bytes
    assert {name.rsplit(".", 1)[1] for name in half.arrays if "feed.inner" in name} == {"left", "right", "bias"}
    expected = encoder_of(state, Run()).encode(DOCUMENTS)
    plain = LowRank(0.5, weighted=False).apply(state, materials)
    cosine = [float((encoder_of(each, Run()).encode(DOCUMENTS) * expected).sum(1).mean()) for each in (half, plain)]
    assert cosine[0] > cosine[1] > 0.5
