"""Groups by hand, and a floor under which no group can be seen, nor worked out from the others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.histories import Histories, Rankings
from basketry.recommendation.bounding import cost_of_bounds, deep
from basketry.recommendation.facts import Facts
from basketry.recommendation.fairness import Audit, Groups
from basketry.recommendation.grouping import OTHERS, buyers, by_activity, by_column, by_price, floored
from basketry.recommendation.popularity import Popular
from basketry.recommendation.protocols import leave_one_out


def test_groups_by_hand():
    brands = by_column(Facts(pl.DataFrame({"product_id": ["a", "b", "c"], "brand": ["Own", None, "own"]})), "brand")
    assert [brands.names[each] for each in brands.of] == ["Own", "unknown", "Own"]
    prices = by_price(np.array([1.0, 2.0, 3.0, 4.0, np.nan]))
    assert prices.of.tolist() == [0, 1, 2, 3, 4] and prices.names[4] == "unknown"
    visits = by_activity(Histories.from_rows([[0], [0, 1], [0, 1, 1], [], [1]], 2))
    assert [visits.names[each] if each >= 0 else None for each in visits.of] == [
        "few visits",
        "some visits",
        "many visits",
        None,
        "few visits",
    ]
    with pytest.raises(RequestError, match="no column"):
        by_column(Facts(pl.DataFrame({"product_id": ["a"]})), "brand")


def test_buyers_are_distinct():
    rows = Histories.from_rows([[0, 0, 1], [1], [2]], 4)
    assert buyers(Groups("g", np.array([0, 0, 1, -1], dtype=np.int32), ["x", "y"]), rows).tolist() == [2, 1]


def test_small_groups_are_taken_together_and_with_the_next_until_there_are_enough():
    groups = Groups("g", np.arange(4, dtype=np.int32), ["big", "middle", "small", "tiny"])
    kept = floored(groups, np.array([90, 40, 9, 2]), np.array([60, 30, 8, 2]), floor=20, most=9)
    assert list(kept.names) == ["big", OTHERS] and kept.of.tolist() == [0, 1, 1, 1]
    all_large = floored(groups, np.array([90, 40, 30, 25]), np.array([60, 30, 25, 22]), floor=20, most=3)
    assert list(all_large.names) == ["big", "middle", OTHERS] and all_large.of.tolist() == [0, 1, 2, 2]
    whole = floored(groups, np.array([90, 40, 30, 25]), np.array([60, 30, 25, 22]), floor=20, most=4)
    assert list(whole.names) == list(groups.names)


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8), st.integers(1, 60), st.integers(2, 9)
)
def test_every_group_that_is_told_has_the_floor_or_is_all_there_is(sizes, floor, most):
    size, customers = (np.array(each) for each in zip(*sizes, strict=True))
    groups = Groups("g", np.arange(len(sizes), dtype=np.int32), [str(each) for each in range(len(sizes))])
    found = floored(groups, size, customers, floor, most)
    assert len(found.names) <= most
    for number, name in enumerate(found.names):
        members = np.flatnonzero(found.of == number)
        assert len(members)
        if len(found.names) > 1:
            assert customers[members].max() >= floor
        assert name == OTHERS or len(members) == 1


def test_the_cost_of_a_bound_by_hand():
    # everybody is shown product 0 first and buys it; giving product 1 a share of all first places loses every hit
    rows = Histories.from_rows([[2, 2, 0]] * 8, 3)
    split = leave_one_out(rows)
    audit = Audit(k=1, resamples=20)
    rankings = deep(Popular(np.array([9, 5, 1], dtype=np.float32)), split, audit)
    assert rankings.products[0, :2].tolist() == [0, 1]
    kept = cost_of_bounds(split, rankings, np.array([False, True, False]), (0.0, 1.0), audit)
    assert (kept.share, kept.before, kept.after, kept.loss) == (0, 1, 1, 0)
    half = cost_of_bounds(split, rankings, np.array([False, True, False]), (0.5, 1.0), audit)
    assert (half.share, half.before, half.after) == (0.5, 1, 0.5) and half.change.value == -0.5
    with pytest.raises(RequestError, match="rank more candidates"):
        cost_of_bounds(split, Rankings(rankings.products[:, :1], rankings.scores[:, :1]), np.arange(3) == 1, (0.5, 1), audit)
