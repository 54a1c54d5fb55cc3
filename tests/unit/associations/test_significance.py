from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.significance import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
    improvement_p_values,
    least_p_values,
    pair_p_values,
    rule_space,
    rules_within_reach,
    tarone,
)
from basketry.kernels.trees import ItemsetTree

WORLDS = 200
ALLOWED = 0.05 + 3 * (0.05 * 0.95 / WORLDS) ** 0.5  # three binomial standard errors above 5%


def arrays(*values):
    return (np.array([value], dtype=np.int64) for value in values)


def discoveries(holds, customer_of, deflate):
    """The pairs of products, columns of the boolean matrix `holds`, that are called at q < 0.05."""
    pairs = list(combinations(range(holds.shape[1]), 2))
    together = [holds[:, a] & holds[:, b] for a, b in pairs]
    n_ab = np.array([int(both.sum()) for both in together])
    customers = np.array([len(np.unique(customer_of[both])) for both in together]) if deflate else n_ab
    margins = holds.sum(axis=0)
    n_a, n_b = (np.array([margins[pair[side]] for pair in pairs]) for side in (0, 1))
    seen = n_ab > 0
    p = pair_p_values(n_ab[seen], customers[seen], n_a[seen], n_b[seen], len(holds))
    q = benjamini_hochberg(p, len(pairs))
    return [pair for pair, value in zip(np.array(pairs)[seen].tolist(), q, strict=True) if value < 0.05]


def independent(rng, baskets=400, products=12):
    """Each product in a fixed number of baskets, drawn without regard to the others."""
    holds = np.zeros((baskets, products), dtype=bool)
    for product in range(products):
        holds[rng.choice(baskets, rng.integers(20, 120), replace=False), product] = True
    return holds


def test_independent_products_are_rarely_called():
    rng = np.random.default_rng(7)
    called = [bool(discoveries(independent(rng), np.arange(400), deflate=True)) for _ in range(WORLDS)]
    assert np.mean(called) <= ALLOWED


def test_loyal_customers_deceive_the_naive_test_and_not_the_deflated_one():
    """Each of 150 customers buys one favourite basket, filled at random, over and over."""
    rng = np.random.default_rng(8)
    naive, deflated = [], []
    for _ in range(WORLDS):
        favourites = independent(rng, baskets=150, products=8)
        customer_of = np.repeat(np.arange(150), rng.integers(5, 40, 150))
        holds = favourites[customer_of]
        naive.append(bool(discoveries(holds, customer_of, deflate=False)))
        deflated.append(bool(discoveries(holds, customer_of, deflate=True)))
    assert np.mean(naive) > 0.9
    assert np.mean(deflated) <= ALLOWED


def test_a_planted_pair_is_found():
    rng = np.random.default_rng(9)
    for _ in range(20):
        holds = independent(rng)
        with_first = np.flatnonzero(holds[:, 0])
        holds[with_first[: 2 * len(with_first) // 3], 1] = True
        assert [0, 1] in discoveries(holds, np.arange(400), deflate=True)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
def test_with_one_basket_a_customer_it_is_the_classical_test(n_ab, more_a, more_b, neither):
    n_a, n_b = n_ab + more_a, n_ab + more_b
    n = n_ab + more_a + more_b + neither
    ways = sum(comb(n_a, k) * comb(n - n_a, n_b - k) for k in range(n_ab, min(n_a, n_b) + 1))
    p = pair_p_values(*arrays(n_ab, n_ab, n_a, n_b), n)[0]
    assert p == pytest.approx(float(Fraction(ways, comb(n, n_b))), rel=1e-9)


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 40), st.integers(1, 40), st.integers(50, 300))
def test_repeating_every_basket_changes_nothing(n_ab, times, more_a, more_b, neither):
    n_a, n_b = n_ab + more_a, n_ab + more_b
    n = n_ab + more_a + more_b + neither
    once = pair_p_values(*arrays(n_ab, n_ab, n_a, n_b), n)[0]
    repeated = pair_p_values(*arrays(n_ab * times, n_ab, n_a * times, n_b * times), n * times)[0]
    assert repeated == once


@pytest.mark.parametrize("counts", [(5, 0, 9, 9, 20), (5, 6, 9, 9, 20), (5, 5, 4, 9, 20), (5, 5, 9, 21, 20)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="must hold for every pair"):
        pair_p_values(*arrays(*counts[:4]), counts[4])


def test_benjamini_hochberg_on_four_values():
    """p (n / rank) = .04 .04 .04 .2, then of ten tests .1 .1 .1 .5: the smallest from there upwards."""
    p = np.array([0.03, 0.01, 0.2, 0.02])
    assert benjamini_hochberg(p, 4) == pytest.approx([0.04, 0.04, 0.2, 0.04])
    assert benjamini_hochberg(p, 10) == pytest.approx([0.1, 0.1, 0.5, 0.1])


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(0, 50))
def test_untested_values_count_as_p_of_one(p, filtered):
    padded = benjamini_hochberg(np.array([*p, *([1.0] * filtered)]), len(p) + filtered)
    assert benjamini_hochberg(np.array(p), len(p) + filtered) == pytest.approx(padded[: len(p)])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.randoms())
def test_q_is_above_p_ordered_like_p_and_blind_to_the_order_given(p, random):
    q = benjamini_hochberg(np.array(p), len(p))
    assert (q >= np.array(p) * (1 - 1e-15)).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()
    places = random.sample(range(len(p)), len(p))
    assert benjamini_hochberg(np.array(p)[places], len(p)) == pytest.approx(q[places])


def test_too_few_tests_and_impossible_p_are_refused():
    with pytest.raises(ValueError, match="cannot come from"):
        benjamini_hochberg(np.array([0.1, 0.2]), 1)
    with pytest.raises(ValueError, match="lies in"):
        benjamini_hochberg(np.array([0.1, np.nan]), 2)


def test_holm_by_hand():
    """Sorted p .01 .02 .03 .2 times 4 3 2 1 = .04 .06 .06 .2; of ten tests times 10 9 8 7 = .1 .18 .24 1.4."""
    p = np.array([0.03, 0.01, 0.2, 0.02])
    assert holm(p, 4) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm(p, 10) == pytest.approx([0.24, 0.1, 1.0, 0.18])


def test_benjamini_yekutieli_is_dearer_by_the_harmonic_number():
    p = np.array([0.003, 0.001, 0.02, 0.002])
    assert benjamini_yekutieli(p, 4) == pytest.approx(benjamini_hochberg(p, 4) * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    assert benjamini_yekutieli(np.array([1e-30]), 10**21)[0] == pytest.approx(1e-9 * (21 * np.log(10) + np.euler_gamma))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(0, 20))
def test_corrections_in_order_of_their_strictness(p, filtered):
    p = np.array(p)
    tested = len(p) + filtered
    bonferroni = np.minimum(1, p * tested)
    tight = 1 - 1e-12
    assert (holm(p, tested) <= bonferroni / tight).all() and (holm(p, tested) >= p * tight).all()
    assert (benjamini_hochberg(p, tested) <= holm(p, tested) / tight).all()
    assert (benjamini_yekutieli(p, tested) >= benjamini_hochberg(p, tested) * tight).all()
    padded = np.array([*p, *([1.0] * filtered)])
    assert holm(p, tested) == pytest.approx(holm(padded, tested)[: len(p)])
    assert tarone(p, np.zeros(tested)) == pytest.approx(bonferroni), "where every p can be reached it is Bonferroni's"


def test_tarone_counts_only_what_could_have_been_so_small():
    least = np.array([1e-9, 0.004, 0.03, 0.2, 0.5])
    assert tarone(np.array([0.003, 0.004, 0.03]), least) == pytest.approx([0.003, 0.008, 0.09])
    with pytest.raises(ValueError, match="cannot come from"):
        tarone(np.array([0.1, 0.2]), np.array([0.1]))


def test_the_least_p_of_margins():
    """2 of 4 and 2 of 4 coincide with chance 1/6; 1 and 3 of 4 with 3/4; all of them always."""
    n_x, n_y = np.array([2, 1, 4]), np.array([2, 3, 4])
    assert least_p_values(n_x, n_y, 4) == pytest.approx([1 / 6, 3 / 4, 1])


def test_a_longer_antecedent_must_say_more_than_its_part():
    """Of 10 baskets with W, 5 hold Y; X = W and more is in 4, all with Y: 5 of the 10 C 4 choices... C(5,4)/C(10,4) = 5/210."""
    p = improvement_p_values(*arrays(4, 4, 5, 10))
    assert p[0] == pytest.approx(5 / 210)


def test_rules_within_reach_are_counted_from_frequent_itemsets():
    """Frequent: a b c ab. Into one item: a with b, c; b with a, c; c with a, b; ab with c."""
    tree = ItemsetTree(*(np.array(column, dtype=np.int32) for column in ((-1, -1, -1, 0), (0, 1, 2, 1), (5, 4, 3, 2))))
    assert rules_within_reach(tree, 0, 1) == 7
    assert rules_within_reach(tree, 1, 1) == 6
    assert rules_within_reach(tree) == 16
    assert rules_within_reach(tree, 2, 1) == 7
    assert rules_within_reach(ItemsetTree(*(np.empty(0, dtype=np.int32),) * 3)) == 0


def test_the_space_of_rules_by_enumeration():
    sides = [set(side) for size in (1, 2) for side in combinations(range(6), size)]
    rules = [(x, y) for x in sides for y in sides if not x & y]
    assert rule_space(6, 2, 2) == len(rules)
    assert rule_space(1000, 2, 1) == 1000 * 999 + comb(1000, 2) * 998
