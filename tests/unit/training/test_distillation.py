"""Distillation: nothing to learn from oneself, something to learn from others, and rounding felt as it will be."""

from dataclasses import replace

import numpy as np
import pytest

import transformer_worlds
from basketry.compression.layers import with_layers
from basketry.compression.quantising import in_whole_numbers
from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.batches import padded
from basketry.encoders.models import encoder_of, network_of, tokeniser_of
from basketry.encoders.transformer.calibration import observe
from basketry.testing.encoders import DOCUMENTS

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from basketry.encoders.transformer.torch_network import TransformerNetwork  # noqa: E402 - these need torch
from basketry.training.distillation import Distillation, Weights, aims, mapped  # noqa: E402
from basketry.training.rounding import feel_rounding  # noqa: E402

WORDS = transformer_worlds.WORDS
TEXTS = [f"{one} {two} {three}" for one in WORDS[:5] for two in WORDS[5:10] for three in WORDS[10:14]]


def batch(state, texts):
    ids, mask = padded(tokeniser_of(state)(texts))
    aim = encoder_of(state, Run(threads=1)).encode(texts)
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask).bool(), "aim": torch.from_numpy(aim)}


def test_a_teacher_has_nothing_to_learn_from_itself():
    state = transformer_worlds.transformer()
    network = TransformerNetwork(state).eval()
    loss = Distillation(Weights(hidden=1, attention=1), TransformerNetwork(state).eval())
    assert float(loss(network, batch(state, DOCUMENTS)).detach()) == pytest.approx(0, abs=1e-4)


def test_the_parts_of_the_loss_by_hand():
    ours, theirs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    assert float(Distillation(Weights(similarity=0)).of_vectors(ours, theirs)) == pytest.approx((0 + 1 + 0) / 3)
    found = float(Distillation(Weights(vector=0, temperature=0.5)).of_vectors(ours, theirs))

    def shares(rows):
        likeness = np.exp((rows @ rows.T) / 0.5)
        np.fill_diagonal(likeness, 0)
        return likeness / likeness.sum(1, keepdims=True)

    p, q = shares(theirs.numpy()), shares(ours.numpy())
    apart = ~np.eye(3, dtype=bool)
    assert found == pytest.approx((p[apart] * np.log(p[apart] / q[apart])).sum() / 3, abs=1e-5)


def test_layers_are_mapped_evenly_and_the_last_on_the_last():
    assert mapped(3, 6) == [(1, 2), (2, 4), (3, 6)]
    assert mapped(4, 6)[-1] == (4, 6)
    assert mapped(1, 2) == [(1, 2)]


def test_a_student_of_one_layer_comes_nearer_and_never_ends_further():
    teacher = transformer_worlds.transformer()
    student = with_layers(teacher, [0])
    materials = Materials(TEXTS, (teacher,), Run(threads=1))
    recipe = Recipe.parse("distil:epochs=3,learning_rate=0.01,batch_size=16,hidden=0.5,attention=0.5")
    made = recipe.apply(student, materials)
    assert materials.likeness(made) > materials.likeness(student) + 0.05
    assert made.history[-1]["verb"] == "distil"
    assert recipe.apply(student, materials).digest == made.digest, "the same seed gives the same student"
    worse = Recipe.parse("distil:learning_rate=5.0,batch_size=16").apply(student, materials)
    assert materials.likeness(worse) >= materials.likeness(student) - 0.02, "training that does not help changes nothing"


def test_two_teachers_are_met_half_way():
    one, two = transformer_worlds.transformer(), transformer_worlds.transformer(seed=9, dim=7)
    run = Run(threads=1)
    aim = aims([one, two], TEXTS, 39, run)
    vectors = [encoder_of(each, run).encode(TEXTS) for each in (one, two)]
    mean = (vectors[0] @ vectors[0].T + vectors[1] @ vectors[1].T) / 2
    assert np.abs(aim @ aim.T - mean).max() < 1e-4, "all directions kept: cosines are the mean of the teachers'"
    assert aims([two], TEXTS, 32, run).shape == (len(TEXTS), 32)
    made = Recipe.parse("distil:batch_size=16").apply(one, Materials(TEXTS, (one, two), run))
    assert encoder_of(made, run).dim == 32


def test_rounding_felt_is_rounding_done():
    state = transformer_worlds.transformer(hidden=32, heads=(4,), feed=(64,))
    spans = {name: (one.low, one.high) for name, one in observe(state, DOCUMENTS).items()}
    network = TransformerNetwork(state).eval()
    feel_rounding(network, spans)
    given = batch(state, DOCUMENTS)
    with torch.no_grad():
        felt = network(given["ids"], given["mask"]).numpy()
    done = encoder_of(in_whole_numbers(state, spans, 8, "none", words=False), Run(threads=1)).encode(DOCUMENTS)
    exact = encoder_of(state, Run(threads=1)).encode(DOCUMENTS)
    # A number on the edge between two steps may fall either way, so equal but for a few steps.
    assert np.abs(felt - done).max() < 0.2 * np.abs(done - exact).max()
    assert dict(network.state_dict()).keys() == dict(TransformerNetwork(state).state_dict()).keys()
    loss = network(given["ids"], given["mask"])[:, 0].sum()
    loss.backward()
    assert float(network.get_submodule("layers.0.feed.inner").weight.grad.abs().sum()) > 0


def test_training_that_feels_rounding_ends_in_whole_numbers():
    teacher = transformer_worlds.transformer()
    materials = Materials(TEXTS, (teacher,), Run(threads=1))
    made = Recipe.parse("qat:epochs=1,batch_size=16,learning_rate=0.001").apply(teacher, materials)
    assert made.arrays["layers.0.feed.inner.weight"].dtype == np.int8
    assert materials.likeness(made) > 0.97


def test_what_cannot_be_learned_is_refused():
    teacher = transformer_worlds.transformer()
    student = replace(teacher, files={**teacher.files, "more": b""})
    with pytest.raises(RequestError, match="token by token"):
        Recipe.parse("distil:hidden=1").apply(student, Materials(TEXTS, (teacher,), Run(threads=1)))
    with pytest.raises(RequestError, match="too few to distil"):
        Recipe.parse("distil").apply(teacher, Materials(DOCUMENTS, (teacher,), Run(threads=1)))
    assert network_of(teacher) is not None
