from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels.ridge import Weighed, solve_ridge

KINDS = (np.float32, np.float64)


def weighed(lengths, n_items, draw):
    indptr = np.cumsum([0, *lengths]).astype(np.int64)
    n = int(indptr[-1])
    return Weighed(indptr, draw.integers(0, n_items, n).astype(np.int32), draw.random(n), n_items)


def check(rows, factors, spectrum, own, kind):
    """Beside the normal equations of each row in float64: off by no more than rounding times their condition."""
    found = solve_ridge(rows, factors, spectrum, own, kind)
    for row in range(len(rows)):
        span = slice(rows.indptr[row], rows.indptr[row + 1])
        y, w = factors[rows.items[span]].astype(np.float64), rows.weights[span]
        normal = (y.T * w) @ y + np.diag(spectrum + own[row])
        wanted = np.linalg.solve(normal, y.T @ w)
        size = np.abs(wanted).max() + (np.abs(y).T @ w).max() / np.abs(normal).max()  # sums may cancel
        off = 100 * np.finfo(kind).eps * np.linalg.cond(normal) * size
        assert np.allclose(found[row], wanted, rtol=0, atol=off), f"row {row}, {np.abs(found[row] - wanted).max()} above {off}"


def test_one_entry_by_hand():
    # w (1 - 2x)^2 + (1 + 3) x^2 with w = 2: x = 2 * 2 / (2 * 4 + 4)
    rows = Weighed(np.array([0, 1, 1]), np.array([0], dtype=np.int32), np.array([2.0]), 1)
    for kind in KINDS:
        found = solve_ridge(rows, np.array([[2]], dtype=np.float32), np.array([1.0]), np.array([3.0, 3.0]), kind)
        assert found.dtype == kind
        assert np.allclose(found, [[1 / 3], [0]])


@pytest.mark.parametrize("kind", KINDS)
@given(
    st.integers(1, 37),
    st.lists(st.one_of(st.integers(0, 12), st.integers(13, 200)), max_size=6),
    st.integers(0, 1_000),
    st.booleans(),
)
def test_every_length_of_row_solves_its_normal_equations(kind, dim, lengths, seed, repeated):
    draw = np.random.default_rng(seed)
    n_items = 2 if repeated else 50
    rows = weighed(lengths, n_items, draw)
    factors = draw.normal(size=(n_items, dim)).astype(np.float32)
    spectrum, own = draw.random(dim), draw.random(len(rows)) + 0.1
    check(rows, factors, spectrum, own, kind)


def test_rows_of_wide_and_of_long_problems():
    draw = np.random.default_rng(0)
    rows = weighed([0, 1, 95, 96, 97, 128, 129, 500], 300, draw)
    factors = draw.normal(size=(300, 128)).astype(np.float32)
    spectrum, own = draw.random(128), np.full(len(rows), 0.5)
    for kind in KINDS:
        check(rows, factors, spectrum, own, kind)


def test_no_rows_at_all():
    none = Weighed(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0), 3)
    assert solve_ridge(none, np.ones((3, 2), dtype=np.float32), np.ones(2), np.empty(0), np.float64).shape == (0, 2)


@pytest.mark.parametrize(
    ("indptr", "items", "weights"),
    [
        ([0, 2], [0], [1.0]),
        ([1, 1], [0], [1.0]),
        ([0, 1], [3], [1.0]),
        ([0, 1], [-1], [1.0]),
        ([0, 1], [0], [-1.0]),
        ([0, 1], [0], [float("nan")]),
        ([0, 1], [0], [1.0, 1.0]),
    ],
)
def test_rows_that_would_leave_their_arrays_are_refused(indptr, items, weights):
    with pytest.raises(ValueError, match=r"must|lies outside"):
        Weighed(np.array(indptr, dtype=np.int64), np.array(items, dtype=np.int32), np.array(weights), 3)


def test_problems_that_do_not_fit_are_refused():
    rows = Weighed(np.array([0, 1], dtype=np.int64), np.array([0], dtype=np.int32), np.ones(1), 2)
    good = np.ones((2, 3), dtype=np.float32)
    for factors, spectrum, own, match in (
        (good[:1], np.ones(3), np.ones(1), "factors"),
        (good.astype(np.float64), np.ones(3), np.ones(1), "factors"),
        (good, np.ones(2), np.ones(1), "spectrum"),
        (good, np.ones(3), np.ones(2), "own"),
        (good, np.zeros(3), np.zeros(1), "more than 0"),
    ):
        with pytest.raises(ValueError, match=match):
            solve_ridge(rows, factors, spectrum, own, np.float64)
