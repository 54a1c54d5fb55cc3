"""Which rankers of a release may show reasons: true ones may, false ones and sums that do not add up may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from basketry.core.histories import Evidence, Queries, Rankings
from basketry.core.protocols import Run
from basketry.recommendation.fidelity import Fidelity
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.popularity import Popular
from basketry.recommendation.protocols import time_split
from basketry.recommendation.trust import SLICE, UNMEASURED, Trust, trust_in
from reason_worlds import Conjunctive, additive, asked_after

N = 40
SMALL = Fidelity(cases=60, orders=1, steps=2, counterfactuals=10)


class Exaggerating(ItemGraph):
    """Says that every event brought a thousandth more than it did, and that this is exact."""

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        evidence = super().explain(queries, rankings)
        return replace(evidence, events=evidence.events * 1.001)


def world():
    """Each of 20 causes points at one of 20 effects; a history holds one strong cause among seven weak ones."""
    random = np.random.default_rng(0)
    matrix = random.random((N, N)) * 0.05
    matrix[np.arange(20), np.arange(20, 40)] = 1.0
    np.fill_diagonal(matrix, 0)
    rows = []
    for cause in random.integers(20, size=60).tolist():
        others = random.permutation([code for code in range(20, N) if code != 20 + cause])[:7]
        rows.append(random.permutation([cause, *others]).tolist())
    histories = asked_after(rows, N).histories
    return matrix, time_split(histories, int(histories.days.max()) + 1, 1, repeats=False)


def test_true_reasons_earn_trust_and_false_ones_are_refused():
    matrix, split = world()
    graph = additive(matrix)
    rankers = {
        "true": graph,
        "false": Conjunctive(matrix, flipped=True),
        "exaggerating": Exaggerating(graph.rows, graph.recency),
        "silent": additive(np.zeros((N, N))),
        "popular": Popular(np.ones(N, dtype=np.float32)),
    }
    vectors = np.random.default_rng(1).normal(size=(N, 8)).astype(np.float32)
    trust = trust_in(rankers, split, Run(), vectors, SMALL)
    assert trust.earned("true")
    assert trust.why_not("false") == (
        "deletion is not better than by random order",
        "deletion is not better than by similarity order",
    )
    (only,) = trust.why_not("exaggerating")
    assert only.startswith("contributions miss the score by 1.0e-03 of it")
    assert not trust.earned("silent")  # nothing could be measured: it ranks nothing
    assert "popular" not in trust.against  # and is not trusted, having no reasons
    assert trust.why_not("popular") == trust.why_not("attic") == (UNMEASURED,)


def test_a_release_keeps_figures_and_decisions():
    matrix, split = world()
    trust = trust_in({"true": additive(matrix), "false": Conjunctive(matrix, flipped=True)}, split, Run(), how=SMALL)
    table = trust.frame()
    assert set(table["slice"]) == {SLICE}
    assert set(table["model"]) == {"true", "false"}
    figures = {(metric, model): value for metric, model, value in table.select("metric", "model", "value").iter_rows()}
    assert figures["deletion auc", "true"] < figures["deletion auc:random", "true"]
    assert figures["insertion auc", "true"] > figures["insertion auc:random", "true"]
    assert figures["counterfactual validity", "true"] == 1
    assert figures["contribution error", "true"] <= 1e-6
    assert (figures["trusted", "true"], figures["trusted", "false"]) == (1, 0)
    back = Trust.from_facts(trust.facts())
    assert back.against == trust.against
    assert back.earned("true")
    assert Trust({}, {}).frame().is_empty()


def test_a_curve_asked_at_some_places_is_that_of_all_on_average():
    matrix, split = world()
    whole = replace(SMALL, steps=0).measure(additive(matrix), split.queries, Run())
    some = [
        replace(SMALL, steps=2).measure(additive(matrix), split.queries, Run(seed=seed)).interval("deletion").value
        for seed in range(10)
    ]
    assert abs(np.mean(some) - whole.interval("deletion").value) < 3 * np.std(some) / np.sqrt(10) + 1e-9
    assert np.isnan(whole.cases["counterfactual_found"]).sum() == 50  # looked for in 10 of 60
