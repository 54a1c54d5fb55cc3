from __future__ import annotations

from itertools import combinations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.episodes import Episodes
from basketry.associations.mining.sequence_database import SequenceDatabase
from basketry.core.errors import RequestError
from basketry.core.protocols import Run

TYPES = "abc"

stream = st.lists(st.tuples(st.integers(0, 3), st.sets(st.sampled_from(TYPES), max_size=2)), max_size=7).map(
    lambda steps: list(zip(np.cumsum([gap for gap, _ in steps]).tolist(), [types for _, types in steps], strict=True))
)


def database(streams):
    return SequenceDatabase.from_lists(
        [[types for _, types in each] for each in streams], [[t for t, _ in each] for each in streams]
    )


def holds(events, episode, order):
    """Whether events (instant, type) hold an episode."""
    if order == "parallel":
        return set(episode) <= {kind for _, kind in events}
    now = -np.inf
    for wanted in episode:
        later = [t for t, kind in events if kind == wanted and t > now]
        if not later:
            return False
        now = min(later)
    return True


def by_hand(streams, episode, order, width):
    """Windows, and minimal occurrences no wider than a window, by looking at each."""
    windows = occurrences = 0
    for each in streams:
        events = [(t, kind) for t, types in each for kind in types]
        inside = lambda low, high: holds([e for e in events if low <= e[0] <= high], episode, order)  # noqa: B023, E731
        if each:
            windows += sum(inside(t, t + width - 1) for t in range(each[0][0] - width + 1, each[-1][0] + 1))
        instants = sorted({t for t, _ in events})
        spans = [(s, e) for s, e in product(instants, repeat=2) if s <= e < s + width and inside(s, e)]
        occurrences += sum(not any(s <= u and v <= e and (u, v) != (s, e) for u, v in spans) for s, e in spans)
    return windows, occurrences


@settings(max_examples=200, deadline=None)
@given(st.lists(stream, max_size=3), st.integers(1, 6), st.sampled_from(["serial", "parallel"]), st.integers(1, 4))
def test_episodes_equal_a_count_by_hand(streams, width, order, least):
    mined = Episodes(least, width, order, max_length=3).fit(database(streams), Run())
    found = {tuple(row[0]): row[1:] for row in mined.frame().select("episode", "windows", "occurrences").iter_rows()}
    assert len(found) == len(mined)
    candidates = [
        episode
        for size in (1, 2, 3)
        for episode in (product(TYPES, repeat=size) if order == "serial" else combinations(TYPES, size))
    ]
    counted = {episode: by_hand(streams, episode, order, width) for episode in candidates}
    assert found == {episode: counts for episode, counts in counted.items() if counts[0] >= least}
    assert mined.n_windows == sum(each[-1][0] - each[0][0] + width for each in streams if each)


def test_a_stream_counted_on_paper():
    """a at 0, b at 2, a at 3, b at 4; windows of three instants begin at -2 to 4: seven."""
    streams = [[(0, {"a"}), (2, {"b"}), (3, {"a"}), (4, {"b"})]]
    serial = Episodes(1, 3, "serial").fit(database(streams), Run()).frame()
    rows = {tuple(row[0]): row[1:] for row in serial.iter_rows()}
    assert rows["a", "b"] == (2, 3, 3 / 7, 2)  # [0, 2] from t = 0, [3, 4] from t = 2 and 3
    assert rows["b", "a"] == (2, 2, 2 / 7, 1)
    assert rows["b", "a", "b"] == (3, 1, 1 / 7, 1)
    parallel = Episodes(1, 3, "parallel").fit(database(streams), Run()).frame()
    assert {tuple(row[0]): row[2] for row in parallel.iter_rows()} == {("a",): 6, ("b",): 5, ("a", "b"): 4}


def test_streams_apart_do_not_meet():
    alone = Episodes(1, 5, "parallel").fit(database([[(0, {"a"})], [(0, {"b"})]]), Run()).frame()
    assert alone["episode"].to_list() == [["a"], ["b"]]


def test_limits_and_wrong_requests():
    streams = [[(t, {TYPES[t % 3]}) for t in range(30)]]
    n = len(Episodes(2, 6).fit(database(streams), Run()))
    assert len(Episodes(2, 6, max_episodes=n).fit(database(streams), Run())) == n
    with pytest.raises(RequestError, match=f"more than {n - 1} episodes stand in at least 2 windows"):
        Episodes(2, 6, max_episodes=n - 1).fit(database(streams), Run())
    assert Episodes(2, 6, max_length=2).fit(database(streams), Run()).frame()["length"].max() == 2
    assert Episodes(1.0, 6).fit(database([]), Run()).frame().schema["episode"] == pl.List(pl.Null)
    for wrong, text in (
        ({"order": "odd"}, "order 'odd'"),
        ({"width": 0}, "width is 0"),
        ({"max_length": 0}, "max_length is 0"),
    ):
        with pytest.raises(RequestError, match=text):
            Episodes(**wrong)
