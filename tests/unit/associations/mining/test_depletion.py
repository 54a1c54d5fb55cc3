from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from basketry.associations.mining.depletion import (
    depletion_p_values,
    odds_ratio,
    ratio,
    stratified_p_values,
    yule_q,
)


def one(value):
    return np.array([value], dtype=np.int64)


tables = st.tuples(*[st.integers(0, 25)] * 4).filter(lambda cells: sum(cells) > 0)  # both, a alone, b alone, neither


@given(tables)
def test_the_tail_equals_a_sum_of_binomials(cells):
    both, a_alone, b_alone, _ = cells
    a, b, n = both + a_alone, both + b_alone, sum(cells)
    ways = sum(comb(a, k) * comb(n - a, b - k) for k in range(both + 1) if b - k >= 0)
    p = depletion_p_values(one(both), one(a), one(b), n)[0]
    assert p == pytest.approx(float(Fraction(ways, comb(n, b))), rel=1e-9)


@given(tables, st.integers(1, 6))
def test_repeating_every_basket_changes_nothing(cells, times):
    both, a_alone, b_alone, _ = cells
    counts = [both, both + a_alone, both + b_alone, sum(cells)]
    once = depletion_p_values(*map(one, counts))
    repeated = depletion_p_values(*(one(each * times) for each in counts), float(times))
    assert repeated == pytest.approx(once)


@given(tables, st.floats(1, 8))
def test_a_design_effect_keeps_p_a_probability(cells, deff):
    both, a_alone, b_alone, _ = cells
    p = depletion_p_values(one(both), one(both + a_alone), one(both + b_alone), sum(cells), deff)[0]
    assert 0 <= p <= 1


@pytest.mark.parametrize("counts", [(-1, 3, 3, 9), (4, 3, 5, 9), (0, 6, 6, 9), (1, 10, 3, 9)])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(ValueError, match="margins"):
        depletion_p_values(*map(one, counts))
    with pytest.raises(ValueError, match="design effect"):
        depletion_p_values(*map(one, (1, 3, 3, 9)), 0.5)


@pytest.mark.parametrize("counted", [0, 1, 7, 300])
def test_the_interval_is_the_exact_one_of_the_poisson(counted):
    found = ratio(one(counted), np.array([10.0]))
    assert poisson.cdf(counted, 10 * found.high[0]) == pytest.approx(0.025, rel=1e-9)
    assert found.value[0] == pytest.approx(counted / 10)
    if counted:
        assert poisson.sf(counted - 1, 10 * found.low[0]) == pytest.approx(0.025, rel=1e-9)
    else:
        assert found.low[0] == 0


def test_a_ratio_to_nothing_is_not_known():
    assert np.isnan(ratio(one(3), np.array([0.0])).value[0])


def total_of_strata(strata):
    """Distribution of the meetings over strata of (n, a, b), by convolution of their hypergeometrics."""
    total = np.array([1.0])
    for n, a, b in strata:
        each = [comb(a, k) * comb(n - a, b - k) / comb(n, b) if b >= k else 0.0 for k in range(min(a, b) + 1)]
        total = np.convolve(total, each)
    return total


stratum = st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12)).map(
    lambda each: (each[0], min(each[0], each[1]), min(each[0], each[2]))
)


@settings(max_examples=300)
@given(st.lists(stratum, min_size=1, max_size=12))
def test_the_stratified_bound_is_never_below_the_exact_tail(strata):
    expected = sum(a * b / n for n, a, b in strata)
    exact = np.cumsum(total_of_strata(strata))
    k = np.arange(len(exact))
    assert (stratified_p_values(k, np.full(len(k), expected)) >= exact - 1e-12).all()


def test_odds_and_q_of_a_table_by_hand():
    """4 both, 2 and 3 alone, 6 neither: odds 24/6 = 4, Q = 18/30."""
    counts = one(4), one(6), one(7), 15
    assert odds_ratio(*counts)[0] == 4
    assert yule_q(*counts)[0] == pytest.approx(0.6)
    assert yule_q(one(0), one(5), one(5), 20)[0] == -1
    assert odds_ratio(one(5), one(5), one(5), 20)[0] == np.inf
