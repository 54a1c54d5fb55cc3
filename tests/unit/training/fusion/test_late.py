"""Foretelling and late fusion: by hand, in worlds with a known answer, and as laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.training.fusion.foretelling import Foretelling, Foretold
from basketry.training.fusion.late import LateFusion, LateModel, completed, side_by_side
from basketry.training.fusion.modality import Modality, unit


def modality(seed, n=40, dim=6, missing=0.3):
    random = np.random.default_rng(seed)
    known = random.random(n) >= missing
    known[:3] = True
    vectors = unit(random.normal(size=(n, dim)))
    vectors[~known] = np.nan  # whoever looks at them shall be found out
    return Modality(vectors, known)


def test_ridge_by_hand():
    # Content (1, 0) twice and (0, 1) once; behaviour 3-4-5. W = (X'X + I)^-1 X'B with X'X = diag(2, 1).
    content = Modality(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32), np.ones(3, bool))
    behaviour = Modality(np.array([[0.6, 0.8], [1, 0], [0, 1]], dtype=np.float32), np.ones(3, bool))
    found = Foretelling(reg=1.0).fit(content, behaviour)
    assert found.weight == pytest.approx(np.array([[1.6 / 3, 0], [0.8 / 3, 0.5]]), abs=1e-6)
    assert found.apply(content).vectors[0] == pytest.approx(np.array([2, 1]) / np.sqrt(5), abs=1e-6)


def test_few_products_and_many_are_solved_alike():
    # With no more products than dimensions the dual system is solved; a repeated set with twice the pull is the primal one.
    content, behaviour = modality(0, 5, 6, 0), modality(1, 5, 3, 0)
    few = Foretelling(reg=0.5).fit(content, behaviour)
    twice = [Modality(np.tile(each.vectors, (2, 1)), np.ones(10, bool)) for each in (content, behaviour)]
    assert Foretelling(reg=1.0).fit(*twice).weight == pytest.approx(few.weight, abs=1e-5)


def test_a_rotation_under_noise_is_found():
    random = np.random.default_rng(0)
    latent = unit(random.normal(size=(400, 8)))
    behaviour = Modality(latent @ np.linalg.qr(random.normal(size=(8, 8)))[0].astype(np.float32), np.arange(400) < 300)
    loud = unit(random.normal(size=(400, 3))) * 3
    turned = np.linalg.qr(random.normal(size=(11, 11)))[0]
    content = Modality(unit(np.concatenate([latent, loud], axis=1) @ turned), np.ones(400, bool))
    said = Foretelling(reg=1e-3).fit(content, behaviour).apply(content)
    assert np.einsum("ij,ij->i", said.vectors[300:], behaviour.vectors[300:]).min() > 0.99


def test_side_by_side_by_hand():
    one = Modality(np.array([[1, 0], [0.6, 0.8], [1, 0]], dtype=np.float32), np.ones(3, bool))
    two = Modality(np.array([[1, 0], [0, 1], [9, 9]], dtype=np.float32), np.array([True, True, False]))
    rows = side_by_side({"one": one, "two": two}, {"one": 0.25, "two": 0.75})
    cosine = rows @ rows.T
    assert cosine[0, 1] == pytest.approx(0.25 * 0.6 + 0.75 * 0, abs=1e-6)
    assert cosine[0, 2] == pytest.approx(0.25 * 1 / np.sqrt(1 * 0.25), abs=1e-6)  # the third has but a weight of 0.25
    assert side_by_side({"two": two}, {"two": 1.0})[2].tolist() == [0, 0]
    with pytest.raises(RequestError, match="no modality two"):
        side_by_side({"one": one}, {"one": 0.5, "two": 0.5})


@given(st.integers(0, 10**6))
def test_laws(seed):
    modalities = {"text": modality(seed), "image": modality(seed + 1, dim=4), "behaviour": modality(seed + 2, dim=5)}
    model = LateFusion(steps=2).fit(modalities, lambda rows: float(rows[:, 0].sum()))
    fused = model.fuse(modalities)
    norms = np.linalg.norm(fused, axis=1)
    assert ((np.abs(norms - 1) < 1e-5) | (norms == 0)).all()
    assert sum(model.weights.values()) == pytest.approx(1)
    order = np.random.default_rng(seed).permutation(len(fused))
    shuffled = {name: Modality(each.vectors[order], each.known[order]) for name, each in modalities.items()}
    assert model.fuse(shuffled) == pytest.approx(fused[order], abs=1e-6)
    back = LateModel.from_state(model.state())
    assert np.array_equal(back.fuse(modalities), fused)
    # What is not there cannot be known: to give no behaviour is to know of none.
    unknown = Modality(modalities["behaviour"].vectors, np.zeros(len(fused), bool))
    absent = {name: each for name, each in modalities.items() if name != "behaviour"}
    assert np.array_equal(model.fuse(absent), model.fuse({**modalities, "behaviour": unknown}))


def test_foretold_behaviour_stands_in_where_there_is_none():
    modalities = {"text": modality(0, missing=0), "behaviour": modality(1)}
    foretold = LateFusion().foretell(modalities)
    full = completed(modalities, foretold)
    known = modalities["behaviour"].known
    assert full["behaviour"].known.all()
    assert np.array_equal(full["behaviour"].vectors[known], modalities["behaviour"].vectors[known])
    assert full["behaviour"].vectors[~known] == pytest.approx(full["foretold.text"].vectors[~known], abs=1e-6)


def test_the_best_weights_are_taken_and_ties_go_to_content():
    modalities = {"text": modality(0), "behaviour": modality(1)}
    assert LateFusion(steps=4).fit(modalities, lambda rows: 0.0).weights == {"text": 1.0}
    wide = LateFusion(steps=4).fit(modalities, lambda rows: float(rows.shape[1]))
    assert set(wide.weights) == {"text", "foretold.text", "behaviour"}


def test_refusals():
    text = modality(0)
    with pytest.raises(RequestError, match="at least one more"):
        LateFusion().fit({"behaviour": text}, lambda rows: 0.0)
    with pytest.raises(RequestError, match="no product has both"):
        Foretelling().fit(text, Modality(text.vectors, np.zeros(40, bool)))
    with pytest.raises(RequestError, match="6 dimensions, fitted on 2"):
        Foretold(np.eye(2, dtype=np.float32)).apply(text)
    with pytest.raises(RequestError, match="norm 2"):
        Modality(np.full((1, 4), 1, dtype=np.float32), np.ones(1, bool))
    with pytest.raises(RequestError, match="modalities of"):
        side_by_side({"a": text, "b": modality(1, n=39)}, {"a": 1.0})
    for wrong in (lambda: LateFusion(steps=0), lambda: Foretelling(reg=0.0)):
        with pytest.raises(RequestError):
            wrong()
