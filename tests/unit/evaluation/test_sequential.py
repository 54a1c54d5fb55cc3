"""Peeking costs nothing: where there is no difference, an always-valid test errs at most alpha of the time; it finds one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from basketry.core.errors import DataError, RequestError
from basketry.evaluation.sequential import SequentialTest

LOOKS = np.arange(200, 6001, 100)


def visitors(seed: int, rates: tuple[float, float], n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    arm = random.integers(0, 2, n)
    return (random.random(n) < np.take(rates, arm)).astype(float), arm


def test_by_hand():
    reward = np.array([0, 1, 0, 1, 1, 1.0])
    arm = np.array([0, 0, 0, 1, 1, 1])
    reward[3] = 0
    looks = SequentialTest(scale=0.5, least=3).looks(reward, arm, np.array([5, 6]))
    d, s2, t2 = 1 / 3, 2 * (1 / 3) / 3, 0.25  # both variances are 1 / 3 by n - 1
    ratio = np.sqrt(s2 / (s2 + t2)) * np.exp(t2 * d**2 / (2 * s2 * (s2 + t2)))
    assert np.isnan(looks.difference[0])
    assert looks.p[0] == 1
    assert (looks.low[0], looks.high[0]) == (-np.inf, np.inf)
    assert looks.difference[1] == pytest.approx(d)
    assert looks.p[1] == pytest.approx(min(1, 1 / ratio))


def test_the_interval_excludes_0_where_p_says_so():
    reward, arm = visitors(3, (0.1, 0.16))
    test = SequentialTest()
    for look in range(len(LOOKS)):
        one = test.looks(reward, arm, LOOKS[look : look + 1])
        assert (one.p[0] <= test.alpha) == (one.low[0] > 0 or one.high[0] < 0)


def test_peeking_errs_no_more_than_alpha():
    test, wrong, peeked, covered = SequentialTest(), 0, 0, 0
    runs = 1500
    for seed in range(runs):
        reward, arm = visitors(seed, (0.1, 0.1))
        looks = test.looks(reward, arm, LOOKS)
        wrong += looks.decided is not None
        covered += bool((looks.low <= 0).all() and (looks.high >= 0).all())
        n, hits = (np.stack([np.cumsum((arm == a) * of)[LOOKS - 1] for a in (0, 1)]) for of in (1.0, reward))
        mean = hits / n
        z = (mean[1] - mean[0]) / np.sqrt((mean * (1 - mean) / n).sum(axis=0))
        peeked += bool((np.abs(z) > norm.ppf(0.975)).any())
    assert wrong / runs <= 0.05
    assert covered / runs >= 0.95
    assert peeked / runs > 0.2  # the common test, looked at as often


def test_a_difference_is_found_and_its_interval_holds_it():
    decided = []
    for seed in range(100):
        looks = SequentialTest().looks(*visitors(seed, (0.1, 0.15)), LOOKS)
        decided.append(looks.decided is not None)
        assert (looks.p[1:] <= looks.p[:-1]).all()
    assert np.mean(decided) > 0.9


def test_nonsense_is_refused():
    with pytest.raises(RequestError, match="no test"):
        SequentialTest(alpha=0)
    with pytest.raises(DataError, match="arms"):
        SequentialTest().looks(np.ones(3), np.array([0, 1, 2]), np.array([3]))
    with pytest.raises(RequestError, match="rise"):
        SequentialTest().looks(np.ones(3), np.array([0, 1, 1]), np.array([3, 2]))
