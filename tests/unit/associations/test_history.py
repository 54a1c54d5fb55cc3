import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.history import History, Pairs
from basketry.core.protocols import Run

N = 5
worlds = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, N - 1), min_size=1)), min_size=1, max_size=14)


def matrix(world):
    """Baskets of (customer, products), in the order of customers."""
    world = sorted(world, key=lambda each: each[0])
    items = [sorted(products) for _, products in world]
    indptr = np.concatenate([[0], np.cumsum([len(each) for each in items])]).astype(np.int64)
    flat = np.array([item for each in items for item in each], dtype=np.int32)
    customers = np.array([customer for customer, _ in world], dtype=np.int32)
    return BasketMatrix(indptr, flat, customers, np.arange(len(world), dtype=np.int32), N), world


def every_pair():
    a, b = np.triu_indices(N, 1)
    return Pairs.of(a, b, N)


@settings(deadline=None)
@given(worlds)
def test_counts_of_any_pair_equal_counting_by_hand(world):
    baskets, ordered = matrix(world)
    history, pairs = History.of(baskets, Run(threads=1)), every_pair()
    together, tallies = history.together(pairs), history.across(pairs)
    either = tallies[0].either(tallies[1])
    for row, (a, b) in enumerate(zip(pairs.a, pairs.b, strict=True)):
        both = [customer for customer, products in ordered if {a, b} <= products]
        assert together.baskets[row] == len(both)
        assert together.customers[row] == len(set(both))
        ways = []
        for first, second in ((a, b), (b, a)):
            turns = itertools.pairwise(ordered)
            ways.append([now[0] for now, then in turns if now[0] == then[0] and first in now[1] and second in then[1]])
        assert [way.baskets[row] for way in tallies] == [len(way) for way in ways]
        assert [way.customers[row] for way in tallies] == [len(set(way)) for way in ways]
        assert either.baskets[row] == sum(map(len, ways))
        assert either.customers[row] == max(len(set(way)) for way in ways)


@settings(deadline=None)
@given(worlds, st.lists(st.integers(-1, 2), min_size=N, max_size=N))
def test_group_lift_leaves_the_pair_itself_out(world, groups):
    baskets, ordered = matrix(world)
    history, pairs = History.of(baskets, Run(threads=1)), every_pair()
    group = np.array(groups, dtype=np.int32)
    got = history.group_lift(pairs, group)
    own = history.together(pairs)
    for row, (a, b) in enumerate(zip(pairs.a, pairs.b, strict=True)):
        if min(group[a], group[b]) < 0:
            assert got[row] == 0
            continue
        kin = [
            (c, d) for c in range(N) for d in range(c + 1, N) if sorted((group[c], group[d])) == sorted((group[a], group[b]))
        ]
        counted = sum(sum({c, d} <= products for _, products in ordered) for c, d in kin) - own.baskets[row]
        expected = sum(by_chance(ordered, c, d) for c, d in kin) - by_chance(ordered, a, b)
        assert got[row] == pytest.approx(np.log((counted + 1) / (max(expected, 0) + 1)))


def by_chance(ordered, a, b):
    """Expected meetings of a and b, size by size; baskets here are of sizes 1 to 5, each a stratum."""
    total = 0.0
    for size in range(2, N + 1):
        baskets = [products for _, products in ordered if len(products) == size]
        places = len(baskets) * size * (size - 1)
        held = [sum(size - 1 for products in baskets if item in products) for item in (a, b)]
        total += held[0] * held[1] / np.sqrt((places - held[0]) * (places - held[1])) if all(held) else 0.0
    return total


def test_pairs_are_found_either_way_round():
    pairs = Pairs.of(np.array([3, 1, 1, 2]), np.array([1, 3, 2, 2]), N)
    assert list(zip(pairs.a, pairs.b, strict=True)) == [(1, 2), (1, 3)]
    assert pairs.rows(np.array([3, 2]), np.array([1, 1])).tolist() == [1, 0]


def test_an_empty_history_answers():
    baskets, _ = matrix([])
    history = History.of(baskets, Run(threads=1))
    assert history.together(every_pair()).baskets.sum() == 0
    assert history.days() == 0
