from __future__ import annotations

import math

import numpy as np
import pytest

from basketry.associations.clusters import METHODS, Grouping, Groups, telling_words
from basketry.core.errors import RequestError
from basketry.core.protocols import Run

RUN = Run(seed=0)
KINDS = ("milk", "bread", "shampoo")


def _world(each: int, noise: float = 0.05, seed: int = 1) -> tuple[np.ndarray, list[str]]:
    """Three kinds of product in three directions; the first kind has the most."""
    random = np.random.default_rng(seed)
    rows, texts = [], []
    for number, kind in enumerate(KINDS):
        for item in range(each + 4 - 2 * number):
            rows.append(np.eye(8)[number] + noise * random.normal(size=8))
            texts.append(f"{kind} item {item}")
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), texts


@pytest.mark.parametrize("method", METHODS)
def test_three_kinds_are_three_groups_with_their_words(method: str) -> None:
    vectors, texts = _world(20)
    groups = Grouping(method, groups=3).fit(vectors, texts, np.arange(len(texts), dtype=np.int32), RUN)  # type: ignore[arg-type]
    assert groups.cluster.tolist() == [0] * 24 + [1] * 22 + [2] * 20
    assert [words.split(", ")[0] for words in groups.words] == list(KINDS)
    assert groups.silhouette > 0.7 > 0.1 > groups.silhouette_shuffled


@pytest.mark.parametrize("method", METHODS)
def test_products_follow_their_text_and_those_without_are_left_out(method: str) -> None:
    vectors, texts = _world(3)
    document = np.array([0, -1, 0, len(texts) - 1, 0], dtype=np.int32)
    groups = Grouping(method, groups=2).fit(vectors, texts, document, RUN)  # type: ignore[arg-type]
    assert groups.product.tolist() == [0, 2, 3, 4]
    assert groups.cluster.tolist() == [0, 0, 1, 0] or groups.cluster.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_documents_does_not_matter(method: str) -> None:
    vectors, texts = _world(30, noise=0.6)
    rows = np.random.default_rng(2).permutation(len(texts))
    document = np.arange(len(texts), dtype=np.int32)
    before = Grouping(method).fit(vectors, texts, document, RUN)  # type: ignore[arg-type]
    after = Grouping(method).fit(vectors[rows], [texts[row] for row in rows], document, RUN)  # type: ignore[arg-type]
    assert np.array_equal(after.cluster, before.cluster[rows])
    assert after.words == before.words


def test_the_number_of_groups_grows_with_the_root_of_the_documents() -> None:
    for documents, expected in ((2, 2), (8, 2), (200, 10), (1_000, 22)):
        vectors = np.random.default_rng(3).normal(size=(documents, 4)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        texts = [f"text {number}" for number in range(documents)]
        groups = Grouping("hierarchical").fit(vectors, texts, np.arange(documents, dtype=np.int32), RUN)
        assert len(groups.words) == expected
        assert np.bincount(groups.cluster).tolist() == sorted(np.bincount(groups.cluster), reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_there_are_never_more_groups_than_distinct_vectors(method: str) -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    texts = [f"{'abc'[row // 4]}{'wxyz'[row % 4]}" for row in range(12)]
    groups = Grouping(method, groups=9).fit(vectors, texts, np.arange(12, dtype=np.int32), RUN)  # type: ignore[arg-type]
    assert len(groups.words) == 3
    alone = Grouping(method).fit(vectors[:1], texts[:1], np.zeros(5, dtype=np.int32), RUN)  # type: ignore[arg-type]
    assert (alone.cluster.tolist(), alone.words) == ([0] * 5, ("aw",))
    assert math.isnan(alone.silhouette)


def test_without_products_there_are_no_groups() -> None:
    groups = Grouping().fit(np.eye(2, dtype=np.float32), ["a", "b"], np.array([-1], dtype=np.int32), RUN)
    assert (len(groups.product), groups.words) == (0, ())
    again = Groups.from_state(groups.state())
    assert (len(again.product), again.words) == (0, ())


def test_words_by_hand() -> None:
    texts = ["whole milk", "skimmed milk", "white bread", "bread rolls"]
    # group 0 counts milk 2, whole 1, skimmed 1; the mean group has 4 words
    # milk: 2/4 ln(1 + 4/2) = .549, whole: 1/4 ln(1 + 4/1) = .402
    assert telling_words(texts, np.array([0, 0, 1, 1], dtype=np.int32)) == ("milk, skimmed, whole", "bread, rolls, white")


def test_a_word_everyone_has_tells_little() -> None:
    texts = ["fresh milk", "fresh milk", "fresh bread", "fresh bread"]
    assert telling_words(texts, np.array([0, 0, 1, 1], dtype=np.int32)) == ("milk, fresh", "bread, fresh")


def test_chinese_words_are_pairs_of_characters() -> None:
    texts = ["全脂牛奶 1L", "脱脂牛奶", "狗粮15kg", "糖"]
    words = telling_words(texts, np.array([0, 0, 1, 2], dtype=np.int32))
    assert words[0].startswith("牛奶, 脂牛")
    assert words[1:] == ("kg, 狗粮", "糖")


def test_a_text_without_words_stands_for_itself() -> None:
    assert telling_words(["12 34", "7"], np.array([0, 1], dtype=np.int32)) == ("12 34", "7")


def test_it_comes_back_from_its_arrays() -> None:
    vectors, texts = _world(5)
    groups = Grouping(groups=3).fit(vectors, texts, np.arange(len(texts), dtype=np.int32), RUN)
    again = Groups.from_state(groups.state())
    assert np.array_equal(again.cluster, groups.cluster)
    assert (again.method, again.words, again.silhouette) == (groups.method, groups.words, groups.silhouette)


def test_a_large_catalogue_goes_through_centroids() -> None:
    vectors, texts = _world(1_100)
    groups = Grouping("hierarchical", groups=3).fit(vectors, texts, np.arange(len(texts), dtype=np.int32), RUN)
    assert groups.cluster.tolist() == [0] * 1_104 + [1] * 1_102 + [2] * 1_100


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(RequestError, match="no clustering is called"):
        Grouping("dbscan")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="0 groups"):
        Grouping(groups=0)
    with pytest.raises(RequestError, match="2 vectors for 1 texts"):
        Grouping().fit(np.eye(2, dtype=np.float32), ["a"], np.zeros(1, dtype=np.int32), RUN)
