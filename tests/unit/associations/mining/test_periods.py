from __future__ import annotations

import datetime as dt
import statistics
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.periods import Periods, kaplan_meier_medians
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run


def transactions(baskets, names=("milk", "salt")):
    """Baskets as (customer, day, items), in their order."""
    baskets = sorted(baskets, key=lambda basket: basket[:2])
    return Transactions(
        BasketMatrix(
            np.cumsum([0] + [len(items) for *_, items in baskets]).astype(np.int64),
            np.array([names.index(item) for *_, items in baskets for item in items], dtype=np.int32),
            np.array([customer for customer, *_ in baskets], dtype=np.int32),
            np.array([day for _, day, _ in baskets], dtype=np.int32),
            len(names),
        ),
        pl.Series("item", names),
    )


SMALL = [
    (0, 0, ["milk"]),
    (0, 2, ["milk", "salt"]),
    (0, 8, ["milk"]),
    (0, 8, ["milk"]),  # a second basket on one day is no gap
    (1, 5, ["milk"]),
    (1, 9, ["milk"]),
    (1, 10, ["salt"]),
    (2, 1, ["salt"]),
]


def test_gaps_counted_on_paper():
    """Milk: gaps 2 and 6 of customer 0, 4 of customer 1; still open on day 10: 2 and 1."""
    table = Periods(1).fit(transactions(SMALL), Run()).frame()
    assert table["item"].to_list() == ["milk"]
    row = table.row(0, named=True)
    assert (row["customers"], row["gaps"], row["q25"], row["median"], row["q75"]) == (2, 3, 3.0, 4.0, 5.0)
    assert row["variation"] == pytest.approx(0.5**0.5)  # about a mean of 4: (1/4 + 1/4) over one degree
    # Times 1+ 2 2+ 4 6: after 2, 3/4 of four; after 4, 1/2 of that: 3/8.
    assert row["median_due"] == 4


def test_when_the_next_is_due():
    due = Periods(1).fit(transactions(SMALL), Run()).due().sort("customer")
    day = dt.date(1970, 1, 1)
    assert due.rows() == [
        ("milk", 0, day + dt.timedelta(8), day + dt.timedelta(12)),
        ("milk", 1, day + dt.timedelta(9), day + dt.timedelta(13)),
    ]
    own = [(0, day, ["milk"]) for day in (0, 10, 20, 30)] + [(1, 1, ["milk"]), (1, 3, ["milk"])]
    assert [row[3] for row in Periods(1).fit(transactions(own), Run()).due().sort("customer").rows()] == [
        dt.date(1970, 2, 10),
        dt.date(1970, 1, 1) + dt.timedelta(3 + 10),
    ]


def test_kaplan_meier_of_a_textbook():
    """Remission of leukaemia under 6-MP (Freireich et al. 1963): the median is 23 weeks; under placebo it is 8."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    open_ = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    group = [2] * len(ended + open_) + [0] * len(placebo) + [3]
    time = ended + open_ + placebo + [7]
    closed = [True] * len(ended) + [False] * len(open_) + [True] * len(placebo) + [False]
    medians = kaplan_meier_medians(np.array(group), np.array(time), np.array(closed), 4)
    assert np.array_equal(medians, [8, np.nan, 23, np.nan], equal_nan=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.booleans()), max_size=25))
def test_kaplan_meier_equals_the_product_by_hand(rows):
    group, time, ended = (
        (
            np.array(column, dtype=kind)
            for column, kind in zip(zip(*rows, strict=True) or ((), (), ()), (int, int, bool), strict=False)
        )
        if rows
        else (np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool))
    )
    expected = []
    for which in range(3):
        alive, median = Fraction(1), np.nan
        for at in sorted({t for g, t, e in rows if g == which and e}):
            risk = sum(g == which and t >= at for g, t, _ in rows)
            alive *= 1 - Fraction(sum((g, t, e) == (which, at, True) for g, t, e in rows), risk)
            if alive <= Fraction(1, 2):
                median = at
                break
        expected.append(median)
    assert np.array_equal(kaplan_meier_medians(group, time, ended, 3), expected, equal_nan=True)


def test_clockwork_is_told_from_chance():
    """Milk every seventh day and salt at any time, by customers who shop on 60 days of their own."""
    rng = np.random.default_rng(1)
    baskets = []
    for customer in range(40):
        start = int(rng.integers(0, 7))
        days = set(rng.choice(180, 60, replace=False).tolist()) | set(range(start, 180, 7))
        salty = set(rng.choice(sorted(days), 20, replace=False).tolist())
        for day in days:
            items = ["milk"] * (day % 7 == start) + ["salt"] * (day in salty)
            baskets.append((customer, day, items))
    table = {row["item"]: row for row in Periods().fit(transactions(baskets), Run()).frame().iter_rows(named=True)}
    assert table["milk"]["variation"] == 0 and table["milk"]["median"] == 7 and table["milk"]["p"] == 0.05
    assert table["milk"]["placebo"] > 0.5
    assert table["salt"]["variation"] == pytest.approx(table["salt"]["placebo"], rel=0.1) and table["salt"]["p"] > 0.05


def test_same_seed_same_placebo_and_quartiles_as_the_standard_library():
    rng = np.random.default_rng(2)
    baskets = [(c, d, ["milk"]) for c in range(30) for d in sorted(rng.choice(100, 10, replace=False).tolist())]
    one, two = (Periods().fit(transactions(baskets), Run(seed=3)).frame() for _ in range(2))
    assert one.equals(two)
    gaps = [b - a for c in range(30) for a, b in zip(*[[d for k, d, _ in baskets if k == c][i:] for i in (0, 1)], strict=False)]
    assert one.row(0)[3:6] == tuple(statistics.quantiles(gaps, n=4, method="inclusive"))


def test_few_customers_nothing_and_wrong_requests():
    assert len(Periods(3).fit(transactions(SMALL), Run()).frame()) == 0
    empty = Periods().fit(transactions([]), Run())
    assert len(empty) == len(empty.frame()) == len(empty.due()) == 0
    for wrong in ({"min_customers": 0}, {"rounds": 0}):
        with pytest.raises(RequestError):
            Periods(**wrong)
