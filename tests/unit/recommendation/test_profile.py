"""Profiles by hand, and that nobody else's events are in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Histories, Queries
from basketry.recommendation.profile import Catalogue, Profiles, Taste
from basketry.recommendation.recency import Recency
from basketry.recommendation.wording import parse, say, stated

DAY = 20576  # 3 May 2026
CATALOGUE = Catalogue(
    titles=["milk", "cream", "brie", "truffle brie", "loaf", "gift card"],
    category=np.array([0, 0, 0, 0, 1, -1], dtype=np.int32),
    categories=["Dairy", "Bread"],
    price=np.array([1, 2, 3, 4, 2, np.nan]),
    vectors=np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, -1], [1, 0]], dtype=np.float32),
)


def asked(rows: list[list[tuple[int, int]]], days: list[int]) -> Queries:
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    flat = [event for row in rows for event in row]
    products, when = (np.array([event[i] for event in flat], dtype=np.int32) for i in (0, 1))
    return Queries(Histories(indptr, products, when, when, 6), np.array(days, dtype=np.int32))


REGULAR = [(0, DAY), (4, DAY), (0, DAY + 6), (5, DAY + 6), (0, DAY + 14), (3, DAY + 14), (0, DAY + 29)]


def test_a_profile_by_hand():
    (profile,) = Profiles(recency=Recency(half_life_days=7)).of(asked([REGULAR], [DAY + 29]), CATALOGUE)
    assert profile.tastes == (Taste("Dairy", 5 / 6), Taste("Bread", 1 / 6))
    assert (profile.events, profile.placed, profile.priced) == (7, 6, 5)
    assert profile.quarter == 1  # quarters 1, 1, 1, 1 of milk and 4 of the truffle brie; bread has no quarters
    assert (profile.rhythm.gap, profile.rhythm.regularity, profile.rhythm.due) == (8, 2 / 3, DAY + 37)  # of 6, 8, 15
    (need,) = profile.needs
    assert (need.title, need.times, need.last, need.gap) == ("milk", 4, DAY + 29, 8)
    assert (need.low, need.due, need.high) == (DAY + 35, DAY + 37, DAY + 44)
    assert need.certainty == pytest.approx(1 / 2)
    ages = 2.0 ** (-np.array([29, 29, 23, 23, 15, 15, 0]) / 7)
    interest = ages @ CATALOGUE.vectors[[0, 4, 0, 5, 0, 3, 0]]
    assert profile.interest == pytest.approx(interest / np.linalg.norm(interest), rel=1e-6)
    assert [say(each, "en") for each in profile.statements()] == [
        "Buys mostly from “Dairy” (83.3%) and “Bread” (16.7%), over 6 purchases.",
        "Buys mostly in the cheapest quarter of a category's prices (1 of 4), over 5 purchases.",
        "Comes about every 8 days; 66.7% of the times between visits are within half of that; next around 9 June 2026.",
        "“milk” will be needed again around 9 June 2026 (between 7 June 2026 and 16 June 2026): bought 4 times, "
        "about every 8 days, last on 1 June 2026.",
    ]


def test_quarters():
    prices = Catalogue(
        titles=[str(i) for i in range(9)],
        category=np.array([0] * 8 + [1], dtype=np.int32),
        categories=["a", "b"],
        price=np.array([8, 7, 6, 5, 4, 3, 2, 1, 5.0]),
    )
    assert prices.quarters().tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0]


def test_of_a_newcomer_nothing_is_made_up():
    some, none = Profiles().of(asked([[(0, DAY)], []], [DAY, DAY]), Catalogue(titles=["x"] * 6))
    for profile in (some, none):
        assert (profile.interest, profile.tastes, profile.quarter, profile.rhythm, profile.needs) == (None, (), None, None, ())
        assert profile.statements() == ()
    (empty,) = Profiles().of(asked([[]], [DAY]), CATALOGUE)
    assert empty.interest is None
    (torn,) = Profiles().of(asked([[(2, DAY), (4, DAY)]], [DAY]), CATALOGUE)
    assert torn.interest is None  # its two directions cancel out


histories = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=12).map(
        lambda events: sorted(((code, DAY + step) for code, step in events), key=lambda event: event[1])
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(rows=histories, language=st.sampled_from(("en", "zh")))
def test_a_profile_is_of_its_own_events_alone_and_reads_back(rows, language):
    together = Profiles().of(asked(rows, [DAY + 31] * len(rows)), CATALOGUE)
    for row, profile in zip(rows, together, strict=True):
        (alone,) = Profiles().of(asked([row], [DAY + 31]), CATALOGUE)
        assert alone.statements() == profile.statements()
        assert (alone.interest is None) == (profile.interest is None)
        if alone.interest is not None:
            assert alone.interest == pytest.approx(profile.interest, abs=1e-6)
        for statement in profile.statements():
            assert parse(say(statement, language), language) == stated(statement)
        for need in profile.needs:
            assert need.low <= need.due <= need.high
        assert sum(taste.share for taste in profile.tastes) <= 1 + 1e-9


def test_other_products_are_refused():
    with pytest.raises(RequestError, match="a catalogue of 2"):
        Profiles().of(asked([[]], [DAY]), Catalogue(titles=["a", "b"]))
    with pytest.raises(DataError, match="do not fit 2 products"):
        Catalogue(titles=["a", "b"], price=np.ones(3))
    with pytest.raises(DataError, match="category lies outside"):
        Catalogue(titles=["a"], category=np.array([1], dtype=np.int32), categories=["x"])
