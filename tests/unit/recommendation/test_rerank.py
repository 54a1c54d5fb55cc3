"""A policy keeps its promises whatever it is asked, and chooses as a reading of its formulas by hand does."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import NotFound, RequestError
from basketry.core.histories import Candidates, Histories, Queries, Rankings
from basketry.recommendation.facts import Facts
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.policy import Boost, Calibration, Cap, Exploration, Pin, Policy
from basketry.recommendation.rerank import Move, relevance, rerank
from basketry.recommendation.shelf import shelf_of

N = 12
ANGLES = np.linspace(0, 2 * np.pi, N, endpoint=False)
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def facts(**columns):
    frame = {"product_id": [f"p{i}" for i in range(N)], "category": ["a", "b", "c", None] * 3, **columns}
    return Facts(pl.DataFrame(frame), VECTORS)


def asked(*histories):
    rows = Histories.from_rows([list(each) for each in histories], N)
    return Queries(rows, np.full(len(histories), 99, dtype=np.int32))


def ranked(*products, scores=None):
    scores = np.arange(len(products), 0, -1) if scores is None else scores
    return Rankings(np.array([products], dtype=np.int32), np.array([scores], dtype=np.float64))


def shown(policy, ranking, k, known=None, history=(), candidates=None):
    shelf = shelf_of(known or facts(), policy)
    return rerank(shelf, asked(history), ranking, k, candidates or shelf.candidates())


def test_without_rules_the_ranking_stands():
    found = shown(Policy(), ranked(5, 3, 8), 5)
    assert found.rankings.products.tolist() == [[5, 3, 8, -1, -1]] and found.rankings.scores.tolist() == [[3, 2, 1, 0, 0]]
    assert found.propensity.tolist() == [[1, 1, 1, 0, 0]] and found.moves(0) == () and not found.rules.any()


def test_relevance_means_the_same_for_every_ranker():
    assert relevance(np.array([4.0, 2, 1])).tolist() == [1, 0.5, 0.25]
    assert relevance(np.array([1.0, 0, -1, -3])).tolist() == [1, 0.8, 0.6, 0.2]  # shifted by 3 + 4 / 4, over 5
    assert relevance(np.array([-2.0, -2])).tolist() == [1, 1] and not len(relevance(np.array([])))


def test_what_is_never_shown_and_why():
    known = facts(hidden=[True] + [None] * 11, stock=[5.0, 0, -1, None] + [5.0] * 8)
    policy = Policy(excluded=("p4", "gone"), never="category = a")
    found = shown(policy, ranked(*range(7)), 7, known)
    assert found.rankings.products.tolist() == [[3, 5, 6, -1, -1, -1, -1]]
    assert [(move.before, move.rules) for move in found.moves(0) if move.after is None] == [
        (1, ("forbidden",)),
        (2, ("forbidden",)),
        (3, ("forbidden",)),
        (5, ("forbidden",)),
    ]


def test_weights_by_hand():
    known = facts(margin=[1.0, 3, 2, None, None, None] + [2.0] * 6, stock=[1.0] + [9.0] * 11)
    shelf = shelf_of(known, Policy(margin_weight=0.5, boosts=(Boost("product_id in (p1, p3)", 2.0),), low_stock=4))
    # of nine known margins, 1 stands at 1/18, 2 at 4.5/9 and 3 at 17/18
    assert shelf.factor[:5] == pytest.approx([(1 + 0.5 * (2 / 18 - 1)) / 4, 2.0, 1.0, 2.0, 1.0])
    found = rerank(shelf, asked(()), ranked(0, 2, 3), 3, shelf.candidates())
    assert found.rankings.products.tolist() == [[2, 3, 0]]  # 2/3, 1/3 * 2, 5/36: of equals the ranking's first
    assert found.moves(0) == (Move(2, 2, 1, ()), Move(3, 3, 2, ("boost",)), Move(0, 1, 3, ("margin", "low_stock")))


def test_diversity_by_hand():
    # relevance 1, .9, .8; products 0 and 1 are 30 degrees apart, 0 and 6 opposite
    found = shown(Policy(diversity=0.5), ranked(0, 1, 6, scores=[10, 9, 8]), 3)
    assert found.rankings.products.tolist() == [[0, 6, 1]]  # .45 - .43 against .4 + .5
    assert found.moves(0)[0] == Move(6, 3, 2, ("diversity",))
    assert shown(Policy(diversity=0.01), ranked(0, 1, 6, scores=[10, 9, 8]), 3).rankings.products.tolist() == [[0, 1, 6]]


def test_calibration_by_hand():
    # the history is half a, half b; the ranking is all a, then b. After one a: KL of (1, 0) smoothed against (1/2, 1/2)
    ranking = ranked(0, 4, 8, 1, scores=[10, 9, 8, 2])
    policy = Policy(calibration=Calibration(0.5))
    found = shown(policy, ranking, 4, history=(5, 4, 0, 9), candidates=Candidates(None, repeats=True))
    # second place: .9 - KL(aa) = .9 - (ln(.5/.995)/2 + ln(.5/.005)/2) = -1.06; .2 - KL(ab) = .2
    assert found.rankings.products.tolist() == [[0, 1, 4, 8]]
    assert found.moves(0)[0] == Move(1, 4, 2, ("calibration",))
    assert shown(policy, ranking, 4).rankings.products.tolist() == [[0, 4, 8, 1]]  # nothing known of the customer


def test_caps_and_pins_together():
    policy = Policy(caps=(Cap("category", 2),), pins=(Pin(2, "p4"), Pin(9, "p8"), Pin(1, "p0"), Pin(3, "p11")))
    found = shown(policy, ranked(5, 0, 1, 9, 2, 3, 7), 4)
    # p0 and p4 fill category a, so p8 cannot be pinned; p11 has no category
    assert found.rankings.products.tolist() == [[0, 4, 11, 5]]
    assert found.rules[0].tolist() == [64, 64, 64, 0] and found.before[0].tolist() == [1, -1, -1, 0]
    assert found.rankings.scores[0].tolist() == [6, 0, 0, 7]
    short = shown(policy, ranked(5), 9)
    assert short.rankings.products[0, :5].tolist() == [0, 4, 11, 5, -1]
    kept = shown(policy, ranked(11, 5), 2)
    assert kept.rankings.products.tolist() == [[0, 4]]
    assert kept.moves(0)[2:] == (Move(11, 1, None, ("pin",)), Move(5, 2, None, ("pin",)))
    late = shown(Policy(pins=(Pin(9, "p8"),)), ranked(5, 6), 9)
    assert late.rankings.products[0, :4].tolist() == [5, 6, 8, -1]  # nothing left to stand before it


def test_policies_out_of_range_are_refused():
    for wrong in (
        lambda: Boost("price <", 1),
        lambda: Boost("price < 1", 3),
        lambda: Cap("brand", 0),
        lambda: Pin(0, "p1"),
        lambda: Calibration(1.0),
        lambda: Exploration(1.0),
        lambda: Policy(diversity=1.0),
        lambda: Policy(never="brand ="),
        lambda: Policy(pins=(Pin(1, "a"), Pin(1, "b"))),
        lambda: Policy(pins=(Pin(1, "a"), Pin(2, "a"))),
        lambda: Policy(caps=(Cap("brand", 1), Cap("brand", 2))),
        lambda: shelf_of(facts(), Policy(margin_weight=0.5)),
        lambda: shelf_of(facts(), Policy(caps=(Cap("bran", 1),))),
        lambda: shelf_of(Facts(facts().frame), Policy(diversity=0.5)),
    ):
        with pytest.raises(RequestError):
            wrong()
    for gone in (Policy(excluded=("x",)), Policy(pins=(Pin(1, "x"),)), Policy(never="category = z")):
        shelf_of(facts(), gone)
        with pytest.raises(NotFound):
            shelf_of(facts(), gone, strict=True)


def test_a_scene_gives_way_to_the_shop():
    shop = Policy(never="brand = X", caps=(Cap("brand", 1),), pins=(Pin(1, "a"),), diversity=0.2)
    both = Policy(
        never="tag = y or tag = z", caps=(Cap("brand", 5), Cap("category", 2)), pins=(Pin(1, "b"), Pin(2, "c")), diversity=0.5
    ).under(shop)
    assert parsed(both.never) == parsed("brand = X or (tag = y or tag = z)")
    assert both.caps == (Cap("brand", 1), Cap("category", 2)) and both.pins == (Pin(1, "a"), Pin(2, "c"))
    assert both.diversity == 0.2 and shop.under(shop) == Policy(**{**vars(shop), "never": "(brand = X)"})


policies = st.builds(
    Policy,
    excluded=st.lists(st.sampled_from([f"p{i}" for i in range(N)]), max_size=3).map(tuple),
    never=st.sampled_from(["", "category = a", "category is null"]),
    boosts=st.sampled_from([(), (Boost("category in (b, c)", 2.0),), (Boost("stock > 1", 0.5),)]),
    margin_weight=st.sampled_from([0.0, 0.5]),
    low_stock=st.sampled_from([0.0, 2.0]),
    diversity=st.sampled_from([0.0, 0.3, 0.9]),
    calibration=st.sampled_from([Calibration(), Calibration(0.5)]),
    caps=st.sampled_from([(), (Cap("category", 1),), (Cap("category", 2), Cap("brand", 3))]),
    pins=st.lists(
        st.builds(Pin, st.integers(1, 6), st.integers(0, N - 1).map(lambda i: f"p{i}")),
        max_size=3,
        unique_by=(lambda pin: pin.position, lambda pin: pin.product),
    ).map(tuple),
    exploration=st.sampled_from([Exploration(), Exploration(0.5, 3), Exploration(0.2, 50)]),
)
worlds = st.builds(
    lambda hidden, stock, brand: facts(hidden=hidden, stock=stock, brand=brand, margin=[float(i % 5) for i in range(N)]),
    st.lists(st.sampled_from([True, False, False, None]), min_size=N, max_size=N),
    st.lists(st.sampled_from([0, 1, 2, 5, None]), min_size=N, max_size=N),
    st.lists(st.sampled_from(["x", "y", None]), min_size=N, max_size=N),
)
orders = st.permutations(range(N)).flatmap(lambda p: st.integers(0, N).map(lambda size: p[:size]))
histories = st.lists(st.integers(0, N - 1), max_size=4)


@settings(max_examples=300, deadline=None)
@given(worlds, policies, orders, histories, st.integers(1, 8), st.booleans(), st.lists(st.booleans(), min_size=N, max_size=N))
def test_laws(world, policy, order, history, k, repeats, open_to):
    shelf = shelf_of(world, policy)
    allowed = np.array(open_to)
    candidates = Candidates(allowed, repeats)
    scores = np.arange(len(order), 0, -1.0)
    ranking = Rankings(np.array([order], dtype=np.int32).reshape(1, -1), scores[None])
    found = rerank(shelf, asked(history), ranking, k, candidates)
    products = found.rankings.products[0]
    shown = products[products >= 0]

    assert (products[len(shown) :] == -1).all() and len(set(shown.tolist())) == len(shown)
    frame = world.frame
    for product in shown.tolist():
        row = frame.row(product, named=True)
        assert not row["hidden"] and (row["stock"] is None or row["stock"] > 0)
        assert row["product_id"] not in policy.excluded and allowed[product] and (repeats or product not in history)
        assert not (policy.never == "category = a" and row["category"] == "a")
        assert not (policy.never == "category is null" and row["category"] is None)
    for cap in policy.caps:
        counts = frame[cap.column].gather(shown).drop_nulls().value_counts()["count"]
        assert counts.is_empty() or counts.max() <= cap.most

    may = {i for i in range(N) if shelf.eligible[i] and allowed[i] and (repeats or i not in history)}
    pins = {pin.position - 1: int(pin.product[1:]) for pin in policy.pins if int(pin.product[1:]) in may}
    if not policy.caps:
        others = len((may & set(order)) - set(pins.values()))  # enough of them for each place before a pin, or it moves up
        asked_for = {place for place in pins if place < k and others >= place - sum(each < place for each in pins)}
        assert all(products[place] == pins[place] for place in asked_for)
        in_line = len((may & set(order)) | set(pins.values()))
        assert len(shown) >= min(k, in_line - sum(place >= k for place in pins))

    propensity = found.propensity[0]
    assert ((propensity > 0) == (products >= 0)).all() and (propensity <= 1).all()
    before = found.before[0][: len(shown)]
    assert [order[rank] if rank >= 0 else -1 for rank in before] == [p if p in order else -1 for p in shown.tolist()]
    again = rerank(shelf, asked(history), ranking, k, candidates)
    assert (again.rankings.products == found.rankings.products).all()
    if not policy.exploration.share:
        longer = rerank(shelf, asked(history), ranking, k + 1, candidates)
        assert (longer.rankings.products[0, :k] == products).all()
        assert (propensity[: len(shown)] == 1).all()
    out = {product for product in found.first[0].tolist() if product >= 0} - set(shown.tolist())
    assert {move.product for move in found.moves(0) if move.after is None} == out


def test_propensities_are_the_probabilities_of_what_is_shown():
    policy = Policy(exploration=Exploration(0.3, among=3, seed=7), pins=(Pin(2, "p9"),), caps=(Cap("category", 2),))
    shelf, draws = shelf_of(facts(), policy), 20_000
    ranking = Rankings(np.tile(np.arange(8, dtype=np.int32), (draws, 1)), np.tile(np.arange(8, 0, -1.0), (draws, 1)))
    found = rerank(shelf, asked(*[()] * draws), ranking, 3, shelf.candidates(), keys=[str(i) for i in range(draws)])
    products, propensity = found.rankings.products, found.propensity
    assert (products[:, 1] == 9).all() and (propensity[:, 1] == 1).all()
    for place in (0, 2):
        kinds = {(int(p), round(float(q), 6)) for p, q in zip(products[:, place], propensity[:, place], strict=True)}
        assert sum(q for _, q in kinds) == pytest.approx(1) and {q for _, q in kinds} == {0.7, 0.1}
        for product, likely in kinds:
            share = (products[:, place] == product).mean()
            assert abs(share - likely) < 4 * np.sqrt(likely * (1 - likely) / draws)
    both = (propensity[:, 0] < 0.5) & (propensity[:, 2] < 0.5)
    assert abs(both.mean() - 0.09) < 0.01 and (products[both, 0] != products[both, 2]).all()


def by_the_papers(order, history, k, diversity, weight):
    """MMR and calibration read off their formulas: every choice by what the whole list would then be."""
    groups = ["abc"[i % 4] if i % 4 < 3 else None for i in range(N)]
    liked = [groups[i] for i in history if groups[i]]
    taste = {each: liked.count(each) / len(liked) for each in set(liked)}
    relevant = {product: (len(order) - rank) / len(order) for rank, product in enumerate(order)}
    chosen = []
    while len(chosen) < min(k, len(order)):
        values = {}
        for product in order:
            if product in chosen:
                continue
            nearest = max((float(VECTORS[product] @ VECTORS[other]) for other in chosen), default=0.0)
            held = [groups[i] for i in [*chosen, product] if groups[i]]
            total = len([i for i in chosen if groups[i]]) + 1
            distance = sum(p * np.log(p / (0.99 * held.count(each) / total + 0.01 * p)) for each, p in taste.items() if weight)
            values[product] = (1 - weight) * ((1 - diversity) * relevant[product] - diversity * nearest) - weight * distance
        best = max(values.values())
        chosen.append(next(product for product in order if values.get(product, -np.inf) > best - 1e-6))
    return chosen


@settings(max_examples=100, deadline=None)
@given(
    st.permutations(range(N)).flatmap(lambda p: st.integers(1, N).map(lambda size: p[:size])),
    st.lists(st.sampled_from(range(N)), max_size=5),
    st.sampled_from([0.0, 0.37, 0.81]),
    st.sampled_from([0.0, 0.23, 0.61]),
)
def test_the_choice_is_that_of_the_papers(order, history, diversity, weight):
    policy = Policy(diversity=diversity, calibration=Calibration(weight))
    found = shown(policy, ranked(*order), 6, history=history, candidates=Candidates(None, repeats=True))
    expected = by_the_papers(order, history, 6, diversity, weight)
    assert [product for product in found.rankings.products[0].tolist() if product >= 0] == expected
