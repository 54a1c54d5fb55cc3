from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from basketry.associations.adjustment import adjusted_lift, exposure_next, exposure_together, stability
from basketry.associations.baskets import BasketMatrix
from basketry.kernels.pairs import count_pairs

N_PRODUCTS = 150


def filled(rng, sizes, log_weights):
    """Baskets of the given sizes, products drawn without replacement by exp(log_weights(size)): no pair is associated."""
    chosen = [np.argsort(-(log_weights(size) + rng.gumbel(size=N_PRODUCTS)))[:size] for size in sizes]
    each = np.arange(len(sizes), dtype=np.int32)
    indptr = np.cumsum([0, *sizes]).astype(np.int64)
    return BasketMatrix(indptr, np.concatenate(chosen).astype(np.int32), each, each, N_PRODUCTS)


def raw_and_adjusted(baskets, expecting=8):
    """Lifts of the pairs that should meet at least `expecting` times."""
    counts = count_pairs(baskets.indptr, baskets.items, N_PRODUCTS)
    n = np.bincount(baskets.items, minlength=N_PRODUCTS)
    together = np.zeros((N_PRODUCTS, N_PRODUCTS))
    together[counts.a, counts.b] = counts.count
    a, b = np.triu_indices(N_PRODUCTS, 1)
    expected = exposure_together(baskets, np.ones(len(baskets), dtype=bool)).expected(a, b)
    enough = expected >= expecting
    a, b, expected = a[enough], b[enough], expected[enough]
    return (a, b), together[a, b] * len(baskets) / (n[a] * n[b]), together[a, b] / expected


def test_baskets_filled_by_popularity_have_an_adjusted_lift_of_one():
    rng = np.random.default_rng(1)
    popularity = -0.7 * np.log(np.arange(N_PRODUCTS) + 8)
    baskets = filled(rng, np.minimum(rng.geometric(1 / 6, 6000), 50), lambda size: popularity)
    _, raw, adjusted = raw_and_adjusted(baskets)
    assert len(raw) > 2000
    assert np.median(raw) > 1.4
    assert 0.95 < np.median(adjusted) < 1.03


def test_products_of_large_baskets_are_not_taken_for_friends():
    """Half of the products are bought on large trips; within a size nothing is associated."""
    rng = np.random.default_rng(2)
    taste = np.where(np.arange(N_PRODUCTS) % 2, 0.6, -0.6)
    baskets = filled(rng, np.minimum(rng.geometric(1 / 6, 6000), 50), lambda size: taste * np.log(size / 6))
    (a, b), raw, adjusted = raw_and_adjusted(baskets)
    both_large = (a % 2 == 1) & (b % 2 == 1)
    assert np.median(raw[both_large]) > 2
    assert np.median(adjusted[both_large]) == pytest.approx(1, abs=0.05)


def test_a_product_of_every_basket_is_nobody_s_friend():
    """Milk stands in every basket whatever its size, so its lift with anything is 1: together, and in the next order."""
    rng = np.random.default_rng(5)
    filled_up = filled(
        rng, np.minimum(rng.geometric(1 / 6, 6000) + 1, 50), lambda size: np.where(np.arange(N_PRODUCTS) == 0, 99.0, 0.0)
    )
    (a, _), raw, adjusted = raw_and_adjusted(filled_up)
    assert raw[a == 0] == pytest.approx(1)
    assert adjusted[a == 0] == pytest.approx(1, abs=0.1)
    partner = np.append(np.arange(1, 6000), -1).astype(np.int32)
    following = exposure_next(filled_up, partner, np.ones(6000, dtype=bool))
    after = np.bincount(filled_up.items[filled_up.indptr[1] :], minlength=N_PRODUCTS)
    others = np.arange(1, N_PRODUCTS)
    assert following.expected(np.zeros(N_PRODUCTS - 1, dtype=int), others) == pytest.approx(after[1:])


def test_expectations_add_up_to_the_co_purchases_seen():
    rng = np.random.default_rng(3)
    baskets = filled(rng, rng.integers(1, 12, 500), lambda size: np.zeros(N_PRODUCTS))
    exposure = exposure_together(baskets, np.ones(len(baskets), dtype=bool))
    a, b = np.triu_indices(N_PRODUCTS, 1)
    assert exposure.expected(a, b).sum() == pytest.approx((baskets.sizes * (baskets.sizes - 1)).sum() / 2, rel=0.01)
    partner = np.append(np.arange(1, 500), -1).astype(np.int32)
    following = exposure_next(baskets, partner, np.ones(len(baskets), dtype=bool))
    every = np.indices((N_PRODUCTS, N_PRODUCTS)).reshape(2, -1)
    assert following.expected(*every).sum() == pytest.approx(baskets.sizes[:-1] @ baskets.sizes[1:], rel=0.01)


def test_nothing_counted_expects_nothing():
    empty = exposure_together(
        filled(np.random.default_rng(6), [2, 3], lambda size: np.zeros(N_PRODUCTS)), np.zeros(2, dtype=bool)
    )
    assert empty.expected(np.array([0, 1]), np.array([1, 2])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("customers", [1, 4, 20, 1000])
def test_the_interval_is_the_exact_one_of_the_poisson(customers):
    found = adjusted_lift(np.array([customers]), np.array([customers]), np.array([1.0]))
    assert poisson.sf(customers - 1, found.low[0]) == pytest.approx(0.025, rel=1e-9)
    assert poisson.cdf(customers, found.high[0]) == pytest.approx(0.025, rel=1e-9)


def test_repeat_baskets_do_not_narrow_the_interval():
    found = adjusted_lift(np.array([20, 200]), np.array([20, 20]), np.array([10.0, 100.0]))
    assert found.lift.tolist() == [2.0, 2.0]
    assert found.low[0] == pytest.approx(found.low[1])
    assert found.low[0] < 2.0 < found.high[0]


def test_stability_of_equal_growing_and_one_sided_pairs():
    first = np.array([4, 4, 0, 3]), np.array([2.0, 2.0, 0.0, 1.5])
    second = np.array([2, 8, 5, 0]), np.array([1.0, 2.0, 1.0, 0.0])
    assert stability(first, second).tolist() == [1.0, 0.5, 0.0, 0.0]
