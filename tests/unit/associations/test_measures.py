from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.measures import MEASURES, measures
from basketry.core.tables import Associations

SYMMETRIC = ("support", "lift", "leverage", "cosine", "jaccard", "kulczynski", "imbalance", "joint_ratio")
SHARES = ("support", "confidence", "confidence_back", "cosine", "jaccard", "kulczynski", "imbalance", "joint_ratio")


@st.composite
def counts(draw):
    n = draw(st.integers(1, 2**31))
    a, b = draw(st.integers(1, n)), draw(st.integers(1, n))
    return draw(st.integers(max(0, a + b - n), min(a, b))), a, b, n


def one(ab, a, b, n):
    return {name: float(values[0]) for name, values in measures(*(np.array([x]) for x in (ab, a, b)), n).items()}


def near(x, y):
    return x == y or abs(x - y) <= 1e-12 * max(abs(x), abs(y), 1e-300)


def test_every_measure_is_a_column_of_the_contract():
    assert tuple(one(1, 2, 3, 4)) == MEASURES
    assert set(MEASURES) < set(Associations.column_names())


@given(counts())
def test_symmetric_measures_do_not_care_for_the_order(pair):
    ab, a, b, n = pair
    forth, back = one(ab, a, b, n), one(ab, b, a, n)
    for name in SYMMETRIC:
        assert near(forth[name], back[name]), name
    assert forth["confidence"] == back["confidence_back"]


@given(counts())
def test_bounds(pair):
    m = one(*pair)
    assert all(0 <= m[name] <= 1 + 1e-15 for name in SHARES)
    assert -1 <= m["zhang"] <= 1
    assert -0.25 <= m["leverage"] <= 0.25
    assert m["lift"] >= 0
    assert m["conviction"] >= 0
    assert m["jaccard"] <= m["cosine"] * (1 + 1e-12) <= m["kulczynski"] * (1 + 1e-11)
    assert m["joint_ratio"] <= 0.5


@given(counts())
def test_identities(pair):
    ab, a, b, n = pair
    m = one(*pair)
    assert near(m["lift"], m["confidence"] / (b / n))
    assert near(m["cosine"] ** 2, m["confidence"] * m["confidence_back"])
    assert near(m["kulczynski"], (m["confidence"] + m["confidence_back"]) / 2)
    assert np.sign(m["leverage"]) == np.sign(ab * n - a * b) == np.sign(m["zhang"])


def test_edge_cases():
    always = one(3, 3, 5, 10)
    assert always["conviction"] == np.inf
    assert one(3, 5, 3, 10)["zhang"] == 1.0  # B never without A
    everywhere = one(10, 10, 10, 10)
    assert (everywhere["conviction"], everywhere["zhang"], everywhere["lift"]) == (np.inf, 0.0, 1.0)
    never = one(0, 4, 5, 10)
    assert (never["zhang"], never["lift"], never["support"]) == (-1.0, 0.0, 0.0)
    assert one(4, 4, 8, 8)["leverage"] == 0.0


def test_independence_is_neutral():
    m = one(2, 4, 5, 10)
    assert (m["lift"], m["leverage"], m["zhang"], m["conviction"]) == (1.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("counts", [(-1, 2, 2, 5), (3, 2, 4, 5), (0, 0, 1, 5), (0, 3, 3, 5), (1, 6, 1, 5)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="must hold for every pair"):
        one(*counts)
