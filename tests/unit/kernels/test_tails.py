from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels.tails import hypergeometric_upper_tail


def tail(*values):
    return float(hypergeometric_upper_tail(*(np.array([value], dtype=np.int64) for value in values))[0])


def exact(k, good, drawn, population):
    ways = sum(comb(good, j) * comb(population - good, drawn - j) for j in range(k, min(good, drawn) + 1))
    return Fraction(ways, comb(population, drawn))


@st.composite
def urns(draw, most):
    population = draw(st.integers(0, most))
    good, drawn = draw(st.integers(0, population)), draw(st.integers(0, population))
    return draw(st.integers(0, min(good, drawn))), good, drawn, population


@given(urns(400))
def test_equals_the_exact_fraction(urn):
    truth = exact(*urn)
    assert abs(Fraction(tail(*urn)) - truth) <= truth * Fraction(1, 10**12)


@pytest.mark.parametrize(
    "urn",
    [
        (135, 222, 135, 20_000),
        (119, 307, 119, 20_000),
        (110, 2000, 110, 1_000_000),
        (60, 60, 3000, 150_000),
        (150, 900, 900, 9000),
    ],
)
def test_stays_exact_far_out_in_the_tail(urn):
    truth = exact(*urn)
    assert truth > Fraction(1, 10**300)
    assert abs(Fraction(tail(*urn)) - truth) <= truth * Fraction(1, 10**9)


@given(urns(60))
def test_falls_with_k_from_one(urn):
    _, good, drawn, population = urn
    values = [tail(k, good, drawn, population) for k in range(min(good, drawn) + 1)]
    assert values[0] == 1.0
    assert all(0 <= later <= earlier for earlier, later in pairwise(values))


def test_a_vanishing_probability_is_zero_and_never_nan():
    assert tail(5000, 5000, 5000, 10**9) == 0.0
    assert tail(10**6, 10**6, 2**49, 2**50) == 0.0


@pytest.mark.parametrize("urn", [(-1, 1, 1, 2), (2, 1, 2, 3), (2, 2, 1, 3), (0, 4, 1, 3), (0, 1, 4, 3), (0, 1, 1, 2**50 + 1)])
def test_impossible_urns_are_refused(urn):
    with pytest.raises(ValueError, match="must hold for every value"):
        tail(*urn)


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        hypergeometric_upper_tail(*(np.zeros(n, dtype=np.int64) for n in (2, 2, 2, 3)))
