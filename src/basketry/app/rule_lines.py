"""Rules in parallel coordinates: a line a rule, through the products it asks for to what it promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Final, TypeVar

from basketry.app.placing import wrapped

if TYPE_CHECKING:
    from basketry.app.rule_choice import DrawnRule

T = TypeVar("T")

SWEEPS: Final = 12
ROW: Final = 26.0
TOP: Final = 40.0


@dataclass(frozen=True)
class LinesSize:
    """Pixels: width, room for the names at either end; and how many products, consequents and rules are shown at most."""

    name: str
    width: float
    label: float
    products: int
    consequents: int
    rules: int


WIDE: Final = LinesSize("wide", 940, 190, 24, 16, 48)
TALL: Final = LinesSize("tall", 380, 112, 13, 9, 18)


@dataclass(frozen=True)
class End:
    """A product on the left, or a consequent on the right."""

    name: str
    lines: tuple[str, ...]
    y: float
    rules: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """A rule from left to right; `stops` are the points where it meets an axis."""

    name: str
    path: str
    stops: tuple[tuple[float, float], ...]
    width: float
    level: int
    rules: tuple[int, ...]


@dataclass(frozen=True)
class Lines:
    """What is drawn, in pixels; `axes` are the places of the products of the antecedent, then that of the consequent."""

    size: LinesSize
    height: float
    axes: tuple[float, ...]
    products: tuple[End, ...]
    consequents: tuple[End, ...]
    lines: tuple[Line, ...]


def parallel(rules: Sequence[DrawnRule], size: LinesSize) -> Lines | None:
    """The best rules that find room, both ends ordered so that few lines cross; None without rules."""
    numbers = _that_fit(rules, size)
    if not numbers:
        return None
    left, right = _ordered([rules[number] for number in numbers])
    deepest = max(len(rules[number].antecedent) for number in numbers)
    start, end = size.label + 14, size.width - size.label - 14
    axes = tuple(round(start + (end - start) * place / deepest, 1) for place in range(deepest + 1))
    height = TOP + ROW * max(len(left), len(right))
    y_left, y_right = _spread(left, height), _spread(right, height)
    busiest = max(rules[number].baskets for number in numbers)
    lines = tuple(_line(rules[n], n, axes, y_left, y_right, busiest) for n in numbers)
    names = {product: name for n in numbers for product, name in zip(rules[n].antecedent, rules[n].names, strict=True)}
    products = tuple(
        End(names[p], wrapped(names[p], size.label - 10), y_left[p], tuple(n for n in numbers if p in rules[n].antecedent))
        for p in left
    )
    ends = {rules[n].consequent: " + ".join(rules[n].other_names) for n in numbers}
    consequents = tuple(
        End(
            ends[side],
            wrapped(ends[side], size.label - 10),
            y_right[side],
            tuple(n for n in numbers if rules[n].consequent == side),
        )
        for side in right
    )
    return Lines(size, round(height + 12), axes, products, consequents, lines)


def _that_fit(rules: Sequence[DrawnRule], size: LinesSize) -> list[int]:
    """Numbers of the rules that bring in no more products and consequents than there is room for.

    Those that ask for several products come first, since the lines are for them; of them, and of the others, the best.
    """
    products: set[str] = set()
    consequents: set[tuple[str, ...]] = set()
    found: list[int] = []
    for number in sorted(range(len(rules)), key=lambda each: len(rules[each].antecedent) == 1):
        rule = rules[number]
        fits = (
            len(products.union(rule.antecedent)) <= size.products and len({*consequents, rule.consequent}) <= size.consequents
        )
        if fits and len(found) < size.rules:
            products.update(rule.antecedent)
            consequents.add(rule.consequent)
            found.append(number)
    return found


def _ordered(rules: Sequence[DrawnRule]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Products and consequents from top to bottom: each comes to stand at the mean of those it meets."""
    links = Counter((product, rule.consequent) for rule in rules for product in rule.antecedent)
    left = sorted({product for product, _ in links})
    right = sorted({side for _, side in links})
    for _ in range(SWEEPS):
        right.sort(key=_means(left, ((side, product, n) for (product, side), n in links.items())).__getitem__)
        left.sort(key=_means(right, ((product, side, n) for (product, side), n in links.items())).__getitem__)
    return left, right


def _means(others: Sequence[Hashable], links: Iterable[tuple[Hashable, Hashable, int]]) -> dict[Hashable, float]:
    """For each first of a link the mean place among `others` of its seconds, weighed by how often."""
    place = {other: i for i, other in enumerate(others)}
    total: Counter[Hashable] = Counter()
    weight: Counter[Hashable] = Counter()
    for one, other, times in links:
        total[one] += place[other] * times
        weight[one] += times
    return {one: total[one] / weight[one] for one in total}


def _spread(side: Sequence[T], height: float) -> dict[T, float]:
    """The side evenly from top to bottom."""
    step = (height - TOP) / len(side)
    return {each: round(TOP + (i + 0.5) * step, 1) for i, each in enumerate(side)}


def _line(
    rule: DrawnRule,
    number: int,
    axes: Sequence[float],
    left: Mapping[str, float],
    right: Mapping[tuple[str, ...], float],
    busiest: int,
) -> Line:
    """Through its products from the top down, on the last axes before the consequent's, then to the consequent."""
    heights = [*sorted(left[product] for product in rule.antecedent), right[rule.consequent]]
    stops = tuple(zip(axes[len(axes) - len(heights) :], heights, strict=True))
    path = f"M{stops[0][0]:g} {stops[0][1]:g}"
    for (x, y), (x_next, y_next) in pairwise(stops):
        middle = (x + x_next) / 2
        path += f"C{middle:.1f} {y:g} {middle:.1f} {y_next:g} {x_next:g} {y_next:g}"
    return Line(rule.name, path, stops, round(1.2 + 3.8 * sqrt(rule.baskets / busiest), 1), rule.level, (number,))
