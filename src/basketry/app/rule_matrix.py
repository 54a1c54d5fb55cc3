"""The grouped matrix of rules: what leads to what, with antecedents that do alike taken together.

After Hahsler and Karpienko (2017), Visualizing association rules in hierarchical groups: antecedents are clustered by the
lifts they give to the consequents. Here by Ward's method on log lift (0 where there is no rule), and both sides are put in the
order of reciprocal averaging, so that what belongs together lies along the diagonal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median_low
from typing import TYPE_CHECKING, Final

from basketry.app.placing import text_width, wrapped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from basketry.app.rule_choice import DrawnRule

Side = tuple[str, ...]

SWEEPS: Final = 40


@dataclass(frozen=True)
class MatrixSize:
    """Pixels: the picture's width, the room for the names of antecedents and of consequents; and how many of each at most."""

    name: str
    width: float
    label: float
    slanted: float
    groups: int
    columns: int
    row: float


WIDE: Final = MatrixSize("wide", 940, 290, 140, 18, 14, 30)
TALL: Final = MatrixSize("tall", 380, 158, 110, 14, 6, 34)


@dataclass(frozen=True)
class Heading:
    """A row or a column: its lines of text, where it stands, the rules it takes part in, and its full name."""

    lines: tuple[str, ...]
    at: float
    rules: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Cell:
    """Rules of one group of antecedents to one consequent: `level` is that of the rule of median lift."""

    x: float
    y: float
    radius: float
    level: int
    rules: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Matrix:
    """What is drawn, in pixels."""

    size: MatrixSize
    height: float
    top: float
    rows: tuple[Heading, ...]
    columns: tuple[Heading, ...]
    cells: tuple[Cell, ...]

    @property
    def rules(self) -> int:
        """How many rules have a place in it."""
        return sum(len(cell.rules) for cell in self.cells)


def matrix(rules: Sequence[DrawnRule], size: MatrixSize) -> Matrix | None:
    """The matrix of the rules whose consequents are commonest; None without rules. The same rules give the same picture."""
    import numpy as np

    common = Counter(rule.consequent for rule in rules)
    columns = sorted(common, key=lambda side: (-common[side], side))[: size.columns]
    shown = [(number, rule) for number, rule in enumerate(rules) if rule.consequent in columns]
    if not shown:
        return None
    rows = sorted({rule.antecedent for _, rule in shown})
    lift = np.zeros((len(rows), len(columns)))
    for _, rule in shown:
        lift[rows.index(rule.antecedent), columns.index(rule.consequent)] = np.log(rule.lift)
    group = _groups(lift, size.groups)
    place = {side: int(group[i]) for i, side in enumerate(rows)}
    cells: dict[tuple[int, int], list[int]] = {}
    for number, rule in shown:
        cells.setdefault((place[rule.antecedent], columns.index(rule.consequent)), []).append(number)
    weight = np.zeros((int(group.max()) + 1, len(columns)))
    for (row, column), inside in cells.items():
        weight[row, column] = len(inside)
    row_order, column_order = _diagonal(weight)
    return _drawn(rules, size, cells, row_order, column_order)


def _groups(lift: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.int64]:
    """The group of each row, from 0: by Ward's method, never more than `most`, and one for all that are alike."""
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, linkage

    patterns, which = np.unique(lift, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(patterns) > most:
        _, which = np.unique(fcluster(linkage(lift, "ward"), most, "maxclust"), return_inverse=True)
    return np.asarray(which, dtype=np.int64)


def _diagonal(weight: npt.NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Orders of rows and columns by reciprocal averaging: each stands at the mean of what it meets."""
    import numpy as np

    place = np.arange(weight.shape[1], dtype=np.float64)
    rows = np.zeros(weight.shape[0])
    for _ in range(SWEEPS):
        rows = weight @ place / weight.sum(axis=1)
        place = rows @ weight / weight.sum(axis=0)
        place = np.argsort(np.argsort(place, kind="stable"), kind="stable").astype(np.float64)
    return np.argsort(rows, kind="stable").tolist(), np.argsort(place, kind="stable").tolist()


def _drawn(
    rules: Sequence[DrawnRule],
    size: MatrixSize,
    cells: dict[tuple[int, int], list[int]],
    row_order: Sequence[int],
    column_order: Sequence[int],
) -> Matrix:
    members = [[n for (row, _), inside in sorted(cells.items()) if row == each for n in inside] for each in row_order]
    leading = [[n for (_, column), inside in sorted(cells.items()) if column == each for n in inside] for each in column_order]
    titles = [" + ".join(rules[numbers[0]].other_names) for numbers in leading]
    slant = [wrapped(title, size.slanted, lines=1) for title in titles]
    reach = [0.72 * text_width(lines[0]) for lines in slant]  # of a name at half a right angle
    top = round(max(reach) + 22)
    room = size.width - size.label - 24
    step = min(60.0, *((room - far) / (place + 0.5) for place, far in enumerate(reach)))
    across = [round(size.label + 14 + (place + 0.5) * step, 1) for place in range(len(column_order))]
    down = [round(top + (place + 0.5) * size.row, 1) for place in range(len(row_order))]
    busiest = max(rules[n].baskets for inside in cells.values() for n in inside)
    drawn = []
    for (row, column), inside in cells.items():
        i, j = row_order.index(row), column_order.index(column)
        middle = median_low([(rules[n].lift, n) for n in inside])[1]
        radius = round(min(step, size.row) * (0.2 + 0.28 * sqrt(max(rules[n].baskets for n in inside) / busiest)), 1)
        name = f"{_told(rules, members[i])} → {titles[j]}"
        drawn.append(Cell(across[j], down[i], radius, rules[middle].level, tuple(inside), name))
    rows = tuple(
        Heading(wrapped(_told(rules, numbers), size.label - 10), at, tuple(numbers), _told(rules, numbers))
        for numbers, at in zip(members, down, strict=True)
    )
    columns = tuple(
        Heading(lines, at, tuple(numbers), title)
        for lines, numbers, at, title in zip(slant, leading, across, titles, strict=True)
    )
    in_order = sorted(drawn, key=lambda cell: (cell.y, cell.x))
    return Matrix(size, round(top + len(down) * size.row + 12), top, rows, columns, tuple(in_order))


def _told(rules: Sequence[DrawnRule], numbers: Sequence[int]) -> str:
    """A group of antecedents in a line: its commonest products, and how many more there are."""
    sides = {rules[n].antecedent: rules[n].names for n in numbers}
    if len(sides) == 1:
        return " + ".join(next(iter(sides.values())))
    times = Counter(name for names in sides.values() for name in names)
    ranked = sorted(times, key=lambda name: (-times[name], name))
    return " / ".join(ranked[:2]) + (f" +{len(ranked) - 2}" if len(ranked) > 2 else "")
