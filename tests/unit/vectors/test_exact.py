"""Exact search is what comparing all pairs by hand gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.vectors import nearest
from basketry.vectors.exact import close_pairs, nearest_allowed, sort_keys, unpack
from basketry.vectors.unit import checked_unit

# Four points in the plane at 0, ~53.13, 90 and 180 degrees: cosines 0.6, 0.8, 0, -0.6, -1 exactly.
PLANE = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)


def on_a_lattice(rows: list[tuple[int, ...]]) -> np.ndarray:
    """Unit vectors from small whole numbers, so that many cosines tie."""
    vectors = np.array(rows, dtype=np.float32).reshape(len(rows), -1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


LATTICE = st.lists(st.tuples(*[st.integers(-1, 1)] * 3).filter(any), min_size=1, max_size=60).map(on_a_lattice)


def by_hand(vectors: np.ndarray, query: np.ndarray, k: int, allowed: np.ndarray) -> list[tuple[float, int]]:
    scored = [(-round(float(vectors[row].astype(float) @ query), 5), row) for row in np.flatnonzero(allowed)]
    return [(-minus, row) for minus, row in sorted(scored)[:k]]


def test_nearest_rows_of_a_query() -> None:
    rows, cosine = nearest(PLANE, np.array([[0.8, 0.6], [0, -1]], dtype=np.float32), k=3)
    assert rows.tolist() == [[1, 0, 2], [0, 3, 1]]
    assert np.allclose(cosine, [[0.96, 0.8, 0.6], [0, 0, -0.8]], atol=1e-5)
    assert nearest(PLANE, PLANE[:1], k=99)[0].shape == (1, 4)
    assert nearest(PLANE, PLANE[:0], k=2)[0].shape == (0, 2)
    assert nearest(PLANE[:0], PLANE, k=2)[0].shape == (4, 0)


@given(LATTICE, LATTICE, st.integers(1, 12), st.data())
def test_it_is_what_comparing_by_hand_gives(vectors, queries, k, data) -> None:
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(vectors), max_size=len(vectors))))
    rows, cosine = nearest_allowed(vectors, queries, k, allowed)
    assert rows.shape == (len(queries), min(k, allowed.sum()))
    for i, query in enumerate(queries):
        wanted = by_hand(vectors, query, k, allowed)
        assert rows[i].tolist() == [row for _, row in wanted]
        assert np.allclose(cosine[i], [score for score, _ in wanted], atol=1e-6)


def test_blocks_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    vectors = checked_unit((v := random.normal(size=(700, 8))) / np.linalg.norm(v, axis=1, keepdims=True))
    whole = nearest(vectors, vectors, 5)
    monkeypatch.setattr("basketry.vectors.exact._CELLS", 700 * 3)
    assert np.array_equal(nearest(vectors, vectors, 5)[0], whole[0])
    pairs = [np.concatenate(part) for part in zip(*close_pairs(vectors, vectors, 5), strict=True)]
    assert set(zip(*(each.ravel().tolist() for each in (np.repeat(np.arange(700), 5), whole[0])), strict=True)) <= set(
        zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)
    )


@given(st.lists(st.tuples(st.integers(-1, 2**40), st.integers(-100_000, 100_000)), min_size=1, max_size=20))
def test_a_sort_key_holds_row_and_cosine_and_sorts_the_best_first(pairs) -> None:
    rows, cosine = (np.array(each) for each in zip(*pairs, strict=True))
    keys = np.sort(sort_keys(rows, (cosine / 1e5).astype(np.float32)))
    back, near = unpack(keys)
    found = [(row, score) for row, score in zip(back.tolist(), near.tolist(), strict=True) if row >= 0]
    wanted = sorted((-score, row) for row, score in pairs if row >= 0)
    assert [row for row, _ in found] == [row for _, row in wanted]
    assert np.allclose([score for _, score in found], [-score / 1e5 for score, _ in wanted])
    assert (back[len(found) :] == -1).all() and np.isneginf(near[len(found) :]).all()


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ([[1.0, 1.0]], "vector 0 has norm 1.4142"),
        ([[1.0, 0.0], [np.nan, 0.0]], "vector 1 has norm nan"),
        ([[0.0, 0.0]], "vector 0 has norm 0.0000"),
        ([[np.inf, 0.0]], "vector 0 has norm inf"),
        ([1.0, 0.0], r"vectors of shape \(2,\)"),
        (np.empty((3, 0)), r"vectors of shape \(3, 0\)"),
    ],
)
def test_what_is_no_unit_vector_is_refused(vectors, reason) -> None:
    with pytest.raises(RequestError, match=reason):
        checked_unit(vectors)
    assert checked_unit(PLANE) is PLANE
    with pytest.raises(RequestError, match="2 dimensions, where 3 are held"):
        checked_unit(PLANE, dim=3)
