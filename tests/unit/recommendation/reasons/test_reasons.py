"""Attributions and counterfactuals against games worked by hand, brute force, and what an additive ranker says itself."""

from __future__ import annotations

from itertools import chain, combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.core.protocols import Run
from basketry.recommendation.popularity import Popular
from basketry.recommendation.reasons.attribution import Attribution, lime, shapley
from basketry.recommendation.reasons.counterfactuals import counterfactual
from basketry.recommendation.reasons.deletions import ask
from reason_worlds import Conjunctive, additive, asked_after

BOTH = np.zeros((4, 4))
BOTH[0, 3], BOTH[1, 3] = 1, 2  # score of 3: (1 [0 is there] + 2 [1 is there]) ** 2


def test_a_game_by_hand():
    asked = ask(Conjunctive(BOTH), asked_after([[0, 1, 2]], 4), 0, Candidates())
    three = np.array([3], dtype=np.int32)
    values, rest = shapley(asked, three, samples=1, seed=0)
    # v(0) = 1, v(1) = 4, v(both) = 9; 2 is a dummy: halves of 1 + (9 - 4) and of 4 + (9 - 1)
    assert values[:, 0] == pytest.approx([3, 6, 0])
    assert rest == pytest.approx([0])
    values, rest = Attribution("left_out").values(asked, three, 0)
    assert values[:, 0] == pytest.approx([5, 8, 0])
    assert rest == pytest.approx([9 - 13])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 5))
def test_shapley_is_the_mean_over_orders(seed, n):
    random = np.random.default_rng(seed)
    model = Conjunctive(random.integers(0, 4, (8, 8)).astype(float), power=3, bias=2.0)
    asked = ask(model, asked_after([random.permutation(7)[:n].tolist()], 8), 0, Candidates())
    products = np.array([7, 6], dtype=np.int32)
    values, rest = shapley(asked, products, samples=1, seed=0)
    expected = np.zeros((n, 2))
    orders = list(permutations(range(n)))
    for order in orders:
        held = np.zeros((n + 1, n), dtype=bool)
        for place, part in enumerate(order):
            held[place + 1 :, part] = True
        expected[list(order)] += np.diff(asked.scores(held, products), axis=0) / len(orders)
    assert values == pytest.approx(expected, abs=1e-9)
    whole = asked.scores(np.ones((1, n), dtype=bool), products)[0]
    assert np.abs(values.sum(axis=0) + rest - whole).max() <= 1e-9


def test_long_histories_are_sampled_and_still_add_up():
    random = np.random.default_rng(3)
    model = Conjunctive(random.random((40, 40)), power=2, bias=1.0)
    history = random.permutation(39)[:16].tolist()
    asked = ask(model, asked_after([history], 40), 0, Candidates())
    products = np.array([39], dtype=np.int32)
    values, rest = shapley(asked, products, samples=200, seed=1)
    whole = asked.scores(np.ones((1, 16), dtype=bool), products)[0]
    assert values.sum(axis=0) + rest == pytest.approx(whole, abs=1e-9)
    # a square of a sum: the Shapley value of a part is its weight times the sum
    weight = model.matrix[history, 39]
    assert values[:, 0] == pytest.approx(weight * weight.sum(), rel=1e-5)
    again, _ = shapley(asked, products, samples=200, seed=1)
    assert np.array_equal(values, again)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(0, 6), min_size=1, max_size=3))
def test_of_a_sum_every_method_says_what_it_says_itself(seed, lengths):
    random = np.random.default_rng(seed)
    model = additive(random.integers(0, 3, (9, 9)).astype(float))
    queries = asked_after([random.integers(0, 9, n).tolist() for n in lengths], 9)
    rankings = model.rank(queries, 3, Candidates())
    own = model.explain(queries, rankings)
    for method in ("left_out", "shapley", "lime"):
        told = Attribution(method, samples=400, reg=1e-9).evidence(model, queries, rankings, Run())
        assert np.array_equal(told.start, own.start)
        assert told.events == pytest.approx(own.events, abs=1e-4)
        assert told.rest == pytest.approx(own.rest, abs=1e-4)
        assert not told.exact


def test_lime_knows_what_matters_in_what_is_no_sum():
    asked = ask(Conjunctive(BOTH, power=3), asked_after([[2, 0, 1]], 4), 0, Candidates())
    values = lime(asked, np.array([3], dtype=np.int32), Attribution("lime", samples=300), seed=0).values
    assert values[2, 0] > values[1, 0] > abs(values[0, 0])


class Parity(Conjunctive):
    """Scores 1 where the history holds an odd number of products, to which no line is near."""

    def scores(self, queries):
        odd = queries.histories.lengths % 2
        return np.repeat(odd[:, None], self.n_products, axis=1).astype(np.float32)


def test_lime_tells_how_well_its_line_fits_and_is_refused_where_it_does_not():
    three = np.array([3], dtype=np.int32)
    history = asked_after([[0, 1, 2, 4, 5, 6]], 8)
    bent = ask(Conjunctive(np.ones((8, 8)), power=2), history, 0, Candidates())
    fit = lime(bent, three, Attribution("lime", samples=200), seed=3)
    # v(S) = |S| ** 2, the same draws again: R2 by its formula
    random = np.random.default_rng(3)
    some = random.integers(0, 7, 200)
    size = np.concatenate([[6, 0], some])
    weight = np.exp(-((1 - size / 6) ** 2) / 0.75**2)
    line = np.polyfit(size, size**2, 1, w=np.sqrt(weight))
    mean = np.average(size**2, weights=weight)
    r2 = 1 - np.average((size**2 - np.polyval(line, size)) ** 2, weights=weight) / np.average(
        (size**2 - mean) ** 2, weights=weight
    )
    assert fit.r2 == pytest.approx([r2], abs=5e-3)  # six slopes fit the draws a little better than their mean
    assert 0.9 < r2 < 1
    odd = ask(Parity(np.ones((8, 8))), history, 0, Candidates())
    assert lime(odd, three, Attribution("lime", samples=200), seed=3).r2[0] < 0.2
    values, rest = Attribution("lime", samples=200).values(odd, three, 3)
    assert (values == 0).all()
    assert rest == pytest.approx([0])  # the whole score: six products are even
    values, rest = Attribution("lime", samples=200, floor=0.999).values(bent, three, 3)
    assert (values == 0).all()
    assert rest == pytest.approx([36])


def test_parts_by_product_take_all_their_events():
    asked = ask(additive(BOTH), asked_after([[1, 0, 1, 2]], 4), 0, Candidates(), by="product")
    values, _ = shapley(asked, np.array([3], dtype=np.int32), 1, 0)
    assert values[:, 0] == pytest.approx([1, 4, 0])  # products 0, 1 (twice 2), 2
    with pytest.raises(RequestError, match="cut by 'day'"):
        ask(additive(BOTH), asked_after([[1]], 4), 0, Candidates(), by="day")


def test_nonsense_is_refused():
    with pytest.raises(RequestError, match="attributes nothing"):
        Attribution("attention")
    asked = ask(additive(BOTH), asked_after([[1]], 4), 0, Candidates())
    with pytest.raises(RequestError, match="whole rankings"):
        Attribution("explain").values(asked, np.array([3], dtype=np.int32), 0)


def smallest(asked, product: int, k: int) -> int | None:
    """The size of the smallest valid counterfactual, by trying everything."""
    n = asked.n_parts
    for gone in chain.from_iterable(combinations(range(n), size) for size in range(n + 1)):
        kept = np.ones((1, n), dtype=bool)
        kept[0, list(gone)] = False
        if not asked.listed(kept, product, k)[0]:
            return len(gone)
    return None


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 6), power=st.sampled_from((1, 2)), bias=st.sampled_from((0.0, 1.0)))
def test_short_counterfactuals_are_valid_and_smallest(seed, n, power, bias):
    random = np.random.default_rng(seed)
    model = Conjunctive(random.integers(0, 3, (10, 10)).astype(float), power=power, bias=bias)
    queries = asked_after([random.integers(0, 10, n).tolist()], 10)
    top = model.rank(queries, 2, Candidates()).products[0]
    for product in top[top >= 0]:
        asked = ask(model, queries, 0, Candidates(), by="product")
        brought = random.random(asked.n_parts)  # a poor guide changes the choice among equals, never the size
        found = counterfactual(asked, int(product), 2, brought)
        size = smallest(asked, int(product), 2)
        if found is None:
            assert size is None
            continue
        assert found.smallest
        assert len(found.gone) == size
        kept = np.ones((1, asked.n_parts), dtype=bool)
        kept[0, found.gone] = False
        assert not asked.listed(kept, int(product), 2)[0]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_long_counterfactuals_are_valid_and_none_of_them_can_be_spared(seed):
    random = np.random.default_rng(seed)
    model = additive(random.integers(0, 3, (60, 60)).astype(float), decay=0.9)
    queries = asked_after([random.permutation(60)[:20].tolist()], 60)
    rankings = model.rank(queries, 3, Candidates())
    asked = ask(model, queries, 0, Candidates())
    product = int(rankings.products[0, 0])
    found = counterfactual(asked, product, 3, model.explain(queries, rankings).of(0, 0, 20))
    assert found is not None
    kept = np.ones(20, dtype=bool)
    kept[found.gone] = False
    assert not asked.listed(kept[None], product, 3)[0]
    for part in found.gone:
        back = kept.copy()
        back[part] = True
        assert asked.listed(back[None], product, 3)[0]


def test_what_is_popular_anyway_has_no_counterfactual():
    popular = Popular(np.array([5, 4, 3, 2], dtype=np.float32))
    asked = ask(popular, asked_after([[3, 2]], 4), 0, Candidates())
    assert counterfactual(asked, 0, 1, np.zeros(2)) is None
    assert counterfactual(ask(popular, asked_after([[]], 4), 0, Candidates()), 0, 1, np.zeros(0)) is None


def test_a_product_left_out_of_the_history_does_not_take_the_place():
    matrix = np.zeros((4, 4))
    matrix[0, 1] = matrix[0, 3] = 1
    matrix[1, 3] = 1
    model = additive(matrix)
    asked = ask(model, asked_after([[0, 1]], 4), 0, Candidates())
    # without 1 product 3 has a score of 1, like product 1: that was no candidate, and is none now
    assert asked.listed(np.array([[True, False]]), 3, 1)[0]
    assert counterfactual(asked, 3, 1, np.array([1.0, 1.0])).gone.tolist() == [0, 1]
    repeating = ask(model, asked_after([[0, 1]], 4), 0, Candidates(repeats=True))
    assert counterfactual(repeating, 3, 1, np.array([1.0, 1.0])).gone.tolist() == [1]


def test_filters_hold_without_the_history_too():
    allowed = np.array([[True, True, False, True]])
    asked = ask(additive(np.ones((4, 4))), asked_after([[0]], 4), 0, Candidates(allowed))
    assert asked.candidates.allowed.tolist() == [False, True, False, True]
    assert asked.ranks(np.array([[True], [False]]), 3).tolist() == [2, 2]  # it loses its ties
