"""Team drafting: fair places, nothing lost, and the ranking that puts what is clicked first wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.evaluation.interleaving import drafted_wins, team_draft

rankings = st.integers(1, 8).flatmap(
    lambda n: st.lists(st.permutations(range(8)).map(lambda codes: codes[:6]), min_size=n, max_size=n)
)


@settings(deadline=None)
@given(one=rankings, k=st.integers(1, 10), seed=st.integers(0, 1000))
def test_laws_of_a_draft(one, k, seed):
    one = np.array(one)
    other = one[:, ::-1]
    drafted = team_draft(one, other, k, seed)
    assert drafted.products.shape == (len(one), k)
    for row in range(len(one)):
        listed = drafted.products[row][drafted.products[row] >= 0]
        assert len(set(listed.tolist())) == len(listed) == min(k, 6)
        teams = drafted.team[row][: len(listed)]
        assert abs((teams == 0).sum() - (teams == 1).sum()) <= 1
        for side, ranking in enumerate((one, other)):
            taken: set[int] = set()
            for product, team in zip(listed, teams, strict=True):
                if team == side:  # each puts forward its best that is left
                    assert product == next(p for p in ranking[row] if p not in taken)
                taken.add(product)
    again = team_draft(one, other, k, seed)
    assert np.array_equal(drafted.products, again.products)


def test_equal_rankings_win_as_often():
    ranked = np.tile(np.arange(10), (2000, 1))
    drafted = team_draft(ranked, ranked, 5, seed=1)
    assert np.array_equal(drafted.products, ranked[:, :5])
    clicked = np.random.default_rng(0).random((2000, 5)) < [0.5, 0.3, 0.2, 0.1, 0.1]
    preference = drafted_wins(drafted, clicked, np.arange(2000)).interval("preference")
    assert preference.low < 0 < preference.high


def test_the_better_ranking_wins():
    random = np.random.default_rng(2)
    wanted = random.integers(0, 20, 300)
    poor = np.stack([random.permutation(20) for _ in range(300)])
    good = np.stack([np.concatenate([[w], row[row != w]]) for w, row in zip(wanted, poor, strict=True)])
    drafted = team_draft(poor, good, 6, seed=0)
    result = drafted_wins(drafted, drafted.products == wanted[:, None], np.arange(300))
    assert result.interval("preference").low > 0.5
    assert result.interval("decided").value > 0.9


def test_by_hand_and_edges():
    drafted = team_draft(np.array([[1, -1]]), np.array([[1, 2]]), 4, seed=0)
    assert sorted(drafted.products[0].tolist()) == [-1, -1, 1, 2]
    assert drafted.team[0].tolist()[1:] == [1, -1, -1]
    none = drafted_wins(drafted, np.zeros((1, 4), dtype=bool), np.arange(1))
    assert np.isnan(none.interval("preference").value)
    with pytest.raises(RequestError, match="cannot be drafted"):
        team_draft(np.zeros((2, 1), int), np.zeros((1, 1), int), 1, 0)
