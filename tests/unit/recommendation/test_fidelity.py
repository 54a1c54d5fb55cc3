"""Fidelity in worlds where the truth is planted: true reasons are trusted, false ones are found out."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.core.protocols import Run
from basketry.core.tables import Metrics
from basketry.recommendation.fidelity import Fidelity
from basketry.recommendation.popularity import Popular
from basketry.recommendation.reasons.attribution import Attribution
from reason_worlds import Conjunctive, additive, asked_after

N = 40
SMALL = Fidelity(cases=60, orders=3)


def planted(seed: int = 0) -> tuple[np.ndarray, list[list[int]]]:
    """Each of 20 causes points at one of 20 effects; a history holds one strong cause among seven weak ones."""
    random = np.random.default_rng(seed)
    matrix = random.random((N, N)) * 0.05
    for cause in range(20):
        matrix[cause, 20 + cause] = 1.0
    np.fill_diagonal(matrix, 0)
    rows = []
    for _ in range(60):
        cause = int(random.integers(20))
        others = random.permutation([code for code in range(20, N) if code != 20 + cause])[:7]
        rows.append(random.permutation([cause, *others]).tolist())
    return matrix, rows


def test_curves_by_hand():
    matrix = np.zeros((5, 5))
    matrix[0, 3], matrix[1, 3], matrix[1, 4] = 3, 1, 1.5
    measured = SMALL.measure(additive(matrix), asked_after([[1, 0], [2]], 5), Run())
    # 3 scores 4. Without 0: 1 against 1.5, second of three; without both all tie, third. Of 2, 3, 4 all may be listed.
    assert measured.cases["deletion"] == pytest.approx([(1 / 2 + 1 / 3) / 2])
    assert measured.cases["insertion"] == pytest.approx([(1 / 3 + 1) / 2])
    assert measured.cases["pos@5"] == pytest.approx([1])
    one = Fidelity(orders=1, k=1).measure(additive(matrix), asked_after([[1, 0]], 5), Run())
    assert one.cases["pos@1"] == pytest.approx([0])
    assert one.cases["counterfactual_size"] == pytest.approx([0.5])


def test_true_reasons_of_a_sum_are_trusted():
    matrix, rows = planted()
    vectors = np.random.default_rng(1).normal(size=(N, 8)).astype(np.float32)
    measured = SMALL.measure(additive(matrix), asked_after(rows, N), Run(), vectors=vectors)
    assert measured.trusted, measured.against_trust
    for over in ("random", "similarity"):
        assert measured.gain("deletion", over).low > 0.1
        assert measured.gain("insertion", over).low > 0.1
        assert measured.gain("pos@5", over).low > 0
    assert measured.interval("counterfactual_valid").value == 1
    assert measured.interval("counterfactual_found").value > 0.9
    table = Metrics.validate(measured.frame("planted"))
    figures = dict(table.select("metric", "value").iter_rows())
    assert figures["trusted"] == 1
    gained = figures["deletion auc"] + figures["deletion auc gain:random"]
    assert gained == pytest.approx(figures["deletion auc:random"])
    assert figures["counterfactual validity"] == 1
    assert figures["contribution error"] <= 1e-6


@pytest.mark.parametrize("method", ["left_out", "shapley", "lime"])
def test_what_a_black_box_is_asked_is_trusted_too(method):
    matrix, rows = planted(2)
    attribution = Attribution(method, samples=100)
    measured = SMALL.measure(Conjunctive(matrix, power=3), asked_after(rows, N), Run(), attribution)
    assert measured.trusted, measured.against_trust


def test_false_reasons_are_found_out():
    matrix, rows = planted()
    measured = SMALL.measure(Conjunctive(matrix, flipped=True), asked_after(rows, N), Run())
    assert not measured.trusted
    assert measured.gain("deletion", "random").high < 0
    assert measured.against_trust == ("deletion is not better than by random order",)


def test_reasons_that_are_similarity_by_another_name_are_not_trusted():
    matrix, rows = planted()
    matrix[matrix < 1] = 0
    vectors = np.zeros((N, 20), dtype=np.float32)
    vectors[np.arange(N), np.arange(N) % 20] = 1  # a cause lies by its effect
    measured = SMALL.measure(additive(matrix), asked_after(rows, N), Run(), vectors=vectors)
    assert measured.gain("deletion", "random").low > 0
    assert "deletion is not better than by similarity order" in measured.against_trust


def test_little_evidence_earns_no_trust():
    matrix, rows = planted()
    measured = SMALL.measure(additive(matrix), asked_after(rows[:10], N), Run())
    assert measured.against_trust == ("measured on 10 histories, fewer than 30",)


def test_what_everybody_is_shown_has_no_reason_in_the_history():
    _, rows = planted()
    measured = SMALL.measure(Popular(np.arange(1, N + 1, dtype=np.float32)), asked_after(rows, N), Run())
    assert measured.interval("counterfactual_found").value == 0
    assert measured.frame("popular").filter(metric="counterfactual validity")["value"].to_list() == [None]
    assert not measured.trusted


def test_one_seed_one_result():
    matrix, rows = planted()
    queries = asked_after(rows, N)
    one, two = (Fidelity(cases=20, orders=2).measure(additive(matrix), queries, Run(seed=5)) for _ in range(2))
    assert all(np.array_equal(one.cases[name], two.cases[name], equal_nan=True) for name in one.cases)


def test_nothing_to_measure_is_said():
    with pytest.raises(RequestError, match="two products"):
        SMALL.measure(additive(np.ones((3, 3))), asked_after([[1], []], 3), Run())
    with pytest.raises(RequestError, match="same candidates"):
        SMALL.measure(additive(np.ones((3, 3))), asked_after([[1, 0]], 3), Run(), None, Candidates(np.ones((1, 3), bool)))
