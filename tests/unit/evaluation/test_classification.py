import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from basketry.core.errors import RequestError
from basketry.evaluation.classification import Labelled, best_threshold

cases = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(cases)
def test_scores_equal_scikit_learn(rows):
    truth, predicted = np.array(rows, dtype=np.int64).T
    world = Labelled(truth, 4, np.arange(len(truth)))
    got = world.scores(predicted)
    classes = [0, 1, 2, 3]
    wanted = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    for ours, theirs in zip((got.precision, got.recall, got.f1, got.support), wanted, strict=True):
        assert np.allclose(ours, theirs)
    whole = world.measure(predicted, resamples=0).values
    assert whole["accuracy"][0] == pytest.approx(accuracy_score(truth, predicted))
    macro = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert whole["macro_f1"][0] == pytest.approx(macro)


def test_macro_f1_by_hand():
    # class 0: tp 2, fp 1, fn 0; class 1: tp 0, fp 0, fn 1
    world = Labelled(np.array([0, 0, 1]), 2, np.arange(3))
    assert world.measure(np.array([0, 0, 0]), resamples=0).values["macro_f1"][0] == pytest.approx((4 / 5 + 0) / 2)


def test_the_interval_holds_the_truth():
    covered = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        truth = random.integers(0, 2, 400)
        predicted = np.where(random.random(400) < 0.8, truth, 1 - truth)
        accuracy = Labelled(truth, 2, np.arange(400)).measure(predicted, 200, seed).interval("accuracy")
        covered += accuracy.low <= 0.8 <= accuracy.high
    assert covered >= 34


def test_a_prediction_outside_the_classes_is_refused():
    world = Labelled(np.array([0, 1]), 2, np.arange(2))
    for wrong in ([0], [0, 2], [0, -1]):
        with pytest.raises(RequestError):
            world.scores(np.array(wrong))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40).filter(lambda rows: any(y for _, y in rows))
)
def test_no_threshold_is_better_than_the_best(rows):
    score = np.array([s / 10 for s, _ in rows])
    happened = np.array([y for _, y in rows])
    chosen = f1_score(happened, score >= best_threshold(score, happened))
    assert chosen == pytest.approx(max(f1_score(happened, score >= t, zero_division=0) for t in np.unique(score)))


def test_rare_classes_are_not_lost_from_the_interval():
    """Ten classes of one case, all of them missed, beside one of a hundred that is told: whatever is drawn, 1/11 of recall."""
    truth = np.array([0] * 100 + list(range(1, 11)))
    found = Labelled(truth, 11, np.arange(110)).measure(np.zeros(110, dtype=np.int64), 200, 0).interval("macro_recall")
    assert (found.value, found.low, found.high) == pytest.approx((1 / 11, 1 / 11, 1 / 11))
