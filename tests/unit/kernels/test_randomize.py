"""Worlds of chance: margins kept exactly, every world as likely as any other, the old pairs forgotten."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from basketry.kernels.randomize import ascending, redraw_items, rounds_to_forget, trade_items

N_ITEMS = 9


def rows_of(indptr, items):
    return [items[start:end].tolist() for start, end in pairwise(indptr)]


def packed(baskets):
    indptr = np.cumsum([0, *map(len, baskets)], dtype=np.int64)
    return indptr, np.array([item for basket in baskets for item in basket], dtype=np.int32)


baskets = st.lists(st.permutations(range(N_ITEMS)).flatmap(lambda p: st.integers(0, N_ITEMS).map(lambda k: p[:k])), max_size=12)


@given(baskets, st.integers(0, 2**40))
def test_redrawing_keeps_what_each_item_has(world, seed):
    indptr, items = packed(world)
    starts, drawn = redraw_items(indptr, items, N_ITEMS, seed=(seed,))
    assert starts[0] == 0 and starts[-1] == len(items) and len(starts) == len(indptr)
    rows = rows_of(starts, drawn)
    assert all(row == sorted(set(row)) for row in rows)
    assert Counter(drawn.tolist()) == Counter(items.tolist())
    again = redraw_items(indptr, items, N_ITEMS, seed=(seed,))
    assert (again[0] == starts).all() and (again[1] == drawn).all()


@given(baskets, st.integers(0, 2**40), st.integers(0, 6))
def test_trading_keeps_both_margins(world, seed, rounds):
    indptr, items = packed(world)
    before = items.copy()
    traded = trade_items(indptr, items, N_ITEMS, seed=(seed,), rounds=rounds)
    assert (items == before).all(), "the real world is left alone"
    rows = rows_of(indptr, traded)
    assert all(row == sorted(set(row)) for row in rows)
    assert Counter(traded.tolist()) == Counter(items.tolist())
    assert (trade_items(indptr, items, N_ITEMS, seed=(seed,), rounds=rounds) == traded).all()


def worlds_with_items_kept(n, frequencies):
    """Every choice of baskets for each item, as the tuple of baskets."""
    for chosen in product(*(combinations(range(n), f) for f in frequencies)):
        yield tuple(tuple(i for i, has in enumerate(chosen) if t in has) for t in range(n))


def misfit(seen, possible, draws):
    """p of Pearson's chi-square against equal chances."""
    assert set(seen) <= set(possible)
    expected = draws / len(possible)
    statistic = sum((seen[world] - expected) ** 2 / expected for world in possible)
    return chi2.sf(statistic, len(possible) - 1)


def test_redrawn_worlds_are_equally_likely():
    """Three items in 2, 1 and 3 of 4 baskets: 6 x 4 x 4 = 96 worlds; the third is drawn by what it is not in."""
    world = [[0, 1, 2], [0, 2], [2], []]
    indptr, items = packed(world)
    possible = list(worlds_with_items_kept(4, (2, 1, 3)))
    assert len(possible) == 96
    draws = 9_600
    seen = Counter(tuple(map(tuple, rows_of(*redraw_items(indptr, items, 3, seed=(7, each))))) for each in range(draws))
    assert misfit(seen, possible, draws) > 0.001


def test_traded_worlds_are_equally_likely():
    """Baskets of 3, 2, 2 and 1 items, each item's frequency kept: every world by enumeration, each as often as any other."""
    world = [[0, 1, 2], [0, 3], [1, 3], [0]]
    indptr, items = packed(world)
    sizes = tuple(map(len, world))
    possible = [w for w in worlds_with_items_kept(4, (3, 2, 1, 2)) if tuple(map(len, w)) == sizes]
    assert len(possible) == 24
    draws = 100 * len(possible)
    seen = Counter(
        tuple(map(tuple, rows_of(indptr, trade_items(indptr, items, 4, seed=(8, each), rounds=20)))) for each in range(draws)
    )
    assert misfit(seen, possible, draws) > 0.001


def test_the_chi_square_would_see_too_few_rounds():
    world = [[0, 1, 2], [0, 3], [1, 3], [0]]
    indptr, items = packed(world)
    possible = [w for w in worlds_with_items_kept(4, (3, 2, 1, 2)) if tuple(map(len, w)) == (3, 2, 2, 1)]
    draws = 100 * len(possible)
    seen = Counter(
        tuple(map(tuple, rows_of(indptr, trade_items(indptr, items, 4, seed=(8, each), rounds=2)))) for each in range(draws)
    )
    assert misfit(seen, possible, draws) < 1e-6


def test_the_rounds_chosen_forget_the_pairs_that_stood_together():
    """Thirty items that fill a hundred large baskets, among 1,000 baskets of one to three others: where pairs of them end."""
    rng = np.random.default_rng(3)
    world = [[*range(30)] for _ in range(100)]
    world += [rng.choice(np.arange(30, 300), rng.integers(1, 4), replace=False).tolist() for _ in range(1000)]
    indptr, items = packed(world)
    basket = np.repeat(np.arange(len(world)), np.diff(indptr))
    rounds = rounds_to_forget(np.diff(indptr))
    assert 30 < rounds < 60

    def pairs_left(rounds):
        kept = []
        for seed in range(12):
            held = np.bincount(basket[trade_items(indptr, items, 300, seed=(seed,), rounds=rounds) < 30])
            kept.append((held * (held - 1) // 2).sum())
        return np.mean(kept)

    limit = pairs_left(5 * rounds)
    assert pairs_left(rounds) == pytest.approx(limit, rel=0.02), "one standard error is 0.5%"
    assert pairs_left(rounds // 3) > 1.2 * limit


def test_seeds_differ_and_order_within_a_basket_is_no_matter():
    rng = np.random.default_rng(1)
    world = [rng.permutation(50)[:8].tolist() for _ in range(200)]
    indptr, items = packed(world)
    sorted_items = ascending(indptr, items)
    assert (np.diff(sorted_items.reshape(200, 8)) > 0).all()
    one = trade_items(indptr, items, 50, seed=(1,), rounds=3)
    assert (one == trade_items(indptr, sorted_items, 50, seed=(1,), rounds=3)).all()
    assert (one != trade_items(indptr, items, 50, seed=(2,), rounds=3)).any()
    assert (one != trade_items(indptr, items, 50, seed=(1, 0, 1), rounds=3)).any()


def test_rounds_for_even_and_for_uneven_baskets():
    assert rounds_to_forget(np.full(100, 5)) == 10
    assert rounds_to_forget(np.array([1, 1, 1])) == 10
    assert rounds_to_forget(np.empty(0, dtype=np.int64)) == 10
    assert rounds_to_forget(np.array([1] * 10**6 + [500])) == 1000


def test_arrays_that_are_no_baskets_are_refused():
    indptr, items = packed([[0, 1], [1]])
    with pytest.raises(ValueError, match="outside"):
        redraw_items(indptr, items, 1, seed=(0,))
    with pytest.raises(ValueError, match="twice"):
        trade_items(indptr, np.array([1, 1, 0], dtype=np.int32), 2, seed=(0,))
    with pytest.raises(ValueError, match="rounds"):
        trade_items(indptr, items, 2, seed=(0,), rounds=-1)
