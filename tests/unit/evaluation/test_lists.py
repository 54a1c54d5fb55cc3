"""What a list is beside right: golden numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.evaluation.lists import Products, coverage, divergence, exposure, gini


def ragged(*rows):
    return np.cumsum([0, *map(len, rows)]), np.array([each for row in rows for each in row], dtype=np.int64)


def test_novelty_is_the_mean_surprise_in_bits():
    # 4 sales of 4 products and one more of each: shares 4/8, 2/8, 1/8, 1/8
    products = Products(np.array([3.0, 1, 0, 0]))
    got = products.per_query(np.array([[0, 1, -1], [2, 3, 0], [-1, -1, -1]]), *ragged([0], [0], [0]))["novelty"]
    assert got[:2].tolist() == [1.5, (3 + 3 + 1) / 3]
    assert np.isnan(got[2])


def test_popularity_bias_compares_percentiles_of_list_and_history():
    # 5 2 2 1: the percentiles are .875, .5, .5, .125
    products = Products(np.array([5.0, 2, 2, 1]))
    got = products.per_query(np.array([[0, 1], [3, -1], [0, 1]]), *ragged([3], [3, 0], []))["popularity_bias"]
    assert got[:2].tolist() == [0.6875 - 0.125, 0.125 - 0.5]
    assert np.isnan(got[2])


def test_diversity_is_one_less_the_mean_cosine_of_pairs():
    vectors = np.array([[3, 0], [0, 2], [-1, 0], [0, 0]], dtype=np.float32)
    ranked = np.array([[0, 1, 2], [0, 0, -1], [0, 2, -1], [0, 3, -1], [1, -1, -1]])
    got = Products(np.zeros(4), vectors).per_query(ranked, *ragged(*[[0]] * 5))["diversity"]
    assert got[:4] == pytest.approx([1 - (0 - 1 + 0) / 3, 0, 2, 1])
    assert np.isnan(got[4])


def test_categories_and_their_calibration():
    # the list has 3/4 of a, 1/4 of b; the history half and half
    products = Products(np.zeros(5), category=np.array([0, 0, 0, 1, -1]))
    ranked = np.array([[0, 1, 2, 3, 4], [0, 1, -1, -1, -1], [4, -1, -1, -1, -1]])
    got = products.per_query(ranked, *ragged([0, 3], [3], [0]))
    assert got["categories"].tolist() == [2, 1, 0]
    shown = 0.99 * np.array([0.75, 0.25]) + 0.01 * 0.5
    assert got["miscalibration"][0] == pytest.approx(0.5 * np.log(0.5 / shown).sum())
    assert got["miscalibration"][1] == pytest.approx(-np.log(0.01))  # nothing of what the customer buys: the most there is
    assert np.isnan(got["miscalibration"][2])


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6), st.lists(st.integers(0, 20), min_size=6, max_size=6))
def test_divergence_is_never_negative_and_none_of_equals(wanted, given_):
    p, q = np.array(wanted) + 0.1, np.array(given_[: len(wanted)]) + 0.1
    p, q = (p / p.sum())[None], (q / q.sum())[None]
    assert divergence(p, p)[0] == pytest.approx(0)
    assert -1e-12 <= divergence(p, q)[0] <= -np.log(0.01)


def test_exposure_coverage_and_gini():
    ranked = np.array([[0, 1], [0, -1]])
    assert exposure(ranked, 4).tolist() == [2, 1, 0, 0]
    assert exposure(ranked, 4, discounted=True) == pytest.approx([2, 1 / np.log2(3), 0, 0])
    assert coverage(np.array([2.0, 1, 0, 0])) == 1 / 2
    assert gini(np.array([2.0, 1, 0, 0])) == pytest.approx((1 * 1 + 3 * 2) / (4 * 3))  # sorted 0 0 1 2 with -3 -1 1 3
    assert gini(np.full(7, 3.0)) == pytest.approx(0)
    assert gini(np.array([0.0, 0, 0, 5])) == pytest.approx(3 / 4)
    assert np.isnan(gini(np.zeros(3)))


def test_products_described_by_halves_are_refused():
    with pytest.raises(RequestError, match="3 categories for 4 products"):
        Products(np.zeros(4), category=np.zeros(3, dtype=np.int32))
