"""Exposure by hand, gaps of a world with a known answer, and the bound against every list there is."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.histories import Histories, Rankings
from basketry.core.protocols import Run
from basketry.recommendation.exposure import bound_exposure, with_bonus
from basketry.recommendation.fairness import Audit, Groups, group_exposure
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import leave_one_out
from basketry.recommendation.transitions import Transitions

SECOND = 1 / np.log2(3)
CYCLE = Histories.from_rows([[(start + step) % 6 for step in range(4)] for start in range(6)] * 20, 6)


def value(table, metric, slice):
    return table.filter(metric=metric, slice=slice).row(0, named=True)


def test_exposure_of_groups_by_hand():
    ranked = np.array([[0, 1, 2], [2, -1, -1]])
    of = np.array([0, 1, -1])
    assert group_exposure(ranked, of, 2) == pytest.approx(np.array([[1, SECOND], [0, 0]]))


def test_popularity_shows_the_best_sellers_and_the_audit_says_so():
    # product 0 is sold 90 times, product 1 ten times, product 2 never; everybody is shown 0, or 1 once they had it
    rows = [[0, 1, 0]] * 10 + [[0, 0, 0]] * 40
    split = leave_one_out(Histories.from_rows(rows, 3), repeats=True)
    providers = Groups("provider", np.array([0, 1, 1], dtype=np.int32), ["big", "small"])
    table = Audit(k=1, resamples=50).products("popular", Popularity().fit(split.train, Run()), split, providers)
    assert value(table, "exposure share", "provider=big")["value"] == 1
    assert value(table, "catalogue share", "provider=small")["value"] == pytest.approx(2 / 3)
    assert value(table, "sales share", "provider=small")["value"] == 0  # the training ends before the last two events
    assert value(table, "exposure gap", "provider=big")["value"] == 0
    assert value(table, "exposure gap to catalogue", "provider=big")["value"] == pytest.approx(2 / 3)
    assert value(table, "ndcg@1", "provider=big")["value"] == 1
    assert value(table, "ndcg@1", "provider=small")["value"] is None
    assert value(table, "ndcg@1", "provider=small")["n"] == 0


def test_a_group_served_worse_has_a_gap_that_chance_does_not_explain():
    # customers of the first half buy in a circle, those of the second at random
    random = np.random.default_rng(0)
    rows = [[(start + step) % 12 for step in range(5)] for start in range(12)] * 10
    rows += [random.permutation(12)[:5].tolist() for _ in range(120)]
    split = leave_one_out(Histories.from_rows(rows, 12))
    ranker = Transitions(hop=0).fit(split.train, Run())
    halves = Groups("half", np.repeat([0, 1], 120).astype(np.int32), ["circle", "random"])
    table = Audit(k=3, resamples=100).customers("transitions", ranker, split, halves)
    circle, random_ = (value(table, "ndcg@3 gap", f"half={name}") for name in halves.names)
    assert circle["low"] > 0.2
    assert random_["value"] == pytest.approx(-circle["value"])
    blind = Groups("coin", random.integers(0, 2, 240).astype(np.int32), ["heads", "tails"])
    gap = value(Audit(k=3, resamples=100).customers("transitions", ranker, split, blind), "ndcg@3 gap", "coin=heads")
    assert gap["low"] < 0 < gap["high"]


def test_shares_of_all_groups_add_up():
    split = leave_one_out(CYCLE)
    groups = Groups("band", np.array([0, 0, 1, 1, 2, 2], dtype=np.int32), ["low", "middle", "high"])
    table = Audit(k=2, resamples=20, chunk=7).products("t", Transitions().fit(split.train, Run()), split, groups)
    for metric, total in (("exposure share", 1), ("catalogue share", 1), ("sales share", 1), ("exposure gap", 0)):
        assert table.filter(metric=metric)["value"].sum() == pytest.approx(total, abs=1e-12)


def test_groups_that_do_not_fit_are_refused():
    split = leave_one_out(CYCLE)
    ranker = Popularity().fit(split.train, Run())
    with pytest.raises(RequestError, match="2 groups of x for 6 products"):
        Audit().products("p", ranker, split, Groups("x", np.array([0, 0], dtype=np.int32), ["a"]))
    with pytest.raises(RequestError):
        Groups("x", np.array([1], dtype=np.int32), ["a"])


def rankings(scores):
    order = np.argsort(-scores, axis=1, kind="stable")
    return Rankings(order.astype(np.int32), np.take_along_axis(scores, order, axis=1))


def scaled(ranked, k):
    above = ranked.scores - ranked.scores[:, -1:]
    return above / (above[:, :k] @ (1 / np.log2(np.arange(2, k + 2))))[:, None]


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.booleans())
def test_no_lists_with_as_much_exposure_have_a_higher_score(seed, bound, raised):
    random = np.random.default_rng(seed)
    ranked, member, k = (
        rankings(random.integers(0, 5, (3, 4)) + random.random() * np.eye(3, 4)),
        np.array([True, False, True, False]),
        2,
    )
    gain = np.array([1, SECOND])
    try:
        found = bound_exposure(ranked, k, member, low=bound) if raised else bound_exposure(ranked, k, member, high=bound)
    except RequestError:
        # with two of each kind among the candidates every share can be reached
        raise AssertionError("refused a share that the candidates can give") from None
    assert found.share >= bound - 1e-9 if raised else found.share <= bound + 1e-9
    extra = found.share - bound if raised else bound - found.share
    assert abs(found.bonus) == 0 or extra <= gain.sum() / (3 * gain.sum()) + 1e-9  # one list's places
    s = scaled(ranked, k)
    best = 0.0
    for lists in product(permutations(range(4), 2), repeat=3):
        at = np.array(lists)
        inside = member[np.take_along_axis(ranked.products, at, axis=1)]
        share = (inside * gain).sum() / (3 * gain.sum())
        if share >= found.share - 1e-9 if raised else share <= found.share + 1e-9:
            best = max(best, float((np.take_along_axis(s, at, axis=1) * gain).sum()))
    assert 3 * (1 - found.loss) == pytest.approx(best, abs=1e-9)


def test_lists_within_the_bounds_are_not_touched():
    ranked = rankings(np.array([[3.0, 2, 1], [1, 2, 3]]))
    found = bound_exposure(ranked, 2, np.array([True, False, False]), low=0.1)
    assert (found.loss, found.bonus) == (0, 0)
    assert found.rankings.products.tolist() == [[0, 1], [2, 1]]


def test_the_list_that_loses_least_gives_way():
    # the group's product 1 is just behind in the first list and far behind in the second
    ranked = rankings(np.array([[1.0, 0.95, 0], [1.0, 0.2, 0]]))
    found = bound_exposure(ranked, 1, np.array([False, True, False]), low=0.4)
    assert found.rankings.products.tolist() == [[1], [0]]
    assert found.share == 0.5
    assert found.loss == pytest.approx(0.05 / 2)
    alone = with_bonus(Rankings(ranked.products[:1], ranked.scores[:1]), 1, np.array([False, True, False]), found.bonus)
    assert alone.products.tolist() == [[1]]
    assert alone.scores.tolist() == [[0.95]]


def test_where_all_tie_no_more_lists_change_than_need_to():
    ranked = rankings(np.ones((10, 3)))
    found = bound_exposure(ranked, 1, np.array([False, False, True]), low=0.35)
    assert found.share == pytest.approx(0.4)
    assert found.rankings.products[:, 0].tolist() == [2] * 4 + [0] * 6
    assert found.loss == 0


def test_a_group_is_held_down_too_and_absent_products_stay_absent():
    ranked = Rankings(np.array([[0, 1, -1], [0, -1, -1]], dtype=np.int32), np.array([[2.0, 1, -np.inf], [1, -np.inf, -np.inf]]))
    found = bound_exposure(ranked, 2, np.array([True, False]), high=0.7)
    assert found.rankings.products.tolist() == [[1, 0], [0, -1]]
    assert found.share == pytest.approx((SECOND + 1) / (2 + SECOND))


def test_a_share_out_of_reach_is_refused_with_the_nearest():
    ranked = rankings(np.array([[3.0, 2, 1]]))
    with pytest.raises(RequestError, match=r"a share of 0\.613 at most"):
        bound_exposure(ranked, 2, np.array([True, False, False]), low=0.7)
    with pytest.raises(RequestError):
        bound_exposure(ranked, 4, np.array([True, False, False]))
