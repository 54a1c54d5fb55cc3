"""Golden numbers of the item models, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.ease import Ease
from basketry.recommendation.item_graph import in_blocks, rows_of
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.recency import Recency
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.transitions import Transitions

ALIKE = Recency()


def matrix(model):
    dense = np.zeros((model.n_products, model.n_products))
    for i in range(model.n_products):
        row = slice(model.rows.indptr[i], model.rows.indptr[i + 1])
        dense[i, model.rows.others[row]] = model.rows.values[row]
    return dense


def asked(histories, day):
    return Queries(histories, np.full(len(histories), day, dtype=np.int32))


def test_transitions_weigh_by_distance_and_damp_by_what_leaves():
    # 0 1 2 and 0 2: T[0,1] = 1, T[0,2] = 1/2 + 1, T[1,2] = 1
    histories = Histories.from_rows([[0, 1, 2], [0, 2]], 3)
    one_hop = matrix(Transitions(damping=1, hop=0).fit(histories, Run()))
    assert np.allclose(one_hop, [[0, 0.4, 0.6], [0, 0, 1], [0, 0, 0]])
    damped = matrix(Transitions(damping=0.5, hop=0).fit(histories, Run()))
    assert np.allclose(damped[0], [0, 1 / 2.5**0.5, 1.5 / 2.5**0.5])
    # P P[0,2] = .4 * 1
    two_hops = matrix(Transitions(damping=1, hop=0.5).fit(histories, Run()))
    assert np.allclose(two_hops, [[0, 0.4, 0.6 + 0.5 * 0.4], [0, 0, 1], [0, 0, 0]])


def test_transitions_of_one_visit_have_no_order():
    # {0, 1} then {2}: 0 and 1 lead to 2 and not to each other
    histories = Histories(np.array([0, 3]), *(np.array(x, dtype=np.int32) for x in ([0, 1, 2], [0, 0, 3], [0, 0, 1])), 3)
    assert np.allclose(matrix(Transitions(damping=1, hop=0).fit(histories, Run())), [[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def test_transitions_end_at_the_window_and_at_the_customer():
    histories = Histories.from_rows([[0, 1, 2], [3]], 4)
    found = matrix(Transitions(window=1, damping=0, hop=0).fit(histories, Run()))
    assert np.argwhere(found).tolist() == [[0, 1], [1, 2]]


def test_nothing_follows_itself_unless_asked():
    histories = Histories.from_rows([[0, 0, 1]], 2)
    assert matrix(Transitions(damping=0, hop=0).fit(histories, Run()))[0, 0] == 0
    assert matrix(Transitions(damping=0, hop=0, repeats=True).fit(histories, Run()))[0, 0] == 1


def test_neighbours_are_cosines_of_customers_or_of_visits():
    histories = Histories(
        np.array([0, 3, 5]), *(np.array(x, dtype=np.int32) for x in ([0, 1, 0, 0, 2], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0])), 3
    )
    customers = matrix(ItemNeighbours(recency=ALIKE).fit(histories, Run()))  # n = 2, 1, 1
    assert np.allclose(customers, [[0, 2**-0.5, 2**-0.5], [2**-0.5, 0, 0], [2**-0.5, 0, 0]])
    visits = matrix(ItemNeighbours(unit="visit", recency=ALIKE).fit(histories, Run()))  # n = 3, 1, 1
    assert np.allclose(visits[0], [0, 3**-0.5, 3**-0.5])
    shrunk = matrix(ItemNeighbours(shrink=1, recency=ALIKE).fit(histories, Run()))
    assert np.allclose(shrunk[0], [0, 1 / (2**0.5 + 1), 1 / (2**0.5 + 1)])
    nearest = matrix(ItemNeighbours(neighbours=1, recency=ALIKE).fit(histories, Run()))
    assert np.count_nonzero(nearest[0]) == 1
    assert nearest[0, 1] > 0  # equals go by the smaller code


def test_ease_is_the_least_squares_solution():
    rows = [[0, 1], [0, 1, 2], [2, 3], [1, 2], [3]]
    histories = Histories.from_rows(rows, 4)
    model = Ease(reg=0.7).fit(histories, Run())
    x = np.zeros((5, 4))
    for i, row in enumerate(rows):
        x[i, row] = 1
    for j in range(4):  # each column on its own: ridge regression of product j on the others
        others = [i for i in range(4) if i != j]
        gram = x[:, others].T @ x[:, others] + 0.7 * np.eye(3)
        assert np.allclose(model.weights[others, j], np.linalg.solve(gram, x[:, others].T @ x[:, j]), atol=1e-6)
    assert (np.diag(model.weights) == 0).all()


def test_ease_of_the_most_bought_never_ranks_the_others():
    histories = Histories.from_rows([[0, 1], [0, 1], [0, 2]], 3)
    model = Ease(reg=1, products=2).fit(histories, Run())
    assert model.kept.tolist() == [0, 1]
    ranked = model.rank(asked(histories, 5), 3, Candidates(repeats=True))
    assert 2 not in ranked.products
    with pytest.raises(DataError):
        Ease().fit(Histories.from_rows([[0], [0]], 3), Run())


def test_ease_of_more_products_than_a_block_is_symmetric_underneath():
    draw = np.random.default_rng(0)
    histories = Histories.from_rows([draw.choice(700, 9, replace=False).tolist() for _ in range(900)], 700)
    model = Ease(reg=50).fit(histories, Run())
    x = np.zeros((900, 700))
    x[histories.rows, histories.products] = 1
    inverse = np.linalg.inv(x.T @ x + 50 * np.eye(700))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0)
    assert np.allclose(model.weights, wanted, atol=1e-5)


def test_recency_counts_visits_and_days():
    histories = Histories(
        np.array([0, 4, 5]),
        *(np.array(x, dtype=np.int32) for x in ([0, 1, 2, 0, 1], [0, 0, 10, 16, 16], [3, 3, 5, 9, 0])),
        3,
    )
    queries = asked(histories, 16)
    assert ALIKE.weights(queries).tolist() == [1, 1, 1, 1, 1]
    assert Recency(decay=0.5).weights(queries).tolist() == [0.25, 0.25, 0.5, 1, 1]
    assert Recency(window=2).weights(queries).tolist() == [0, 0, 1, 1, 1]
    assert np.allclose(Recency(half_life_days=6).weights(queries), [2 ** (-16 / 6), 2 ** (-16 / 6), 0.5, 1, 1])


def test_popularity_counts_visits_of_all_time_or_of_the_last_days():
    histories = Histories(
        np.array([0, 4, 5]),
        *(np.array(x, dtype=np.int32) for x in ([0, 0, 0, 1, 1], [0, 0, 5, 16, 15], [0, 0, 1, 2, 0])),
        3,
    )
    assert Popularity().fit(histories, Run()).counts.tolist() == [2, 2, 0]
    assert Popularity(window_days=1).fit(histories, Run()).counts.tolist() == [0, 1, 0]
    assert Popularity(window_days=2).fit(histories, Run()).counts.tolist() == [0, 2, 0]
    ranked = Popularity().fit(histories, Run()).rank(asked(histories, 20), 3, Candidates(repeats=True))
    assert ranked.products[0].tolist() == [0, 1, -1]


def test_reorder_is_the_weighted_frequency():
    histories = Histories.from_rows([[0, 1, 0, 2, 0, 1]], 4)
    ranked = Reorder(ALIKE).fit(histories, Run()).rank(asked(histories, 6), 4, Candidates(repeats=True))
    assert ranked.products[0].tolist() == [0, 1, 2, -1]
    assert ranked.scores[0].tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(
    "estimator",
    [
        Transitions(window=0),
        Transitions(damping=1.5),
        ItemNeighbours(neighbours=0),
        ItemNeighbours(unit="basket"),
        Ease(reg=0),
        Popularity(window_days=-1),
    ],
)
def test_hyperparameters_out_of_range_are_refused(estimator):
    with pytest.raises(RequestError):
        estimator.fit(Histories.from_rows([[0, 1]], 2), Run())


def test_recency_out_of_range_is_refused():
    for broken in ({"decay": 0}, {"decay": 1.1}, {"half_life_days": 0}, {"window": 0}):
        with pytest.raises(RequestError):
            Recency(**broken)


@given(st.data(), st.integers(1, 6))
def test_of_each_row_the_largest_are_kept(data, most):
    cells = data.draw(st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(-2, 4), max_size=25))
    at = tuple(np.array([key[side] for key in cells], dtype=np.int64) for side in (0, 1))
    matrix = csr_array((np.array(list(cells.values()), dtype=np.float64) / 4, at), shape=(5, 5))
    rows = rows_of(matrix, most)
    again = in_blocks(5, lambda first, last: matrix[first:last], most, size=2)
    for row in range(5):
        own = [(-value, column) for (of, column), value in cells.items() if of == row and value > 0]
        wanted = sorted((column, -value / 4) for value, column in sorted(own)[:most])
        for found in (rows, again):
            span = slice(found.indptr[row], found.indptr[row + 1])
            assert list(zip(found.others[span].tolist(), found.values[span].tolist(), strict=True)) == wanted


def test_of_many_long_rows_the_largest_are_kept():
    dense = np.random.default_rng(0).integers(1, 50, (2_500, 300)).astype(np.float32)
    square = np.zeros((2_500, 2_500), dtype=np.float32)
    square[:, 1_000:1_300] = dense
    rows = rows_of(csr_array(square), 20)
    assert (np.diff(rows.indptr) == 20).all()
    best = np.sort(np.argsort(-dense, axis=1, kind="stable")[:, :20], axis=1) + 1_000
    assert np.array_equal(rows.others.reshape(2_500, 20), best)
