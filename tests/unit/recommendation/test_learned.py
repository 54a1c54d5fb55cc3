"""What a learned ranker learns from: what is held out, what is proposed, what is known of it; and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.boosting import Boosting
from basketry.recommendation.features import ProductFacts, Sales, features, names_of
from basketry.recommendation.held_out import hold_out
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import Learned, LearnedRanker
from basketry.recommendation.pool import pool_of
from basketry.recommendation.popularity import Popular, Popularity
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing
from basketry.testing.rankers import asked, shop

NEEDS = "a learned ranker needs lightgbm (pip install 'basketry[rank]')"


def histories(rows, n_products=4):
    """Rows of (product, day, visit)."""
    events = np.array([event for row in rows for event in row], dtype=np.int32).reshape(-1, 3)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Histories(indptr, *(np.ascontiguousarray(column) for column in events.T), n_products)


MADE = histories([[(0, 1, 0), (1, 1, 0), (2, 5, 1), (3, 5, 1)], [], [(1, 3, 0)], [(0, 2, 0), (0, 9, 1)]])


def test_the_last_visit_is_held_out_of_those_who_came_twice():
    held = hold_out(MADE, 0, repeats=True)
    assert held.train.products.tolist() == [0, 1, 0]
    assert held.queries.histories.products.tolist() == [0, 1, 0]
    assert held.queries.days.tolist() == [5, 9]
    assert held.relevant.toarray().astype(int).tolist() == [[0, 0, 1, 1], [1, 0, 0, 0]]
    assert held.customers.tolist() == [0, 3]
    with pytest.raises(DataError, match="nobody bought anything both"):
        hold_out(histories([[(0, 1, 0)], []]), 0, repeats=True)


def test_the_last_days_are_held_out_of_all():
    held = hold_out(MADE, 6, repeats=True)  # days 4 to 9
    assert held.train.products.tolist() == [0, 1, 1, 0]
    assert held.queries.days.tolist() == [4, 4, 4]
    assert held.relevant.toarray().astype(int).tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    with pytest.raises(DataError, match="before the last 100 days"):
        hold_out(MADE, 100, repeats=True)


def test_a_pool_by_hand():
    parts = (Popular(np.array([4, 3, 2, 1], dtype=np.float32)), Popular(np.array([0, 0, 1, 2], dtype=np.float32)))
    queries = asked(histories([[(0, 1, 0)], []]))
    pool = pool_of(parts, queries, 1, Candidates(), Voicing(depth=0))
    assert pool.indptr.tolist() == [0, 2, 4]
    assert pool.products.tolist() == [1, 3, 0, 3]
    assert pool.places.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert pool.scores.tolist() == [[3, 0], [1, 2], [4, 0], [1, 2]]
    assert np.allclose(pool.voices, [[1, 0], [1 / 3, 1], [1, 0], [1 / 4, 1]])
    # a filter changes what is proposed and no figure of it
    some = pool_of(parts, queries, 1, Candidates(np.array([False, False, True, True])), Voicing(depth=0))
    assert some.products.tolist() == [2, 3, 2, 3]
    assert some.places.tolist() == [[0, 0], [0, 1], [0, 0], [0, 1]]
    with pytest.raises(RequestError, match="depth 0"):
        pool_of(parts, queries, 0, Candidates(), Voicing())


def test_features_by_hand():
    made = histories([[(0, 1, 0), (1, 1, 0), (0, 4, 1), (2, 7, 2)], []])
    facts = ProductFacts(
        np.array([0, 1, 0, -1], dtype=np.int32),
        np.array([2.0, 4.0, 8.0, np.nan]),
        np.array([0.5, np.nan, 1.0, 1.0]),
        np.array([10.0, 0.0, 3.0, np.nan]),
    )
    queries = Queries(made, np.array([10, 10], dtype=np.int32))
    pool = pool_of(
        (Popular(np.ones(4, dtype=np.float32)),), queries, 4, Candidates(repeats=True), Voicing(depth=0, repeats=True)
    )
    found = features(pool, queries, Sales.of(made, Run()), facts)
    of = dict(zip(names_of(1), found.T, strict=True))
    assert of["place 0"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4] * 2)
    assert of["sold ever"][:4].tolist() == pytest.approx(np.log1p([2, 1, 1, 0]))
    assert of["sold last week"][:4].tolist() == pytest.approx(np.log1p([2, 1, 1, 0]))
    assert of["price"].tolist()[:3] == [2, 4, 8]
    assert of["price against history"][:3].tolist() == pytest.approx([2 / 4, 4 / 4, 8 / 4])  # mean of 2, 4, 2, 8
    assert np.isnan(of["price against history"][3:]).all()
    assert of["stock"].tolist()[:3] == [10, 0, 3]
    assert of["category share of history"][:3].tolist() == pytest.approx([0.75, 0.25, 0.75])
    assert np.isnan(of["category share of history"][3])
    assert of["category share of history"][4:7].tolist() == [0, 0, 0]
    assert of["times bought"].tolist() == [2, 1, 1, 0, 0, 0, 0, 0]
    assert of["days since bought"][:3].tolist() == [6, 9, 3]
    assert np.isnan(of["days since bought"][3:]).all()
    assert of["events of customer"].tolist() == pytest.approx([np.log(5)] * 4 + [0] * 4)
    assert of["days since last event"][0] == 3
    assert of["days between visits"][0] == 3
    assert np.isnan(of["days between visits"][4])
    assert of["weekday"][0] == 6  # 11 January 1970, a Sunday
    back = ProductFacts.from_state(facts.state(), 4)
    assert np.array_equal(back.price, facts.price, equal_nan=True)
    assert ProductFacts.unknown(3).state() == {}
    with pytest.raises(DataError, match="facts of"):
        ProductFacts(facts.category[:2], facts.price, facts.margin, facts.stock)


def two_purses(seed, n=600):
    """Even products cost 1 and odd ones 9; who bought at one price buys at it again, and any such product alike."""
    draw = np.random.default_rng(seed)
    first, step = draw.integers(20, size=n), 2 * draw.integers(1, 10, n)
    nan = np.full(20, np.nan)
    facts = ProductFacts(np.full(20, -1, dtype=np.int32), np.where(np.arange(20) % 2, 9.0, 1.0), nan, nan)
    return Histories.from_rows(np.stack([first, (first + step) % 20], axis=1).tolist(), 20), facts


def test_what_matters_is_learned_from_facts():
    pytest.importorskip("lightgbm", reason=NEEDS)
    made, facts = two_purses(0)
    queries = asked(Histories.from_rows([[product] for product in range(20)], 20))
    share = {}
    for name, known in (("told", facts), ("blind", None)):
        model = LearnedRanker((Popularity(),), Boosting(rounds=40, least=20), depth=20).fit(made, Run(threads=1), known)
        ranked = model.rank(queries, 9, Candidates()).products
        share[name] = (ranked % 2 == np.arange(20)[:, None] % 2).mean()
    assert share["told"] > 0.95
    assert share["blind"] < 0.6


def test_reasons_of_a_learned_ranker_add_up_and_claim_nothing():
    pytest.importorskip("lightgbm", reason=NEEDS)
    made = shop()
    model = LearnedRanker((Transitions(), ItemNeighbours(), Popularity()), Boosting(rounds=30, leaves=4, least=5), depth=5)
    fitted = model.fit(made, Run(threads=1))
    queries = asked(made)
    ranked = fitted.rank(queries, 4, Candidates())
    evidence = fitted.explain(queries, ranked)
    assert not evidence.exact
    for query, length in enumerate(queries.histories.lengths.tolist()):
        for rank in np.flatnonzero(ranked.products[query] >= 0):
            total = evidence.of(query, rank, length).sum() + evidence.rest[query, rank]
            assert total == pytest.approx(ranked.scores[query, rank], abs=1e-5)
    assert np.abs(evidence.events).max() > 0


def test_what_was_learned_needs_no_lightgbm_to_rank():
    lightgbm = pytest.importorskip("lightgbm", reason=NEEDS)
    made = shop()
    fitted = LearnedRanker((Transitions(), Popularity()), Boosting(rounds=10, leaves=4, least=5), depth=12).fit(made, Run())
    back = Learned.from_state(fitted.state())
    pool = back.pool(asked(made), Candidates(repeats=True))
    x = features(pool, asked(made), back.sales, back.facts)
    theirs = lightgbm.Booster(model_str=back.text.tobytes().decode()).predict(x)
    assert back.forest is not None
    ours = back.scores(asked(made))[pool.queries, pool.products] + back.forest.lowest - 1e-3
    assert np.allclose(ours, theirs, atol=1e-5)


def test_trees_of_other_parts_are_refused():
    pytest.importorskip("lightgbm", reason=NEEDS)
    trees = Boosting(rounds=3, leaves=4, least=5)
    one, two = (LearnedRanker((Popularity(),) * n, trees, depth=12).fit(shop(), Run()).state() for n in (1, 2))
    with pytest.raises(DataError, match="16 features of 2 parts"):
        Learned.from_state({**two, "trees": one["trees"]})


def test_what_cannot_be_learned_is_said():
    with pytest.raises(RequestError, match="cannot be fitted"):
        LearnedRanker(()).fit(shop(), Run())
    pytest.importorskip("lightgbm", reason=NEEDS)
    few = Histories.from_rows([[0, 1], [1, 2], [2, 0]], 3)
    with pytest.raises(DataError, match="3 queries have something relevant"):
        LearnedRanker((Popularity(),)).fit(few, Run())
