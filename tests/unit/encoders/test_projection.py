from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.projection import ImageToText, ProjectedEncoder, TextSpace, _folds, _numbered


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def world(rows: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of 30 dimensions whose texts are a rotation of their first 10, with noise."""
    draw = np.random.default_rng(seed)
    images = draw.normal(size=(rows, 30))
    texts = images[:, :10] @ np.linalg.qr(draw.normal(size=(10, 10)))[0] + noise * draw.normal(size=(rows, 10))
    return unit(images), unit(texts)


@given(st.integers(0, 50), st.sampled_from([1e-4, 1e-2, 1.0]), st.sampled_from([8, 60]))
def test_the_closed_form_is_ridge_regression(seed: int, reg: float, rows: int) -> None:
    """The twin: scikit-learn's, whose penalty is not per row."""
    from sklearn.linear_model import Ridge

    images, texts = world(rows, 0.3, seed)
    ours = ImageToText(regs=(reg,)).fit(images, texts)
    theirs = Ridge(alpha=reg * rows, solver="svd").fit(images.astype(np.float64), texts.astype(np.float64))
    probe = world(5, 0.0, seed + 1)[0]
    assert np.allclose(ours.project(probe), unit(theirs.predict(probe.astype(np.float64))), atol=1e-5)


def test_one_pair_of_dimensions_by_hand() -> None:
    """x = -1, 1 and y = -2, 2 with n reg = 2: W = x'y / (x'x + 2) = 4 / 4 = 1, beside a constant second dimension."""
    images, texts = np.array([[-1.0], [1.0]]), np.array([[-2.0, 1.0], [2.0, 1.0]])
    model = ImageToText(regs=(1.0,)).fit(images, texts)
    assert np.allclose(model.weights, [[1.0, 0.0]])
    assert np.allclose(model.project(np.array([[1.0]])), np.array([[1.0, 1.0]]) / np.sqrt(2))


def test_the_penalty_follows_the_noise() -> None:
    candidates = (1e-6, 1e-4, 1e-2)
    clean = ImageToText(candidates).fit(*world(200, 0.0)).reg
    noisy = ImageToText(candidates).fit(*world(40, 3.0)).reg
    assert clean < noisy


def test_unseen_rows_are_retrieved_as_they_must_be() -> None:
    images, texts = world(300, 0.05)
    model = ImageToText().fit(images[:200], texts[:200])
    nearest = (model.project(images[200:]) @ texts[200:].T).argmax(axis=1)
    assert (nearest == np.arange(100)).mean() > 0.9


@given(st.integers(2, 6), st.lists(st.sampled_from("abcdefgh"), min_size=30, max_size=40), st.integers(0, 9))
def test_no_group_is_on_both_sides_of_a_fold(folds: int, names: list[str], seed: int) -> None:
    groups = _numbered(np.zeros((len(names), 1), dtype=np.float32), names)
    if groups.max() + 1 < folds:
        with pytest.raises(RequestError, match="folds of"):
            list(_folds(groups, folds, seed))
        return
    masks = np.array(list(_folds(groups, folds, seed)))
    assert (masks.sum(axis=0) == 1).all()
    for mask in masks:
        assert not {names[row] for row in np.flatnonzero(mask)} & {names[row] for row in np.flatnonzero(~mask)}


def test_equal_texts_are_one_group_by_themselves() -> None:
    texts = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    groups = _numbered(texts, None)
    assert groups[0] == groups[2] != groups[1]


def test_the_seed_decides_and_the_state_reads_back() -> None:
    images, texts = world(60, 0.5)
    first, again = (ImageToText().fit(images, texts, run=Run(seed=3)) for _ in range(2))
    assert first.digest == again.digest
    back = TextSpace.from_state(load(save(dict(first.state()))))
    assert back.digest == first.digest
    assert np.array_equal(back.project(images), first.project(images))


def test_shapes_that_are_no_pairs_are_refused() -> None:
    images, texts = world(10, 0.1)
    with pytest.raises(RequestError, match="are no pairs"):
        ImageToText().fit(images[:9], texts)
    with pytest.raises(RequestError, match="groups for"):
        ImageToText().fit(images, texts, groups=["a"])


def test_a_projected_encoder_is_named_after_both() -> None:
    class Flat:
        name, dim = "flat@1", 30

        def encode(self, documents: Sequence[bytes]) -> np.ndarray:
            return world(len(documents), 0.0)[0]

    images, texts = world(50, 0.1)
    space = ImageToText().fit(images, texts)
    encoder = ProjectedEncoder(Flat(), space)
    assert encoder.name == f"flat@1>text@{space.digest[:16]}"
    assert encoder.encode([b"x"] * 3).shape == (3, encoder.dim)
