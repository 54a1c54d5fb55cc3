"""Vectors of behaviour: by hand, against a dense twin, and as laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from basketry.associations.behaviour import BoughtTogether
from basketry.associations.behaviour_vectors import Behaviour, BehaviourVectors
from basketry.core.errors import RequestError
from rule_worlds import RUN, from_matrix, packed


def random_shop(seed, products=12, baskets=300, groups=3):
    random = np.random.default_rng(seed)
    liked = random.random((groups, products)) < 0.5
    return from_matrix(random.random((baskets, products)) < np.where(liked[random.integers(0, groups, baskets)], 0.5, 0.1))


def test_two_couples_by_hand():
    # Twelve baskets of two: 0 with 1 six times, 2 with 3 six times; 4 is bought once, alone. In baskets of size 2 a product's
    # exposure is 6 of 24, so 36 / sqrt(18 * 18) = 2 meetings are to be expected, and 6 happened, of 6 customers.
    baskets = packed([[0, 1]] * 6 + [[2, 3]] * 6 + [[4]], 5)
    found = BehaviourVectors(dim=2, min_customers=5).fit(baskets, RUN)
    low = chi2.ppf(0.025, 2 * 6) / 2 / 2  # Garwood's lower end of a count of 6, over the 2 expected
    assert list(zip(found.a, found.b, strict=True)) == [(0, 1), (2, 3)]
    assert found.weight == pytest.approx([np.log(low)] * 2, rel=1e-9)
    assert found.known.tolist() == [True, True, True, True, False]
    cosine = found.vectors @ found.vectors.T
    wanted = np.zeros((5, 5))
    wanted[:2, :2] = wanted[2:4, 2:4] = 1
    assert cosine == pytest.approx(wanted, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_cosines_are_those_of_the_dense_factorisation(seed, dim):
    baskets = random_shop(seed)
    edges = BoughtTogether(min_customers=5).fit(baskets, RUN)
    matrix = np.zeros((12, 12))
    matrix[edges.a, edges.b] = np.log(np.maximum(edges.adjusted_low, 1))
    matrix += matrix.T
    values, columns = np.linalg.eigh(matrix)
    if len(values) > dim and values[-dim] > 1e-9 and values[-dim] - values[-dim - 1] < 1e-9:
        return  # the cut falls between equal eigenvalues: which of them stay is anyone's choice
    rows = columns[:, -dim:] * np.sqrt(np.maximum(values[-dim:], 0))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 1e-6)
    found = BehaviourVectors(dim=dim, min_customers=5).fit(baskets, RUN).vectors
    assert found @ found.T == pytest.approx(unit @ unit.T, abs=1e-4)


@given(st.integers(0, 10**6))
def test_laws(seed):
    baskets = random_shop(seed)
    found = BehaviourVectors(dim=12, min_customers=5).fit(baskets, RUN)
    norms = np.linalg.norm(found.vectors, axis=1)
    assert norms == pytest.approx(found.known.astype(float), abs=1e-5)
    assert (found.weight > 0).all()
    # The numbers of the products mean nothing.
    order = np.random.default_rng(seed).permutation(12)
    rows = [order[baskets.items[baskets.indptr[i] : baskets.indptr[i + 1]]].tolist() for i in range(len(baskets))]
    renamed = BehaviourVectors(dim=12, min_customers=5).fit(packed(rows, 12), RUN)
    cosine, other = (each.vectors @ each.vectors.T for each in (found, renamed))
    assert other[np.ix_(order, order)] == pytest.approx(cosine, abs=1e-4)
    # Nothing but arrays.
    back = Behaviour.from_state(found.state())
    assert all(np.array_equal(getattr(back, name), getattr(found, name)) for name in ("vectors", "known", "a", "b", "weight"))


def test_many_products_by_the_sparse_solver_twice_the_same():
    random = np.random.default_rng(0)
    rows = [sorted(g * 5 + p for p in random.choice(5, 3, replace=False)) for g in range(100) for _ in range(30)]
    baskets = packed(rows, 500)
    one, two = (BehaviourVectors(dim=100, min_customers=5).fit(baskets, RUN) for _ in range(2))
    assert np.array_equal(one.vectors, two.vectors)
    cosine = one.vectors @ one.vectors.T
    same = np.repeat(np.arange(100), 5)[:, None] == np.repeat(np.arange(100), 5)
    both = one.known[:, None] & one.known[None, :]
    assert one.known.mean() > 0.98  # the edges of a few would tell of small groups
    assert cosine[same & both].min() > 0.99
    assert np.abs(cosine[~same]).max() < 0.01


def test_a_shop_without_edges_has_no_vectors():
    found = BehaviourVectors(dim=3).fit(packed([[0], [1, 2]], 3), RUN)
    assert found.vectors.shape == (3, 3)
    assert not found.known.any()
    with pytest.raises(RequestError, match="dim 0"):
        BehaviourVectors(dim=0)
