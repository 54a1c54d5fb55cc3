"""Rules as a network: products, and rules as small dots between what they ask for and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING, Final

from basketry.app.placing import GAP, LINE_HEIGHT, Box, apart, stretched, text_width, wrapped

if TYPE_CHECKING:
    from basketry.app.rule_choice import DrawnRule

PRODUCT_RADIUS: Final = 6.0


@dataclass(frozen=True)
class NetworkSize:
    """Pixels: width, where placing starts from, and of a label; and how much is shown at most."""

    name: str
    width: float
    height: float
    label: float
    products: int
    rules: int


WIDE: Final = NetworkSize("wide", 940, 620, 122, 30, 34)
TALL: Final = NetworkSize("tall", 380, 540, 100, 14, 13)


@dataclass(frozen=True)
class ProductDot:
    """A product with its label under it, and the rules it takes part in."""

    name: str
    lines: tuple[str, ...]
    rules: tuple[int, ...]
    x: float = 0.0
    y: float = 0.0

    @property
    def box(self) -> Box:
        """Left, top, right, bottom of dot and label, about its place."""
        half = max(PRODUCT_RADIUS, *(text_width(line) / 2 for line in self.lines))
        return -half, -PRODUCT_RADIUS, half, PRODUCT_RADIUS + LINE_HEIGHT * len(self.lines) + 3


@dataclass(frozen=True)
class RuleDot:
    """A rule."""

    name: str
    level: int
    radius: float
    rules: tuple[int, ...]
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Arrow:
    """From a product to a rule that asks for it, or from a rule to a product it promises (`onward`)."""

    path: str
    onward: bool
    level: int
    rules: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """What is drawn, in pixels."""

    size: NetworkSize
    height: float
    products: tuple[ProductDot, ...]
    rules: tuple[RuleDot, ...]
    arrows: tuple[Arrow, ...]


def network(rules: Sequence[DrawnRule], size: NetworkSize) -> Network | None:
    """The best rules that find room, placed by springs, labels kept apart; None without rules. Same rules, same picture."""
    numbers = _that_fit(rules, size)
    if not numbers:
        return None
    names: dict[str, str] = {}
    taking: dict[str, list[int]] = {}
    for number in numbers:
        rule = rules[number]
        names |= dict(zip(rule.products, (*rule.names, *rule.other_names), strict=True))
        for product in rule.products:
            taking.setdefault(product, []).append(number)
    busiest = max(rules[number].baskets for number in numbers)
    products = [ProductDot(names[each], wrapped(names[each], size.label), tuple(inside)) for each, inside in taking.items()]
    dots = [_dot(rules[number], number, busiest) for number in numbers]
    place = {product: i for i, product in enumerate(taking)}
    lines = [(place[product], len(products) + j) for j, number in enumerate(numbers) for product in rules[number].products]
    boxes = [product.box for product in products] + [(-dot.radius, -dot.radius, dot.radius, dot.radius) for dot in dots]
    places = _placed(boxes, lines, size)
    placed = [ProductDot(p.name, p.lines, p.rules, *at) for p, at in zip(products, places, strict=False)]
    spots = [RuleDot(d.name, d.level, d.radius, d.rules, *at) for d, at in zip(dots, places[len(products) :], strict=True)]
    arrows = [
        _arrow(placed[place[product]], spot, onward=product in rules[number].consequent)
        for spot, number in zip(spots, numbers, strict=True)
        for product in rules[number].products
    ]
    height = max(y + box[3] for (_, y), box in zip(places, boxes, strict=True)) + GAP
    return Network(size, round(height), tuple(placed), tuple(spots), tuple(arrows))


def _that_fit(rules: Sequence[DrawnRule], size: NetworkSize) -> list[int]:
    """Numbers of the rules, best first, that bring in no more products than there is room for."""
    seen: set[str] = set()
    found: list[int] = []
    for number, rule in enumerate(rules):
        if len(found) < size.rules and len(seen.union(rule.products)) <= size.products:
            seen.update(rule.products)
            found.append(number)
    return found


def _dot(rule: DrawnRule, number: int, busiest: int) -> RuleDot:
    return RuleDot(rule.name, rule.level, round(4 + 5 * sqrt(rule.baskets / busiest), 1), (number,))


def _placed(boxes: Sequence[Box], lines: Sequence[tuple[int, int]], size: NetworkSize) -> list[tuple[float, float]]:
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(boxes)))
    graph.add_edges_from(lines, weight=1.0)
    first = [min(part) for part in nx.connected_components(graph)]
    graph.add_edges_from(((one, other) for one in first for other in first if one < other), weight=0.05)
    spots = nx.spring_layout(graph, k=2.0 / sqrt(len(boxes)), iterations=300, seed=7)
    height = min(size.height, 60 + 26 * len(boxes))
    xs, ys = ([float(spots[i][axis]) for i in range(len(boxes))] for axis in (0, 1))
    return apart(boxes, stretched(xs, 60, size.width - 60), stretched(ys, 24, height - 50), size.width)


def _arrow(product: ProductDot, spot: RuleDot, *, onward: bool) -> Arrow:
    """A straight line between the rims; one that is onward ends in a point."""
    across, down = product.x - spot.x, product.y - spot.y
    length = hypot(across, down) or 1.0
    ux, uy = across / length, down / length
    near, far = spot.radius, max(length - PRODUCT_RADIUS - 2, spot.radius)
    (ax, ay), (bx, by) = ((spot.x + ux * reach, spot.y + uy * reach) for reach in (near, far))
    path = f"M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}"
    if onward:
        wing = [(bx - 8 * ux + side * 4 * uy, by - 8 * uy - side * 4 * ux) for side in (1, -1)]
        path += f"M{wing[0][0]:.1f} {wing[0][1]:.1f}L{bx:.1f} {by:.1f}L{wing[1][0]:.1f} {wing[1][1]:.1f}"
    return Arrow(path, onward, spot.level, spot.rules)
