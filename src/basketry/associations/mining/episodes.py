"""Frequent episodes: events of certain types close together in a stream, in a given order or in any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.sequence_database import SequenceDatabase, named_lists
from basketry.core.errors import RequestError
from basketry.core.telemetry import span

if TYPE_CHECKING:
    from basketry.core.protocols import Run

    Int64s = npt.NDArray[np.int64]

Order = Literal["serial", "parallel"]
ORDERS: Final = ("serial", "parallel")


@dataclass(frozen=True)
class Episodes:
    """The estimator: its fields are the hyperparameters. The width is in the unit of the database's clock."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts windows, a fraction is a share"})
    width: int = field(default=10, metadata={"doc": "instants a window takes in"})
    order: Order = field(default="serial", metadata={"doc": "serial: one type after another; parallel: in any order"})
    max_length: int = field(default=5, metadata={"doc": "events of an episode at most"})
    max_episodes: int = field(default=100_000, metadata={"doc": "stop with an error rather than find more"})

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise RequestError(f"order {self.order!r} is not known", f"choose one of {', '.join(ORDERS)}")
        for name in ("width", "max_length", "max_episodes"):
            if getattr(self, name) < 1:
                raise RequestError(f"{name} is {getattr(self, name)}", "give a whole number from 1 up")

    def fit(self, database: SequenceDatabase, run: Run) -> MinedEpisodes:  # noqa: ARG002  # one thread, no chance
        """Every episode that stands in enough windows; each sequence of the database is a stream, each element an instant.

        A window [t, t + width) holds a serial episode <a1, ..., ak> if events of these types stand in it at strictly rising
        instants, a parallel one {a1, ..., ak} if it holds an event of each type. Counted are the windows of every whole t that
        overlap a stream: last - first + width of them for a stream from instant `first` to `last` (Mannila, Toivonen and
        Verkamo, Discovery of frequent episodes in event sequences, 1997, section 2). They are never listed: an episode's
        minimal occurrences (section 5), the spans that hold it and hold no shorter one, give the windows as a union of ranges
        of t.

        Cost: some twenty array operations over the minimal occurrences for each candidate: for some hundred types of events.
        Raises RequestError for more than `max_episodes`.
        """
        events = _Events.of(database, self.width)
        least = min_count(self.min_support, events.windows)
        grow = _after if self.order == "serial" else _with
        found: list[tuple[int, int, int, int]] = []
        single = [(code, spans) for code, spans in enumerate(events.singles()) if _windows(spans, self.width) >= least]
        stack = [(-1, code, spans, 1) for code, spans in reversed(single)]
        with span("mining episodes", unit="episodes") as progress:
            while stack:
                parent, code, spans, length = stack.pop()
                if len(found) == self.max_episodes:
                    raise RequestError(
                        f"more than {self.max_episodes} episodes stand in at least {least} windows",
                        "raise min_support, narrow the width, or raise max_episodes",
                    )
                found.append((parent, code, _windows(spans, self.width), len(spans[0])))
                progress.advance()
                if length < self.max_length:
                    here = len(found) - 1
                    stack += [(here, *each, length + 1) for each in _grown(grow, single, code, spans, self, least)]
        columns = np.array(found, dtype=np.int64).reshape(-1, 4)
        above, last, held, spanned = columns.T
        return MinedEpisodes(above, last, held, spanned, self.order, database.names, events.windows)


@dataclass(frozen=True, eq=False)
class MinedEpisodes:
    """A prefix tree of episodes, int64 [m]: `parent` (-1 for one event), last type, windows, minimal occurrences."""

    parent: Int64s
    item: Int64s
    windows: Int64s
    occurrences: Int64s
    order: Order
    names: pl.Series
    n_windows: int

    def __len__(self) -> int:
        return len(self.parent)

    def frame(self) -> pl.DataFrame:
        """One row an episode: `episode` (list of names), `length`, `windows`, `support` (share), `occurrences` (minimal)."""
        length = np.ones(len(self), dtype=np.int64)
        for i in np.flatnonzero(self.parent >= 0):
            length[i] = length[self.parent[i]] + 1
        place = np.cumsum(length) - 1
        items = np.empty(int(length.sum()), dtype=np.int32)
        at = np.arange(len(self))
        while len(at):
            items[place] = self.item[at]
            above = self.parent[at]
            at, place = above[above >= 0], place[above >= 0] - 1
        begin = np.concatenate([[0], np.cumsum(length)])
        return pl.DataFrame(
            {
                "episode": named_lists(self.names, items, begin),
                "length": length,
                "windows": self.windows,
                "support": self.windows / max(self.n_windows, 1),
                "occurrences": self.occurrences,
            }
        )


# Minimal occurrences: first and last instants, both strictly rising.
Spans = tuple["Int64s", "Int64s"]


@dataclass(frozen=True, eq=False)
class _Events:
    """Instants of each type, on one axis on which streams lie further apart than a window."""

    codes: npt.NDArray[np.int32]
    instants: Int64s
    n_types: int
    windows: int

    @classmethod
    def of(cls, database: SequenceDatabase, width: int) -> _Events:
        rows = database.rows
        n_elements = np.diff(rows.starts)
        clock = np.arange(int(n_elements.sum()), dtype=np.int64) if rows.clock is None else rows.clock
        filled = n_elements > 0
        first, last = clock[rows.starts[:-1][filled]], clock[rows.starts[1:][filled] - 1]
        lengths = last - first + 2 * width
        shift = np.zeros(len(n_elements), dtype=np.int64)
        shift[filled] = np.cumsum(lengths) - lengths - first
        instants = np.repeat(clock + np.repeat(shift, n_elements), np.diff(rows.elements))
        return cls(rows.items, instants, rows.n_items, int((last - first + width).sum()))

    def singles(self) -> Iterator[Spans]:
        """The occurrences of each type."""
        order = np.lexsort((self.instants, self.codes))
        codes, instants = self.codes[order], self.instants[order]
        edges = np.searchsorted(codes, np.arange(self.n_types + 1))
        for low, high in pairwise(edges):
            each = np.unique(instants[low:high])
            yield each, each


def _windows(spans: Spans, width: int) -> int:
    """How many t have a span within [t, t + width): the union of the ranges [last - width + 1, first]."""
    first, last = spans
    if not len(first):
        return 0
    begin = last - width + 1
    begin[1:] = np.maximum(begin[1:], first[:-1] + 1)
    return int((first - begin + 1).sum())


def _grown(
    grow: object, single: list[tuple[int, Spans]], code: int, spans: Spans, estimator: Episodes, least: int
) -> list[tuple[int, Spans]]:
    """The frequent episodes of one event more, the last to be looked at first."""
    later = single if estimator.order == "serial" else [each for each in single if each[0] > code]
    grown = ((each, grow(spans, times[0], estimator.width)) for each, times in later)  # type: ignore[operator]
    return [(each, found) for each, found in grown if _windows(found, estimator.width) >= least][::-1]


def _after(spans: Spans, times: Int64s, width: int) -> Spans:
    """The minimal occurrences of a serial episode with one more event behind: each goes on to the next of its instants."""
    first, last = spans
    at = np.searchsorted(times, last, side="right")
    first, at = first[at < len(times)], at[at < len(times)]
    last = times[at]
    minimal = np.append(np.diff(last) > 0, True)[: len(last)] & (last - first < width)
    return first[minimal], last[minimal]


def _with(spans: Spans, times: Int64s, width: int) -> Spans:
    """The minimal occurrences of a parallel episode with one more type.

    At each instant where either ends, the latest start of both together is the earlier of their latest starts up to then.
    """
    first, last = spans
    ends = np.union1d(last, times)
    one, other = np.searchsorted(last, ends, side="right") - 1, np.searchsorted(times, ends, side="right") - 1
    known = (one >= 0) & (other >= 0)
    ends = ends[known]
    start = np.minimum(first[one[known]], times[other[known]])
    minimal = np.append(True, np.diff(start) > 0)[: len(start)] & (ends - start < width)
    return start[minimal], ends[minimal]
