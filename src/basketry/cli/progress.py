"""Progress bars from spans: one line per piece of work under way, on standard error, gone when it is done."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from basketry.core.telemetry import Span

if TYPE_CHECKING:
    from rich.progress import TaskID


class ProgressBars:
    """A telemetry exporter that draws spans with rich and leaves a line with the time of each outermost one."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=28), MofNCompleteColumn())
        self._bars = Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def started(self, span: Span) -> None:
        """Draw a bar, set in below the work it belongs to."""
        self._tasks[id(span)] = self._bars.add_task("  " * len(self._tasks) + span.name, total=span.total)

    def advanced(self, span: Span) -> None:
        """Move its bar."""
        self._bars.update(self._tasks[id(span)], completed=span.done)

    def ended(self, span: Span, error: BaseException | None) -> None:
        """Remove its bar; say how long an outermost one took."""
        self._bars.remove_task(self._tasks.pop(id(span)))
        if not self._tasks:
            mark = "[green]done[/]" if error is None else "[red]failed[/]"
            facts = ", ".join(f"{name} {_short(value)}" for name, value in span.fields.items())
            self._console.print(f"{mark} {span.name} [dim]{span.seconds:.1f} s[/] {facts}", highlight=False)


def _short(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
