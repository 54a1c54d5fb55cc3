from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels import sequences
from basketry.kernels.sequence_rows import Limits, SequenceRows, SequenceTree
from basketry.kernels.sequences import count_sequences, mine_both_ways, mine_sequences, near_sequences, only_sequences

N_ITEMS = 4
DATABASE = ("a abc ac d cf", "ad c bc ae", "ef ab df c b", "e g af c b c")  # Pei et al. 2001, table 1
LETTERS = "abcdefg"

elements = st.sets(st.integers(0, N_ITEMS - 1), max_size=3)
single = st.sets(st.integers(0, N_ITEMS - 1), min_size=1, max_size=1)
timed = st.tuples(st.integers(0, 3))


def world(element, longest):
    """Sequences of (time, items)."""
    steps = st.lists(st.tuples(st.integers(0, 3), element), max_size=longest)
    return st.lists(
        steps.map(
            lambda steps: list(zip(np.cumsum([gap for gap, _ in steps]).tolist(), [items for _, items in steps], strict=True))
        ),
        max_size=5,
    )


worlds = st.one_of(world(elements, 4), world(single, 5))
some = st.one_of(st.none(), st.integers(0, 4))
limits = st.builds(
    lambda low, more, window, length, width: Limits(low, None if more is None else low + more, window, length, width),
    st.integers(0, 2),
    some,
    some,
    st.one_of(st.none(), st.none(), st.integers(1, 4)),
    st.one_of(st.none(), st.none(), st.integers(1, 3)),
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


def subsets(items):
    return chain.from_iterable(combinations(sorted(items), size) for size in range(1, len(items) + 1))


def held(sequence, limit):
    """Every pattern of one sequence, by looking at every choice of its elements."""
    found = set()
    for size in range(1, len(sequence) + 1):
        for chosen in combinations(range(len(sequence)), size):
            times = [sequence[e][0] for e in chosen]
            gaps = np.diff(times)
            fits = (gaps >= limit.min_gap).all() and (limit.max_gap is None or (gaps <= limit.max_gap).all())
            if fits and (limit.window is None or times[-1] - times[0] <= limit.window):
                found |= set(product(*(list(subsets(sequence[e][1])) for e in chosen)))
    return {
        pattern
        for pattern in found
        if (limit.max_length is None or sum(map(len, pattern)) <= limit.max_length)
        and (limit.max_elements is None or len(pattern) <= limit.max_elements)
    }


def counted_by_hand(database, limit, *, clocked=True):
    if not clocked:
        database = [[(i, items) for i, (_, items) in enumerate(sequence)] for sequence in database]
    return Counter(pattern for sequence in database for pattern in held(sequence, limit))


def within(shorter, longer):
    """Whether the elements of one pattern are held, in order, by elements of the other."""
    left = iter(longer)
    return all(any(set(element) <= set(other) for other in left) for element in shorter)


def one_shorter(pattern, contiguous):
    for e, element in enumerate(pattern):
        for item in element:
            rest = tuple(each for each in element if each != item)
            if rest:
                yield (*pattern[:e], rest, *pattern[e + 1 :])
            elif not contiguous or e in (0, len(pattern) - 1):
                yield (*pattern[:e], *pattern[e + 1 :])


def thinned(found, kind, limit):
    if kind == "all":
        return found
    covered = set()
    for longer, count in found.items():
        if limit.max_gap is None:
            shorter = [each for each in found if each != longer and within(each, longer)]
        else:
            shorter = [each for each in one_shorter(longer, contiguous=True) if each]
        covered |= {each for each in shorter if kind == "maximal" or found[each] == count}
    return {pattern: count for pattern, count in found.items() if pattern not in covered}


def as_dict(tree, support=None, nodes=None):
    nodes = tree.members if nodes is None else nodes
    starts, begins, items = tree.flatten(nodes)
    patterns = [
        tuple(tuple(sorted(items[begins[e] : begins[e + 1]].tolist())) for e in range(starts[k], starts[k + 1]))
        for k in range(len(nodes))
    ]
    found = dict(zip(patterns, (tree.support if support is None else support)[nodes].tolist(), strict=True))
    assert len(found) == len(nodes)
    return found


@settings(max_examples=250, deadline=None)
@given(worlds, st.integers(1, 3), st.sampled_from(["all", "closed", "maximal"]), limits, st.booleans())
def test_patterns_equal_a_count_by_hand(database, min_count, kind, limit, clocked):
    found = mine_sequences(rows_of(database, clocked=clocked), min_count=min_count, kind=kind, limits=limit)
    by_hand = counted_by_hand(database, limit, clocked=clocked)
    frequent = {pattern: count for pattern, count in by_hand.items() if count >= min_count}
    assert as_dict(found) == thinned(frequent, kind, limit)
    assert (found.parent < np.arange(len(found.parent))).all()


@settings(max_examples=250, deadline=None)
@given(worlds, st.integers(1, 3), st.sampled_from(["all", "closed", "maximal"]))
def test_patterns_without_limits_equal_a_count_by_hand(database, min_count, kind):
    found = mine_sequences(rows_of(database), min_count=min_count, kind=kind)
    frequent = {pattern: count for pattern, count in counted_by_hand(database, Limits()).items() if count >= min_count}
    assert as_dict(found) == thinned(frequent, kind, Limits())


@settings(max_examples=100, deadline=None)
@given(worlds, worlds, limits)
def test_counting_given_patterns_equals_a_count_by_hand(database, other, limit):
    tree = mine_sequences(rows_of(database), min_count=1, kind="closed", limits=limit)
    limit = Limits(limit.min_gap, limit.max_gap, limit.window)
    forward = counted_by_hand(other, limit)
    every = np.arange(len(tree.parent), dtype=np.int32)
    support = count_sequences(rows_of(other), tree, limits=limit)
    assert as_dict(tree, support, every) == {pattern: forward[pattern] for pattern in as_dict(tree, support, every)}


@settings(max_examples=150, deadline=None)
@given(worlds, st.integers(1, 3), limits)
def test_both_ways_equal_a_count_by_hand(database, min_count, limit):
    tree, twins = mine_both_ways(rows_of(database), min_count=min_count, limits=limit)
    ways = [(held(each, limit), held(run_back(each), limit)) for each in database]
    forward, backward, both, either = (
        Counter(pattern for way in ways for pattern in choose(*way))
        for choose in (lambda f, b: f, lambda f, b: b, set.intersection, set.union)
    )
    assert as_dict(tree) == {pattern: n for pattern, n in either.items() if n >= min_count}
    for counts, column in ((forward, twins.forward), (backward, twins.backward), (both, twins.both)):
        assert all(counts[pattern] == n for pattern, n in as_dict(tree, column).items())


def run_back(sequence):
    return [(-time, items) for time, items in reversed(sequence)]


@settings(max_examples=150, deadline=None)
@given(worlds, st.integers(2, 4))
def test_counts_that_tell_of_a_small_group_are_marked(database, floor):
    tree = mine_sequences(rows_of(database), min_count=1)
    near = near_sequences(tree, floor)
    left = as_dict(only_sequences(tree, ~near))
    for one, n in left.items():
        for other, k in left.items():
            if one != other and within(one, other):
                assert n - k == 0 or n - k >= floor
    every = as_dict(tree)
    for pattern in set(every) - set(left):
        shorter = [each for each in one_shorter(pattern, contiguous=False) if each]
        assert any(each not in left or 0 < every[each] - every[pattern] < floor for each in shorter)


@given(worlds)
def test_running_backwards_twice_is_running_forwards(database):
    rows = rows_of(database)
    twice = rows.reversed().reversed()
    for name in ("starts", "elements", "items", "clock"):
        assert np.array_equal(getattr(rows, name), getattr(twice, name))


def lettered(database):
    return rows_of(
        [[(i, {LETTERS.index(letter) for letter in element}) for i, element in enumerate(line.split())] for line in database],
        n_items=len(LETTERS),
    )


def words(pattern):
    return " ".join("".join(LETTERS[item] for item in element) for element in pattern)


# Pei et al. 2001, table 2: the patterns by prefix.
PREFIX_SPAN = """
a, a a, a b, a bc, a bc a, a b a, a b c, ab, ab c, ab d, ab f, ab d c, a c, a c a, a c b, a c c, a d, a d c, a f
b, b a, b c, bc, bc a, b d, b d c, b f
c, c a, c b, c c
d, d b, d c, d c b
e, e a, e a b, e a c, e a c b, e b, e b c, e c, e c b, e f, e f b, e f c, e f c b
f, f b, f b c, f c, f c b
"""


def test_the_example_of_the_paper_of_prefixspan():
    found = {words(pattern): n for pattern, n in as_dict(mine_sequences(lettered(DATABASE), min_count=2)).items()}
    assert set(found) == {pattern.strip() for line in PREFIX_SPAN.strip().splitlines() for pattern in line.split(",")}
    assert len(found) == 53
    assert [found[letter] for letter in "abcdef"] == [4, 4, 4, 3, 3, 3]
    assert (found["a b"], found["ab"], found["a c"], found["a bc a"]) == (4, 2, 4, 2)


def test_a_largest_gap_needs_later_ends_than_the_first():
    """<a> ends first at 0, from where b at 5 is too far; the a at 4 reaches it, and starts within the window."""
    rows = rows_of([[(0, {0}), (4, {0}), (5, {1})], [(0, {0}), (1, {0, 1})]], n_items=2)
    assert as_dict(mine_sequences(rows, min_count=2, limits=Limits(max_gap=1))) == {((0,),): 2, ((0,), (1,)): 2, ((1,),): 2}
    assert ((0,), (1,)) in as_dict(mine_sequences(rows, min_count=2, limits=Limits(window=1)))
    assert ((0, 1),) in as_dict(mine_sequences(rows, min_count=1))


def random_rows(seed, n, length, n_items, size):
    rng = np.random.default_rng(seed)
    picks = lambda: set(rng.zipf(1.3, rng.integers(1, size + 1)).clip(max=n_items) - 1)  # noqa: E731
    return rows_of([[(t, picks()) for t in range(rng.integers(0, length))] for _ in range(n)], n_items=n_items)


@pytest.mark.parametrize("size", [1, 3])
def test_room_grown_again_and_again_changes_nothing(monkeypatch, size):
    rows = random_rows(0, 300, 12, 30, size)
    limit = Limits(window=6)
    reference, limited = mine_sequences(rows, min_count=25), mine_sequences(rows, min_count=25, limits=limit)
    assert len(reference) > 70
    monkeypatch.setattr(sequences, "_BUDGET", 1)
    monkeypatch.setattr(sequences, "_MARKED", 1)
    monkeypatch.setattr(sequences, "_ROOM", 1)
    monkeypatch.setattr(sequences, "_SPARE", 0)
    for again, before in (
        (mine_sequences(rows, min_count=25), reference),
        (mine_sequences(rows, min_count=25, limits=limit), limited),
    ):
        for name in ("parent", "item", "support", "joins"):
            assert np.array_equal(getattr(again, name), getattr(before, name))


def test_counting_what_was_mined_finds_the_same_counts():
    rows = random_rows(1, 400, 10, 40, 3)
    for limit in (Limits(), Limits(max_gap=2), Limits(min_gap=2, window=6)):
        tree = mine_sequences(rows, min_count=20, limits=limit)
        assert np.array_equal(count_sequences(rows, tree, limits=limit), tree.support)


def test_too_many_patterns_stop_with_a_way_out():
    rows = random_rows(2, 200, 12, 20, 2)
    n = len(mine_sequences(rows, min_count=20))
    assert len(mine_sequences(rows, min_count=20, max_patterns=n)) == n
    with pytest.raises(RequestError, match=f"more than {n - 1} patterns stand in at least 20 sequences") as refusal:
        mine_sequences(rows, min_count=20, max_patterns=n - 1)
    assert "raise min_support" in refusal.value.hint


def test_an_interrupt_is_heard():
    """Thirty sequences of forty items each would give far more patterns than can be found in a lifetime."""
    rows = rows_of([[(t, {t}) for t in range(40)] for _ in range(30)], n_items=40)
    begun = time.monotonic()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        mine_sequences(rows, min_count=30, max_patterns=2**31 - 2)
    assert time.monotonic() - begun < 20


def test_no_sequences_and_no_items():
    nothing = np.zeros(0, np.int32)
    assert len(mine_sequences(SequenceRows(np.zeros(1, np.int64), np.zeros(1, np.int64), nothing, 0), min_count=1)) == 0
    bare = SequenceRows(int64(0, 1, 1), int64(0, 0), nothing, 3)
    assert len(mine_sequences(bare, min_count=1, kind="closed")) == 0
    tree = SequenceTree(int32(), int32(), int32(), np.zeros(0, np.uint8))
    assert len(tree) == 0 and len(count_sequences(bare, tree)) == 0
    assert [len(part) for part in tree.flatten(tree.members)] == [1, 1, 0]
    assert count_sequences(bare, SequenceTree(int32(-1), int32(2), int32(1), np.zeros(1, np.uint8))).tolist() == [0]


def int64(*values):
    return np.array(values, dtype=np.int64)


def int32(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((int64(), int64(0), int32(), 1), "0 to"),
        ((int64(1, 1), int64(0, 1), int32(0), 1), "starts must begin at 0"),
        ((int64(0, 2), int64(0, 1), int32(0), 1), "starts must begin at 0"),
        ((int64(0, 2, 1, 1), int64(0, 1), int32(0), 1), "break at sequence"),
        ((int64(0, 1), int64(0, 2), int32(0), 1), "elements must begin at 0"),
        ((int64(0, 2), int64(0, 2, 1), int32(0), 1), "elements must begin at 0"),
        ((int64(0, 1), int64(0, 1), int32(1), 1), "outside"),
        ((int64(0, 1), int64(0, 1), int32(-1), 1), "outside"),
        ((int64(0, 1), int64(0, 2), int32(1, 0), 2), "ascending"),
        ((int64(0, 1), int64(0, 2), int32(1, 1), 2), "ascending"),
        ((int64(0, 2), int64(0, 1, 2), int32(1, 0), 2, int64(3, 2)), "the clock goes backwards"),
        ((int64(0, 2), int64(0, 1, 2), int32(1, 0), 2, int64(3)), "1 entries for 2 elements"),
        ((int64(0, 1), int64(0, 1), int32(0), 1, int64(2**61)), "times lie within"),
        ((int64(0, 1), int64(0, 1), int64(0), 1), "int32"),
        ((int32(0, 1), int64(0, 1), int32(0), 1), "int64"),
        ((int64(0, 1), int64(0, 2), int32(0, 9, 1, 9)[::2], 2), "contiguous"),
        ((int64(0, 1), int64(0, 1), int32(0), 2**31), "can be mined"),
        ((int64(0, 1), int64(0, 1), int32(0), -1), "can be mined"),
    ],
)
def test_malformed_rows_are_refused(rows, text):
    with pytest.raises(ValueError, match=text):
        mine_sequences(SequenceRows(*rows), min_count=1)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ((int32(0), int32(0), int32(1), np.zeros(1, np.uint8)), "stands before it"),
        ((int32(-2), int32(0), int32(1), np.zeros(1, np.uint8)), "stands before it"),
        ((int32(-1), int32(1), int32(1), np.zeros(1, np.uint8)), "items lie in"),
        ((int32(-1), int32(0), int32(1), np.ones(1, np.uint8)), "joins nothing"),
        ((int32(-1), int32(0), int32(1), np.zeros(1, np.int8)), "joins must be"),
        ((int32(-1), int32(0), int32(1, 1), np.zeros(1, np.uint8)), "support must be"),
    ],
)
def test_malformed_trees_are_refused(tree, text):
    with pytest.raises(ValueError, match=text):
        count_sequences(rows_of([[(0, {0})]], n_items=1), SequenceTree(*tree))


@pytest.mark.parametrize(
    ("given_limits", "text"),
    [
        ({"min_gap": -1}, "min_gap is -1"),
        ({"window": -1}, "window is -1"),
        ({"max_length": 0}, "max_length is 0"),
        ({"max_elements": 0}, "max_elements is 0"),
        ({"min_gap": 3, "max_gap": 2}, "max_gap 2 is below min_gap 3"),
    ],
)
def test_limits_out_of_range_are_refused(given_limits, text):
    with pytest.raises(RequestError, match=text):
        Limits(**given_limits)


def test_kinds_and_counts_out_of_range_are_refused():
    rows = rows_of([[(0, {0})]])
    with pytest.raises(RequestError, match="kind 'odd' is not known"):
        mine_sequences(rows, min_count=1, kind="odd")
    with pytest.raises(ValueError, match="start at 1"):
        mine_sequences(rows, min_count=0)
