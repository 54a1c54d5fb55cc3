"""Itemsets against a plain Python miner, on every kind of processor code; peers' defects; limits; errors; interrupts."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels.itemsets import ISAS, KINDS, Limits, mine_itemsets
from basketry.kernels.trees import ItemsetTree

Found = dict[frozenset[int], int]


def csr(rows: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return indptr, np.array([item for row in rows for item in row], dtype=np.int32)


def itemsets(tree: ItemsetTree) -> Found:
    """The members of a tree; one that stands in it twice, or holds an item twice, is an error."""
    paths: list[tuple[int, ...]] = []
    found: Found = {}
    for above, item, support in zip(tree.parent.tolist(), tree.item.tolist(), tree.support.tolist(), strict=True):
        paths.append((*paths[above], item) if above >= 0 else (item,))
        if support:
            assert len(set(paths[-1])) == len(paths[-1])
            assert frozenset(paths[-1]) not in found
            found[frozenset(paths[-1])] = support
    return found


def brute(rows: list[set[int]], n_items: int, min_count: int) -> Found:
    """All frequent itemsets, by trying each extension of each frequent one."""
    found: Found = {}

    def grow(itemset: frozenset[int], held: list[set[int]]) -> None:
        for item in range(max(itemset, default=-1) + 1, n_items):
            still = [row for row in held if item in row]
            if len(still) >= min_count:
                found[itemset | {item}] = len(still)
                grow(itemset | {item}, still)

    grow(frozenset(), rows)
    return found


def of_kind(found: Found, kind: str, n: int) -> Found:
    """The definitions, to the letter."""
    if kind == "closed":
        return {x: s for x, s in found.items() if not any(x < y and s == found[y] for y in found)}
    if kind == "maximal":
        return {x: s for x, s in found.items() if not any(x < y for y in found)}
    if kind == "generators":
        subsets = {x: [frozenset(y) for k in range(1, len(x)) for y in combinations(x, k)] for x in found}
        return {x: s for x, s in found.items() if s < n and all(found[y] > s for y in subsets[x])}
    return found


def mined(rows: list[set[int]], n_items: int, min_count: int, **options: object) -> Found:
    return itemsets(mine_itemsets(*csr(rows), n_items, min_count=min_count, **options))  # type: ignore[arg-type]


worlds = st.integers(1, 9).flatmap(
    lambda n_items: st.tuples(
        st.lists(st.sets(st.integers(0, n_items - 1)), max_size=40), st.just(n_items), st.integers(1, 12), st.integers(1, 4)
    )
)


@settings(max_examples=400, deadline=None)
@given(worlds, st.sampled_from(ISAS), st.integers(1, 2))
def test_equal_to_trying_everything(world, isa, threads):
    rows, n_items, min_count, times = world
    rows = rows * times
    found = brute(rows, n_items, min_count)
    for kind in KINDS:
        assert mined(rows, n_items, min_count, kind=kind, isa=isa, threads=threads) == of_kind(found, kind, len(rows))


def planted(seed: int, n: int, n_items: int, share: float, size: int) -> list[set[int]]:
    """Many items, most of them rare, and a group that is often bought together with one another."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        row = set(np.minimum(random.geometric(0.02, size), n_items) - 1)
        row |= set(random.permutation(n_items)[:size].tolist())
        if random.random() < share:
            row |= set(range(90, 97))
        rows.append({int(item) for item in row})
    return rows


@pytest.mark.parametrize(
    ("seed", "n", "n_items", "share", "size", "min_count"),
    [(1, 400, 150, 0.1, 6, 8), (2, 1000, 300, 0.03, 12, 10), (3, 60, 120, 0.5, 30, 14), (4, 3000, 700, 0.01, 5, 5)],
)
@pytest.mark.parametrize("kind", KINDS)
def test_wide_worlds_take_every_way_through_the_search(seed, n, n_items, share, size, min_count, kind):
    rows = planted(seed, n, n_items, share, size)
    wanted = _by_supersets(brute(rows, n_items, min_count), kind, n)
    trees = [mine_itemsets(*csr(rows), n_items, min_count=min_count, kind=kind, isa=isa) for isa in ISAS]
    for tree in trees:
        assert itemsets(tree) == wanted
    two = mine_itemsets(*csr(rows), n_items, min_count=min_count, kind=kind, threads=2)
    for name in ("parent", "item", "support"):
        for other in (*trees[1:], two):
            np.testing.assert_array_equal(getattr(trees[0], name), getattr(other, name))


def _by_supersets(found: Found, kind: str, n: int) -> Found:
    """The definitions again, looked up item by item: itemsets with one item more, or one less, decide."""
    if kind == "generators":
        return {x: s for x, s in found.items() if all((found[x - {i}] if len(x) > 1 else n) > s for i in x)}
    larger: dict[frozenset[int], int] = {}
    for x, s in found.items():
        for i in x:
            larger[x - {i}] = max(larger.get(x - {i}, 0), s)
    if kind == "closed":
        return {x: s for x, s in found.items() if larger.get(x, 0) < s}
    return {x: s for x, s in found.items() if x not in larger} if kind == "maximal" else found


def test_ranks_past_sixteen_bits():
    n_items = 70_000
    rows = [{i, (i + 1) % n_items} for i in range(n_items)] + [{0, 40_000, 69_999}] * 3
    for isa in ISAS:
        found = mined(rows, n_items, 1, isa=isa)
        assert len(found) == n_items + n_items + 2 + 1  # singles, neighbours (0 and 69,999 too), two new pairs, one triple
        assert found[frozenset({0, 40_000, 69_999})] == 3
        assert found[frozenset({0, 69_999})] == 4
    assert mined(rows, n_items, 3, kind="maximal") == {frozenset({0, 40_000, 69_999}): 3}


def test_an_item_in_every_basket_is_kept():
    rows = [{0, 1}, {0, 2}, {0, 1, 2}]
    assert mined(rows, 3, 3) == {frozenset({0}): 3}
    assert mined(rows, 3, 2, kind="closed") == {frozenset({0}): 3, frozenset({0, 1}): 2, frozenset({0, 2}): 2}


def test_perfect_extensions_of_perfect_extensions():
    rows = [set(range(12))] * 5 + [set(range(6))] * 4 + [{0}]
    found = mined(rows, 12, 2)
    assert len(found) == 2**12 - 1
    assert found[frozenset(range(6))] == 9
    assert found[frozenset({0})] == 10
    assert mined(rows, 12, 2, kind="closed") == {frozenset(range(12)): 5, frozenset(range(6)): 9, frozenset({0}): 10}


@pytest.mark.parametrize(
    ("rows", "n_items", "expected"),
    [([], 0, {}), ([], 3, {}), ([set(), set()], 3, {}), ([{2}], 3, {frozenset({2}): 1})],
)
@pytest.mark.parametrize("kind", KINDS[:3])
def test_next_to_nothing(rows, n_items, expected, kind):
    assert mined(rows, n_items, 1, kind=kind) == expected
    assert mined(rows, n_items, 2, kind=kind) == {}


def test_long_itemsets_have_no_silent_cap():
    rows = [set(range(15))] * 2 + [set(range(14))]
    assert max(map(len, mined(rows, 15, 2))) == 15
    assert mined([set(range(900))] * 2 + [set(range(899))], 900, 2, kind="maximal") == {frozenset(range(900)): 2}


@settings(max_examples=300, deadline=None)
@given(worlds, st.sampled_from(ISAS), st.data())
def test_limits_are_the_filter_they_stand_for(world, isa, data):
    rows, n_items, min_count, _ = world
    max_length = data.draw(st.integers(0, 4))
    weights = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n_items, max_size=n_items)), dtype=np.float64)
    floors = np.array(data.draw(st.lists(st.integers(1, 6), min_size=n_items, max_size=n_items)), dtype=np.int32)
    pairs = data.draw(st.sets(st.tuples(st.integers(0, n_items - 1), st.integers(0, n_items - 1)), max_size=4))
    related = {frozenset(pair) for pair in pairs if len(set(pair)) == 2}
    budget = data.draw(st.integers(0, 12))
    start, relatives = _rows(related, n_items)
    everything = brute(rows, n_items, 1)
    for name, limits, keep in (
        ("length", Limits(max_length=max_length), lambda x, s: s >= min_count and (not max_length or len(x) <= max_length)),
        ("budget", Limits(weights=weights, budget=budget), lambda x, s: s >= min_count and weights[list(x)].sum() <= budget),
        ("floors", Limits(floors=floors), lambda x, s: s >= floors[list(x)].min()),
        (
            "relatives",
            Limits(relatives=(start, relatives)),
            lambda x, s: s >= min_count and not any(pair <= x for pair in related),
        ),
    ):
        wanted = {x: s for x, s in everything.items() if keep(x, s)}
        assert mined(rows, n_items, min_count, limits=limits, isa=isa) == wanted, name


def _rows(related: Iterable[frozenset[int]], n_items: int) -> tuple[np.ndarray, np.ndarray]:
    lists: list[list[int]] = [[] for _ in range(n_items)]
    for pair in related:
        one, other = sorted(pair)
        lists[one].append(other)
        lists[other].append(one)
    flat = [item for row in lists for item in sorted(row)]
    return np.cumsum([0, *map(len, lists)], dtype=np.int64), np.array(flat, dtype=np.int32)


def test_too_many_is_an_error_that_suggests_a_support():
    rows = [set(range(20))] * 8 + [set(range(k % 20 + 1)) for k in range(40)]
    with pytest.raises(RequestError, match=r"more than 5,000 itemsets stand in at least 2 baskets") as caught:
        mined(rows, 20, 2, max_itemsets=5000)
    support = int(caught.value.hint.split("min_support=")[1].split()[0])
    assert len(mined(rows, 20, support, max_itemsets=5000)) <= 5000
    assert len(mined(rows, 20, support // 2)) > 5000
    with pytest.raises(RequestError, match="more than"):
        mined([set(range(60))] * 4, 60, 4, max_itemsets=10**6)  # 2**60 itemsets, at once
    with pytest.raises(RequestError, match="more than"):
        mined([set(range(35))] * 4, 35, 4, threads=2, max_itemsets=10**6)


@pytest.mark.parametrize(
    ("indptr", "items", "message"),
    [
        ([0, 2, 1, 2], [0, 1], "indptr must start at 0"),
        ([0, 1], [0, 1], "indptr must start at 0"),
        ([0, 1, 2], [0, 3], r"basket 1 holds an item outside"),
        ([0, 1, 2], [0, -1], r"basket 1 holds an item outside"),
        ([0, 1, 4], [0, 1, 0, 1], r"basket 1 holds an item twice"),
    ],
)
def test_broken_baskets_are_refused(indptr, items, message):
    for isa in ISAS:
        with pytest.raises(ValueError, match=message):
            mine_itemsets(np.array(indptr, dtype=np.int64), np.array(items, dtype=np.int32), 3, min_count=1, isa=isa)


@pytest.mark.parametrize("length", [3, 17, 32, 33, 70, 300])
def test_an_item_twice_is_found_in_baskets_of_any_length(length):
    row = [*range(length), length // 2]
    for isa in ISAS:
        with pytest.raises(ValueError, match="basket 0 holds an item twice"):
            mine_itemsets(np.array([0, len(row)]), np.array(row, dtype=np.int32), 400, min_count=1, isa=isa, kind="maximal")


def test_other_arrays_are_refused():
    rows = csr([{0, 1}, {1}])
    with pytest.raises(ValueError, match="items must be a contiguous one-dimensional int32"):
        mine_itemsets(rows[0], rows[1].astype(np.int64), 2, min_count=1)
    with pytest.raises(ValueError, match="floors has 1 entries, 2 are needed"):
        mine_itemsets(*rows, 2, min_count=1, limits=Limits(floors=np.ones(1, dtype=np.int32)))
    with pytest.raises(ValueError, match="weights are not negative"):
        mine_itemsets(*rows, 2, min_count=1, limits=Limits(weights=np.array([-1.0, 0])))
    with pytest.raises(ValueError, match="be each other's"):
        one_way = (np.array([0, 1, 1]), np.array([1], dtype=np.int32))
        mine_itemsets(*rows, 2, min_count=1, limits=Limits(relatives=one_way))
    with pytest.raises(ValueError, match="limits go with kind 'all'"):
        mine_itemsets(*rows, 2, min_count=1, kind="closed", limits=Limits(max_length=2))


def test_an_interrupt_is_heard():
    random = np.random.default_rng(0)
    rows = [set(np.flatnonzero(random.random(120) < 0.9).tolist()) for _ in range(400)]  # some 2**70 closed itemsets
    timer = threading.Timer(0.4, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        mined(rows, 120, 2, kind="closed", threads=2)
    timer.join()
