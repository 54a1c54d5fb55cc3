import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import transformer_worlds
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of
from basketry.evaluation.retrieval import same_group
from basketry.training.adaptation.judging import STEERED_BY, judge, nearest_others
from basketry.training.adaptation.linear import LinearAdapter, projected, with_projection
from basketry.training.adaptation.pairs import HeldOut, Pairs


def world(noise: float, groups: int = 200, seed: int = 0):
    """Unit vectors of `groups` groups of three: eight dimensions tell the group, eight are noise of this size."""
    random = np.random.default_rng(seed)
    meaning = np.repeat(random.normal(size=(groups, 8)), 3, axis=0)
    vectors = np.concatenate([meaning + random.normal(0, 0.1, meaning.shape), random.normal(0, noise, meaning.shape)], axis=1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), np.repeat(np.arange(groups), 3)


def held(groups: np.ndarray) -> HeldOut:
    alike = same_group(groups)
    return HeldOut(tuple(f"t{each}" for each in range(len(groups))), np.arange(len(groups)), csr_array(alike), groups)


def pairs(groups: np.ndarray) -> Pairs:
    return Pairs.of_groups([f"t{each}" for each in range(len(groups))], groups.tolist(), Run())


def test_directions_that_only_tell_apart_what_goes_together_are_shrunk():
    vectors, groups = world(2.0)
    fresh, others = world(2.0, seed=1)
    learn, ask = pairs(groups), held(others)
    fit = LinearAdapter().fit(vectors, learn.rows, learn.weights, ask, fresh)
    before, after = (judge(ask, each, 0).values[STEERED_BY][0] for each in (fresh, projected(fresh, fit.matrix)))
    assert before < 0.6 and after > 0.85
    basis, _, best = max(fit.tried, key=lambda each: each[2])
    assert (basis, best) == ("within", after)
    gain = np.linalg.norm(fit.matrix, axis=0)
    assert gain[:8].min() > 2 * gain[8:].max()


def test_where_nothing_helps_the_vectors_stay_as_they_are():
    vectors, groups = world(0.0)
    learn, ask = pairs(groups), held(groups)
    fit = LinearAdapter().fit(vectors, learn.rows, learn.weights, ask, vectors)
    assert fit.tried[0][2] == 1.0
    assert np.array_equal(fit.matrix, np.eye(16, dtype=np.float32))


@pytest.mark.parametrize("dim", [0, 12])
def test_a_projection_in_the_state_is_a_projection_of_its_vectors(dim):
    pytest.importorskip("onnxruntime")
    state = transformer_worlds.transformer(dim=dim)
    random = np.random.default_rng(0)
    first = random.normal(size=(20, dim or 32)).astype(np.float32)
    second = random.normal(size=(10, 20)).astype(np.float32)
    texts = ["a b c", "milk", "x y z w"]
    run = Run(threads=1)
    plain = encoder_of(state, run).encode(texts)
    twice = encoder_of(with_projection(with_projection(state, first), second), run).encode(texts)
    assert np.abs(twice - projected(projected(plain, first), second)).max() < 1e-5


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 10**6))
def test_nearest_others_equal_a_brute_force_twin(n, k, seed):
    random = np.random.default_rng(seed)
    vectors = random.integers(-1, 2, (n, 3)).astype(np.float32)
    queries = random.permutation(n)[: max(n // 2, 1)]
    got = nearest_others(vectors, queries, k)
    for row, query in enumerate(queries):
        others = sorted(
            (other for other in range(n) if other != query), key=lambda other: (-(vectors[other] @ vectors[query]), other)
        )
        assert got[row].tolist() == (others + [-1] * k)[:k]


def test_what_is_no_shrinkage_is_refused():
    for wrong in ({"shrinks": (0.0,)}, {"bases": ("between",)}):
        with pytest.raises(RequestError):
            dataclasses.replace(LinearAdapter(), **wrong)
