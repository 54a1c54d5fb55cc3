"""The report: one self-contained HTML page of a release, to look at rather than to read.

The page asks the network for nothing: style and script stand inline, allowed by their sha256 in a content security policy that
forbids everything else. Titles and examples are other people's text; they are escaped by the template engine, and the script
writes them as text, never as markup.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from basketry.app import charts, graph_picture, html_page, rule_section
from basketry.app.charts import Measure, Panel
from basketry.app.graph_picture import Picture, Sentence, readable
from basketry.app.html_page import figure, policy, source
from basketry.app.report_words import both

if TYPE_CHECKING:
    import polars as pl
    from jinja2 import Environment
    from markupsafe import Markup

KINDS: Final = ("bought_together", "bought_next", "similar")
VERDICTS: Final = ("complement", "substitute", "co_trip", "unknown")
ROWS: Final = {"complement": 12, "substitute": 6, "co_trip": 4}
ROWS_A_PRODUCT: Final = 3
PALETTE: Final = 8
CLUSTERS_SHOWN: Final = 8
MAIN_METRICS: Final = ("average_precision", "calibration_error")


@dataclass(frozen=True)
class ReportData:
    """All the page shows.

    `ingest`: table, rows_in, kept, quarantined, repaired, money_in, money_kept, money_netted, money_quarantined
    (money may be null).
    `rules`: table, rule, verb (`quarantine`, `repair` or `flag`), rows, money, example (the last two may be null).
    `products`: product_id, title, department, category, customers (distinct customers; all but the id may be null).
    `associations`, `metrics`: the contracts of core/tables.py. `clusters`: method, cluster, size, words; one row a cluster.
    `association_rules`: the contract Rules of core/tables.py, or None where the release has none.
    `sentence(row, title, other_title, language)` words one row of `associations` in `"en"` or `"zh"`: those shown.
    `model` is the name in `metrics` of what the release serves; every other model there is a baseline.
    """

    shop: str
    currency: str
    release_id: str
    as_of: dt.date
    created: dt.datetime
    baskets: int | None
    customers: int | None
    ingest: pl.DataFrame
    rules: pl.DataFrame
    products: pl.DataFrame
    associations: pl.DataFrame
    metrics: pl.DataFrame
    clusters: pl.DataFrame
    sentence: Sentence
    model: str = "fused"
    association_rules: pl.DataFrame | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table of associations."""

    title: str
    other: str
    product_id: str
    other_id: str
    kind: str
    verdict: str
    strength: float | None
    adjusted_lift: float | None
    customers: int | None
    en: str
    zh: str


def render(data: ReportData) -> str:
    """The page as one HTML document.

    Half a million edges take about 3 s of CPU time and half a gigabyte. The page (0.2 to 0.4 MB) does not grow with them: the
    picture, the table and the scatter show a fixed number of pairs.
    """
    pairs = graph_picture.strongest_pairs(data.associations, data.products)
    pictures = [
        graph_picture.draw(pairs, data.products, data.sentence, canvas) for canvas in (graph_picture.WIDE, graph_picture.TALL)
    ]
    colours = _colours(pictures[0])
    titles = _titles(data)
    counts = _counts(data.associations)
    panels = charts.panels(data.metrics, data.model)
    environment = _environment()
    style, script = source("report.css", "rules.css"), source("page.js", "report.js", "rules.js")
    return environment.get_template("report.html").render(
        data=data,
        style=style,
        script=script,
        policy=policy(style, script),
        figures=_figures(data),
        counts=counts,
        totals={kind: sum(by_verdict.values()) for kind, by_verdict in counts.items()},
        verdict_pairs=_judged(pairs),
        pictures=pictures,
        colours=colours,
        rows=_rows(data, pairs, titles),
        rows_a_product=ROWS_A_PRODUCT,
        lift=charts.lift_chart(data.associations),
        scatter=charts.scatter(data.associations),
        titles=titles,
        mined=_mined(data, titles),
        panels=panels,
        main_panels=[panel for panel in panels if panel.metric in MAIN_METRICS] or panels[:4],
        clusters=_clusters(data.clusters),
        kinds=KINDS,
        verdicts=VERDICTS,
    )


@cache
def _environment() -> Environment:
    environment = html_page.environment()
    environment.globals.update(compare=_compare)
    environment.filters.update(told=_told)
    return environment


def _compare(panel: Panel, theirs: Measure, apart: bool) -> Markup:
    """A sentence on a baseline that does better than the release's model."""
    from markupsafe import Markup

    figures = {"theirs": figure(theirs.value), "ours": figure(panel.ours.value if panel.ours else None)}
    names = [both(f"metric.{panel.metric}"), both(f"slice.{panel.slice}"), both(f"model.{theirs.model}")]
    english, chinese = (
        words.format(metric=metric, slice=part, model=model, **figures)
        for words, metric, part, model in zip(both("metrics.loses" if apart else "metrics.loses_within"), *names, strict=True)
    )
    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh-Hans">{}</span>').format(english, chinese)


def _told(picture: Picture) -> dict[str, list[dict[str, object]]]:
    """What the script has to know of a picture."""
    return {
        "nodes": [{"id": node.product_id, "name": node.name, "customers": node.customers} for node in picture.nodes],
        "edges": [{"a": edge.a, "b": edge.b, "verdict": edge.verdict, "en": edge.en, "zh": edge.zh} for edge in picture.edges],
    }


def _figures(data: ReportData) -> list[tuple[str, int | None]]:
    """The key figures of the header, unknown ones left out."""
    lines = data.ingest.filter(data.ingest["table"] == "order_lines")
    found = [
        ("products", data.products.height),
        ("order_lines", int(lines["kept"][0]) if lines.height else None),
        ("baskets", data.baskets),
        ("customers", data.customers),
        ("edges", data.associations.height),
    ]
    return [(name, value) for name, value in found if value is not None]


def _mined(data: ReportData, titles: Mapping[str, str]) -> rule_section.RuleSection | None:
    """The section on rules; None where there are none."""
    if data.association_rules is None:
        return None
    kinds = dict(data.products.select("product_id", "category").iter_rows())
    return rule_section.section(data.association_rules, titles, kinds)


def _counts(associations: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Edges by kind, then by verdict."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for kind, verdict, number in associations.group_by("kind", "verdict").len().iter_rows():
        found[kind][verdict] = number
    return found


def _judged(pairs: pl.DataFrame) -> dict[str, int]:
    """Pairs by verdict: those bought together often enough to be counted, and those judged on other evidence."""
    import polars as pl

    judged = pairs.filter(pl.col("baskets").is_not_null() | (pl.col("verdict") != "unknown"))
    return dict(judged["verdict"].cast(str).value_counts().iter_rows())


def _colours(picture: Picture) -> dict[str, int]:
    """A colour number for each of the departments most seen in the picture; the others share the last."""
    seen: dict[str, int] = {}
    for node in picture.nodes:
        if node.department:
            seen[node.department] = seen.get(node.department, 0) + 1
    return {name: number for number, name in enumerate(sorted(seen, key=lambda name: (-seen[name], name))[:PALETTE])}


def _titles(data: ReportData) -> dict[str, str]:
    known = data.products.select("product_id", "title").iter_rows()
    return {product_id: readable(title or product_id) for product_id, title in known}


def _rows(data: ReportData, pairs: pl.DataFrame, titles: Mapping[str, str]) -> list[Row]:
    """The first pairs of each verdict, no product more than ROWS_A_PRODUCT times within a verdict.

    Strongest first; complements across categories before others, by the lift that is certain; substitutes, which are not bought
    together, most alike first.
    """
    rows: list[Row] = []
    for verdict, most in ROWS.items():
        times: dict[str, int] = {}
        kept: list[dict[str, Any]] = []
        ranked = pairs.filter(pairs["verdict"] == verdict)
        if verdict == "substitute":
            ranked = ranked.sort("similarity", descending=True, nulls_last=True, maintain_order=True)
        if verdict == "complement":
            ranked = ranked.sort("across", "adjusted_low", descending=True, nulls_last=True, maintain_order=True)
        for row in ranked.head(100 * most).iter_rows(named=True):
            ends = (row["product_id"], row["other_id"])
            if any(times.get(end, 0) >= ROWS_A_PRODUCT for end in ends):
                continue
            times.update({end: times.get(end, 0) + 1 for end in ends})
            kept.append(row)
            if len(kept) == most:
                break
        rows += [_row(row, titles, data.sentence) for row in kept]
    return rows


def _row(row: Mapping[str, Any], titles: Mapping[str, str], sentence: Sentence) -> Row:
    one, other = row["product_id"], row["other_id"]
    title, other_title = titles.get(one, one), titles.get(other, other)
    names = (f"{title} #{one}", f"{other_title} #{other}") if title == other_title else (title, other_title)
    return Row(
        title,
        other_title,
        one,
        other,
        row["kind"],
        row["verdict"],
        row["strength"],
        row["adjusted_lift"],
        row["customers"],
        sentence(row, names[0], names[1], "en"),
        sentence(row, names[0], names[1], "zh"),
    )


def _clusters(clusters: pl.DataFrame) -> dict[str, list[tuple[int, list[str]]]]:
    """For each method its largest groups: size and telling words."""
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for method, size, words in (
        clusters.sort("method", "size", "cluster", descending=[False, True, False])
        .select("method", "size", "words")
        .iter_rows()
    ):
        groups = found.setdefault(method, [])
        if len(groups) < CLUSTERS_SHOWN:
            groups.append((size, [word.strip() for word in (words or "").split(",") if word.strip()]))
    return found
