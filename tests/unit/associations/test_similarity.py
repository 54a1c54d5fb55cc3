from __future__ import annotations

import numpy as np
import pytest

from basketry.associations.similarity import LearnedWeights, _area, from_cosine, learn_weights, weighted_unit
from basketry.core.errors import RequestError
from basketry.core.protocols import Run


def _unit(rows: int, dim: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _world(telling: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Documents of 16 dimensions; a pair is positive when the first `telling` dimensions agree, the rest are noise."""
    random = np.random.default_rng(seed)
    vectors = _unit(600, 16, seed)
    pairs = random.integers(0, 600, size=(8_000, 2)).astype(np.int32)
    agree = np.einsum("ij,ij->i", vectors[pairs[:, 0], :telling], vectors[pairs[:, 1], :telling])
    positive = random.random(len(pairs)) < 1 / (1 + np.exp(-20 * agree))
    return vectors, pairs[positive], pairs[~positive]


def test_a_weighted_product_by_hand() -> None:
    rows = np.array([[0.6, 0.8], [0.8, -0.6]], dtype=np.float32)
    unit = weighted_unit(rows, np.array([3, 1], dtype=np.float32))
    # sum_k w_k v_ik v_jk = 3 * .48 - .48 = .96, over the norms sqrt(1.72) and sqrt(2.28)
    assert unit[0] @ unit[1] == pytest.approx(0.96 / np.sqrt(1.72 * 2.28), abs=1e-6)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1)
    assert np.allclose(weighted_unit(rows, np.ones(2, dtype=np.float32)), rows)


def test_distance_by_hand() -> None:
    cosine = np.array([1, 0, -1], dtype=np.float32)
    assert from_cosine(cosine, "euclidean").tolist() == pytest.approx([1, 1 / (1 + np.sqrt(2)), 1 / 3])
    assert from_cosine(cosine, "cosine") is cosine


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(7)
    level, label, times = random.integers(0, 9, 200), random.random(200) < 0.4, random.integers(0, 4, 200).astype(float)
    assert _area(level, label, times) == pytest.approx(roc_auc_score(label, level, sample_weight=times), abs=1e-12)
    assert np.isnan(_area(level, np.ones(200, dtype=bool), times))


def test_weights_find_the_dimensions_that_tell() -> None:
    vectors, positive, negative = _world(telling=4)
    learned = learn_weights(vectors, positive, negative, Run(seed=1))
    assert learned.weights.min() >= 0
    assert learned.weights.mean() == pytest.approx(1, abs=1e-5)
    assert learned.weights[:4].min() > 2 * learned.weights[4:].max()
    assert learned.wins
    assert learned.auc > learned.auc_cosine + 0.1
    assert learned.gain_low <= learned.gain <= learned.gain_high


def test_where_cosine_is_right_the_weights_do_not_win() -> None:
    vectors, positive, negative = _world(telling=16)
    learned = learn_weights(vectors, positive, negative, Run(seed=1))
    assert not learned.wins
    assert abs(learned.gain) < 0.02


def test_where_nothing_tells_the_weights_do_not_win() -> None:
    vectors, pairs = _unit(400, 16, seed=2), np.random.default_rng(3).integers(0, 400, size=(6_000, 2)).astype(np.int32)
    learned = learn_weights(vectors, pairs[:3_000], pairs[3_000:], Run(seed=1))
    assert not learned.wins
    assert learned.auc == pytest.approx(0.5, abs=0.05)


def test_the_seed_decides() -> None:
    vectors, positive, negative = _world(telling=4)
    first, second, other = (learn_weights(vectors, positive, negative, Run(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.weights, second.weights)
    assert (first.auc, first.gain_low) == (second.auc, second.gain_low)
    assert first.auc != other.auc


def test_they_come_back_from_their_arrays() -> None:
    learned = learn_weights(*_world(telling=4), Run())
    again = LearnedWeights.from_state(learned.state())
    assert np.array_equal(again.weights, learned.weights)
    assert (again.auc, again.auc_cosine, again.gain_low, again.held_out) == (
        learned.auc,
        learned.auc_cosine,
        learned.gain_low,
        learned.held_out,
    )


def test_too_few_pairs_are_refused() -> None:
    vectors, positive, negative = _world(telling=4)
    with pytest.raises(RequestError, match=r"only .* pairs of a kind to"):
        learn_weights(vectors, positive[:60], negative, Run())
