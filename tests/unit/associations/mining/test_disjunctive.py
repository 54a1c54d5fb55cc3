from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.disjunctive import DisjunctiveRules
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run


def teas(seed=3, baskets=6000, lemon=0.25, useless=0.03):
    """One of three teas on 6 trips in 100 each, never two. Lemon goes with the first two teas, the third is like any trip."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(baskets):
        items = [f"s{i}" for i in np.flatnonzero(rng.random(8) < 0.15)]
        drawn = rng.random()
        tea = int(drawn / 0.06) + 1 if drawn < 0.18 else 0
        items += [f"tea{tea}"] if tea else []
        items += ["lemon"] if rng.random() < (lemon if tea in (1, 2) else useless) else []
        rows.append(items)
    return Transactions.from_lists(rows)


def test_two_teas_go_with_lemon_and_the_third_adds_nothing():
    frame = DisjunctiveRules(0.005, max_parts=3).fit(teas(), Run()).frame()
    row = frame.row(0, named=True)
    assert frame.filter(frame["item"] == "lemon")["any_of"].to_list() == [row["any_of"]] == [["tea1", "tea2"]]
    assert row["confidence"] == pytest.approx(0.25, abs=0.05)
    assert row["lift"] > 3


def test_three_parts_where_all_three_add():
    def any_tea(seed):
        rng = np.random.default_rng(seed)
        rows = []
        for basket in range(6000):
            tea = basket % 20
            items = [f"tea{tea}"] if tea in (1, 2, 3) else ["other"]
            rows.append([*items, "lemon"] if rng.random() < (0.25 if tea in (1, 2, 3) else 0.03) else items)
        return Transactions.from_lists(rows)

    found = DisjunctiveRules(0.005, max_parts=3).fit(any_tea(1), Run()).frame()
    assert (["tea1", "tea2", "tea3"], "lemon") in found.select("any_of", "item").rows()
    pairs = DisjunctiveRules(0.005).fit(any_tea(1), Run()).frame()
    assert pairs["any_of"].list.len().max() == 2


def test_categories_name_the_candidates():
    world = teas()
    categories = ["tea" if name.startswith("tea") else None for name in world.names.to_list()]
    frame = DisjunctiveRules(0.005).fit(world, Run(), categories).frame()
    assert (["tea1", "tea2"], "lemon") in frame.select("any_of", "item").rows()
    assert all(name.startswith("tea") for group in frame["any_of"].to_list() for name in group)


def test_where_nothing_goes_with_anything_little_is_called():
    called = [len(DisjunctiveRules(0.005, max_parts=3).fit(teas(seed, 2000, 0.03), Run())) > 0 for seed in range(40)]
    assert np.mean(called) <= 0.05 + 3 * (0.05 * 0.95 / 40) ** 0.5


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdef")), min_size=3, max_size=20), st.integers(1, 3))
def test_counts_equal_those_by_hand(baskets, floor):
    world = Transactions.from_lists([*map(sorted, baskets), list("abcdef")])
    rows = [*baskets, set("abcdef")]
    tested = DisjunctiveRules(floor, level=0.99, max_parts=3).fit(world, Run(), ["x"] * 6).tested
    names = world.names.to_list()
    seen = set()
    for row, (group, item) in enumerate(zip(tested.group, tested.item, strict=True)):
        parts, other = {names[part] for part in tested.groups[group]}, names[item]
        either = [basket for basket in rows if basket & parts]
        assert tested.n_group[row] == len(either)
        assert tested.n_both[row] == sum(other in basket for basket in either)
        assert other not in parts
        seen.add((frozenset(parts), other))
    frequent = [name for name in names if sum(name in basket for basket in rows) >= floor]
    for pair in itertools.combinations(frequent, 2):
        for other in set(frequent) - set(pair):
            enough = sum(other in basket and bool(basket & set(pair)) for basket in rows) >= floor
            assert ((frozenset(pair), other) in seen) == enough


def test_limits_are_kept():
    with pytest.raises(RequestError, match="candidates for a disjunction"):
        DisjunctiveRules(1, max_groups=1).fit(Transactions.from_lists([["a", "b", "c"]]), Run(), ["x"] * 3)
    with pytest.raises(RequestError, match="2 categories for 3"):
        DisjunctiveRules(1).fit(Transactions.from_lists([["a", "b", "c"]]), Run(), ["x"] * 2)
    with pytest.raises(RequestError, match="max_parts"):
        DisjunctiveRules(1, max_parts=4)
