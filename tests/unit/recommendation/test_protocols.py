"""Splits: what is asked and answered by hand, and that nothing of the future is ever seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.histories import Histories
from basketry.recommendation.protocols import leave_one_out, rolling_splits, shuffled_ties, time_split


def told(rows, n):
    """Histories of rows of (product, day, visit)."""
    flat = np.array([event for row in rows for event in row], dtype=np.int32).reshape(-1, 3)
    ends = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Histories(ends, *(np.ascontiguousarray(column) for column in flat.T), n_products=n)


def events(histories):
    return [
        list(zip(*(each[start:end].tolist() for each in (histories.products, histories.days, histories.visits)), strict=True))
        for start, end in zip(histories.indptr[:-1], histories.indptr[1:], strict=True)
    ]


def answers(split):
    return [
        set(split.relevant.indices[a:b].tolist())
        for a, b in zip(split.relevant.indptr[:-1], split.relevant.indptr[1:], strict=True)
    ]


@st.composite
def shops(draw, n=6):
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        day, row = draw(st.integers(0, 5)), []
        for visit in range(draw(st.integers(0, 4))):
            row += [(draw(st.integers(0, n - 1)), day, visit) for _ in range(draw(st.integers(1, 3)))]
            day += draw(st.integers(0, 3))
        rows.append(row)
    return told(rows, n)


SHOP = told([[(0, 1, 0), (1, 1, 0), (2, 4, 1), (0, 6, 2)], [(3, 2, 0)], [], [(4, 3, 0), (4, 5, 1)]], 5)


def test_leave_one_out_by_hand():
    test = leave_one_out(SHOP)
    assert events(test.train) == [[(0, 1, 0), (1, 1, 0)], [], [], []]
    assert test.customers.tolist() == [0, 3]
    assert [[event[0] for event in row] for row in events(test.queries.histories)] == [[0, 1, 2], [4]]
    assert test.queries.days.tolist() == [6, 5]
    assert answers(test) == [set(), set()]  # both were bought before
    assert answers(leave_one_out(SHOP, repeats=True)) == [{0}, {4}]
    learned = leave_one_out(SHOP, learn_validation=True)
    assert events(learned.train) == [[(0, 1, 0), (1, 1, 0), (2, 4, 1)], [], [], [(4, 3, 0)]]
    validation = leave_one_out(SHOP, "validation")
    assert events(validation.train) == events(test.train)
    assert validation.customers.tolist() == [0]
    assert answers(validation) == [{2}]


def test_leave_a_visit_out_takes_all_of_it():
    shop = told([[(0, 1, 0), (1, 2, 1), (2, 2, 1)]], 3)
    split = leave_one_out(shop, unit="visit")
    assert answers(split) == [{1, 2}]
    assert events(split.queries.histories) == [[(0, 1, 0)]]


def test_time_split_by_hand():
    split = time_split(SHOP, day=4, horizon=2)
    assert events(split.train) == [[(0, 1, 0), (1, 1, 0)], [(3, 2, 0)], [], [(4, 3, 0)]]
    assert split.customers.tolist() == [0, 1, 3]
    assert answers(split) == [{2}, set(), {4}]
    assert answers(time_split(SHOP, 4, 2, repeats=False)) == [{2}, set(), set()]
    assert answers(time_split(SHOP, 4, 2)) == [{2}, set(), {4}]
    assert time_split(SHOP, 4, 2).new_to_customer().nnz == 1
    newcomers = time_split(SHOP, day=2, horizon=2, newcomers=True)
    assert newcomers.customers.tolist() == [0, 1, 3]
    assert newcomers.unseen_customers().tolist() == [False, True, True]
    assert newcomers.cold_customers(2).tolist() == [False, True, True]
    assert answers(newcomers) == [set(), {3}, {4}]


def test_rolling_windows_follow_one_another_to_the_last_day():
    splits = rolling_splits(SHOP, horizon=2, folds=2)
    assert [split.queries.days[0] for split in splits] == [3, 5]
    assert answers(splits[1]) == [{0}, set(), {4}]


def test_slices_of_products():
    split = time_split(SHOP, 4, 2)
    assert split.cold_products(1).tolist() == [False, False, True, False, False]
    assert split.only(split.cold_products(1)).nnz == 1
    assert split.asked_by(np.array([False, True, True])).toarray().sum(axis=1).tolist() == [0, 0, 1]


def test_withheld_customers_are_asked_and_not_learned_from():
    shop = Histories.from_rows([[0, 1, 2, 3]] * 200, 4)
    split = leave_one_out(shop).withhold(0.3, seed=1)
    assert 30 < split.unseen_customers().sum() < 90
    assert len(split.train.products) == 2 * (~split.unseen_customers()).sum()
    assert len(split.queries) == 200


@given(shops(), st.sampled_from(["test", "validation"]), st.sampled_from(["event", "visit"]), st.booleans())
def test_nothing_left_out_is_seen(shop, held, unit, repeats):
    split = leave_one_out(shop, held, unit, repeats)
    trained, asked, everything = events(split.train), events(split.queries.histories), events(shop)
    answered = answers(leave_one_out(shop, held, unit, repeats=True))
    for place, customer in enumerate(split.customers):
        row, history = everything[customer], asked[place]
        assert row[: len(history)] == history
        assert trained[customer] == history[: len(trained[customer])]
        rest = row[len(history) :]
        assert {event[0] for event in rest} >= answered[place]
        assert answered[place]
        assert all(event[1] <= split.queries.days[place] <= rest[0][1] for event in history)
        if unit == "visit":
            assert all(event[2] < rest[0][2] for event in history)
        held_before = set() if repeats else {event[0] for event in history}
        assert answers(split)[place] == answered[place] - held_before


@given(shops(), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_nothing_of_the_day_or_later_is_seen_before_it(shop, day, horizon, newcomers):
    if not (shop.days < day).any():
        with pytest.raises(RequestError):
            time_split(shop, day, horizon)
        return
    split = time_split(shop, day, horizon, newcomers=newcomers)
    assert split.train.days.max() < day
    assert split.queries.histories.days.max() < day
    for place, customer in enumerate(split.customers):
        row = events(shop)[customer]
        assert events(split.queries.histories)[place] == [event for event in row if event[1] < day]
        assert answers(split)[place] == {event[0] for event in row if day <= event[1] < day + horizon}
    known = {customer for customer, row in enumerate(events(split.train)) if row}
    assert known <= set(split.customers.tolist())
    assert newcomers or known == set(split.customers.tolist())


@given(shops(), st.integers(0, 99), st.booleans())
def test_shuffled_ties_keep_customers_days_and_what_was_bought_together(shop, seed, days):
    shuffled = shuffled_ties(shop, seed, days)
    for before, after in zip(events(shop), events(shuffled), strict=True):
        assert [event[1] for event in before] == [event[1] for event in after]
        baskets = [
            sorted((day, sorted(p for p, _, v in row if v == visit)) for visit, day in {(v, d) for _, d, v in row})
            for row in (before, after)
        ]
        assert baskets[0] == baskets[1]
        if not days:
            assert [sorted(p for p, _, v in before if v == visit) for visit in sorted({e[2] for e in before})] == [
                sorted(p for p, _, v in after if v == visit) for visit in sorted({e[2] for e in after})
            ]


def test_ties_are_shuffled_and_only_they():
    shop = told([[(0, 1, 0), (1, 1, 1), (2, 2, 2), (3, 2, 2)]] * 100, 4)
    rows = [tuple(event[0] for event in row) for row in events(shuffled_ties(shop, 0))]
    assert {row[:2] for row in rows} == {(0, 1), (1, 0)}
    assert {row[2:] for row in rows} == {(2, 3), (3, 2)}
    believed = [tuple(event[0] for event in row) for row in events(shuffled_ties(shop, 0, days=False))]
    assert {row[:2] for row in believed} == {(0, 1)}
    assert {row[2:] for row in believed} == {(2, 3), (3, 2)}


def test_the_digest_tells_exams_apart():
    one, same = leave_one_out(SHOP), leave_one_out(SHOP)
    assert one.digest == same.digest
    swapped = told([[(1, 1, 0), (0, 1, 0), (2, 4, 1), (0, 6, 2)], [(3, 2, 0)], [], [(4, 3, 0), (4, 5, 1)]], 5)
    others = [
        leave_one_out(swapped),
        leave_one_out(SHOP, repeats=True),
        leave_one_out(SHOP, "validation"),
        time_split(SHOP, 4, 2),
    ]
    assert len({one.digest, *(each.digest for each in others)}) == 5


def test_words_that_name_no_split_are_refused():
    with pytest.raises(RequestError):
        leave_one_out(SHOP, "train")
    with pytest.raises(RequestError):
        leave_one_out(SHOP, "validation", learn_validation=True)
    with pytest.raises(RequestError):
        time_split(SHOP, 4, 0)
    with pytest.raises(RequestError):
        time_split(SHOP, 1, 3)
    with pytest.raises(RequestError):
        leave_one_out(SHOP).withhold(1.0)
