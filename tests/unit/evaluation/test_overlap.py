"""Overlap of lists by hand, and what must hold of any two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.evaluation.overlap import overlap, rank_biased_overlap


def test_by_hand():
    one, other = np.array([[1, 2, 3]]), np.array([[2, 1, 9]])
    assert overlap(one, other) == pytest.approx([2 / 3])
    # agreement 0, 2/2, 2/3 at depths 1 to 3
    assert rank_biased_overlap(one, other, 0.5) == pytest.approx([(0.5 * 1 + 0.25 * 2 / 3) / 1.75])


def test_missing_products_are_no_match_and_two_empty_lists_are_alike():
    some, none = np.array([[1, -1], [-1, -1]]), np.array([[-1, -1], [-1, -1]])
    assert overlap(some, none).tolist() == [0, 1] == rank_biased_overlap(some, none).tolist()
    assert overlap(np.array([[1, 2]]), np.array([[1, -1]])).tolist() == [0.5]


lists = st.lists(st.permutations(range(6)), min_size=2, max_size=2).map(lambda two: [np.array([each[:4]]) for each in two])


@given(lists)
def test_both_are_symmetric_and_between_none_and_all(two):
    for measure in (overlap, rank_biased_overlap):
        value = measure(*two)[0]
        assert 0 <= value <= 1 + 1e-12 and value == measure(*two[::-1])[0] and measure(two[0], two[0])[0] == pytest.approx(1)


def test_what_cannot_be_compared():
    with pytest.raises(RequestError, match="p is 1"):
        rank_biased_overlap(np.array([[1]]), np.array([[1]]), 1)
    with pytest.raises(RequestError, match="lists of shapes"):
        overlap(np.array([[1]]), np.array([[1, 2]]))
