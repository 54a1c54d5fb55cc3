from __future__ import annotations

import os
import signal
import threading
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels import sequential_rules
from basketry.kernels.sequence_rows import SequenceRows
from basketry.kernels.sequential_rules import SEED, mine_sequential_rules

N_ITEMS = 4

step = st.tuples(st.integers(0, 3), st.sets(st.integers(0, N_ITEMS - 1), max_size=3))
worlds = st.lists(
    st.lists(step, max_size=4).map(
        lambda steps: list(zip(np.cumsum([gap for gap, _ in steps]).tolist(), [items for _, items in steps], strict=True))
    ),
    max_size=5,
)


def rows_of(database, *, clocked=True, n_items=N_ITEMS):
    sizes = [len(items) for sequence in database for _, items in sequence]
    return SequenceRows(
        np.cumsum([0, *map(len, database)]).astype(np.int64),
        np.cumsum([0, *sizes]).astype(np.int64),
        np.array([item for sequence in database for _, items in sequence for item in sorted(items)], dtype=np.int32),
        n_items,
        np.array([time for sequence in database for time, _ in sequence], dtype=np.int64) if clocked else None,
    )


def subsets(items, most):
    return chain.from_iterable(combinations(sorted(items), size) for size in range(1, most + 1))


def held(sequence, window, most):
    """Every rule of one sequence, by looking at every window and every point that parts it."""
    found = set()
    for low, high in combinations(range(len(sequence) + 1), 2):
        if window is not None and sequence[high - 1][0] - sequence[low][0] > window:
            continue
        for point in range(low + 1, high):
            before = set().union(*(items for _, items in sequence[low:point]))
            after = set().union(*(items for _, items in sequence[point:high]))
            found |= {(x, y) for x in subsets(before, most[0]) for y in subsets(after, most[1]) if not set(x) & set(y)}
    return found


def as_dict(tree):
    parent, item, before, after = tree.sides()

    def members(node):
        found = []
        while node >= 0:
            found.append(int(item[node]))
            node = parent[node]
        return tuple(sorted(found))

    nodes = np.flatnonzero(tree.side != SEED)
    found = {
        (members(before[i]), members(after[i])): (int(tree.ways.forward[i]), int(tree.ways.backward[i]), int(tree.ways.both[i]))
        for i in nodes
    }
    assert len(found) == len(nodes) and (tree.parent < np.arange(len(tree.parent))).all()
    assert all(tree.support[i] == tree.ways.forward[i] + tree.ways.backward[i] - tree.ways.both[i] for i in nodes)
    return found


@settings(max_examples=300, deadline=None)
@given(
    worlds,
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(0, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.booleans(),
)
def test_rules_equal_a_count_by_hand(database, min_count, window, most, clocked):
    tree = mine_sequential_rules(
        rows_of(database, clocked=clocked),
        min_count=min_count,
        window=window,
        max_antecedent=most[0],
        max_consequent=most[1],
    )
    if not clocked:
        database = [[(i, items) for i, (_, items) in enumerate(sequence)] for sequence in database]
    ways = [
        (held(each, window, most), held([(-time, items) for time, items in reversed(each)], window, most)) for each in database
    ]
    by_hand = {}
    for rule in set().union(*(one | two for one, two in ways)):
        counts = [sum(test(rule in one, rule in two) for one, two in ways) for test in (first, second, bool.__and__)]
        if counts[0] + counts[1] - counts[2] >= min_count:
            by_hand[rule] = tuple(counts)
    assert as_dict(tree) == by_hand


def first(one, _):
    return one


def second(_, two):
    return two


def test_a_world_counted_on_paper():
    """Bread before wine for three of four, the other way round for one and for one of the three as well."""
    database = [
        [(0, {0}), (5, {1})],
        [(0, {0, 2}), (9, {1})],
        [(0, {1}), (1, {0}), (2, {1})],
        [(0, {1}), (3, {0})],
    ]
    assert as_dict(mine_sequential_rules(rows_of(database), min_count=4)) == {((0,), (1,)): (3, 2, 1), ((1,), (0,)): (2, 3, 1)}
    near = as_dict(mine_sequential_rules(rows_of(database), min_count=1, window=3))
    assert near == {((0,), (1,)): (1, 2, 1), ((1,), (0,)): (2, 1, 1)}
    far = as_dict(mine_sequential_rules(rows_of(database), min_count=1))
    assert far[(0, 2), (1,)] == (1, 0, 0) and far[(1,), (0, 2)] == (0, 1, 0)


def random_rows(n=200, n_items=15):
    rng = np.random.default_rng(0)
    return rows_of(
        [
            [(t, set(rng.integers(0, n_items, rng.integers(1, 4)).tolist())) for t in range(rng.integers(0, 6))]
            for _ in range(n)
        ],
        n_items=n_items,
    )


def test_room_grown_again_and_again_changes_nothing(monkeypatch):
    rows = random_rows()
    reference = mine_sequential_rules(rows, min_count=8)
    assert len(reference.parent) > 400
    monkeypatch.setattr(sequential_rules, "_BUDGET", 1)
    monkeypatch.setattr(sequential_rules, "_ROOM", 1)
    again = mine_sequential_rules(rows, min_count=8)
    for name in ("parent", "item", "side", "support"):
        assert np.array_equal(getattr(again, name), getattr(reference, name))


def test_too_many_rules_stop_with_a_way_out():
    n = len(mine_sequential_rules(random_rows(), min_count=8).parent)
    assert len(mine_sequential_rules(random_rows(), min_count=8, max_rules=n).parent) == n
    with pytest.raises(RequestError, match=f"more than {n - 1} rules hold in at least 8 sequences"):
        mine_sequential_rules(random_rows(), min_count=8, max_rules=n - 1)


def test_an_interrupt_is_heard():
    rows = rows_of([[(t, {t}) for t in range(60)] for _ in range(30)], n_items=60)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        mine_sequential_rules(rows, min_count=30, max_antecedent=30, max_consequent=30, max_rules=2**31 - 2)


def test_nothing_gives_nothing_and_bad_bounds_are_refused():
    assert as_dict(mine_sequential_rules(rows_of([]), min_count=1, window=2)) == {}
    assert as_dict(mine_sequential_rules(rows_of([[], [(0, set())]]), min_count=1)) == {}
    for wrong in ({"min_count": 0}, {"max_antecedent": 0}, {"max_consequent": 0}, {"max_rules": 0}, {"window": -1}):
        with pytest.raises(ValueError, match="start at 1"):
            mine_sequential_rules(rows_of([]), **({"min_count": 1} | wrong))
    with pytest.raises(ValueError, match="outside"):
        mine_sequential_rules(rows_of([[(0, {9})]]), min_count=1)
