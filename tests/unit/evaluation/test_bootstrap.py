from __future__ import annotations

import math

import numpy as np

from basketry.evaluation.bootstrap import Resampled, case_weights, interval


def test_a_case_of_two_clusters_weighs_the_product_of_their_draws():
    one, two, both = (case_weights(np.array(cluster), 50, 3) for cluster in ([0, 1], [1, 0], [[0, 1], [1, 0]]))
    assert np.array_equal(both, one * two)
    assert (both[0] == 1).all()


def test_a_ratio_to_nothing_is_infinite_and_counts():
    ours, theirs = np.full(101, 2.0), np.ones(101)
    theirs[1:31] = 0  # three resamples of ten in which the other finds nothing
    found = Resampled({"hit": ours}).ratio_to(Resampled({"hit": theirs}), "hit")
    assert (found.value, found.low, found.high) == (2, 2, math.inf)
    nothing = np.zeros(101)
    for some in (ours, nothing):
        found = Resampled({"hit": some}).ratio_to(Resampled({"hit": nothing}), "hit")
        assert math.isnan(found.value) and math.isnan(found.high)


def test_ends_are_quantiles_of_the_resamples_alone():
    found = interval(np.array([5.0, *range(101), math.nan]))
    assert (found.value, found.low, found.high) == (5, 2.5, 97.5)
    assert math.isnan(interval(np.array([5.0])).low)
    assert math.isnan(interval(np.array([5.0, math.nan])).high)
