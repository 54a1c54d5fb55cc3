"""Blend, fusion and links: golden numbers by hand, and what must hold of their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Candidates, Histories, Queries, Rankings
from basketry.core.protocols import Run
from basketry.kernels.ranking import Rows
from basketry.recommendation.blending import Blend, Blended, blended
from basketry.recommendation.fusion import ReciprocalRanks
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.links import linked
from basketry.recommendation.pool import Pool
from basketry.recommendation.popularity import Popular, Popularity
from basketry.recommendation.protocols import leave_one_out
from basketry.recommendation.recency import Recency
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing
from basketry.recommendation.weights import Choices, learn_weights
from basketry.testing.rankers import asked, shop


def graph(weights):
    """An item graph of a dense matrix, every event alike."""
    dense = np.array(weights, dtype=np.float32)
    row, column = np.nonzero(dense)
    indptr = np.searchsorted(row, np.arange(len(dense) + 1)).astype(np.int64)
    return ItemGraph(Rows(indptr, column.astype(np.int32), dense[row, column]), Recency())


def about(*rows, n):
    return asked(Histories.from_rows(rows, n))


# Who holds 0 is led to 1 (8) and 2 (4); who holds 3, to 1 (1).
LEFT = graph([[0, 8, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]])
# Who holds 0 is led to 2 (.5) and 3 (.1).
RIGHT = graph([[0, 0, 0.5, 0.1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_a_blend_averages_shares_of_the_best():
    blend = blended((LEFT, RIGHT), (3, 1), Voicing(depth=0))
    # product 1: .75 * 8/8; 2: .75 * 4/8 + .25 * .5/.5; 3: .25 * .1/.5
    assert np.allclose(blend.scores(about([0], n=4)), [[0, 0.75, 0.625, 0.05]])
    ranked = blend.rank(about([0], n=4), 4, Candidates())
    assert ranked.products.tolist() == [[1, 2, 3, -1]]


def test_a_silent_part_leaves_its_weight():
    blend = blended((LEFT, RIGHT), (1, 3), Voicing(depth=0))
    assert np.allclose(blend.scores(about([3], n=4)), [[0, 1, 0, 0]])  # RIGHT knows nothing of 3
    assert blend.scores(about([1], n=4)).tolist() == [[0, 0, 0, 0]]
    assert blend.rank(about([1], n=4), 2, Candidates()).products.tolist() == [[-1, -1]]


def test_a_floor_leaves_little_to_what_is_below_it():
    popular = Popular(np.array([100, 60, 20, 10], dtype=np.float32))
    blend = blended((popular,), (1,), Voicing(depth=2, low=0.1))
    # the floor is 60: 20 -> .1 * 20/60, 60 -> .1, 100 -> 1
    assert np.allclose(blend.scores(about([], n=4)), [[1, 0.1, 0.1 / 3, 0.1 / 6]])
    # without 0, which is held, the floor is 20: 60 -> 1, and what is held goes on along the line
    assert np.allclose(blend.scores(about([0], n=4)), [[1 + 0.9, 1, 0.1, 0.05]])
    # a floor is at most 3/4 of the best, 75
    assert np.allclose(
        blended((popular,), (1,), Voicing(depth=1, low=0.1)).scores(about([], n=4)), [[1, 0.08, 0.1 * 20 / 75, 0.1 * 10 / 75]]
    )


@settings(max_examples=30)
@given(st.integers(0, 6), st.floats(0.01, 0.9), st.booleans(), st.integers(0, 50))
def test_a_voice_of_a_few_scores_is_that_of_all(depth, low, repeats, seed):
    histories = shop(seed)
    queries, voicing = asked(histories), Voicing(depth, low, repeats)
    for estimator in (Transitions(), Popularity()):
        part = estimator.fit(histories, Run())
        scores = part.scores(queries)
        voice = voicing.voice(scores, queries)
        row, product = np.nonzero(np.random.default_rng(seed).random(scores.shape) < 0.5)
        assert np.allclose(voice.at(scores[row, product], row), voice.of(scores)[row, product], rtol=1e-6, atol=0)
        own = voicing.voice_of(part.rank(queries, voicing.places, Candidates(repeats=repeats)))
        longer = voicing.voice_of(part.rank(queries, voicing.places + 3, Candidates(repeats=repeats)))
        for name in ("floor", "slope", "shift"):
            assert (getattr(longer, name) == getattr(own, name)).all()
            assert np.allclose(getattr(own, name), getattr(voice, name), rtol=1e-5, atol=1e-6)  # single precision


def test_a_best_that_is_hardly_anything_is_nothing():
    faint, loud = (Popular(np.array(counts, dtype=np.float32)) for counts in ([1e-38, 0], [0, 1e38]))
    for depth in (0, 2):
        blend = blended((faint, loud), (1, 1), Voicing(depth=depth))
        assert blend.scores(about([], n=2)).tolist() == [[0, 1]]


def test_reasons_of_a_blend_by_hand():
    blend = blended((LEFT, RIGHT), (3, 1), Voicing(depth=0))
    queries = about([0, 3], n=4)  # LEFT: 9 to 1, 4 to 2; RIGHT: .5 to 2; 3 is held
    ranked = blend.rank(queries, 2, Candidates())
    assert ranked.products.tolist() == [[1, 2]]
    evidence = blend.explain(queries, ranked)
    assert evidence.exact
    assert np.allclose(evidence.of(0, 0, 2), [0.75 * 8 / 9, 0.75 * 1 / 9])
    assert np.allclose(evidence.of(0, 1, 2), [0.75 * 4 / 9 + 0.25, 0])
    assert not evidence.rest.any()


@settings(max_examples=30)
@given(
    st.tuples(*[st.floats(0, 5)] * 3).filter(lambda w: sum(w) > 0.01),
    st.integers(0, 6),
    st.floats(0.01, 0.9),
    st.booleans(),
    st.integers(0, 50),
)
def test_reasons_of_a_blend_add_up_whatever_it_is(weights, depth, low, repeats, seed):
    histories = shop(seed)
    parts = (Transitions(), ItemNeighbours(), Popularity())
    model = Blend(parts, weights, Voicing(depth, low, repeats)).fit(histories, Run())
    queries = asked(histories).select(np.arange(20))
    ranked = model.rank(queries, 5, Candidates(repeats=repeats))
    evidence = model.explain(queries, ranked)
    assert evidence.exact
    for query, length in enumerate(queries.histories.lengths.tolist()):
        for rank in np.flatnonzero(ranked.products[query] >= 0):
            total = evidence.of(query, rank, length).sum() + evidence.rest[query, rank]
            assert total == pytest.approx(ranked.scores[query, rank], abs=1e-6)


def test_a_blend_of_one_ranks_as_that_one():
    histories = shop()
    for depth in (0, 3):
        alone = Transitions().fit(histories, Run())
        blend = blended((alone, Popularity().fit(histories, Run())), (1, 0), Voicing(depth=depth))
        one, two = (model.rank(asked(histories), 5, Candidates()) for model in (alone, blend))
        assert (two.products[one.products >= 0] == one.products[one.products >= 0]).all()


def test_weights_that_do_not_fit_are_refused():
    for weights in ((1,), (1, -1), (0, 0), (1, float("nan"))):
        with pytest.raises(RequestError, match="weights"):
            blended((LEFT, RIGHT), weights)
    with pytest.raises(RequestError, match=r"\[4, 2\] products"):
        blended((LEFT, graph([[0, 1], [0, 0]])), (1, 1))
    for wrong in ({"depth": -1}, {"low": 0}, {"low": 1}):
        with pytest.raises(RequestError, match="no voicing"):
            Voicing(**wrong)


def test_what_cannot_be_read_back_is_not_stored():
    @dataclass(frozen=True, eq=False)
    class Own(Popular):
        pass

    with pytest.raises(DataError, match="Own cannot be stored"):
        blended((Own(np.ones(2, dtype=np.float32)),), (1,)).state()
    state = {**blended((LEFT,), (1,)).state(), "parts": np.frombuffer(b"oracle", dtype=np.uint8)}
    with pytest.raises(DataError, match="kind 'oracle'"):
        Blended.from_state(state)


def test_fusion_by_hand():
    fused = ReciprocalRanks((Popularity(),), (1.0,), constant=1).fit(Histories.from_rows([[0, 1], [0], [2], [0, 1]], 3), Run())
    assert np.allclose(fused.scores(about([], n=3)), [[1 / 2, 1 / 3, 1 / 4]])
    assert np.allclose(fused.scores(about([0], n=3)), [[0, 1 / 2, 1 / 3]])  # 0 is held and takes no place
    with pytest.raises(RequestError, match="weights"):
        ReciprocalRanks((Popularity(),), ()).fit(shop(), Run())
    with pytest.raises(RequestError, match="depth 0"):
        ReciprocalRanks((Popularity(),), (1,), depth=0).fit(shop(), Run())


def test_reasons_of_a_fusion_add_up_and_claim_nothing():
    histories = shop()
    fused = ReciprocalRanks((Transitions(), Popularity()), (2, 1)).fit(histories, Run())
    queries = asked(histories)
    ranked = fused.rank(queries, 4, Candidates())
    evidence = fused.explain(queries, ranked)
    assert not evidence.exact
    for query, length in enumerate(queries.histories.lengths.tolist()):
        for rank in np.flatnonzero(ranked.products[query] >= 0):
            total = evidence.of(query, rank, length).sum() + evidence.rest[query, rank]
            assert total == pytest.approx(ranked.scores[query, rank], rel=1e-5)


def test_links_fill_what_those_before_them_left():
    links = {"right": RIGHT, "left": LEFT, "popular": Popular(np.array([3, 0, 0, 1], dtype=np.float32))}
    found = linked(links, about([0], [3], [], n=4), 4, Candidates())
    assert found.rankings.products.tolist() == [[2, 3, 1, -1], [1, 0, -1, -1], [0, 3, -1, -1]]
    assert found.link.tolist() == [[0, 0, 1, -1], [1, 2, -1, -1], [2, 2, -1, -1]]
    assert found.scores[0, :3] == pytest.approx([0.5, 0.1, 8])  # each in the unit of its own link


@settings(max_examples=30)
@given(st.integers(0, 200), st.integers(1, 12))
def test_links_with_popularity_are_never_short_while_a_sold_product_may_be_shown(seed, k):
    histories = shop(seed)
    links = {
        "next": Transitions(window=1, hop=0, neighbours=1).fit(histories, Run()),
        "popular": Popularity().fit(histories, Run()),
    }
    queries = asked(histories)
    allowed = np.random.default_rng(seed).random(12) < 0.5
    found = linked(links, queries, k, Candidates(allowed))
    sold = np.bincount(histories.products, minlength=12) > 0
    held = np.zeros((len(queries), 12), dtype=bool)
    held[histories.rows, histories.products] = True
    left = (allowed & sold & ~held).sum(axis=1)
    products = found.rankings.products
    assert ((products >= 0).sum(axis=1) == np.minimum(left, k)).all()
    assert (np.diff(found.link, axis=1)[products[:, 1:] >= 0] >= 0).all()


def planted(share, n=400, seed=0):
    """Customers of product 0 who next buy what LEFT says (1), with probability `share`, else what RIGHT says (2)."""
    wanted = np.where(np.random.default_rng(seed).random(n) < share, 1, 2)
    return leave_one_out(Histories.from_rows([[0, product] for product in wanted.tolist()], 4), learn_validation=True)


def test_weights_follow_what_was_bought():
    one, two = graph([[0, 1, 0, 0]] + [[0] * 4] * 3), graph([[0, 0, 1, 0]] + [[0] * 4] * 3)
    split = planted(0.7)
    share = float((split.relevant.indices == 1).mean())
    found = learn_weights((one, two), split, Voicing(depth=0))
    # P(1) = 1 / (1 + exp(b2 - b1)): at the most likely b the difference is the log odds, and the ridge draws both to 0
    assert found.weights == pytest.approx((1, 0), abs=1e-6)
    assert found.relevant == 400
    # alone: one voice against nothing
    assert found.alone[0] == pytest.approx(-(share * np.log(share) + (1 - share) * np.log(1 - share)), abs=1e-3)
    assert found.loss <= min(found.alone) + 1e-9


def test_weights_of_even_rivals_are_even_and_of_a_rest_that_knows_nothing_none():
    one, two = graph([[0, 2, 1, 1]] + [[0] * 4] * 3), graph([[0, 1, 2, 1]] + [[0] * 4] * 3)
    noise = graph([[0, 1, 1, 2]] + [[0] * 4] * 3)
    found = learn_weights((one, two, noise), planted(0.5, seed=3), Voicing(depth=0))
    assert found.weights[2] == pytest.approx(0, abs=1e-6)
    assert found.weights[0] == pytest.approx(found.weights[1], abs=0.15)
    assert sum(found.weights) == pytest.approx(1)


def test_the_slope_of_the_likelihood_is_its_own():
    """Queries with several answers too: by central differences."""
    draw = np.random.default_rng(0)
    voices = draw.random((30, 3)).astype(np.float32)
    relevant = np.zeros(30, dtype=bool)
    relevant[[1, 4, 5, 12, 27]] = True  # the first query has three, the last one, another none
    places = np.zeros((30, 3), dtype=np.int32)
    pool = Pool(np.array([0, 10, 20, 25, 30]), np.arange(30, dtype=np.int32), voices, voices, places)
    choices, columns, at = Choices.of(pool, relevant), np.arange(3), np.array([0.5, 1.0, 2.0])
    assert len(choices.relevant) == 25
    value, slope = choices.loss(at, columns)
    for column, step in enumerate(np.eye(3) * 1e-5):
        numeric = (choices.loss(at + step, columns)[0] - choices.loss(at - step, columns)[0]) / 2e-5
        assert slope[column] == pytest.approx(numeric, abs=1e-8)
    said = voices.astype(float) @ at
    logs = [
        said[row] - np.log(np.exp(said[a:b]).sum())
        for row, a, b in ((1, 0, 10), (4, 0, 10), (5, 0, 10), (12, 10, 20), (27, 25, 30))
    ]
    assert value == pytest.approx(-np.mean(logs) + 1e-3 * at @ at)


def test_weights_need_something_to_learn_from():
    nothing = graph([[0, 0, 0, 1]] + [[0] * 4] * 3)
    with pytest.raises(DataError, match="anything relevant"):
        learn_weights((nothing,), planted(1.0, n=5))


def test_a_blend_ignores_the_filter_in_its_scores():
    histories = shop()
    model = Blend((Transitions(), Popularity()), (1, 1), Voicing(depth=3)).fit(histories, Run())
    queries = asked(histories)
    every = model.rank(queries, 12, Candidates())
    only = model.rank(queries, 12, Candidates(np.arange(12) == 4))
    for row in range(len(queries)):
        place = np.flatnonzero(every.products[row] == 4)
        assert only.scores[row, : len(place)] == pytest.approx(every.scores[row, place])


def test_evidence_in_another_layout_is_read_aright():
    """A part may lay its evidence out as it likes, as long as it says where each query starts."""

    @dataclass(frozen=True, eq=False)
    class Backwards(ItemGraph):
        def explain(self, queries: Queries, rankings: Rankings):
            from dataclasses import replace

            found = super().explain(queries, rankings)
            lengths = queries.histories.lengths * rankings.products.shape[1]
            ends = np.append(found.start[1:], len(found.events))
            pieces = [found.events[a:b] for a, b in zip(found.start, ends, strict=True)][::-1]
            start = (np.cumsum(lengths[::-1]) - lengths[::-1])[::-1]
            return replace(found, events=np.concatenate(pieces), start=start)

    histories = shop()
    plain = Transitions().fit(histories, Run())
    queries = asked(histories)
    models = [blended((part,), (1,), Voicing(depth=2)) for part in (plain, Backwards(plain.rows, plain.recency))]
    ranked = models[0].rank(queries, 3, Candidates())
    one, two = (model.explain(queries, ranked) for model in models)
    assert np.array_equal(one.events, two.events)
