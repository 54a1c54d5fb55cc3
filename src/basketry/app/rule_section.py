"""The section of a page that shows rules: four pictures of the best of them, and a table of the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Final

from basketry.app import rule_lines, rule_matrix, rule_network
from basketry.app.charts import LogScale, Tick
from basketry.app.rule_choice import DrawnRule, chosen, drawn, levels

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.rule_lines import Lines
    from basketry.app.rule_matrix import Matrix
    from basketry.app.rule_network import Network

FIRST: Final = 12
LEFT, RIGHT, TOP, BOTTOM = 52.0, 18.0, 20.0, 46.0


@dataclass(frozen=True)
class ScatterSize:
    """Pixels."""

    name: str
    width: float
    height: float


SCATTERS: Final = (ScatterSize("wide", 940, 380), ScatterSize("tall", 380, 340))


@dataclass(frozen=True)
class RuleDot:
    """A rule in the scatter, or several that have the same place there: the level is that of the greatest lift."""

    x: float
    y: float
    level: int
    name: str
    rules: tuple[int, ...]


@dataclass(frozen=True)
class RuleScatter:
    """Support across (by logarithm), confidence up."""

    size: ScatterSize
    dots: tuple[RuleDot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class RuleSection:
    """All that the section shows: the rules drawn, of how many, and each picture on a wide and on a narrow canvas.

    `bounds` are those of the classes of lift. `commonest` is the consequent that most rules lead to and how many do; `busiest`
    the product in most rules, and in how many, likewise.
    """

    rules: tuple[DrawnRule, ...]
    of: int
    bounds: tuple[float, ...]
    commonest: tuple[str, int]
    busiest: tuple[str, int]
    scatters: tuple[RuleScatter, ...]
    matrices: tuple[Matrix, ...]
    networks: tuple[Network, ...]
    parallels: tuple[Lines, ...]

    first: int = FIRST


def section(
    rules: pl.DataFrame, titles: Mapping[str, str], kinds: Mapping[str, str | None] | None = None
) -> RuleSection | None:
    """What to show of `rules`; None where there is none to show.

    Columns `antecedent`, `consequent` (lists of products), `baskets`, `support`, `confidence`, `lift`, and any others of Rules
    (core/tables.py); `kinds` are categories by product. At most a hundred are drawn, chosen by `rule_choice.chosen`; the page
    grows by some 0.4 MB. A hundred thousand rules take about half a second.
    """
    best = chosen(rules, kinds=kinds)
    shown = drawn(best, titles)
    if not shown:
        return None
    ends = Counter(" + ".join(rule.other_names) for rule in shown)
    products = Counter(name for rule in shown for name in (*rule.names, *rule.other_names))
    return RuleSection(
        rules=shown,
        of=rules.height,
        bounds=levels([rule.lift for rule in shown]),
        commonest=_most(ends),
        busiest=_most(products),
        scatters=tuple(scatter(shown, size) for size in SCATTERS),
        matrices=tuple(m for size in (rule_matrix.WIDE, rule_matrix.TALL) if (m := rule_matrix.matrix(shown, size))),
        networks=tuple(n for size in (rule_network.WIDE, rule_network.TALL) if (n := rule_network.network(shown, size))),
        parallels=tuple(p for size in (rule_lines.WIDE, rule_lines.TALL) if (p := rule_lines.parallel(shown, size))),
    )


def scatter(rules: Sequence[DrawnRule], size: ScatterSize) -> RuleScatter:
    """Support and confidence of each rule; those with less lift are drawn first, so that the rest lie on top."""
    support = [rule.support for rule in rules]
    across = LogScale(min(support) / 1.1, max(support) * 1.1, LEFT, size.width - RIGHT)
    least = floor(min(rule.confidence for rule in rules) * 10 - 1e-9) / 10
    floor_y = size.height - BOTTOM

    def up(confidence: float) -> float:
        return round(floor_y - (confidence - least) / (1 - least) * (floor_y - TOP), 1)

    places: dict[tuple[float, float], list[int]] = {}
    for number in sorted(range(len(rules)), key=lambda n: (-rules[n].lift, n)):
        places.setdefault((across(rules[number].support), up(rules[number].confidence)), []).append(number)
    dots = [
        RuleDot(*at, rules[inside[0]].level, "; ".join(rules[n].name for n in inside), tuple(inside))
        for at, inside in places.items()
    ]
    x_ticks = tuple(Tick(tick.at, f"{100 * float(tick.label):g}%") for tick in across.ticks())
    marks = [mark / 10 for mark in range(round(least * 10), 11) if (1 - least < 0.55 or mark % 2 == 0)]
    return RuleScatter(size, tuple(reversed(dots)), x_ticks, tuple(Tick(up(mark), f"{mark:.0%}") for mark in marks))


def _most(times: Counter[str]) -> tuple[str, int]:
    """What comes most often, the first by name among equals."""
    return min(times.items(), key=lambda item: (-item[1], item[0]))
