"""The page as it grows: printed while it is measured, written at the end."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from basketry.evaluation.bootstrap import Interval, Resampled

WIDTH = 128


@dataclass(frozen=True)
class Row:
    """One model of a table: its figures, and the CPU seconds of encoding and of learning (None: not measured)."""

    name: str
    figures: Resampled
    encoding: float | None = None
    learning: float | None = None


@dataclass
class Page:
    """Markdown, line by line."""

    head: str
    lines: list[str] = field(default_factory=list)

    def text(self, words: str) -> None:
        """Paragraphs are wrapped; headings and tables stay as they are."""
        for part in words.split("\n\n"):
            told = part if part.lstrip().startswith(("#", "|")) or not part else textwrap.fill(" ".join(part.split()), WIDTH)
            self.lines.append(f"{told}\n" if not told.lstrip().startswith("|") else told)
            print(self.lines[-1], flush=True)

    def table(self, rows: list[Row], metrics: Mapping[str, str], ratio: str) -> None:
        """`metrics` names the columns by figure; `ratio` is the figure compared with the first row's."""
        heads = [*metrics.values(), f"ratio of {metrics[ratio]}", "CPU s encoding", "CPU s learning"]
        self.text(f"\n| model | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
        for row in rows:
            cells = [told(row.figures.interval(name)) for name in metrics]
            cells.append("" if row is rows[0] else told(row.figures.ratio_to(rows[0].figures, ratio), 2))
            cells += ["" if seconds is None else f"{seconds:.1f}" for seconds in (row.encoding, row.learning)]
            self.text(f"| {row.name} | {' | '.join(cells)} |")
        self.text("")

    def whole(self) -> str:
        return re.sub(r"\n{3,}", "\n\n", "\n".join([self.head, *self.lines]).strip()) + "\n"


def told(value: Interval, digits: int = 3) -> str:
    return f"{value.value:.{digits}f} ({value.low:.{digits}f} to {value.high:.{digits}f})"
