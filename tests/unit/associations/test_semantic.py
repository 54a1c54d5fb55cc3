from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.semantic import Similar, SimilarPairs
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.vectors import VectorIndexing

RUN = Run()

# Four texts in the plane at 0, ~53.13, 90 and 180 degrees: cosines 0.6, 0.8, 0, -0.6, -1 exactly.
PLANE = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)


def _unit(rows: int, dim: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _edges(pairs: SimilarPairs) -> list[tuple[int, int, float]]:
    return [(int(a), int(b), round(float(s), 4)) for a, b, s in zip(pairs.a, pairs.b, pairs.similarity, strict=True)]


def _by_hand(
    vectors: np.ndarray, document: np.ndarray, k: int, theta: float, popularity: np.ndarray
) -> list[tuple[int, int, float]]:
    """Every product against every other, one at a time."""
    edges = []
    for a in range(len(document)):
        found = []
        for b in range(len(document)):
            if a == b or document[a] < 0 or document[b] < 0:
                continue
            same = document[a] == document[b]
            score = 1.0 if same else round(float(vectors[document[a]].astype(float) @ vectors[document[b]]), 5)
            if score >= theta:
                found.append((-score, -int(popularity[b]), b))
        edges += [(a, b, round(-score, 4)) for score, _, b in sorted(found)[:k]]
    return edges


def test_a_world_of_four_texts() -> None:
    pairs = Similar(k=2).fit(PLANE, np.arange(4, dtype=np.int32), RUN)
    assert _edges(pairs) == [(0, 1, 0.6), (0, 2, 0.0), (1, 2, 0.8), (1, 0, 0.6), (2, 1, 0.8), (2, 0, 0.0), (3, 2, 0.0)]
    assert pairs.recall == 1


def test_the_threshold_takes_what_reaches_it() -> None:
    pairs = Similar(k=10, theta=0.6).fit(PLANE, np.arange(4, dtype=np.int32), RUN)
    assert _edges(pairs) == [(0, 1, 0.6), (1, 2, 0.8), (1, 0, 0.6), (2, 1, 0.8)]
    everything = Similar(k=10, theta=-1).fit(PLANE, np.arange(4, dtype=np.int32), RUN)
    assert len(everything.a) == 12


def test_euclidean_is_the_same_order_on_another_scale() -> None:
    pairs = Similar(k=1, metric="euclidean").fit(PLANE, np.arange(4, dtype=np.int32), RUN)
    distance = np.linalg.norm(PLANE[1] - PLANE[2])
    assert _edges(pairs)[1] == (1, 2, round(float(1 / (1 + distance)), 4))
    assert _edges(pairs)[3] == (3, 2, round(float(1 / (1 + np.sqrt(2))), 4))


def test_weights_change_who_is_near() -> None:
    documents = np.arange(4, dtype=np.int32)
    pairs = Similar(k=1, metric="weighted", theta=-1).fit(PLANE, documents, RUN, weights=np.array([1, 0], dtype=np.float32))
    assert _edges(pairs)[:2] == [(0, 1, 1.0), (1, 0, 1.0)]  # on the first axis alone they are the same
    even = Similar(k=2, metric="weighted").fit(PLANE, documents, RUN, weights=np.ones(2, dtype=np.float32))
    assert _edges(even) == _edges(Similar(k=2).fit(PLANE, documents, RUN))


def test_products_of_one_text_are_alike_and_the_popular_comes_first() -> None:
    document = np.array([0, 0, 1, 0, -1, 1], dtype=np.int32)
    popularity = np.array([5, 7, 1, 7, 99, 2])
    pairs = Similar(k=3).fit(PLANE, document, RUN, popularity=popularity)
    assert _edges(pairs) == [
        *[(0, 1, 1.0), (0, 3, 1.0), (0, 5, 0.6)],
        *[(1, 3, 1.0), (1, 0, 1.0), (1, 5, 0.6)],
        *[(2, 5, 1.0), (2, 1, 0.6), (2, 3, 0.6)],
        *[(3, 1, 1.0), (3, 0, 1.0), (3, 5, 0.6)],
        *[(5, 2, 1.0), (5, 1, 0.6), (5, 3, 0.6)],
    ]


def test_of_many_products_of_one_text_the_popular_are_the_neighbours() -> None:
    document = np.array([0, 0, 0, 0, 0, 1], dtype=np.int32)
    pairs = Similar(k=2).fit(PLANE, document, RUN, popularity=np.array([1, 8, 2, 9, 3, 0]))
    assert _edges(pairs)[:2] == [(0, 3, 1.0), (0, 1, 1.0)]
    assert _edges(pairs)[-2:] == [(5, 3, 0.6), (5, 1, 0.6)]


def test_without_products_or_texts_there_are_no_edges() -> None:
    for document in ([], [-1, -1], [2]):
        assert _edges(Similar().fit(PLANE, np.array(document, dtype=np.int32), RUN)) == []
    assert _edges(Similar().fit(np.empty((0, 2), dtype=np.float32), np.array([-1], dtype=np.int32), RUN)) == []


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 30), st.integers(1, 8), st.sampled_from([-1.0, 0.0, 0.5]))
def test_it_is_what_comparing_all_pairs_by_hand_gives(data: st.DataObject, documents: int, k: int, theta: float) -> None:
    # Coordinates in {-1, 0, 1} give many exact ties.
    rows = data.draw(st.lists(st.tuples(*[st.integers(-1, 1)] * 4).filter(any), min_size=documents, max_size=documents))
    vectors = np.array(rows, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    document = np.array(data.draw(st.lists(st.integers(-1, documents - 1), max_size=40)), dtype=np.int32)
    popularity = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(document), max_size=len(document))), dtype=np.int64
    )
    pairs = Similar(k=k, theta=theta).fit(vectors, document, RUN, popularity=popularity)
    assert _edges(pairs) == _by_hand(vectors, document, k, theta, popularity)


def test_blocks_and_group_bounds_lose_nothing() -> None:
    vectors = _unit(1_500, 16, seed=3)
    cosine = (vectors.astype(np.float64) @ vectors.T).round(5)
    np.fill_diagonal(cosine, -2)
    pairs = Similar(k=7, theta=-1).fit(vectors, np.arange(1_500, dtype=np.int32), RUN)
    best = np.sort(cosine, axis=1)[:, :-8:-1]
    assert np.allclose(pairs.similarity.reshape(1_500, 7), best, atol=2e-5)
    assert np.allclose(cosine[pairs.a, pairs.b], pairs.similarity, atol=2e-5)


def test_the_order_of_documents_and_products_does_not_matter() -> None:
    vectors, random = _unit(300, 12, seed=4), np.random.default_rng(5)
    document = random.integers(-1, 300, size=500).astype(np.int32)
    popularity = random.permutation(500)  # no ties left to the product's code
    before = set(_edges(Similar(k=6).fit(vectors, document, RUN, popularity=popularity)))
    rows, products = random.permutation(300), random.permutation(500)
    moved = np.where(document < 0, -1, np.argsort(rows)[document])[products].astype(np.int32)
    after = Similar(k=6).fit(vectors[rows], moved, RUN, popularity=popularity[products])
    assert {(int(products[a]), int(products[b]), s) for a, b, s in _edges(after)} == before


def test_fewer_neighbours_are_the_first_of_more() -> None:
    vectors, document = _unit(200, 8, seed=6), np.arange(400, dtype=np.int32) % 200
    for k in range(1, 6):
        fewer, more = (Similar(k=size, theta=-1).fit(vectors, document, RUN) for size in (k, k + 1))
        assert np.array_equal(fewer.b.reshape(400, k), more.b.reshape(400, k + 1)[:, :k])


def test_a_higher_threshold_takes_away_and_never_adds() -> None:
    vectors, document = _unit(200, 8, seed=7), np.arange(200, dtype=np.int32)
    loose, tight = (Similar(k=10, theta=theta).fit(vectors, document, RUN) for theta in (0.2, 0.5))
    assert _edges(tight) == [edge for edge in _edges(loose) if edge[2] >= 0.5]


def test_the_approximate_index_finds_nearly_all_and_says_how_many() -> None:
    vectors, document = _unit(5_000, 64, seed=8), np.arange(5_000, dtype=np.int32)
    exact, near = (Similar(theta=-1, approximate_above=above).fit(vectors, document, RUN) for above in (50_000, 1_000))
    found = len(set(zip(near.a, near.b, strict=True)) & set(zip(exact.a, exact.b, strict=True))) / len(exact.a)
    assert found >= 0.95
    assert abs(near.recall - found) < 0.02
    assert exact.recall == 1
    again = Similar(theta=-1, approximate_above=1_000).fit(vectors, document, RUN)
    assert _edges(again) == _edges(near)


def test_the_approximate_index_keeps_products_of_one_text_together() -> None:
    vectors, document = _unit(300, 16, seed=9), (np.arange(900) % 300).astype(np.int32)
    near, exact = (Similar(k=5, approximate_above=above).fit(vectors, document, RUN) for above in (10, 1_000))
    assert _edges(near) == _edges(exact)


def test_it_comes_back_from_its_arrays() -> None:
    pairs = Similar(k=2).fit(PLANE, np.arange(4, dtype=np.int32), RUN)
    again = SimilarPairs.from_state(pairs.state())
    assert (_edges(again), again.recall) == (_edges(pairs), pairs.recall)


@pytest.mark.parametrize(
    ("estimate", "reason"),
    [
        (lambda: Similar(k=0), "k is 0"),
        (lambda: Similar(metric="manhattan"), "no metric is called 'manhattan'"),  # type: ignore[arg-type]
        (lambda: Similar(metric="weighted").fit(PLANE, np.zeros(2, dtype=np.int32), RUN), "without weights"),
        (lambda: Similar().fit(PLANE, np.zeros(2, dtype=np.int32), RUN, weights=PLANE[0]), "with weights"),
        (lambda: Similar().fit(PLANE * 2, np.zeros(2, dtype=np.int32), RUN), "norm 2.0000"),
        (lambda: Similar().fit(PLANE, np.array([4], dtype=np.int32), RUN), "document 4 of 4"),
        (lambda: Similar().fit(PLANE[0], np.array([0], dtype=np.int32), RUN), "of shape"),
    ],
)
def test_what_makes_no_sense_is_refused(estimate: object, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        estimate()  # type: ignore[operator]


def test_an_index_of_other_vectors_is_refused() -> None:
    vectors = _unit(60, 16, seed=3)
    index = VectorIndexing().fit(vectors, RUN)
    others = (
        VectorIndexing().fit(vectors, RUN, ids=np.arange(60) + 1),
        index.without([3]),
        VectorIndexing().fit(_unit(60, 8, seed=3), RUN),
    )
    estimator, products = Similar(k=2, approximate_above=10), np.arange(60, dtype=np.int32)
    assert len(estimator.fit(vectors, products, RUN, index=index).a) == 120
    for other in others:
        with pytest.raises(RequestError, match="give the index of these vectors"):
            estimator.fit(vectors, products, RUN, index=other)
