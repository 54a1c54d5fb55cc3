"""Off-policy estimates by hand, and in a world where the other policy's value is known."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import DataError
from basketry.evaluation.off_policy import Logged, off_policy


def columns(*rows):
    return [np.array(column, dtype=float) for column in zip(*rows, strict=True)]


def test_by_hand():
    reward, propensity, target, expected, expected_target = columns(
        (1, 0.5, 1.0, 0.6, 0.7),
        (0, 0.25, 0.5, 0.2, 0.1),
        (1, 0.8, 0.0, 0.5, 0.4),
        (1, 1.0, 1.0, 1.0, 0.9),
    )
    logged = Logged(reward, propensity, target, np.arange(4), expected, expected_target)
    # weights 2, 2, 0, 1
    assert logged.importance.tolist() == [2, 2, 0, 1]
    assert logged.effective == pytest.approx(25 / 9)
    estimates = off_policy(logged)
    assert estimates.interval("logged").value == pytest.approx(3 / 4)
    assert estimates.interval("ips").value == pytest.approx((2 + 0 + 0 + 1) / 4)
    assert estimates.interval("snips").value == pytest.approx(3 / 5)
    assert estimates.interval("dr").value == pytest.approx((0.7 + 2 * 0.4 + 0.1 - 2 * 0.2 + 0.4 + 0.9) / 4)
    assert off_policy(logged, most=1.5).interval("ips").value == pytest.approx((1.5 + 1) / 4)


def test_without_a_model_there_is_no_dr():
    ones = np.ones(3)
    assert set(off_policy(Logged(ones, ones, ones, np.arange(3))).values) == {"logged", "ips", "snips"}


def test_policies_that_never_agree():
    ones = np.ones(3)
    logged = Logged(ones, ones, np.zeros(3), np.arange(3))
    assert logged.effective == 0
    assert off_policy(logged).interval("ips").value == 0
    assert np.isnan(off_policy(logged).interval("snips").value)


RATES = np.array([[0.1, 0.3, 0.6], [0.5, 0.2, 0.1]])  # context, action
LOGGING = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
TARGET = np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]])


def world(seed: int, n: int = 600, model: np.ndarray = RATES) -> Logged:
    random = np.random.default_rng(seed)
    context = random.integers(0, 2, n)
    action = (random.random(n)[:, None] > LOGGING[context].cumsum(axis=1)).sum(axis=1)
    reward = (random.random(n) < RATES[context, action]).astype(float)
    expected_target = (TARGET * model).sum(axis=1)[context]
    return Logged(
        reward, LOGGING[context, action], TARGET[context, action], np.arange(n), model[context, action], expected_target
    )


TRUTH = float((TARGET * RATES).sum(axis=1).mean())


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_intervals_cover_the_known_value(name):
    intervals = [off_policy(world(seed), resamples=200).interval(name) for seed in range(60)]
    assert sum(each.low <= TRUTH <= each.high for each in intervals) >= 52
    assert np.mean([each.value for each in intervals]) == pytest.approx(TRUTH, abs=0.025)
    naive = [off_policy(world(seed), resamples=200).interval("logged") for seed in range(10)]
    assert not any(each.low <= TRUTH <= each.high for each in naive)


def test_a_good_model_narrows_and_a_bad_one_does_not_mislead():
    def width(estimate):
        return estimate.high - estimate.low

    good, bad = off_policy(world(1, 4000)), off_policy(world(1, 4000, model=1 - RATES))
    assert width(good.interval("dr")) < width(good.interval("snips")) < width(good.interval("ips"))
    assert bad.interval("dr").low <= TRUTH <= bad.interval("dr").high


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"propensity": np.array([0.0, 1.0])}, "propensity"),
        ({"target": np.array([0.5, 1.5])}, "target probability"),
        ({"cluster": np.arange(3)}, "do not fit 2"),
        ({"expected": np.ones(2)}, "both expectations"),
    ],
)
def test_what_cannot_be_estimated(changed, message):
    ones = np.ones(2)
    with pytest.raises(DataError, match=message):
        Logged(**({"reward": ones, "propensity": ones, "target": ones, "cluster": np.arange(2)} | changed))
    with pytest.raises(DataError, match="nothing was shown"):
        Logged(np.ones(0), np.ones(0), np.ones(0), np.arange(0))
