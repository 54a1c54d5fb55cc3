"""Codes are what they say: the nearest words, searched as if decoded, with the error that decoding shows."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.vectors import ProductQuantisation, ScalarQuantisation, nearest
from basketry.vectors.quantisation import CompressedVectors, Int8Vectors, ProductCodes

RUN = Run(threads=1)


def unit(n: int, dim: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    drawn[:, : dim // 2] *= 3  # unevenly spread, as embeddings are
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


VECTORS = unit(1_200, 12)
WAYS = {
    "int8": lambda vectors: ScalarQuantisation().fit(vectors),
    "product": lambda vectors: ProductQuantisation(width=4).fit(vectors, RUN),
    "padded": lambda vectors: ProductQuantisation(width=5).fit(vectors, RUN),
    "rotated": lambda vectors: ProductQuantisation(width=4, rotate=True).fit(vectors, RUN),
}


@pytest.fixture(scope="module", params=WAYS)
def coded(request) -> CompressedVectors:
    return WAYS[request.param](VECTORS)


def test_int8_by_hand() -> None:
    vectors = np.array([[0.6, 0.8], [-1, 0], [0.8, -0.6]], dtype=np.float32)
    coded = ScalarQuantisation().fit(vectors)
    assert np.allclose(coded.scale, [1 / 127, 0.8 / 127])
    assert coded.codes.tolist() == [[76, 127], [-127, 0], [102, -95]]
    assert coded.bytes == 3 * 2 + 2 * 4
    assert coded.reconstruction.squared_error == pytest.approx(
        ((76 / 127 - 0.6) ** 2 + (102 / 127 - 0.8) ** 2 + (0.8 * 95 / 127 - 0.6) ** 2) / 3, rel=1e-3
    )


def test_few_points_are_words_themselves() -> None:
    """No more distinct parts than words: nothing is lost."""
    vectors = unit(40, 8)
    coded = ProductQuantisation(width=4).fit(vectors, RUN)
    assert coded.codes.shape == (40, 2) and coded.words.shape == (2, 256, 4)
    assert np.allclose(coded.decoded(), vectors, atol=1e-5)
    assert coded.reconstruction.squared_error < 1e-9 and coded.reconstruction.cosine == pytest.approx(1)


def test_a_code_is_the_nearest_word_of_its_part() -> None:
    coded = ProductQuantisation(width=4).fit(VECTORS, RUN)
    parts = VECTORS.reshape(len(VECTORS), 3, 4)
    for part in range(3):
        distance = ((parts[:, None, part] - coded.words[part][None]) ** 2).sum(axis=2)
        chosen = distance[np.arange(len(VECTORS)), coded.codes[:, part]]
        assert np.allclose(chosen, distance.min(axis=1), atol=1e-5)


def test_the_error_told_is_that_of_decoding(coded) -> None:
    back = coded.decoded()
    told = coded.reconstruction
    assert told.squared_error == pytest.approx(float(((VECTORS - back) ** 2).sum(axis=1).mean()), rel=1e-3)
    cosine = (VECTORS * back).sum(axis=1) / np.linalg.norm(back, axis=1)
    assert told.cosine == pytest.approx(float(cosine.mean()), rel=1e-4)
    assert 0.8 < told.cosine <= 1
    assert np.allclose(coded.decoded(np.array([3, 1])), back[[3, 1]])


def test_it_is_searched_as_if_decoded(coded) -> None:
    queries = unit(40, 12, seed=1)
    product = queries.astype(np.float64) @ coded.decoded().T
    found = coded.search(queries, 10)
    assert found.ids.shape == (40, 10)
    best = -np.sort(-product, axis=1)[:, :10]
    assert np.allclose(np.take_along_axis(product, found.ids, axis=1), best, atol=3e-5)
    assert np.allclose(found.cosine, np.clip(best, -1, 1), atol=3e-5)
    assert coded.search(queries, 5_000).ids.shape == (40, 1_200)


def test_its_arrays_are_all_of_it_and_fewer_bytes(coded) -> None:
    kind = Int8Vectors if isinstance(coded, Int8Vectors) else ProductCodes
    back = kind.from_state(coded.state())
    queries = unit(20, 12, seed=2)
    assert np.array_equal(back.search(queries, 5).ids, coded.search(queries, 5).ids)
    assert back.reconstruction == coded.reconstruction and back.bytes == coded.bytes < VECTORS.nbytes


def test_more_bytes_or_a_rotation_lose_less() -> None:
    vectors = unit(3_000, 32)
    by_two, by_eight = (ProductQuantisation(width).fit(vectors, RUN).reconstruction for width in (2, 8))
    turned = ProductQuantisation(8, rotate=True).fit(vectors, RUN).reconstruction
    assert by_two.squared_error < by_eight.squared_error
    assert turned.squared_error < by_eight.squared_error


def test_the_same_seed_gives_the_same_codes() -> None:
    one, two, other = (
        ProductQuantisation(width=4, rotate=rotate).fit(VECTORS, Run(seed=seed)).codes
        for seed, rotate in ((1, False), (1, False), (2, False))
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_equal_vectors_stand_by_row() -> None:
    vectors = np.repeat(unit(30, 8), 4, axis=0)
    for coded in (way(vectors) for way in WAYS.values()):
        found = coded.search(vectors[::4], 4)
        assert np.mean(found.ids == np.arange(120).reshape(30, 4)) > 0.9
        assert (np.diff(found.ids, axis=1)[np.diff(found.cosine, axis=1) == 0] > 0).all()


def test_what_cannot_be_coded_is_refused() -> None:
    with pytest.raises(RequestError, match="no vectors to learn"):
        ProductQuantisation().fit(VECTORS[:0], RUN)
    with pytest.raises(RequestError, match="width is 0"):
        ProductQuantisation(width=0)
    with pytest.raises(RequestError, match=r"norm 2\.0000"):
        ScalarQuantisation().fit(VECTORS * 2)
    assert ScalarQuantisation().fit(VECTORS[:0]).search(VECTORS[:3], 4).ids.shape == (3, 0)
    assert nearest(VECTORS, VECTORS[:1], 1)[0].tolist() == [[0]]
