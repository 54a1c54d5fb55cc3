"""Paired comparison of several models: exact p by hand, the law of Holm, and what chance alone does."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.evaluation.bootstrap import Draws, case_weights
from basketry.evaluation.significance import Significance, holm


def test_p_of_four_wins_is_exact():
    # the sum is 4 only with all signs as they are or all turned: 2 of 16
    (found,) = Significance().compare({"a": np.ones(6), "b": np.array([0, 0, 0, 0, 1.0, 1])}, np.arange(6))
    assert (found.p, found.corrected, found.n) == (2 / 16, 2 / 16, 6)
    assert found.gain.value == pytest.approx(4 / 6)


def test_queries_of_one_customer_change_signs_together():
    figures = {"a": np.ones(4), "b": np.zeros(4)}
    (found,) = Significance().compare(figures, np.array([0, 0, 1, 1]))
    assert found.p == 2 / 4


def test_alike_models_have_p_one_and_nan_queries_count_for_nobody():
    figures = {"a": np.array([1.0, np.nan, 0]), "b": np.array([1.0, 0, 0])}
    (found,) = Significance().compare(figures, np.arange(3))
    assert (found.p, found.n, found.gain.value) == (1, 2, 0)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_exact_p_equals_its_brute_force_twin(differences):
    d = np.array(differences) / 4
    (found,) = Significance(resamples=2).compare({"a": d, "b": np.zeros(len(d))}, np.arange(len(d)))
    signs = np.array(list(product([-1, 1], repeat=len(d))))
    assert found.p == np.mean(np.abs((signs * d).sum(axis=1)) >= abs(d.sum()))


def test_drawn_signs_agree_with_all_of_them():
    d = np.random.default_rng(3).integers(-2, 5, 16).astype(float)
    signs = 1 - 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)
    true = np.mean(np.abs(signs @ d) >= abs(d.sum()))
    found, *_ = Significance(resamples=2).compare({"a": d, "b": np.zeros(16), "c": d}, np.arange(16))
    assert found.p == pytest.approx(true, abs=4 * np.sqrt(true * (1 - true) / 10_000))
    again, *_ = Significance(resamples=2).compare({"a": d, "b": np.zeros(16), "c": d}, np.arange(16))
    assert again.p == found.p


def test_drawn_signs_never_prove_more_than_their_number():
    (found,) = Significance(resamples=2, draws=99).compare({"a": np.ones(50), "b": np.zeros(50)}, np.arange(50))
    assert found.p == 1 / 100


def test_chance_alone_is_called_a_difference_as_often_as_the_level_says():
    random = np.random.default_rng(5)
    p = [
        Significance(resamples=2, draws=200).compare({"a": random.random(40), "b": random.random(40)}, np.arange(40))[0].p
        for _ in range(400)
    ]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.05)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, and never falling
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_all_pairs_are_corrected_and_told_as_rows_of_metrics():
    figures = {"a": np.ones(5), "b": np.zeros(5), "c": np.zeros(5)}
    found = Significance().compare(figures, np.arange(5))
    assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [each.p for each in found] == [2 / 32, 2 / 32, 1]
    assert [each.corrected for each in found] == [6 / 32, 6 / 32, 1]
    gain, p = found[0].rows("ndcg@10")
    assert (gain["metric"], gain["model"], gain["value"]) == ("ndcg@10 gain", "a over b", 1)
    assert (p["metric"], p["value"], p["low"]) == ("ndcg@10 gain p", 6 / 32, None)


def test_figures_of_other_queries_are_refused():
    with pytest.raises(RequestError):
        Significance().compare({"a": np.ones(3), "b": np.ones(2)}, np.arange(3))


@given(st.integers(0, 10**6))
def test_shared_draws_are_those_of_case_weights(seed):
    random = np.random.default_rng(seed)
    cluster = random.integers(0, 6, 9)
    values = np.where(random.random(9) < 0.3, np.nan, random.random(9))
    weight = case_weights(cluster, 100, seed)
    known = ~np.isnan(values)
    total = weight[:, known].sum(axis=1)
    total[total == 0] = np.nan
    expected = weight[:, known] @ values[known] / total
    got = Draws.of(cluster, 100, seed).means({"x": values}).values["x"]
    assert np.allclose(got, expected, equal_nan=True)
