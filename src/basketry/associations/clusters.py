"""Groups of products whose texts mean alike, each with its most telling words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np
from threadpoolctl import threadpool_limits

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.core.telemetry import span

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors

    Labels = npt.NDArray[np.int32]

Method = Literal["kmeans", "hierarchical"]
METHODS: Final[tuple[Method, ...]] = ("kmeans", "hierarchical")
MOST_GROUPS: Final = 200  # where the number is not given: more cannot be looked through
WORDS: Final = 5
_FULL_KMEANS: Final = 50_000  # documents above which k-means works on samples of 4,096 at a time
_WARD: Final = 3_000  # documents that Ward compares with each other: 72 MB
_CENTROIDS: Final = 1_000  # what stands for more documents than that
_PASSES: Final = 20  # over the documents, where k-means works on samples
_SAMPLE: Final = 2_000  # documents in the silhouette
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
_RUNS: Final = re.compile(rf"[{_HAN}]+|[^\W\d_{_HAN}]{{2,}}")


@dataclass(frozen=True)
class Groups:
    """A group for each product with a text. Groups are numbered from 0, those of most documents first.

    `product` int32 [products with a text] and `cluster` int32 aligned with it; `words` names each group. `silhouette` is the
    mean over at most 2,000 documents of (b - a) / max(a, b), a the mean distance to the own group, b to the nearest other
    (Rousseeuw 1987), in [-1, 1]; `silhouette_shuffled` the same with the labels dealt out at random, its baseline. Both are nan
    where there are fewer than two groups or as many groups as documents.
    """

    method: Method
    product: Labels
    cluster: Labels
    words: tuple[str, ...]
    silhouette: float
    silhouette_shuffled: float

    def state(self) -> Arrays:
        """The arrays that hold all of it; words are UTF-8 bytes, one group a line."""
        return {
            "method": np.array([METHODS.index(self.method)], dtype=np.int32),
            "product": self.product,
            "cluster": self.cluster,
            "words": np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8),
            "silhouettes": np.array([self.silhouette, self.silhouette_shuffled]),
        }

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The groups back from their arrays."""
        product, cluster = (np.asarray(state[name], dtype=np.int32) for name in ("product", "cluster"))
        text = np.asarray(state["words"], dtype=np.uint8).tobytes().decode()
        ours, shuffled = (float(value) for value in np.asarray(state["silhouettes"], dtype=np.float64))
        method = METHODS[int(np.asarray(state["method"], dtype=np.int32)[0])]
        return cls(method, product, cluster, tuple(text.split("\n")) if len(product) else (), ours, shuffled)


@dataclass(frozen=True)
class Grouping:
    """Finds `groups` groups (None: sqrt(documents / 2), between 2 and 200) by k-means or by hierarchical clustering.

    `kmeans`: k-means++ and Lloyd's iterations; above 50,000 documents on samples of 4,096 (Sculley 2010). `hierarchical`:
    Ward's criterion (1963) on the documents, or above 3,000 of them on 1,000 centroids that k-means puts in their place, each
    counted once however many it stands for: an approximation whose finest divisions are those of k-means. 20,770 documents of
    512 dimensions cost 7 s of CPU either way. One thread, so that timing never decides a group.
    """

    method: Method = "kmeans"
    groups: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RequestError(f"no clustering is called {self.method!r}", f"use one of {', '.join(METHODS)}")
        if self.groups is not None and self.groups < 1:
            raise RequestError(f"{self.groups} groups asked for", "ask for at least one, or leave the number out")

    def fit(self, vectors: Vectors, texts: Sequence[str], document_of_product: Labels, run: Run) -> Groups:
        """Group documents (`vectors` float32 [documents, dim] of unit norm, `texts` the distinct text of each) and so products.

        `document_of_product` is int32 [products], -1 for a product without text, which gets no group. The order of the
        documents does not matter. There are never more groups than distinct vectors.

        Raises RequestError where shapes disagree.
        """
        if len(vectors) != len(texts) or (len(document_of_product) and int(document_of_product.max()) >= len(texts)):
            raise RequestError(f"{len(vectors)} vectors for {len(texts)} texts", "give one vector and one text per document")
        product = np.flatnonzero(document_of_product >= 0).astype(np.int32)
        if len(product) == 0:
            return Groups(self.method, product, product.copy(), (), math.nan, math.nan)
        order = np.array(sorted(np.unique(document_of_product[product]).tolist(), key=texts.__getitem__), dtype=np.int64)
        used, lines = np.ascontiguousarray(vectors[order]), [texts[document] for document in order]
        with span(f"clusters {self.method}", total=1, unit="steps") as progress, threadpool_limits(1):
            labels = _by_size(self._labels(used, run.seed))
            ours = _silhouette(used, labels, run.seed)
            shuffled = _silhouette(used, np.random.default_rng([run.seed, 2]).permutation(labels), run.seed)
            words = telling_words(lines, labels)
            progress.advance()
        label_of = np.full(len(texts), -1, dtype=np.int32)
        label_of[order] = labels
        return Groups(self.method, product, label_of[document_of_product[product]], words, ours, shuffled)

    def _labels(self, vectors: Vectors, seed: int) -> Labels:
        distinct = len(np.unique(vectors, axis=0))
        wanted = self.groups or min(max(round(math.sqrt(len(vectors) / 2)), 2), MOST_GROUPS)
        groups = min(wanted, distinct)
        if groups == 1:
            return np.zeros(len(vectors), dtype=np.int32)
        if self.method == "kmeans":
            return _kmeans(vectors, groups, seed)[0]
        return _ward(vectors, groups, min(distinct, max(groups, _CENTROIDS)), seed)


def telling_words(texts: Sequence[str], labels: Labels) -> tuple[str, ...]:
    """For each group its five most telling words, comma separated, by class-based TF-IDF (Grootendorst 2022).

    The weight of word w in group c is f_wc / n_c * ln(1 + A / f_w): f_wc the texts of c that hold w, n_c the words so counted
    in c, f_w the texts of any group that hold w, A the mean of n_c. A word is a run of two letters or more, in lower case, or
    two adjacent Chinese characters (a lone one stands for itself). A text without any is a word of its own. Ties: by alphabet.
    """
    groups = int(labels.max()) + 1 if len(labels) else 0
    counts: list[Counter[str]] = [Counter() for _ in range(groups)]
    for text, label in zip(texts, labels, strict=True):
        counts[label].update(set(_words(text)) or {text.strip().replace("\n", " ")})
    overall: Counter[str] = Counter()
    for count in counts:
        overall.update(count)
    mean = overall.total() / max(groups, 1)
    named = []
    for count in counts:
        weight = {word: n / count.total() * math.log1p(mean / overall[word]) for word, n in count.items()}
        named.append(", ".join(sorted(weight, key=lambda word: (-weight[word], word))[:WORDS]))
    return tuple(named)


def _words(text: str) -> Iterator[str]:
    for run in _RUNS.findall(text.lower()):
        if "\u3400" <= run[0] <= "\u9fff" and len(run) > 2:
            yield from (run[start : start + 2] for start in range(len(run) - 1))
        else:
            yield run


def _kmeans(vectors: Vectors, groups: int, seed: int) -> tuple[Labels, Vectors]:
    """Labels [documents] and centroids [groups, dim]."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(vectors) <= _FULL_KMEANS and groups <= MOST_GROUPS:
        model = KMeans(groups, n_init=1, random_state=seed)
    else:
        model = MiniBatchKMeans(
            groups, n_init=1, random_state=seed, batch_size=4_096, init_size=max(4_096, 3 * groups), max_iter=_PASSES
        )
    labels = model.fit_predict(vectors)
    return np.asarray(labels, dtype=np.int32), np.asarray(model.cluster_centers_, dtype=np.float32)


def _ward(vectors: Vectors, groups: int, centroids: int, seed: int) -> Labels:
    from scipy.cluster.hierarchy import fcluster, linkage

    few = len(vectors) <= _WARD
    stands_for, points = (np.arange(len(vectors), dtype=np.int32), vectors) if few else _kmeans(vectors, centroids, seed)
    tree = linkage(points.astype(np.float64), method="ward")
    labels: Labels = np.asarray(fcluster(tree, groups, criterion="maxclust"), dtype=np.int32)[stands_for]
    return labels


def _by_size(labels: Labels) -> Labels:
    """Number the groups that have members from 0: the largest first, ties by the first member."""
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    number = np.empty(len(sizes), dtype=np.int32)
    number[np.lexsort((first, -sizes))] = np.arange(len(sizes), dtype=np.int32)
    numbered: Labels = number[inverse]
    return numbered


def _silhouette(vectors: Vectors, labels: Labels, seed: int) -> float:
    from sklearn.metrics import silhouette_score

    chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(vectors))[:_SAMPLE])
    groups = len(np.unique(labels[chosen]))
    if not 2 <= groups < len(chosen):
        return math.nan
    return float(silhouette_score(vectors[chosen], labels[chosen]))
