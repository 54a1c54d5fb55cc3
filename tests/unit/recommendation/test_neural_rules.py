"""Neural associations against a world whose P(B | A) is known, and counting against brute force."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.recommendation.neural_rules import BasketNetwork, NeuralAssociations, counted
from basketry.training.baskets import Antecedents
from basketry.training.plan import TrainingPlan

RUN = Run(seed=1, threads=1)
INSIDE, OUTSIDE = 0.5, 0.03


def groups(baskets: int, seed: int = 0) -> csr_array:
    """Each basket is of one of 4 groups of 5 products; its own are in it by 1/2, each other by .03, independently."""
    rng = np.random.default_rng(seed)
    own = np.arange(20) // 5 == rng.integers(4, size=baskets)[:, None]
    return csr_array((rng.random(own.shape) < np.where(own, INSIDE, OUTSIDE)).astype(np.float32))


def truth(antecedent: list[int], product: int) -> float:
    """Bayes over the group of the basket."""
    chance = [np.prod([INSIDE if a // 5 == g else OUTSIDE for a in antecedent]) for g in range(4)]
    beside = [INSIDE if product // 5 == g else OUTSIDE for g in range(4)]
    return float(np.dot(chance, beside) / np.sum(chance))


@pytest.fixture(scope="module")
def model() -> BasketNetwork:
    plan = TrainingPlan(learning_rate=3e-3, epochs=8, batch_size=256)  # twenty products, none rare: little decay
    return NeuralAssociations(dim=16, examples=6_000, plan=plan).fit(groups(4_000), RUN)


def test_the_chance_of_a_pair_too_rare_to_count_is_found(model: BasketNetwork) -> None:
    """Products 0 and 6 are of two groups: some 26 of 4,000 baskets hold both, so counting errs by some .08."""
    antecedents = np.array([[0, 1], [0, -1], [0, 6], [3, 17]])
    found = model.confidence(antecedents)
    for row, antecedent in enumerate(antecedents.tolist()):
        own = [product for product in antecedent if product >= 0]
        others = sorted(set(range(20)) - set(own))
        errors = found[row, others] - [truth(own, product) for product in others]
        assert np.abs(errors).mean() < 0.06
        assert (found[row, own] == 1).all()
    held, both = counted(antecedents, groups(4_000))
    rare = np.array([truth([0, 6], product) for product in range(20)])
    rest = ~np.isin(np.arange(20), [0, 6])
    neural, plain = (np.abs(p - rare)[rest].mean() for p in (found[2], both[[2]].toarray()[0] / held[2]))
    assert neural < plain


def test_rules_hold_their_interval_and_support(model: BasketNetwork) -> None:
    antecedents = np.array([[a, b] for a in range(5) for b in range(a + 1, 5)])
    rules = model.rules(antecedents, k=3)
    true = np.array([truth(a, b) for a, b in zip(rules.antecedent.tolist(), rules.consequent.tolist(), strict=True)])
    assert (rules.low < rules.confidence).all() and (rules.confidence < rules.high).all()
    assert ((rules.low <= true) & (true <= rules.high)).mean() >= 0.9
    assert (rules.consequent < 5).all() and (rules.antecedent != rules.consequent[:, None]).all()
    share = (INSIDE**2 + 3 * OUTSIDE**2) / 4
    assert rules.support == pytest.approx(share * rules.confidence, rel=0.25)
    assert not len(model.rules(antecedents, k=3, least=0.99).consequent)
    assert BasketNetwork.from_state(model.state()).precision == model.precision > 1


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_counting_is_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.random((rng.integers(1, 30), 6)) < 0.5
    pairs = [[a, b] for a in range(6) for b in range(a + 1, 6)] + [[a, -1] for a in range(6)]
    antecedents = np.array(pairs)[rng.permutation(len(pairs))[:8]]
    held, both = counted(antecedents, csr_array(dense.astype(np.float32)))
    for row, antecedent in enumerate(antecedents):
        there = dense[:, antecedent[antecedent >= 0]].all(axis=1)
        assert held[row] == there.sum()
        assert both[[row]].toarray()[0].tolist() == dense[there].sum(axis=0).tolist()


def test_antecedents_are_drawn_as_often_as_they_occur() -> None:
    """Baskets {0, 1, 2} and {3, 4}: of pairs with something beside them only those of the first; of singles 3 and 2 in 5."""
    baskets = csr_array(np.array([[1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [1, 0, 0, 0, 0]], dtype=np.float32))
    drawn = Antecedents.drawn(baskets, 2, 4_000, seed=0)
    singles, pairs = drawn.antecedent[:4_000], drawn.antecedent[4_000:]
    assert np.bincount(singles[:, 0]) / 4_000 == pytest.approx(np.full(5, 0.2), abs=0.03)
    assert (singles[:, 1] == -1).all() and (drawn.basket != 2).all()
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    assert kinds.tolist() == [[0, 1], [0, 2], [1, 2]] and counts / 4_000 == pytest.approx(np.full(3, 1 / 3), abs=0.03)
    batch = drawn.batch(np.array([0, 4_000]))
    assert batch["beside"].numpy().min(axis=1).tolist() == [-1, -1]
    assert batch["ids"][1].tolist() == [*pairs[0], 5] and batch["mask"].sum(1).tolist() == [2, 3]


class Steps:
    """Counts the steps it hears of, and falls at `stop`."""

    def __init__(self, stop: int = 0) -> None:
        self.stop, self.heard = stop, list[int]()

    def begins(self, settings: Mapping[str, object]) -> None: ...

    def measured(self, step: int, values: Mapping[str, float]) -> None:
        if "loss" in values:
            self.heard.append(step)
            if step == self.stop:
                raise KeyboardInterrupt

    def ends(self, reason: str) -> None: ...


@pytest.mark.parametrize("body", ["mlp", "transformer", "dbn"])
def test_a_training_that_fell_goes_on(body: str, tmp_path: Path) -> None:
    plan = TrainingPlan(learning_rate=3e-3, epochs=2, batch_size=64, checkpoint_steps=2)
    estimator = NeuralAssociations(body, dim=8, examples=160, plan=plan)
    whole = estimator.fit(groups(400), RUN)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(groups(400), RUN, folder=tmp_path, tracker=Steps(stop=5))
    went_on, idle = Steps(), Steps()
    again = estimator.fit(groups(400), RUN, folder=tmp_path, tracker=went_on)
    estimator.fit(groups(400), RUN, folder=tmp_path, tracker=idle)
    assert went_on.heard[0] == 5 and idle.heard == []
    assert all(np.array_equal(again.arrays[name], whole.arrays[name]) for name in whole.arrays)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(RequestError):
        NeuralAssociations(most=0).fit(groups(10), RUN)
    with pytest.raises(RequestError):
        NeuralAssociations().fit(csr_array(np.eye(40, 5, dtype=np.float32)), RUN)
