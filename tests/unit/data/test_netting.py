from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from basketry.data.netting import Candidates, net


def lines(*rows: tuple[int, int, str]) -> pl.DataFrame:
    """(day, units, amount): one customer, one product; rows numbered from 1 in time."""
    frame = pl.DataFrame(
        [
            {
                "customer": "c",
                "product_id": "p",
                "ts": dt.datetime(2020, 1, day),
                "row": row,
                "units": Decimal(units),
                "amount": Decimal(amount),
                "cancelling": units < 0,
            }
            for row, (day, units, amount) in enumerate(rows, start=1)
        ]
    )
    return net(Candidates.validate(frame, cast=True))


def effects(frame: pl.DataFrame) -> dict[int, tuple[object, object, object]]:
    return {row[0]: row[1:] for row in frame.iter_rows()}


def test_the_latest_earlier_line_gives_first():
    found = effects(lines((1, 10, "20"), (2, 4, "8"), (3, -6, "-12"), (4, 5, "10")))
    assert found == {
        3: (None, None, "matched"),
        2: (Decimal(4), Decimal(8), None),
        1: (Decimal(2), Decimal(4), None),
    }


def test_what_is_not_there_cannot_be_given_back():
    assert effects(lines((1, 2, "4"), (2, -3, "-6"))) == {2: (None, None, "part"), 1: (Decimal(2), Decimal(4), None)}
    assert effects(lines((2, -3, "-6"), (3, 5, "10"))) == {1: (None, None, "none")}


def test_units_are_given_back_once():
    found = effects(lines((1, 3, "9"), (2, -2, "-6"), (3, -2, "-6")))
    assert found[2] == (None, None, "matched")
    assert found[3] == (None, None, "part")
    assert found[1] == (Decimal(3), Decimal(9), None)


def test_money_is_shared_to_the_ten_thousandth():
    assert effects(lines((1, 3, "10"), (2, -1, "-3")))[1] == (Decimal(1), Decimal("3.3333"), None)


@given(st.lists(st.tuples(st.integers(1, 28), st.integers(-9, 9).filter(bool)), min_size=1, max_size=30))
def test_never_more_is_taken_than_was_bought(rows):
    ordered = sorted(rows, key=lambda row: row[0])
    found = effects(lines(*[(day, units, str(units * 2)) for day, units in ordered]))
    bought = {row: units for row, (_, units) in enumerate(ordered, start=1) if units > 0}
    taken = {row: effect[0] for row, effect in found.items() if effect[0] is not None}
    assert all(0 < units <= bought[row] for row, units in taken.items())
    given_back = -sum(units for _, units in ordered if units < 0)
    assert sum(taken.values()) <= given_back
    if all(effect[2] in ("matched", None) for effect in found.values()):
        assert sum(taken.values()) == given_back


def test_no_cancellation_no_effect():
    assert net(Candidates.create_empty()).height == 0
    assert lines((1, 3, "9")).height == 0
