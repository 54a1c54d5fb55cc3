"""Local time as arithmetic agrees with the zone database, at every hour around every shift."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.data import clock

ZONES = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
]
UTC = dt.UTC


def value(sql: str) -> object:
    return duckdb.execute(f"SELECT {sql}").fetchall()[0][0]


def stamp(instant: dt.datetime) -> str:
    return f"TIMESTAMP '{instant.isoformat(sep=' ')}'"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2037, 1, 1)))
def test_local_time_is_that_of_the_zone(zone, instant):
    instant = instant.replace(microsecond=0)
    begun, found = clock.shifts(zone, instant - dt.timedelta(days=200), instant + dt.timedelta(days=200))
    expected = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert value(clock.local_sql(stamp(instant), begun, found)) == expected


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2037, 1, 1)))
def test_the_way_back_is_the_zones_own(zone, local):
    local = local.replace(microsecond=0)
    begun, found = clock.shifts(zone, local - dt.timedelta(days=200), local + dt.timedelta(days=200))
    info = ZoneInfo(zone)
    expected = local.replace(tzinfo=info, fold=0).astimezone(UTC).replace(tzinfo=None)
    assert value(clock.utc_sql(stamp(local), begun, found)) == expected


def test_new_york_2017_shifts_twice():
    begun, found = clock.shifts("America/New_York", dt.datetime(2017, 1, 1), dt.datetime(2018, 1, 1))
    assert begun == -18_000
    assert [(shift.at, shift.after) for shift in found] == [
        (dt.datetime(2017, 3, 12, 7), -14_400),
        (dt.datetime(2017, 11, 5, 6), -18_000),
    ]


@pytest.mark.parametrize(
    ("local", "twice", "never"),
    [
        ("2017-11-05 00:59:59", False, False),
        ("2017-11-05 01:00:00", True, False),
        ("2017-11-05 01:59:59", True, False),
        ("2017-11-05 02:00:00", False, False),
        ("2017-03-12 01:59:59", False, False),
        ("2017-03-12 02:00:00", False, True),
        ("2017-03-12 02:59:59", False, True),
        ("2017-03-12 03:00:00", False, False),
    ],
)
def test_times_that_occur_twice_or_never(local, twice, never):
    _, found = clock.shifts("America/New_York", dt.datetime(2017, 1, 1), dt.datetime(2018, 1, 1))
    assert value(clock.twice_sql(f"TIMESTAMP '{local}'", found)) is twice
    assert value(clock.never_sql(f"TIMESTAMP '{local}'", found)) is never
