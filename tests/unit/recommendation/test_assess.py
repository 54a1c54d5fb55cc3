"""Rankers that know the answer, know nothing, or cheat: what the assessment says of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Histories, Rankings
from basketry.core.protocols import Run
from basketry.core.tables import Metrics
from basketry.evaluation.significance import Significance
from basketry.recommendation.assess import BASELINES, Described, Exam, assess, assess_rolling
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import leave_one_out, rolling_splits, time_split
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.transitions import Transitions
from basketry.testing.rankers import shop

RUN = Run(threads=1)
QUICK = Exam(ks=(1, 3), significance=Significance(resamples=50, draws=200), chunk=7)
CYCLE = Histories.from_rows([[(start + step) % 10 for step in range(5)] for start in range(10)] * 3, 10)


@dataclass(eq=False)
class Asked:
    """A ranker that passes its questions on and remembers how many it was asked at once."""

    ranker: object
    sizes: list[int] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)

    @property
    def n_products(self):
        return self.ranker.n_products

    def rank(self, queries, k, candidates):
        self.sizes.append(len(queries))
        self.repeats.append(candidates.repeats)
        return self.ranker.rank(queries, k, candidates)


@dataclass(eq=False)
class Next:
    """Knows that after product i everybody buys i + 1; lists `places` of them before it in vain."""

    n_products: int
    late: int = 0

    def rank(self, queries, k, candidates):
        ends = queries.histories.indptr[1:] - 1
        last = queries.histories.products[ends]
        ranks = np.arange(k)
        step = np.where(ranks == self.late, 1, 5 + ranks)
        products = ((last[:, None] + step) % self.n_products).astype(np.int32)
        return Rankings(products, np.tile(-ranks.astype(float), (len(queries), 1)))


def test_who_knows_the_answer_finds_it_and_who_has_it_second_has_half():
    split = leave_one_out(CYCLE)
    found = assess({"oracle": Next(10), "late": Next(10, late=1)}, split, RUN, QUICK)
    assert found.figure("ndcg@1", "oracle").value == 1
    assert found.figure("hit@1", "late").value == 0
    assert found.figure("mrr@3", "late").value == 1 / 2
    assert found.figure("precision@3", "late").value == pytest.approx(1 / 3)
    assert found.figure("ndcg@3", "transitions").value == 1
    assert found.splits == ((split.name, split.digest),)
    gain = next(each for each in found.differences if (each.first, each.second) == ("oracle", "late"))
    assert gain.gain.value == pytest.approx(1 - 1 / np.log2(3))
    assert gain.corrected == pytest.approx(min(1, 15 / 201), rel=1)  # fifteen pairs of six models, the least p of 200 draws


def test_every_report_holds_the_baselines_and_every_figure_an_interval():
    found = assess({}, leave_one_out(shop()), RUN, QUICK, Described(np.eye(12, dtype=np.float32), np.arange(12) % 3))
    Metrics.validate(found.metrics)
    whole = found.metrics.filter(slice="all")
    models = set(whole["model"]) - {f"{each.first} over {each.second}" for each in found.differences}
    assert models == set(BASELINES) - {"reorder frequency"}
    for model in models:
        measured = whole.filter(model=model)
        names = {"hit", "precision", "recall", "mrr", "map", "ndcg"}
        beyond = {"novelty", "popularity_bias", "diversity", "categories", "miscalibration", "coverage", "gini"}
        assert set(measured["metric"]) == {f"{name}@{k}" for name in names for k in (1, 3)} | {f"{name}@3" for name in beyond}
        within = measured.filter(~measured["metric"].str.contains("coverage|gini"))
        assert (within["low"] <= within["value"] + 1e-9).all()
        assert (within["value"] <= within["high"] + 1e-9).all()
    assert len(found.differences) == 6


def test_the_parts_ranked_at_once_change_nothing_but_memory():
    split = time_split(shop(), day=12, horizon=6)
    model = Asked(Reorder().fit(split.train, RUN))
    small = assess({"again": model}, split, RUN, QUICK)
    assert max(model.sizes) == 7
    large = assess({"again": model}, split, RUN, replace(QUICK, chunk=10_000))
    assert small.metrics.sort("metric", "model", "slice").equals(large.metrics.sort("metric", "model", "slice"))


def test_slices_hold_who_and_what_they_say():
    split = time_split(shop(), day=3, horizon=6, newcomers=True)
    found = assess({"again": Reorder().fit(split.train, RUN)}, split, RUN, QUICK)
    answers = np.diff(split.relevant.indptr) > 0
    n = {row["slice"]: row["n"] for row in found.metrics.filter(metric="ndcg@3", model="again").to_dicts()}
    assert n["all"] == answers.sum()
    assert n["cold customer"] == (answers & (split.queries.histories.lengths < 5)).sum()
    assert n["unseen customer"] == (answers & (split.queries.histories.lengths == 0)).sum() > 0
    assert n["new to customer"] == (np.diff(split.new_to_customer().indptr) > 0).sum()
    later = time_split(shop(), day=12, horizon=6)
    found = assess({"again": Reorder().fit(later.train, RUN)}, later, RUN, QUICK)
    assert found.figure("hit@3", "again", "new to customer").value == 0  # who only repeats finds nothing new
    assert found.figure("hit@3", "again").value > 0.1
    assert found.figure("hit@3", "transitions", "new to customer").value > 0.3


def test_what_is_new_is_asked_for_without_what_was_bought():
    split = time_split(shop(), day=12, horizon=6)
    model = Asked(Popularity().fit(split.train, RUN))
    found = assess({"asked": model}, split, RUN, QUICK)
    assert set(model.repeats) == {True, False}
    new = split.new_to_customer()
    ranked = model.ranker.rank(split.queries, 3, Candidates(repeats=False)).products
    hits = [set(ranked[q]) & set(new.indices[new.indptr[q] : new.indptr[q + 1]]) != set() for q in range(len(ranked))]
    asked = np.diff(new.indptr) > 0
    assert found.figure("hit@3", "asked", "new to customer").value == pytest.approx(np.mean(np.array(hits)[asked]))
    once = time_split(shop(), day=12, horizon=6, repeats=False)
    model = Asked(Popularity().fit(once.train, RUN))
    found = assess({"asked": model}, once, RUN, QUICK)
    assert set(model.repeats) == {False}
    assert "new to customer" not in set(found.metrics["slice"])


def test_rolling_exams_are_pooled():
    splits = rolling_splits(shop(), horizon=5, folds=3)
    found = assess_rolling({"two hops": Transitions(hop=0.5, repeats=True)}, splits, RUN, QUICK)
    alone = [assess({"two hops": Transitions(hop=0.5, repeats=True).fit(s.train, RUN)}, s, RUN, QUICK) for s in splits]
    rows = [each.metrics.filter(metric="ndcg@3", model="two hops", slice="all").row(0, named=True) for each in alone]
    pooled = sum(row["value"] * row["n"] for row in rows) / sum(row["n"] for row in rows)
    assert found.figure("ndcg@3", "two hops").value == pytest.approx(pooled)
    assert len(found.splits) == 3


def test_the_name_of_a_baseline_and_another_catalogue_are_refused():
    split = leave_one_out(CYCLE)
    with pytest.raises(RequestError, match="baseline"):
        assess({"popularity": Next(10)}, split, RUN)
    with pytest.raises(RequestError, match="knows 9 products, the split 10"):
        assess({"other": Next(9)}, split, RUN)
    with pytest.raises(RequestError, match="not measured"):
        assess({}, split, RUN, QUICK).figure("ndcg@5", "popularity")
    with pytest.raises(RequestError):
        Exam(ks=(5, 1))
    with pytest.raises(RequestError, match="novelty"):
        Exam(compared_by="novelty")
    with pytest.raises(RequestError, match="no exam with an answer"):
        assess({}, leave_one_out(Histories.from_rows([[0, 0]], 1)), RUN)
    with pytest.raises(RequestError, match="'median' is no baseline"):
        assess({}, split, RUN, QUICK, simple={"median": Popularity()})


def test_a_baseline_takes_other_hyperparameters_under_its_own_name():
    split = leave_one_out(CYCLE)
    found = assess({}, split, RUN, QUICK, simple={"transitions": Popularity()})
    for metric in ("ndcg@3", "coverage@3"):
        assert found.figure(metric, "transitions").value == found.figure(metric, "popularity").value
