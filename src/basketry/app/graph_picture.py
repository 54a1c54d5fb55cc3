"""The association graph as a picture: which hubs and edges to draw, and where, so that no label covers another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

from basketry.app.placing import GAP, LINE_HEIGHT, Box, apart, stretched, text_width, wrapped

if TYPE_CHECKING:
    import polars as pl

Language = Literal["en", "zh"]
Sentence = Callable[[Mapping[str, Any], str, str, Language], str]

HUB_LETTER: Final = 1.12  # hubs have bold labels
CANDIDATE_HUBS: Final = 300


@dataclass(frozen=True)
class Canvas:
    """Size in the picture's own pixels, how many hubs, how many neighbours each brings, how wide a label may be.

    The height is where placing starts: labels that need more room make it taller.
    """

    name: str
    width: float
    height: float
    hubs: int
    reach: int
    label: float


WIDE: Final = Canvas("wide", 940, 720, 8, 6, 122)
TALL: Final = Canvas("tall", 380, 600, 4, 4, 110)


@dataclass(frozen=True)
class Node:
    """A product in the picture; `lines` is its label, under the dot, `mark` its id where others there are called the same."""

    product_id: str
    title: str
    department: str
    customers: int | None
    hub: bool
    radius: float
    lines: tuple[str, ...]
    mark: str
    x: float = 0.0
    y: float = 0.0

    @property
    def name(self) -> str:
        """What tells it from every other product in the picture."""
        return f"{self.title} {self.mark}" if self.mark else self.title

    @property
    def label(self) -> tuple[str, ...]:
        """All lines under the dot."""
        return (*self.lines, self.mark) if self.mark else self.lines

    @property
    def box(self) -> Box:
        """Left, top, right, bottom of dot and label together."""
        widest = max((text_width(line) for line in self.label), default=0.0)
        half = max(self.radius, widest / 2 * (HUB_LETTER if self.hub else 1))
        return self.x - half, self.y - self.radius, self.x + half, self.y + self.radius + LINE_HEIGHT * len(self.label) + 3


@dataclass(frozen=True)
class Edge:
    """A line between two nodes (positions in the list of nodes) with the sentence that explains it."""

    a: int
    b: int
    verdict: str
    strength: float
    path: str
    en: str
    zh: str

    @property
    def width(self) -> float:
        """Line width in pixels: 1 to 6."""
        return 1 + 5 * self.strength


@dataclass(frozen=True)
class Picture:
    """What the page draws."""

    canvas: Canvas
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def strongest_pairs(associations: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """One row an unordered pair: its strongest edge, ties to the kinds in their order; strongest pair first.

    Adds `weight`, the strength with null as 0, and `across`: not known to be of one category. O(n log n): half a million edges
    take about a second.
    """
    import polars as pl

    a, b = pl.col("product_id"), pl.col("other_id")
    category = products.select("product_id", "category").unique("product_id")
    pairs = (
        associations.filter(a != b)
        .with_columns(
            weight=pl.col("strength").fill_null(0.0),
            low=pl.when(a < b).then(a).otherwise(b),
            high=pl.when(a < b).then(b).otherwise(a),
        )
        .sort(
            "weight",
            pl.col("kind").to_physical(),
            "adjusted_lift",
            "confidence",
            "product_id",
            "other_id",
            descending=[True, False, True, True, False, False],
            nulls_last=True,
        )
        .unique(["low", "high"], keep="first", maintain_order=True)
    )
    return (
        pairs.join(category, on="product_id", how="left", maintain_order="left")
        .join(category, left_on="other_id", right_on="product_id", how="left", suffix="_of_other", maintain_order="left")
        .with_columns(across=(pl.col("category") != pl.col("category_of_other")).fill_null(True))
        .drop("category", "category_of_other")
    )


def choose(pairs: pl.DataFrame, hubs: int, reach: int) -> tuple[list[str], list[str], pl.DataFrame]:
    """The hubs in order of choice, all products to draw (hubs among them), and the pairs to draw.

    A hub is chosen greedily: the product whose `reach` strongest complements not yet drawn add up to the most strength, so that
    the picture covers the shop rather than one corner of it. Pairs of different categories count first, since that two
    flavours of one thing sell together is no news; where there are none, all complements do, and failing these all pairs.
    Each hub also brings its most similar substitute. Beside the lines from hubs, the strongest others among the drawn
    products are kept, up to a quarter as many again.
    """
    import polars as pl

    complements = pairs.filter(pl.col("verdict") == "complement")
    strong = next((some for some in (complements.filter("across"), complements) if some.height), pairs)
    neighbours = _neighbours(strong, reach * 4)
    drawn: list[str] = []
    chosen: list[str] = []
    seen: set[str] = set()
    lines: set[tuple[str, str]] = set()
    while len(chosen) < hubs and neighbours:
        fresh = {hub: [n for n in near if n[0] not in seen][:reach] for hub, near in neighbours.items()}
        hub = max(fresh, key=lambda product: (sum(weight for _, weight in fresh[product]), product))
        taken = fresh[hub]
        if not taken:
            break
        del neighbours[hub]
        chosen.append(hub)
        drawn += [name for name in (hub, *(name for name, _ in taken)) if name not in seen]
        seen.update(drawn)
        lines.update((min(hub, name), max(hub, name)) for name, _ in taken)
    for low, high in _rivals(pairs, chosen):
        lines.add((low, high))
        drawn += [name for name in (low, high) if name not in drawn]
    among = pairs.filter(pl.col("low").is_in(drawn), pl.col("high").is_in(drawn))
    wanted = pl.DataFrame(sorted(lines), schema={"low": pl.String, "high": pl.String}, orient="row")
    from_hubs = among.join(wanted, on=["low", "high"], how="semi", maintain_order="left")
    others = among.join(wanted, on=["low", "high"], how="anti", maintain_order="left").head(from_hubs.height // 4)
    return chosen, drawn, pl.concat([from_hubs, others])


def _neighbours(pairs: pl.DataFrame, most: int) -> dict[str, list[tuple[str, float]]]:
    """For the products with the most strength: their strongest neighbours, strongest first."""
    import polars as pl

    both_ways = pl.concat(
        [
            pairs.select(hub="low", other="high", weight="weight"),
            pairs.select(hub="high", other="low", weight="weight"),
        ]
    ).sort("weight", "hub", "other", descending=[True, False, False])
    near = both_ways.group_by("hub", maintain_order=True).head(most)
    top = near.group_by("hub").agg(pl.col("weight").sum()).sort("weight", "hub", descending=[True, False]).head(CANDIDATE_HUBS)
    near = near.filter(pl.col("hub").is_in(top["hub"].implode()))
    found: dict[str, list[tuple[str, float]]] = {}
    for hub, other, weight in near.iter_rows():
        found.setdefault(hub, []).append((other, weight))
    return found


def _rivals(pairs: pl.DataFrame, hubs: Sequence[str]) -> list[tuple[str, str]]:
    """For each hub the pair with its most similar substitute, where it has one."""
    import polars as pl

    substitutes = pairs.filter(pl.col("verdict") == "substitute").sort(
        "similarity", "low", "high", descending=[True, False, False], nulls_last=True
    )
    found = []
    for hub in hubs:
        own = substitutes.filter((pl.col("low") == hub) | (pl.col("high") == hub)).select("low", "high")
        found += [(low, high) for low, high in own.head(1).iter_rows()]
    return found


def draw(pairs: pl.DataFrame, products: pl.DataFrame, sentence: Sentence, canvas: Canvas) -> Picture:
    """Choose, place and word the picture; the same tables give the same picture.

    `pairs` is what `strongest_pairs` returns. Only the rows drawn are given to `sentence`.
    """
    hubs, ids, rows = choose(pairs, canvas.hubs, canvas.reach)
    if not ids:
        return Picture(canvas, (), ())
    nodes = _nodes(ids, hubs, products, canvas)
    position = {node.product_id: index for index, node in enumerate(nodes)}
    lines = [(position[row["low"]], position[row["high"]], row) for row in rows.iter_rows(named=True)]
    placed = _place(nodes, [(a, b, row["weight"]) for a, b, row in lines], canvas)
    edges = tuple(_edge(placed, a, b, row, sentence) for a, b, row in lines)
    height = max(node.box[3] for node in placed) + GAP
    return Picture(replace(canvas, height=round(height)), tuple(placed), edges)


def _nodes(ids: Sequence[str], hubs: Sequence[str], products: pl.DataFrame, canvas: Canvas) -> list[Node]:
    known = products.filter(products["product_id"].is_in(ids))
    facts: dict[str, dict[str, Any]] = {name: {} for name in ids} | {
        row["product_id"]: row for row in known.iter_rows(named=True)
    }
    titles = {name: readable(facts[name].get("title") or name) for name in ids}
    shared = Counter(titles.values())
    customers = {name: facts[name].get("customers") for name in ids}
    busiest = max(number or 0 for number in customers.values()) or 1
    return [
        Node(
            product_id=name,
            title=titles[name],
            department=facts[name].get("department") or "",
            customers=customers[name],
            hub=name in hubs,
            radius=5 + 13 * sqrt((customers[name] or 0) / busiest),
            lines=wrapped(titles[name], canvas.label),
            mark=f"#{name[-12:]}" if shared[titles[name]] > 1 else "",
        )
        for name in ids
    ]


def _edge(nodes: Sequence[Node], a: int, b: int, row: Mapping[str, Any], sentence: Sentence) -> Edge:
    titles = {nodes[end].product_id: nodes[end].name for end in (a, b)}
    title, other_title = titles[row["product_id"]], titles[row["other_id"]]
    english, chinese = sentence(row, title, other_title, "en"), sentence(row, title, other_title, "zh")
    return Edge(a, b, row["verdict"], row["weight"], _curve(nodes[a], nodes[b]), english, chinese)


def readable(title: str) -> str:
    """A title as it is shown: one written all in capitals, as tills do, is set in small letters after the first."""
    return title.capitalize() if title.isupper() and len(title) > 3 else title


def _place(nodes: Sequence[Node], lines: Sequence[tuple[int, int, float]], canvas: Canvas) -> list[Node]:
    """Spring layout on the strengths, stretched over the canvas, then boxes pushed apart until none overlaps."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(nodes)))
    graph.add_weighted_edges_from((a, b, 0.3 + weight) for a, b, weight in lines)
    hubs = [index for index, node in enumerate(nodes) if node.hub]
    for one in hubs:  # a slack thread between all hubs keeps unconnected stars from flying apart
        graph.add_weighted_edges_from((one, other, 0.05) for other in hubs if other > one and not graph.has_edge(one, other))
    spots = nx.spring_layout(graph, k=2.2 / sqrt(len(nodes)), iterations=300, seed=7)
    xs = [float(spots[index][0]) for index in range(len(nodes))]
    ys = [float(spots[index][1]) for index in range(len(nodes))]
    spread = stretched(xs, 60, canvas.width - 60), stretched(ys, 24, canvas.height - 50)
    places = apart([node.box for node in nodes], *spread, canvas.width)
    return [replace(node, x=x, y=y) for node, (x, y) in zip(nodes, places, strict=True)]


def _curve(a: Node, b: Node) -> str:
    """A line bent by a tenth of its length, so that lines through a third product do not hide behind it."""
    across, down = b.x - a.x, b.y - a.y
    bend = 0.1 if hypot(across, down) > 60 else 0.0
    middle_x, middle_y = (a.x + b.x) / 2 - down * bend, (a.y + b.y) / 2 + across * bend
    return f"M{a.x:g} {a.y:g}Q{middle_x:.1f} {middle_y:.1f} {b.x:g} {b.y:g}"
