from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom

from basketry.associations.mining.differences import difference_interval, equal_shares_p, odds_ratio, woolf_p
from basketry.associations.mining.rule_counts import RuleCounts


def arrays(*values):
    return [np.array([value], dtype=np.int64) for value in values]


def test_newcombes_own_example():
    """56 of 70 against 48 of 80: .20 (.0524, .3339), Newcombe 1998, table II, method 10."""
    difference, low, high = difference_interval(*arrays(48, 80, 56, 70))
    assert (difference[0], low[0], high[0]) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_newcombe_where_a_share_is_nothing():
    """0 of 10 against 0 of 20, and 10 of 10 against 0 of 20, table II cases (g) and (h)."""
    _, low, high = difference_interval(*(np.array(x) for x in ([0, 0], [20, 20], [0, 10], [10, 10])))
    assert low == pytest.approx([-0.1611, 0.6791], abs=5e-5) and high == pytest.approx([0.2775, 1.0], abs=5e-5)
    with np.errstate(all="raise"):
        assert np.isnan(difference_interval(*arrays(0, 0, 1, 2))[0][0])


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_equal_shares_against_the_definition(n_one, n_two, data):
    k_one, k_two = data.draw(st.integers(0, n_one)), data.draw(st.integers(0, n_two))
    given_sum = hypergeom(n_one + n_two, k_one + k_two, n_one)
    expected = min(1, 2 * min(given_sum.cdf(k_one), given_sum.sf(k_one - 1)))
    p = equal_shares_p(*arrays(k_one, n_one, k_two, n_two))[0]
    assert p == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert p == pytest.approx(equal_shares_p(*arrays(k_two, n_two, k_one, n_one))[0], rel=1e-6)


def test_in_equal_groups_it_is_fishers_test():
    assert equal_shares_p(*arrays(3, 20, 11, 20))[0] == pytest.approx(fisher_exact([[3, 17], [11, 9]]).pvalue)


def test_woolf_by_hand():
    """First 10 of 20 with X hold Y, 20 of 80 without: odds ratio 3. Second the same: p = 1. Third 40 of 50, 10 of 50: 16."""
    one = RuleCounts(*arrays(10, 20, 30), 100)
    two = RuleCounts(*arrays(40, 50, 50), 100)
    n = np.array([100])
    assert woolf_p(one, n, one, n)[0] == 1
    logs = [np.log((10.5 * 60.5) / (10.5 * 20.5)), np.log((40.5 * 40.5) / (10.5 * 10.5))]
    variance = sum(1 / cell for cell in (10.5, 60.5, 10.5, 20.5, 40.5, 40.5, 10.5, 10.5))
    from scipy.stats import norm

    assert woolf_p(one, n, two, n)[0] == pytest.approx(2 * norm.sf((logs[1] - logs[0]) / variance**0.5))


def test_odds_ratio_is_finite_and_turns_over():
    there, back = odds_ratio(*arrays(0, 10, 10, 10)), odds_ratio(*arrays(10, 10, 0, 10))
    assert there[0] == pytest.approx(21 * 21) and back[0] == pytest.approx(1 / 441)
