import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from basketry.evaluation.binary import METRICS, Outcomes

cases = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=4, max_size=60).filter(
    lambda rows: len({happened for happened, _ in rows}) == 2
)


def outcomes(rows):
    y = np.array([happened for happened, _ in rows])
    p = np.array([(score + 1) / 22 for _, score in rows])
    return Outcomes(y, np.arange(len(rows), dtype=np.int64)), y, p


@given(cases)
def test_metrics_equal_scikit_learn_with_ties(rows):
    world, y, p = outcomes(rows)
    got = world.measure(p, resamples=0).intervals()
    assert got["auc"].value == pytest.approx(roc_auc_score(y, p))
    assert got["average_precision"].value == pytest.approx(average_precision_score(y, p))
    assert got["brier"].value == pytest.approx(brier_score_loss(y, p))
    assert got["log_loss"].value == pytest.approx(log_loss(y, p))


@given(cases)
def test_a_model_never_beats_itself(rows):
    world, _, p = outcomes(rows)
    gains = world.measure(p, resamples=5).gain_over(world.measure(p, resamples=5))
    assert all(gains[name].value == 0 and not gains[name].high > 0 for name in METRICS)


def test_calibration_error_by_hand():
    # ten cases, one to a decile bin, each off by 0.1
    p = np.arange(10) / 10 + 0.05
    y = p > 0.5
    world = Outcomes(y, np.arange(10, dtype=np.int64))
    expected = np.mean(np.abs(p - y))
    assert world.measure(p, resamples=0).intervals()["calibration_error"].value == pytest.approx(expected)


def test_interval_covers_the_truth_and_clusters_widen_it():
    random = np.random.default_rng(3)
    covered, wider = 0, 0
    for world in range(40):
        p = random.uniform(0.05, 0.95, 400)
        y = random.random(400) < p
        brier = Outcomes(y, np.arange(400, dtype=np.int64)).measure(p, resamples=100, seed=world).intervals()["brier"]
        truth = np.mean(p * (1 - p))
        covered += brier.low <= truth <= brier.high
        repeated = Outcomes(np.repeat(y, 5), np.repeat(np.arange(400, dtype=np.int64), 5))
        honest = repeated.measure(np.repeat(p, 5), resamples=100, seed=world).intervals()["brier"]
        naive = (
            Outcomes(repeated.happened, np.arange(2000, dtype=np.int64))
            .measure(np.repeat(p, 5), resamples=100, seed=world)
            .intervals()["brier"]
        )
        wider += honest.high - honest.low > naive.high - naive.low
    assert covered >= 34
    assert wider == 40


def test_one_class_has_no_auc():
    world = Outcomes(np.ones(5, dtype=bool), np.arange(5, dtype=np.int64))
    got = world.measure(np.linspace(0.1, 0.9, 5), resamples=3).intervals()
    assert np.isnan(got["auc"].value) and np.isnan(got["average_precision"].value)
    assert got["brier"].value == pytest.approx(np.mean((1 - np.linspace(0.1, 0.9, 5)) ** 2))


def test_a_case_of_two_clusters_moves_with_both():
    random = np.random.default_rng(8)
    p = random.uniform(0.05, 0.95, 900)
    y = random.random(900) < p
    one, two = np.repeat(np.arange(30), 30), np.tile(np.arange(30, 60), 30)
    widths = []
    for cluster in (one, np.stack([one, two], axis=1)):
        brier = Outcomes(y, cluster.astype(np.int64)).measure(p, resamples=200, seed=1).intervals()["brier"]
        widths.append(brier.high - brier.low)
    assert widths[1] > 1.2 * widths[0]
