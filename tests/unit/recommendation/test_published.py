"""What is published: the blend where it earns its place, else the simple rule that it does not beat."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import DataError
from basketry.core.histories import Histories
from basketry.core.protocols import Run
from basketry.kernels.ranking import Rows
from basketry.recommendation.assess import BASELINES
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.protocols import time_split
from basketry.recommendation.published import AGAIN, EXAMS, NEW, PERSONAL, Recommenders, Recommending
from basketry.recommendation.recency import Recency
from basketry.recommendation.rivals import rivalry
from basketry.recommendation.transitions import Transitions
from basketry.testing.rankers import asked

RUN = Run(threads=1)


def graph(*steps: tuple[int, int], n: int = 4) -> ItemGraph:
    """Who holds the first product of a step is led to the second."""
    rows = sorted(steps)
    indptr = np.searchsorted([row for row, _ in rows], np.arange(n + 1)).astype(np.int64)
    return ItemGraph(Rows(indptr, np.array([to for _, to in rows], np.int32), np.ones(len(rows), np.float32)), Recency())


def exam(*bought: tuple[int, int], n: int = 4):
    """Each customer's one product before day 1, and one on it."""
    return time_split(Histories.from_rows([list(each) for each in bought], n), 1, 1, repeats=False)


def test_the_blend_is_published_where_each_rule_knows_half():
    split = exam(*[(0, 1), (3, 2)] * 20)
    found = rivalry({"left": graph((0, 1)), "right": graph((3, 2))}, split, RUN)
    assert found.is_blend and found.gain.value == pytest.approx(0.5)  # nDCG 1 for all against 1 for half
    assert found.weights["left"] == pytest.approx(0.5, abs=0.01) and sum(found.weights.values()) == pytest.approx(1)
    assert found.reason.startswith("the blend is published: it beats the best simple rule")


def test_a_rule_that_knows_everything_is_published_alone():
    split = exam(*[(0, 1), (3, 2)] * 20)
    found = rivalry({"wrong": graph((0, 2), (3, 1)), "right": graph((0, 1), (3, 2))}, split, RUN)
    assert not found.is_blend and found.rule == "right" and found.gain.high <= 0
    assert found.weights == {"wrong": 0.0, "right": 1.0}
    assert "right alone is published: the blend is not shown to beat" in found.reason


def test_no_figure_of_the_blend_is_of_a_purchase_that_it_learned_from():
    """Either customer teaches to hear the part that is wrong about the other; who had learned from both would know better."""
    parts = {"left": graph((0, 1), (3, 1)), "right": graph((0, 2), (3, 2))}
    found = rivalry(parts, exam((0, 1), (3, 2)), RUN)
    # each rule finds one of both answers: .5; what the other customer taught hears the wrong part alone: 0
    assert found.gain.value == pytest.approx(-0.5)


def test_half_of_the_customers_may_teach_nothing():
    found = rivalry({"left": graph((0, 1)), "right": graph((3, 2))}, exam((0, 1)), RUN)
    assert not found.is_blend and found.rule == "left" and "too few purchases" in found.reason
    with pytest.raises(DataError, match="no part proposes anything relevant"):
        rivalry({"left": graph((0, 1))}, exam((2, 3)), RUN)


def habits(customers: int = 60, days: int = 12, seed: int = 0) -> Histories:
    """Every day each customer buys a staple of their own and, half of the time, the successor of what they bought before.

    Products 0-19 are staples, 20-59 a circle; nobody's purchase says anything of anybody else's staple.
    """
    draw = np.random.default_rng(seed)
    products, on, visits, ends = [], [], [], [0]
    for customer in range(customers):
        at = int(draw.integers(40))
        for day in range(days):
            at = (at + 1) % 40
            basket = sorted({customer % 20, *((20 + at,) if draw.random() < 0.5 else ())})
            products += basket
            on += [day] * len(basket)
            visits += [day] * len(basket)
        ends.append(len(products))
    whole = (np.array(each, dtype=np.int32) for each in (products, on, visits))
    return Histories(np.array(ends, dtype=np.int64), *whole, 60)


def fads(customers: int = 80, days: int = 12, seed: int = 0) -> Histories:
    """Everybody draws two products a day from one list of what sells, whatever they bought before."""
    draw = np.random.default_rng(seed)
    sells = 1 / np.arange(1, 41)
    rows = [[np.sort(draw.choice(40, 2, replace=False, p=sells / sells.sum())) for _ in range(days)] for _ in range(customers)]
    day = np.tile(np.repeat(np.arange(days, dtype=np.int32), 2), customers)
    return Histories(np.arange(customers + 1, dtype=np.int64) * 2 * days, np.array(rows, dtype=np.int32).ravel(), day, day, 40)


HABITS = Recommending(next=Transitions(hop=0), horizon_days=3)  # transitions that never lead back: a staple is for reordering


@pytest.fixture(scope="module")
def known() -> Recommenders:
    return HABITS.fit(habits(), RUN)


def test_habits_of_two_kinds_are_a_matter_for_the_blend(known):
    assert known.rivalries[AGAIN].is_blend
    assert known.weights[AGAIN]["reorder"] > 0.1 and known.weights[AGAIN].get("buyers", 0) == 0
    assert known.exams[AGAIN].figure("ndcg@10", PERSONAL).low > known.exams[AGAIN].figure("ndcg@10", "popularity").high


def test_where_the_history_says_nothing_a_simple_rule_alone_is_published():
    found = Recommending(horizon_days=3).fit(fads(), RUN)
    chosen = found.rivalries[NEW]
    assert not chosen.is_blend
    assert found.weights[NEW] == dict.fromkeys(found.parts, 0.0) | {chosen.rule: 1.0}
    heard = {name for each in found.weights.values() for name, weight in each.items() if weight}
    assert set(found.parts) == {"reorder", "next", "recent", "popular"} | heard  # the rest would only take room
    queries = asked(fads())
    ours, theirs = found.rankers(repeats=False)[PERSONAL], found.parts[chosen.rule]
    candidates = time_split(fads(), 9, 3, repeats=False).candidates
    assert np.array_equal(ours.rank(queries, 5, candidates).products, theirs.rank(queries, 5, candidates).products)


def test_weights_come_from_before_the_exam(known):
    """What happens in the exam's days changes no weight, no choice and no ranker that is examined."""
    histories = habits()
    whole = HABITS.taught(histories, 9, RUN)
    cut = HABITS.taught(histories.where(histories.days < 9), 9, RUN)
    assert whole.weights == cut.weights
    assert all(known.weights[name].items() <= each.items() for name, each in whole.weights.items())
    assert {name: each.gain for name, each in whole.rivalries.items()} == {n: each.gain for n, each in cut.rivalries.items()}
    assert all(np.array_equal(value, cut.state()[key]) for key, value in whole.state().items())
    assert not np.array_equal(whole.parts["popular"].state()["counts"], known.parts["popular"].state()["counts"])


def test_every_exam_holds_the_simple_rules(known):
    for name, repeats in EXAMS.items():
        models = set(known.exams[name].metrics["model"])
        assert {PERSONAL, *BASELINES[: None if repeats else -1]} <= models


def test_read_back_it_recommends_alike(known):
    back = Recommenders.from_state(known.state())
    assert back.weights == known.weights and not back.exams and not back.rivalries
    queries = asked(habits())
    for repeats in (False, True):
        split = time_split(habits(), 9, 3, repeats)
        one, two = (each.rankers(repeats=repeats)[PERSONAL].rank(queries, 5, split.candidates) for each in (known, back))
        assert np.array_equal(one.products, two.products) and np.array_equal(one.scores, two.scores)


def test_three_horizons_of_history_are_needed():
    with pytest.raises(DataError, match="reach over 12 days, and 15 are needed"):
        Recommending(horizon_days=5).fit(habits(), RUN)
