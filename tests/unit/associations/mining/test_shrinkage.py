"""Confidence after luck: worlds in which the true confidence of every rule is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import betabinom

from basketry.associations.mining.rule_counts import RuleCounts
from basketry.associations.mining.shrinkage import ConfidencePrior, _log_mass, _reached

N = 20_000


def candidates(rng, rules=12_000, null_share=0.0, weight=30.0):
    """Counts of rules whose true confidence is drawn from a known prior, and that confidence."""
    n_y, n_x = (N * rng.uniform(0.02, 0.3, rules)).astype(np.int64), rng.integers(20, 1500, rules)
    mean = expit(0.4 + 0.9 * logit(n_y / N))
    true = np.where(rng.random(rules) < null_share, n_y / N, rng.beta(weight * mean, weight * (1 - mean)))
    return RuleCounts(rng.binomial(n_x, true), n_x, n_y, N), true


@pytest.mark.parametrize(("min_count", "min_confidence", "null_share"), [(20, 0.2, 0.0), (10, 0.4, 0.0), (10, 0.1, 0.8)])
def test_the_optimism_of_selection_is_repaired(min_count, min_confidence, null_share):
    """Rules are seen only where luck or truth lifted them over the floors; the prior is fitted on those seen alone."""
    counts, true = candidates(np.random.default_rng(1), null_share=null_share)
    seen = counts.passing(min_count, min_confidence)
    counts, true = counts.take(seen), true[seen]
    shrunk = ConfidencePrior.fit(counts, min_count, min_confidence).shrunk(counts)
    optimism, left = (counts.confidence - true).mean(), (shrunk - true).mean()
    assert optimism > 0.001
    assert abs(left) < 0.25 * optimism
    assert ((shrunk - true) ** 2).mean() < 0.9 * ((counts.confidence - true) ** 2).mean()


def test_forgetting_the_floors_takes_the_lucky_for_the_usual():
    counts, true = candidates(np.random.default_rng(2))
    seen = counts.passing(10, 0.4)
    counts, true = counts.take(seen), true[seen]
    aware, blind = (ConfidencePrior.fit(counts, *floors).shrunk(counts) for floors in ((10, 0.4), (1, 0.0)))
    assert abs((aware - true).mean()) < 0.5 * abs((blind - true).mean())


def test_a_prior_of_no_account_is_p_of_y():
    """Beta(1, 3) worth 4 baskets: 2 of 6 becomes (2 + 1) / (6 + 4); half of each kind, both the same."""
    prior = ConfidencePrior(shift=0.0, slope=1.0, weight=4.0, null_share=0.5, null_weight=4.0)
    counts = RuleCounts(*(np.array([value]) for value in (2, 6, 250_000)), 1_000_000)
    assert prior.shrunk(counts)[0] == pytest.approx(0.3, rel=1e-5)


def test_much_evidence_stands_and_little_is_drawn_to_the_base_rate():
    prior = ConfidencePrior(shift=0.0, slope=1.0, weight=20.0, null_share=0.5, null_weight=1000.0)
    counts = RuleCounts(np.array([5, 50_000]), np.array([10, 100_000]), np.array([100_000, 100_000]), 1_000_000)
    few, many = prior.shrunk(counts)
    assert 0.1 < few < 0.4 and many == pytest.approx(0.5, rel=0.001)


def test_tails_against_the_beta_binomial():
    rng = np.random.default_rng(3)
    n = rng.integers(5, 90, 300)
    floor = (n * rng.random(300)).astype(np.int64)
    a, b = rng.uniform(0.2, 30, (2, 300))
    assert _log_mass(floor, n, a, b) == pytest.approx(betabinom.logpmf(floor, n, a, b), rel=1e-8)
    few = np.minimum(floor, n - floor + 1) <= 50
    assert _reached(floor, n, a, b)[few] == pytest.approx(betabinom.sf(floor - 1, n, a, b)[few], rel=1e-6)
    n, floor = np.array([1000, 3000, 400]), np.array([300, 400, 150])
    for weight in (5.0, 50.0, 1e5):
        a, b = weight * np.array([0.25, 0.12, 0.35]), weight * np.array([0.75, 0.88, 0.65])
        assert _reached(floor, n, a, b) == pytest.approx(betabinom.sf(floor - 1, n, a, b), rel=0.15, abs=0.003)


def test_no_rules_and_rules_that_could_not_fail():
    empty = RuleCounts(*(np.empty(0, dtype=np.int64),) * 3, 10)
    assert len(ConfidencePrior.fit(empty, 1, 0.0).shrunk(empty)) == 0
    sure = RuleCounts(*(np.array([5, 7]),) * 3, 20)
    assert (ConfidencePrior.fit(sure, 5, 1.0).shrunk(sure) <= 1).all()
