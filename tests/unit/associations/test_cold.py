"""Fusion on products made cold: used where it finds more, left off where it does not."""

import numpy as np
import pytest

import cold_worlds
from basketry.associations import cold as module
from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour_vectors import BehaviourVectors
from basketry.associations.cold import ColdFusion, ColdModel
from basketry.associations.partners import MEASURE, Partners
from basketry.core.errors import DataError, RequestError
from basketry.training.fusion.modality import Modality
from rule_worlds import RUN, packed

FUSION = ColdFusion(behaviour=BehaviourVectors(dim=32, min_customers=5), horizon_days=120, min_partners=3)


@pytest.fixture(scope="module")
def baskets() -> BasketMatrix:
    return cold_worlds.group_baskets()


def test_baskets_without_products_by_hand():
    baskets = packed([[0, 1, 2], [1], [0, 2]], 3, customers=[0, 0, 1], days=[5, 6, 7])
    left = baskets.without(np.array([False, True, False]))
    assert left.indptr.tolist() == [0, 2, 4]
    assert left.items.tolist() == [0, 2, 0, 2]
    assert left.customers.tolist() == [0, 1]
    assert left.days.tolist() == [5, 7]


def test_partners_by_hand():
    # 0 with 1 in thirty baskets, 2 with 3 in thirty; 0 with 3 six times, fewer than chance would have it.
    later = packed([[0, 1]] * 30 + [[2, 3]] * 30 + [[0, 3]] * 6, 5)
    asked = Partners.of(later, np.array([1, 0, 0, 1, 1], bool), np.array([0, 1, 1, 0, 0], bool), 5, RUN)
    assert asked.cold.tolist() == [0, 3]  # 4 was never sold: nothing to ask
    assert asked.warm.tolist() == [1, 2]
    assert asked.questions.relevant.toarray().tolist() == [[True, False], [False, True]]
    vectors = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    assert asked.nearest(vectors).tolist() == [[1, 0], [1, 0]]  # 0 and 3 both lie with 2
    assert asked.ranked(vectors[[0, 3]] @ vectors[[1, 2]].T).tolist() == [[1, 0], [1, 0]]
    assert asked.measure(asked.nearest(vectors)).values["mrr@10"][0] == pytest.approx((1 / 2 + 1) / 2)
    assert asked.recall(vectors) == 1.0  # two places suffice for one partner among two


def test_a_fusion_that_finds_what_text_hides_is_used(baskets):
    texts = cold_worlds.rotated_texts()
    model = FUSION.fit(baskets, {"text": texts}, RUN)
    assert model.proof.wins
    assert model.proof.gain.low > 0.1
    assert model.proof.tried[model.proof.best] > model.proof.tried["text"]
    assert "fusion is used" in model.proof.account()
    assert np.linalg.norm(model.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    back = ColdModel.from_state(model.state())
    assert back.proof == model.proof
    assert back.fuser is not None
    assert np.array_equal(back.fuser.fuse({"text": texts}), model.fuser.fuse({"text": texts}))
    # A product that comes later has its text alone, and lands among its group.
    assert model.fuser is not None
    late = model.fuser.fuse({"text": texts})
    assert late.shape == model.vectors.shape
    nearest = (late @ model.vectors.T).argmax(axis=1)
    plain = texts.vectors @ texts.vectors.T
    np.fill_diagonal(plain, -1)
    group = cold_worlds.groups()
    assert (group[nearest] == group).mean() > 0.9 > 0.5 > (group[plain.argmax(axis=1)] == group).mean()


def test_useless_text_is_left_alone(baskets):
    texts = cold_worlds.useless_texts()
    model = FUSION.fit(baskets, {"text": texts}, RUN)
    assert not model.proof.wins
    assert model.fuser is None
    assert np.array_equal(model.vectors, texts.vectors)
    assert "text alone is used" in model.proof.account()
    back = ColdModel.from_state(model.state())
    assert back.proof == model.proof
    assert back.fuser is None


def test_products_without_text_have_no_vector_where_text_alone_serves(baskets):
    texts = cold_worlds.useless_texts()
    known = np.arange(len(texts.known)) % 10 > 0
    model = FUSION.fit(baskets, {"text": Modality(texts.vectors, known)}, RUN)
    assert np.array_equal(np.linalg.norm(model.vectors, axis=1) > 0.5, known)


def test_without_torch_late_fusion_is_tried_alone(baskets, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    texts = cold_worlds.rotated_texts()
    one, two = (FUSION.fit(baskets, {"text": texts}, RUN) for _ in range(2))
    assert set(one.proof.tried) == {"text", "late"}
    assert one.proof.wins
    assert np.array_equal(one.vectors, two.vectors)


def test_the_cold_are_learned_nothing_from(baskets):
    """Whatever the products held out were sold with before the cut, the fusions fitted are the same."""
    trial = FUSION._trial(baskets, {"text": cold_worlds.rotated_texts()}, RUN)
    gone = np.concatenate([trial.choose.cold, trial.judge.cold])
    assert not trial.modalities["behaviour"].known[gone].any()
    assert not np.diff(trial.edges.indptr)[gone].any()
    assert not np.isin(trial.choose.warm, gone).any()
    assert MEASURE == "recall@10"


def test_the_future_is_learned_nothing_from(baskets):
    """Whatever is bought after the cut (here: nothing but the last basket), what is learned is the same."""
    texts = {"text": cold_worlds.rotated_texts()}
    trial = FUSION._trial(baskets, texts, RUN)
    cut = int(baskets.days.max()) + 1 - FUSION.horizon_days
    sold = np.bincount(baskets.select(baskets.days < cut).items, minlength=baskets.n_products) > 0
    assert set(trial.choose.warm) <= set(np.flatnonzero(sold))
    late = baskets.days >= cut
    turned = BasketMatrix(
        baskets.indptr,
        np.where(np.repeat(late, baskets.sizes), (baskets.items + 7) % baskets.n_products, baskets.items),
        baskets.customers,
        baskets.days,
        baskets.n_products,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEWEST", 0)
        other = FUSION._trial(turned, texts, RUN)
    assert np.array_equal(trial.modalities["behaviour"].vectors, other.modalities["behaviour"].vectors)
    assert (trial.edges != other.edges).nnz == 0


def test_refusals(baskets):
    texts = cold_worlds.useless_texts()
    with pytest.raises(RequestError, match="give text"):
        FUSION.fit(baskets, {"image": texts}, RUN)
    with pytest.raises(RequestError, match="behaviour is counted"):
        FUSION.fit(baskets, {"text": texts, "behaviour": texts}, RUN)
    with pytest.raises(DataError, match="30 are needed"):
        FUSION.fit(baskets.select(baskets.days > 350), {"text": texts}, RUN)
    with pytest.raises(RequestError, match="held_out"):
        ColdFusion(held_out=0.5)
