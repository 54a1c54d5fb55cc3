from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels.ranking import Rows, Seen, rank_dense, rank_sparse, score_sparse

N = 6
histories = st.lists(st.lists(st.integers(0, N - 1), max_size=5), max_size=5)
scores = st.integers(-4, 8).map(lambda eighths: eighths / 8)


def seen_of(rows, allowed=None, repeats=False):
    indptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    return Seen(indptr, np.array([item for row in rows for item in row], dtype=np.int32), N, allowed, repeats)


def by_hand(score, seen, query, k):
    """What is ranked, by sorting everything."""
    own = set(seen.items[seen.indptr[query] : seen.indptr[query + 1]].tolist())
    allowed = (
        np.ones(N, dtype=bool) if seen.allowed is None else np.broadcast_to(seen.allowed, (len(seen.indptr) - 1, N))[query]
    )
    may = [j for j in score if allowed[j] and (seen.repeats or j not in own)]
    best = sorted(may, key=lambda j: (-score[j], j))[:k]
    return best + [-1] * (k - len(best)), [score[j] for j in best] + [0.0] * (k - len(best))


def forbidding(draw, rows):
    shape = draw(st.sampled_from([None, (N,), (len(rows), N)]))
    if shape is None:
        return None
    flat = draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat, dtype=np.bool_).reshape(shape)


@given(st.data(), histories, st.integers(1, N + 2), st.booleans())
def test_dense_equals_a_sort(data, rows, k, repeats):
    seen = seen_of(rows, forbidding(data.draw, rows), repeats)
    wanted = st.one_of(scores, st.sampled_from([float("nan"), float("-inf"), float("inf")]))
    flat = data.draw(st.lists(wanted, min_size=len(rows) * N, max_size=len(rows) * N))
    dense = np.array(flat, dtype=np.float32).reshape(len(rows), N)
    products, found = rank_dense(dense, seen, k)
    for query, row in enumerate(dense.tolist()):
        score = {j: value for j, value in enumerate(row) if value > float("-inf")}
        assert (products[query].tolist(), found[query].tolist()) == by_hand(score, seen, query, k)


@given(st.data(), histories, st.integers(1, N + 2), st.booleans())
def test_sparse_equals_a_sum_by_hand(data, rows, k, repeats):
    seen = seen_of(rows, forbidding(data.draw, rows), repeats)
    cells = data.draw(st.dictionaries(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), st.integers(1, 8)))
    weights = np.array(data.draw(st.lists(scores, min_size=len(seen.items), max_size=len(seen.items))), dtype=np.float64)
    keys = sorted(cells)
    indptr = np.searchsorted([i for i, _ in keys], np.arange(N + 1)).astype(np.int64)
    others = np.array([j for _, j in keys], dtype=np.int32)
    matrix = Rows(indptr, others, np.array([cells[key] / 4 for key in keys], dtype=np.float32))
    products, found = rank_sparse(matrix, weights, seen, k)
    dense = score_sparse(matrix, weights, seen)
    for query in range(len(rows)):
        score = dict.fromkeys(range(N), 0.0)
        for event in range(seen.indptr[query], seen.indptr[query + 1]):
            for (i, j), cell in cells.items():
                if i == seen.items[event] and weights[event] > 0:
                    score[j] += weights[event] * cell / 4  # eighths times quarters add up exactly
        assert dense[query].tolist() == [score[j] for j in range(N)]
        score = {j: value for j, value in score.items() if value > 0}
        assert (products[query].tolist(), found[query].tolist()) == by_hand(score, seen, query, k)


def test_many_queries_over_many_products():
    draw = np.random.default_rng(0)
    dense = draw.random((2_500, 300), dtype=np.float32)
    seen = Seen(np.zeros(2_501, dtype=np.int64), np.empty(0, dtype=np.int32), 300)
    products, found = rank_dense(dense, seen, 20)
    assert np.array_equal(products, np.argsort(-dense, axis=1, kind="stable")[:, :20])
    assert np.array_equal(found, -np.sort(-dense, axis=1)[:, :20].astype(np.float64))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda: Rows(np.array([0, 1]), np.array([1], dtype=np.int32), np.ones(1, dtype=np.float32)), "outside"),
        (lambda: Rows(np.array([0, 1]), np.array([0], dtype=np.int32), np.zeros(1, dtype=np.float32)), "above 0"),
        (lambda: Rows(np.array([0, 1]), np.array([0], dtype=np.int32), np.full(1, np.nan, dtype=np.float32)), "finite"),
        (lambda: Rows(np.array([0, 1]), np.array([0], dtype=np.int64), np.ones(1, dtype=np.float32)), "int32"),
        (lambda: Rows(np.array([0, 2]), np.array([0], dtype=np.int32), np.ones(1, dtype=np.float32)), "indptr"),
        (lambda: seen_of([[0]], np.ones((2, N), dtype=np.bool_)), "allowed"),
        (lambda: seen_of([[N]]), "outside"),
        (lambda: rank_dense(np.zeros((1, N)), seen_of([[0]]), 1), "float32"),
        (lambda: rank_dense(np.zeros((1, N), dtype=np.float32), seen_of([[0]]), 0), "k is 0"),
    ],
)
def test_arrays_that_break_the_rules_are_refused(broken, says):
    with pytest.raises(ValueError, match=says):
        broken()
