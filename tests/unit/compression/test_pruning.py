"""Layers, heads and neurons: what does nothing can go without a trace, and what does most stays."""

from dataclasses import replace

import numpy as np
import pytest

import transformer_worlds
from basketry.compression.layers import Layers
from basketry.compression.pruning import Feed, Heads, importance
from basketry.compression.step import Materials
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of
from basketry.encoders.transformer.calibration import Inputs
from basketry.encoders.transformer.layout import Shape
from basketry.testing.encoders import DOCUMENTS

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
WAYS = ("activation", "l1", "l2", "taylor")


def materials(state):
    return Materials(DOCUMENTS, (state,), Run(threads=1))


def vectors(state):
    return encoder_of(state, Run(threads=1)).encode(DOCUMENTS)


def silenced(state, name, rows, columns):
    """The unit that writes `columns` of `name` adds nothing, and (for norms) has no weights at all."""
    arrays = {key: array.copy() for key, array in state.arrays.items()}
    arrays[f"{name}.weight"][:, columns] = 0
    for other in rows:
        arrays[f"{other}.weight"][columns] = 0
        arrays[f"{other}.bias"][columns] = 0
    return replace(state, arrays=arrays)


@pytest.mark.parametrize("by", WAYS)
def test_a_head_that_does_nothing_goes_without_a_trace(by):
    if by == "taylor":
        pytest.importorskip("torch", reason="needs the extra train")
    state = transformer_worlds.transformer(heads=(3, 2))
    parts = [f"layers.0.attention.{part}" for part in ("query", "key", "value")]
    state = silenced(state, "layers.0.attention.output", parts, slice(8, 16))
    pruned = Heads(keep=2, by=by).apply(state, materials(state))
    assert Shape.of(pruned).heads == (2, 2)
    assert np.abs(vectors(pruned) - vectors(state)).max() < 1e-6
    expected = np.delete(state.arrays["layers.0.attention.query.weight"], slice(8, 16), axis=0)
    assert np.array_equal(pruned.arrays["layers.0.attention.query.weight"], expected)


@pytest.mark.parametrize("by", WAYS)
def test_neurons_that_do_nothing_go_without_a_trace(by):
    if by == "taylor":
        pytest.importorskip("torch", reason="needs the extra train")
    state = transformer_worlds.transformer(feed=(32, 24))
    state = silenced(state, "layers.0.feed.outer", ["layers.0.feed.inner"], slice(3, 11))
    pruned = Feed(keep=24, by=by).apply(state, materials(state))
    assert Shape.of(pruned).feed == (24, 24)
    assert np.abs(vectors(pruned) - vectors(state)).max() < 1e-6


def test_importance_by_hand():
    arrays = {
        "in.weight": np.array([[1, -2], [0, 0], [3, 0]], dtype=np.float32),
        "out.weight": np.array([[1, 5, 0], [-1, 0, 2]], dtype=np.float32),
    }
    assert importance(arrays, ("in",), "out", 1, "l1").tolist() == [1 + 2 + 1 + 1, 5, 3 + 2]
    assert importance(arrays, ("in",), "out", 1, "l2") == pytest.approx(np.sqrt([1 + 4 + 1 + 1, 25, 9 + 4]))
    seen = Inputs(0, 1, np.zeros(3), np.diag([4.0, 0.0, 1.0]))
    assert importance(arrays, ("in",), "out", 1, "activation", seen).tolist() == [4 * 2, 0, 4]


def test_the_mean_of_what_goes_stays_in_the_bias():
    state = transformer_worlds.transformer(heads=(2,), feed=(16,))
    arrays = {key: array.copy() for key, array in state.arrays.items()}
    arrays["layers.0.feed.inner.weight"][:4] = 0
    arrays["layers.0.feed.inner.bias"][:4] = 0.7  # four neurons that always say the same
    arrays["layers.0.feed.outer.weight"][:, :4] *= 0.01  # and matter least
    state = replace(state, arrays=arrays)
    pruned = Feed(keep=12).apply(state, materials(state))
    assert np.abs(vectors(pruned) - vectors(state)).max() < 1e-5


def test_taylor_finds_the_head_whose_absence_changes_vectors_least():
    pytest.importorskip("torch", reason="needs the extra train")
    from basketry.training.importance import slopes

    state = transformer_worlds.transformer(heads=(4,), feed=(16,))
    found = slopes(state, DOCUMENTS, Run(threads=1))["layers.0.attention.output"].reshape(4, 8).sum(1)
    arrays = {key: array.copy() for key, array in state.arrays.items()}
    arrays["layers.0.attention.output.weight"][:, 8:16] *= 0.02
    quiet = replace(state, arrays=arrays)
    after = slopes(quiet, DOCUMENTS, Run(threads=1))["layers.0.attention.output"].reshape(4, 8).sum(1)
    assert after[1] < 0.01 * found[1]
    assert after.argmin() == 1


def test_layers_by_number_and_by_count():
    state = transformer_worlds.transformer(heads=(2, 2, 2), feed=(16, 16, 16))
    arrays = {key: array.copy() for key, array in state.arrays.items()}
    for part in ("attention.output", "feed.outer"):
        arrays[f"layers.1.{part}.weight"] *= 0.001  # layer 1 does next to nothing but normalise
        arrays[f"layers.1.{part}.bias"] *= 0.001
    for part in ("attention.norm", "feed.norm"):
        arrays[f"layers.1.{part}.gain"][:] = arrays["layers.0.feed.norm.gain"]
        arrays[f"layers.1.{part}.shift"][:] = arrays["layers.0.feed.norm.shift"]
    state = replace(state, arrays=arrays)
    named, counted = Layers("0/2").apply(state, materials(state)), Layers("2").apply(state, materials(state))
    assert Shape.of(named).heads == (2, 2)
    assert np.array_equal(named.arrays["layers.1.feed.inner.weight"], state.arrays["layers.2.feed.inner.weight"])
    assert named.digest == counted.digest, "the layer that does least is the one left out"
    with pytest.raises(RequestError, match="no layer 3"):
        Layers("0/3").apply(state, materials(state))
    with pytest.raises(RequestError, match="4 layers are to be kept of 3"):
        Layers("4").apply(state, materials(state))


def test_what_does_not_fit_is_refused():
    state = transformer_worlds.transformer(rank=3)
    with pytest.raises(RequestError, match="two factors"):
        Heads(keep=1).apply(state, materials(state))
    with pytest.raises(RequestError, match="needs texts"):
        Feed(keep=4).apply(transformer_worlds.transformer(), Materials((), (state,), Run()))
