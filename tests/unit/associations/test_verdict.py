import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from basketry.associations.verdict import Contrast, Findings, Tally, VerdictRule, contrast


def tally(baskets, customers, expected):
    return Tally(np.array(baskets, dtype=np.int64), np.array(customers, dtype=np.int64), np.array(expected, dtype=float))


counts = st.integers(0, 60)
exposures = st.floats(0.1, 50)


@given(counts, counts, exposures, exposures)
def test_interval_and_p_are_the_exact_binomial_ones(c1, c2, e1, e2):
    got = contrast(tally([c1], [c1], [e1]), tally([c2], [c2], [e2]))
    if c1 + c2 == 0:
        assert np.isnan(got.low[0]) and got.p[0] == 1
        return
    peer = binomtest(c1, c1 + c2, e1 / (e1 + e2))
    ends = peer.proportion_ci(0.95, method="exact")
    for mine, share in ((got.low[0], ends.low), (got.high[0], ends.high)):
        theirs = np.inf if share >= 1 else share / (1 - share) * e2 / e1
        assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-12)
    tails = [binomtest(c1, c1 + c2, e1 / (e1 + e2), alternative=side).pvalue for side in ("less", "greater")]
    assert got.p[0] == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)


@given(st.integers(1, 40), st.integers(1, 40), exposures, exposures)
def test_swapping_the_settings_inverts_the_contrast(c1, c2, e1, e2):
    one, two = tally([c1], [c1], [e1]), tally([c2], [c2], [e2])
    forth, back = contrast(one, two), contrast(two, one)
    assert forth.ratio[0] == pytest.approx(1 / back.ratio[0])
    assert forth.low[0] == pytest.approx(1 / back.high[0])
    assert forth.p[0] == pytest.approx(back.p[0])


@given(st.integers(2, 30), st.integers(2, 6), exposures)
def test_repeat_baskets_of_the_same_customers_add_no_certainty(customers, each, expected):
    few = contrast(tally([customers], [customers], [expected]), tally([9], [9], [9.0]))
    repeated = contrast(tally([customers * each], [customers], [expected * each]), tally([9], [9], [9.0]))
    assert few.ratio[0] == pytest.approx(repeated.ratio[0])
    assert few.low[0] == pytest.approx(repeated.low[0])
    assert few.p[0] == pytest.approx(repeated.p[0])


def test_contrast_by_hand():
    # 30 customers where 10 were expected, against 15 where 15 were: three times
    got = contrast(tally([30], [30], [10.0]), tally([15], [15], [15.0]))
    assert got.ratio[0] == pytest.approx(3.0)
    assert got.low[0] < 3.0 < got.high[0]
    assert got.low[0] > 1


def judged(*, lift=5.0, q=0.001, low=2.0, high=6.0, similarity=0.1, together=(60, 10.0), across=(10, 10.0)):
    adjusted = together[0] / together[1]
    found = contrast(tally([together[0]], [together[0]], [together[1]]), tally([across[0]], [across[0]], [across[1]]))
    columns = [np.array([float(value)]) for value in (lift, q, adjusted, low, high, similarity)]
    return VerdictRule().judge(Findings(*columns, contrast=found)).item()


def test_wanted_on_the_same_trip_is_a_complement():
    assert judged() == "complement"


def test_alike_and_seldom_together_but_often_in_turn_is_a_substitute():
    assert judged(similarity=0.9, lift=0.3, q=1.0, low=0.1, high=0.4, together=(2, 20.0), across=(40, 20.0)) == "substitute"


def test_alike_with_little_co_purchase_is_no_complement_and_without_turns_nothing_is_known():
    assert (
        judged(similarity=0.95, lift=np.nan, q=np.nan, low=np.nan, high=np.nan, together=(0, 0.5), across=(0, 0.5)) == "unknown"
    )


def test_alike_and_oftener_together_than_chance_is_no_substitute():
    assert judged(similarity=0.9, lift=4.0, q=0.2, low=1.1, high=3.0, together=(40, 20.0), across=(90, 20.0)) == "unknown"
    assert judged(similarity=0.9, lift=4.0, q=0.001, low=1.1, high=3.0, together=(40, 20.0), across=(90, 20.0)) == "co_trip"


def test_a_high_raw_lift_is_no_verdict():
    # significant and far above 1, yet no oftener than basket size explains
    assert judged(lift=9.0, q=1e-12, low=0.9, high=1.2) == "co_trip"
    # beyond basket size, yet the same customers buy both as often in turn: taste
    assert judged(lift=9.0, q=1e-12, low=3.0, high=4.0, together=(60, 10.0), across=(60, 10.0)) == "co_trip"


def test_unalike_products_kept_apart_are_not_called_substitutes():
    assert judged(similarity=0.1, lift=0.3, q=1.0, low=0.1, high=0.4, together=(2, 20.0), across=(40, 20.0)) == "unknown"


def test_without_customers_the_adjusted_interval_decides_alone():
    rule = VerdictRule()

    def alone(low, high, similarity, lift=3.0, q=0.001):
        columns = [np.array([float(value)]) for value in (lift, q, (low + high) / 2, low, high, similarity)]
        return rule.judge(Findings(*columns, contrast=None)).item()

    assert alone(1.5, 3.0, 0.1) == "complement"
    assert alone(0.8, 1.3, 0.1) == "co_trip"
    assert alone(0.2, 0.6, 0.9, lift=0.4, q=1.0) == "substitute"


def test_where_nothing_is_particular_to_a_trip_few_verdicts_are_given():
    random = np.random.default_rng(11)
    n = 4000
    expected = random.uniform(5, 50, n)
    one, two = random.poisson(expected), random.poisson(expected)
    found = contrast(tally(one, one, expected), tally(two, two, expected))
    ones = np.ones(n)
    verdicts = VerdictRule().judge(
        Findings(
            lift=ones * 5,
            q=ones * 0,
            adjusted=ones * 0.5,
            adjusted_low=ones * 2,
            adjusted_high=ones * 3,
            similarity=ones,
            contrast=found,
        )
    )
    assert np.mean(verdicts != "co_trip") < 0.005


def test_a_pair_too_rare_to_speak_is_not_tested():
    found = contrast(tally([0], [0], [1.0]), tally([3], [3], [1.0]))
    assert not found.tested().any()
    assert isinstance(found, Contrast)
