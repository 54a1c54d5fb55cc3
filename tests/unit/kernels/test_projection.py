from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels.pairs import count_pairs
from basketry.kernels.projection import Projection, measure_anchors

N_ITEMS = 8

worlds = st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True), max_size=10)
ranks = st.permutations([0, 1, 2, 3, 4, -1, -1, -1]).map(lambda ranks: np.array(ranks, dtype=np.int32))


def arrays(world):
    indptr = np.cumsum([0, *map(len, world)]).astype(np.int64)
    return indptr, np.array([item for basket in world for item in basket], dtype=np.int32)


def ranked(world, rank):
    return [sorted(int(rank[item]) for item in basket if rank[item] >= 0) for basket in world]


@given(worlds, ranks)
def test_anchors_are_measured_as_by_hand(world, rank):
    held, baskets = np.zeros(5, np.int64), np.zeros(5, np.int64)
    measure_anchors(*arrays(world), rank, held, baskets)
    rows = ranked(world, rank)
    assert baskets.tolist() == [sum(r in row for row in rows) for r in range(5)]
    assert held.tolist() == [sum(row.index(r) + 1 for row in rows if r in row) for r in range(5)]


@given(worlds, ranks, st.integers(0, 5), st.integers(0, 5), st.integers(0, 10))
def test_a_projection_holds_what_the_range_needs_from_any_pieces(world, rank, first, last, cut):
    room = Projection(first, last, 10, 80)
    which = room.add(*arrays(world[:cut]), rank).tolist()
    which += [cut + t for t in room.add(*arrays(world[cut:]), rank).tolist()]
    rows = {t: row for t, row in enumerate(ranked(world, rank)) if any(first <= r < last for r in row)}
    assert which == list(rows)
    ends = room.indptr.tolist()
    taken = [room.items[begin:end].tolist() for begin, end in zip(ends[:-1], ends[1:], strict=True)]  # noqa: RUF007
    assert taken == [[r for r in row if r < last] for row in rows.values()]


def test_long_baskets_are_sorted_too():
    items = np.random.default_rng(0).permutation(500).astype(np.int32)
    room = Projection(0, 400, 1, 400)
    room.add(np.array([0, 500]), items, np.arange(500, dtype=np.int32))
    assert room.items.tolist() == list(range(400))


@pytest.mark.parametrize(("n_baskets", "n_items"), [(1, 9), (2, 4), (0, 9)])
def test_too_little_room_is_refused(n_baskets, n_items):
    with pytest.raises(ValueError, match="there is room for"):
        Projection(0, 3, n_baskets, n_items).add(*arrays([[0, 1], [1, 2, 0]]), np.arange(3, dtype=np.int32))


@pytest.mark.parametrize(
    ("indptr", "items", "rank", "words"),
    [
        (np.array([0, 2]), np.array([0], np.int32), np.array([0], np.int32), "indptr"),
        (np.array([0, 2, 1]), np.array([0], np.int32), np.array([0], np.int32), "indptr"),
        (np.array([1, 1]), np.array([0], np.int32), np.array([0], np.int32), "indptr"),
        (np.zeros(0, np.int64), np.array([], np.int32), np.array([0], np.int32), "indptr"),
        (np.array([0, 1]), np.array([1], np.int32), np.array([0], np.int32), "an item"),
        (np.array([0, 1]), np.array([-1], np.int32), np.array([0], np.int32), "an item"),
        (np.array([0, 1]), np.array([0], np.int32), np.array([-2], np.int32), "a rank"),
        (np.array([0, 1]), np.array([0], np.int32), np.array([1], np.int32), "a rank"),
        (np.array([0, 1]), np.array([0]), np.array([0], np.int32), "items must be"),
        (np.array([0, 1], np.int32), np.array([0], np.int32), np.array([0], np.int32), "indptr must be"),
    ],
)
def test_broken_arrays_never_reach_c(indptr, items, rank, words):
    with pytest.raises(ValueError, match=words):
        measure_anchors(indptr, items, rank, np.zeros(1, np.int64), np.zeros(1, np.int64))
    if words != "a rank":
        with pytest.raises(ValueError, match=words):
            Projection(0, 1, 1, 1).add(indptr, items, rank)
    with pytest.raises(ValueError, match="one length"):
        measure_anchors(
            np.array([0]), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(2, np.int64)
        )


@given(worlds, st.integers(0, 8), st.integers(0, 8), st.integers(1, 2))
def test_pairs_of_a_range_of_anchors_are_those_whose_larger_code_lies_in_it(world, first, last, threads):
    indptr, items = arrays(world)
    whole = count_pairs(indptr, items, N_ITEMS)
    part = count_pairs(indptr, items, N_ITEMS, anchors=(first, last), threads=threads)
    wanted = (whole.b >= first) & (whole.b < last)
    listed = [
        sorted(zip(x.a[w].tolist(), x.b[w].tolist(), x.count[w].tolist(), strict=True))
        for x, w in ((whole, wanted), (part, slice(None)))
    ]
    assert listed[0] == listed[1]
