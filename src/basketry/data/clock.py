"""Local time as arithmetic: the shifts of a time zone, and the SQL that applies them.

An engine's own zone functions cost more than most of the cleaning and differ between engines; a zone has two shifts a year, so
within the span of the data a CASE over a few instants says the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_EARLIEST = dt.datetime(1970, 1, 1)
_LATEST = dt.datetime(2100, 1, 1)


@dataclass(frozen=True)
class Shift:
    """From the UTC instant `at` (naive) on, local time is UTC + `after` seconds; before it, UTC + `before`."""

    at: dt.datetime
    before: int
    after: int


def shifts(zone: str, first: dt.datetime, last: dt.datetime) -> tuple[int, tuple[Shift, ...]]:
    """The offset in seconds at `first` (naive UTC) and every shift from then to `last`, both held within 1970 to 2100.

    Shifts closer to each other than a day are not told apart; no zone has had such since 1970.
    """
    info = ZoneInfo(zone)
    start = min(max(first, _EARLIEST), _LATEST)
    end = min(max(last, start), _LATEST)
    found = []
    begun = offset = _offset(info, start)
    now, day = start, dt.timedelta(days=1)
    while now < end:
        later = min(now + day, end)
        after = _offset(info, later)
        if after != offset:
            found.append(Shift(_instant(info, now, later), offset, after))
            offset = after
        now = later
    return begun, tuple(found)


def local_sql(utc: str, begun: int, found: Sequence[Shift]) -> str:
    """SQL for the local time, as TIMESTAMP, of the naive UTC instant in SQL `utc`."""
    branches = [f"WHEN {utc} >= {_at(shift.at)} THEN {shift.after}" for shift in reversed(found)]
    return f"{utc} + {_interval(branches, begun)}"


def utc_sql(local: str, begun: int, found: Sequence[Shift]) -> str:
    """SQL for the naive UTC instant of the local time `local`: where it occurs twice, the first; in a gap, as before it."""
    branches = [
        f"WHEN {local} >= {_at(shift.at + dt.timedelta(seconds=max(shift.before, shift.after)))} THEN {-shift.after}"
        for shift in reversed(found)
    ]
    return f"{local} + {_interval(branches, -begun)}"


def twice_sql(local: str, found: Sequence[Shift]) -> str:
    """SQL that is true where a local time occurs twice, because clocks went back."""
    return _within(local, [(shift.after, shift.before, shift.at) for shift in found if shift.after < shift.before])


def never_sql(local: str, found: Sequence[Shift]) -> str:
    """SQL that is true where a local time never occurs, because clocks went forward over it."""
    return _within(local, [(shift.before, shift.after, shift.at) for shift in found if shift.after > shift.before])


def _within(local: str, spans: Sequence[tuple[int, int, dt.datetime]]) -> str:
    tests = [
        f"({local} >= {_at(at + dt.timedelta(seconds=low))} AND {local} < {_at(at + dt.timedelta(seconds=high))})"
        for low, high, at in spans
    ]
    return " OR ".join(tests) or "false"


def _interval(branches: Sequence[str], otherwise: int) -> str:
    seconds = f"CASE {' '.join(branches)} ELSE {otherwise} END" if branches else str(otherwise)
    return f"to_seconds({seconds})"


def _at(instant: dt.datetime) -> str:
    return f"TIMESTAMP '{instant.isoformat(sep=' ', timespec='seconds')}'"


def _offset(info: ZoneInfo, utc: dt.datetime) -> int:
    offset = utc.replace(tzinfo=dt.UTC).astimezone(info).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _instant(info: ZoneInfo, low: dt.datetime, high: dt.datetime) -> dt.datetime:
    """The second in (low, high] at which the offset changes, by halving."""
    before = _offset(info, low)
    while high - low > dt.timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle <= low:
            break
        if _offset(info, middle) == before:
            low = middle
        else:
            high = middle
    return high
