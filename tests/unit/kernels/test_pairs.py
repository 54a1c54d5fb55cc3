from __future__ import annotations

from collections import defaultdict
from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.kernels import pairs
from basketry.kernels.pairs import Annotations, Floors, count_items, count_pairs

N_ITEMS = 7

worlds = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, N_ITEMS - 1)), st.booleans()), max_size=14).map(
    lambda rows: sorted(rows, key=lambda row: row[0])
)


def arrays(world):
    indptr = np.cumsum([0] + [len(items) for _, items, _ in world]).astype(np.int64)
    items = np.array([item for _, chosen, _ in world for item in sorted(chosen, reverse=True)], dtype=np.int32)
    groups = np.array([group for group, _, _ in world], dtype=np.int32)
    marks = np.array([mark for _, _, mark in world], dtype=np.uint8)
    partner = np.array(
        [i + 1 if i + 1 < len(world) and world[i + 1][0] == world[i][0] else -1 for i in range(len(world))], dtype=np.int32
    )
    return indptr, items, groups, marks, partner


def counted_by_hand(world, partner=None):
    """{(a, b): (count, groups, marked)} by looking at every basket."""
    baskets, groups, marked = defaultdict(int), defaultdict(set), defaultdict(int)
    for i, (group, chosen, mark) in enumerate(world):
        if partner is None:
            met = combinations(sorted(chosen), 2)
        else:
            met = [pair for pair in product(chosen, world[partner[i]][1] if partner[i] >= 0 else ()) if pair[0] != pair[1]]
        for pair in met:
            baskets[pair] += 1
            groups[pair].add(group)
            marked[pair] += mark
    return {pair: (baskets[pair], len(groups[pair]), marked[pair]) for pair in baskets}


def as_dict(counts):
    rows = zip(counts.a, counts.b, counts.count, counts.groups, counts.marked, strict=True)
    return {(int(a), int(b)): (int(n), int(g), int(m)) for a, b, n, g, m in rows}


@given(worlds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_unordered_pairs_equal_a_count_by_hand(world, min_count, min_groups, threads):
    indptr, items, groups, marks, _ = arrays(world)
    counts = count_pairs(
        indptr, items, N_ITEMS, about=Annotations(groups, None, marks), floors=Floors(min_count, min_groups), threads=threads
    )
    by_hand = counted_by_hand(world)
    assert as_dict(counts) == {pair: n for pair, n in by_hand.items() if n[0] >= min_count and n[1] >= min_groups}
    assert len(counts.a) == len(as_dict(counts))


@given(worlds, st.integers(1, 3))
def test_plain_counts_equal_a_count_by_hand(world, min_count):
    indptr, items, *_ = arrays(world)
    counts = count_pairs(indptr, items, N_ITEMS, floors=Floors(min_count))
    found = {(int(a), int(b)): int(n) for a, b, n in zip(counts.a, counts.b, counts.count, strict=True)}
    assert found == {pair: n[0] for pair, n in counted_by_hand(world).items() if n[0] >= min_count}
    assert len(counts.groups) == len(counts.marked) == 0


@given(worlds, st.integers(1, 2), st.integers(1, 2))
def test_ordered_pairs_equal_a_count_by_hand(world, min_count, min_groups):
    indptr, items, groups, marks, partner = arrays(world)
    about, floors = Annotations(groups, partner, marks), Floors(min_count, min_groups)
    by_hand = counted_by_hand(world, partner)
    expected = {pair: n for pair, n in by_hand.items() if n[0] >= min_count and n[1] >= min_groups}
    assert as_dict(count_pairs(indptr, items, N_ITEMS, about=about, floors=floors)) == expected


@pytest.mark.parametrize("block", [1, 100, 10_000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_blocks_and_threads_change_nothing(monkeypatch, block, threads):
    rng = np.random.default_rng(0)
    chosen = [np.flatnonzero(rng.random(60) < 0.2) for _ in range(300)]
    indptr = np.cumsum([0, *map(len, chosen)])
    items = np.concatenate(chosen).astype(np.int32)
    groups = np.repeat(np.arange(100, dtype=np.int32), 3)
    about = Annotations(groups, None, (groups > 50).astype(np.uint8))
    reference = count_pairs(indptr, items, 60, about=about, threads=1)
    monkeypatch.setattr(pairs, "_BLOCK", block)
    monkeypatch.setattr(pairs, "_RESERVED", 3)
    counts = count_pairs(indptr, items, 60, about=about, threads=threads)
    for name in ("a", "b", "count", "groups", "marked"):
        assert np.array_equal(getattr(counts, name), getattr(reference, name))


def test_no_baskets_and_no_items():
    assert len(count_pairs(np.zeros(1, np.int64), np.zeros(0, np.int32), 0).a) == 0
    assert len(count_pairs(np.zeros(4, np.int64), np.zeros(0, np.int32), 5, threads=1).a) == 0


def int64(*values):
    return np.array(values, dtype=np.int64)


def int32(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("indptr", "items", "n_items", "about", "words"),
    [
        (int64(), int32(), 1, {}, "0 to"),
        (int64(1, 2), int32(0, 0), 1, {}, "indptr must start at 0"),
        (int64(0, 3), int32(0, 1), 2, {}, "indptr must start at 0"),
        (int64(0, 2, 1, 3), int32(0, 1, 0), 2, {}, "breaks at basket 1"),
        (int64(0, 9, 3), int32(0, 1, 0), 2, {}, "breaks at basket 0"),
        (int64(0, -5, 3), int32(0, 1, 0), 2, {}, "breaks at basket 0"),
        (int64(0, 2), int32(0, 2), 2, {}, "outside"),
        (int64(0, 2), int32(-1, 1), 2, {}, "outside"),
        (int64(0, 1, 3), int32(1, 1, 1), 2, {}, "basket 1 holds an item twice"),
        (int64(0, 2), np.array([0.0, 1.0]), 2, {}, "int32"),
        (np.array([0, 2], np.int32), int32(0, 1), 2, {}, "int64"),
        (int64(0, 2), int32(0, 9, 1, 9)[::2], 2, {}, "contiguous"),
        (int64(0, 2), int32(0, 1), -1, {}, "can be counted"),
        (int64(0, 2), int32(0, 1), 2**31, {}, "can be counted"),
        (int64(0, 1, 2), int32(0, 1), 2, {"groups": int32(0)}, "1 entries for 2 baskets"),
        (int64(0, 1, 2), int32(0, 1), 2, {"groups": int32(1, 0)}, "never fall"),
        (int64(0, 1, 2), int32(0, 1), 2, {"groups": int32(-1, 0)}, "never fall"),
        (int64(0, 1, 2), int32(0, 1), 2, {"partner": int32(2, -1)}, r"\[-1, 2\)"),
        (int64(0, 1, 2), int32(0, 1), 2, {"partner": int32(-2, -1)}, r"\[-1, 2\)"),
        (int64(0, 1, 2), int32(0, 1), 2, {"partner": int32(1, 1)}, "partner of two"),
        (int64(0, 1, 2), int32(0, 1), 2, {"groups": int32(0, 1), "partner": int32(1, -1)}, "share their group"),
        (int64(0, 1, 2), int32(0, 1), 2, {"marks": np.array([0, 2], np.uint8)}, "0 or 1"),
    ],
)
def test_malformed_arrays_are_refused(indptr, items, n_items, about, words):
    with pytest.raises(ValueError, match=words):
        count_pairs(indptr, items, n_items, about=Annotations(**about))


@pytest.mark.parametrize(("floors", "threads"), [(Floors(0), 1), (Floors(1, 0), 1), (Floors(), 0), (Floors(1, 2), 1)])
def test_floors_and_threads_out_of_range_are_refused(floors, threads):
    with pytest.raises(ValueError, match=r"start at 1|needs groups"):
        count_pairs(int64(0, 2), int32(0, 1), 2, floors=floors, threads=threads)


def test_items_are_counted_by_basket_and_by_group():
    frequency, groups = count_items(int64(0, 2, 3, 5), int32(0, 1, 1, 1, 2), 4, int32(3, 3, 8))
    assert frequency.tolist() == [1, 3, 1, 0]
    assert groups.tolist() == [1, 2, 1, 0]


@pytest.mark.data
def test_complete_journey_has_the_known_pairs(complete_journey: Path):
    lines = (
        pl.read_parquet(complete_journey / "transactions.parquet", columns=["basket_id", "product_id"])
        .unique()
        .with_columns(pl.all().rank("dense").cast(pl.Int32) - 1)
        .sort("basket_id")
    )
    indptr = np.append(0, np.cumsum(np.bincount(lines["basket_id"].to_numpy())))
    items = lines["product_id"].to_numpy()
    counts = count_pairs(indptr, items, int(items.max()) + 1)
    assert (len(counts.a), int(counts.count.sum(dtype=np.int64))) == (11_934_372, 17_985_213)
    assert len(count_pairs(indptr, items, int(items.max()) + 1, floors=Floors(10)).a) == 101_887
