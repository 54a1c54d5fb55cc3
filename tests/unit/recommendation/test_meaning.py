"""Likeness of meaning as a ranker: sums by hand, and worlds in which the text alone decides what nobody has bought yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.encoders.registry import load_encoder
from basketry.recommendation.meaning import Meaning, MeaningRanker
from basketry.recommendation.neural import Neural
from basketry.recommendation.recency import Recency
from basketry.training.plan import TrainingPlan

CROSS = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32)  # their mean is nothing
TOPICS = {
    "sweet": ["Strawberry jam 340 g", "Orange marmalade, thin cut", "Raspberry jam", "Acacia honey in a jar", "Apricot jam"],
    "tools": ["Claw hammer, steel", "Screwdriver set, 6 pieces", "Adjustable wrench", "Cordless drill 18 V", "Pliers, steel"],
}
TEXTS = [*TOPICS["sweet"], *TOPICS["tools"]]
UNSOLD = [4, 9]  # the last of each topic


def asked(rows: list[list[int]], products: int) -> Queries:
    return Queries(Histories.from_rows(rows, products), np.full(len(rows), 99, dtype=np.int32))


def test_a_score_is_the_sum_of_faded_likenesses() -> None:
    ranker = Meaning(Recency(decay=0.5)).fit(CROSS)
    queries = asked([[0, 2], [], [3]], 4)
    assert ranker.scores(queries).tolist() == [[0.5, -0.5, 1, -1], [0, 0, 0, 0], [0, 0, -1, 1]]
    found = ranker.rank(queries, 3, Candidates(repeats=True))
    assert found.products.tolist() == [[2, 0, -1], [-1, -1, -1], [3, -1, -1]]
    told = ranker.explain(queries, found)
    assert told.exact and told.of(0, 0, 2).tolist() == [0, 1] and told.of(0, 1, 2).tolist() == [0.5, 0]
    assert (ranker.rank(queries, 1, Candidates()).products == -1).all()  # what is left is less alike than any two


def test_what_all_texts_share_says_nothing() -> None:
    """The same cross, far from the origin: raw cosines would all be near 1."""
    far = np.hstack([CROSS, np.full((4, 1), 5)]).astype(np.float32)
    far /= np.linalg.norm(far, axis=1, keepdims=True)
    found = Meaning(Recency()).fit(far).scores(asked([[0]], 4))
    assert found[0] == pytest.approx([1, -1, 0, 0], abs=1e-6)
    assert not Meaning().fit(np.ones((3, 2), dtype=np.float32)).scores(asked([[0]], 3)).any()  # alike, all of them


def test_products_of_one_text_and_of_none() -> None:
    ranker = Meaning().fit(CROSS, np.array([0, -1, 0, 2], dtype=np.int32))
    scores = ranker.scores(asked([[0], [1], [1, 2]], 4))
    assert scores.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]]
    assert ranker.rank(asked([[0]], 4), 2, Candidates()).products.tolist() == [[2, -1]]
    again = MeaningRanker.from_state(ranker.state())
    assert (again.scores(asked([[2, 3]], 4)) == ranker.scores(asked([[2, 3]], 4))).all()


@given(st.lists(st.lists(st.integers(0, 7), max_size=5), min_size=1, max_size=4), st.integers(0, 3))
def test_sums_are_those_of_pairs(rows: list[list[int]], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(8, 5)).astype(np.float32)
    centred = vectors - vectors.mean(axis=0)
    alike = centred @ centred.T / np.outer(*[np.linalg.norm(centred, axis=1)] * 2)
    ranker = Meaning(Recency(decay=0.7)).fit(vectors)
    for row, scores in zip(rows, ranker.scores(asked(rows, 8)), strict=True):
        want = sum((0.7 ** (len(row) - 1 - at) * alike[code] for at, code in enumerate(row)), np.zeros(8))
        assert scores == pytest.approx(want, abs=1e-5)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return load_encoder("universal", Run(threads=1)).encode(TEXTS)


def world(seed: int = 0) -> Histories:
    """Customers of one topic or the other, in no order; of each topic four products are sold."""
    draw = np.random.default_rng(seed)
    return Histories.from_rows([(draw.permutation(4)[:3] + 5 * draw.integers(2)).tolist() for _ in range(120)], len(TEXTS))


def test_an_unsold_product_is_shown_to_those_who_like_its_topic(vectors: np.ndarray) -> None:
    ranker = Meaning().fit(vectors)
    never = np.isin(np.arange(len(TEXTS)), UNSOLD)
    queries = asked([[0, 1], [2, 3], [5, 6], [8, 7]], len(TEXTS))
    assert ranker.rank(queries, 1, Candidates(never)).products[:, 0].tolist() == [4, 4, 9, 9]
    every = ranker.rank(queries, 3, Candidates()).products
    assert [set(row) for row in every.tolist()] == [{2, 3, 4}, {0, 1, 4}, {7, 8, 9}, {5, 6, 9}]


def test_a_network_that_read_texts_ranks_the_unsold_without_torch(vectors: np.ndarray, tmp_path: Path) -> None:
    """What nobody bought, and what came after training, stand with their topic; the stored model needs no torch to say so."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    plan = TrainingPlan(learning_rate=0.02, epochs=20, batch_size=32, patience=0)
    small = Neural(dim=16, length=6, blocks=1, negatives=16, dropout=0.0, validation=0.0, plan=plan)
    model = small.fit(world(), Run(seed=1, threads=1), features=vectors)
    assert not model.arrays["known"][UNSOLD].any() and not model.arrays["bias"][UNSOLD].any()
    save_file(dict(model.state()), tmp_path / "model.safetensors")
    later = load_encoder("universal", Run(threads=1)).encode(["Cherry jam", "Rubber hammer"])
    save_file({"vectors": later}, tmp_path / "later.safetensors")
    script = f"""
import sys
sys.modules["torch"] = None
import numpy as np
from safetensors.numpy import load_file
from basketry.core.histories import Candidates, Histories, Queries
from basketry.recommendation.neural import NeuralRanker
model = NeuralRanker.from_state(load_file({str(tmp_path / "model.safetensors")!r}))
model = model.with_products(load_file({str(tmp_path / "later.safetensors")!r})["vectors"])
queries = Queries(Histories.from_rows([[0, 1], [2, 3], [5, 6], [8, 7]], 12), np.full(4, 99, dtype=np.int32))
for never in ([4, 9], [10, 11]):
    print(model.rank(queries, 1, Candidates(np.isin(np.arange(12), never))).products[:, 0].tolist())
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[4, 4, 9, 9]", "[10, 10, 11, 11]"]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(RequestError, match="one row a document"):
        Meaning().fit(np.ones(3, dtype=np.float32))
    with pytest.raises(RequestError, match="0 to 7 of 4 vectors"):
        Meaning().fit(CROSS, np.array([0, 7], dtype=np.int32))
    with pytest.raises(RequestError, match="publish it again"):
        MeaningRanker.from_state({**Meaning().fit(CROSS).state(), "vectors": CROSS[:2]})
