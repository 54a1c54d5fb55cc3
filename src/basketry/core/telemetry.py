"""Spans and counters: what the program is doing, told to whoever listens.

Library code opens spans; a front end attaches an exporter (the command line draws progress bars, a server exports traces). With
no exporter attached a span costs one truth test.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass
class Span:
    """One piece of work under way: `total` and `done` are in `unit`s; a total of None means unknown."""

    name: str
    total: int | None = None
    unit: str = "rows"
    done: int = 0
    fields: dict[str, object] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more units are done."""
        self.done += amount
        for exporter in _exporters:
            exporter.advanced(self)

    def note(self, **fields: object) -> None:
        """Attach facts to the span, for instance how many rows were kept."""
        self.fields.update(fields)

    @property
    def seconds(self) -> float:
        """Wall seconds since the span began."""
        return time.monotonic() - self.started


class Exporter(Protocol):
    """What a front end implements to hear of spans."""

    def started(self, span: Span) -> None:
        """A span began."""

    def advanced(self, span: Span) -> None:
        """A span moved on."""

    def ended(self, span: Span, error: BaseException | None) -> None:
        """A span ended, with the exception that ended it if one did."""


_exporters: list[Exporter] = []


@contextmanager
def span(name: str, total: int | None = None, unit: str = "rows") -> Iterator[Span]:
    """Open a span around a piece of work; nested spans nest."""
    current = Span(name, total, unit)
    for exporter in _exporters:
        exporter.started(current)
    try:
        yield current
    except BaseException as error:
        for exporter in _exporters:
            exporter.ended(current, error)
        raise
    for exporter in _exporters:
        exporter.ended(current, None)


@contextmanager
def attached(exporter: Exporter) -> Iterator[None]:
    """Let `exporter` hear of every span opened inside the block."""
    _exporters.append(exporter)
    try:
        yield
    finally:
        _exporters.remove(exporter)
