"""Report: a release as one self-contained page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from basketry.app.graph_reader import GraphReader
    from basketry.app.report_page import ReportData
    from basketry.app.shop import Shop


@dataclass(frozen=True)
class ReportRequest:
    """Where to write the page."""

    out: str = field(default="", metadata={"local": True, "help": "File to write; default: report.html in the shop's folder."})


@dataclass(frozen=True)
class ReportResult:
    """The page that was written."""

    wrote: str
    bytes: int
    release: str


def report(shop: Shop, request: ReportRequest) -> ReportResult:
    """Draw the current release as one HTML page that needs no network: graph, edges with reasons, quarantine, metrics."""
    from pathlib import Path

    from basketry.app.report_page import render
    from basketry.core.telemetry import span
    from basketry.store import durable

    graph = shop.graph()
    path = Path(request.out) if request.out else shop.folder / "report.html"
    with span("report", total=1, unit="pages") as progress:
        page = render(_data(shop, graph)).encode()
        durable.write_file(path, page)
        progress.advance()
    return ReportResult(str(path), len(page), graph.release.id)


def _data(shop: Shop, graph: GraphReader) -> ReportData:
    import polars as pl

    from basketry.app.report_page import ReportData
    from basketry.associations.wording import verdict_sentence
    from basketry.core.tables import Metrics

    manifest = graph.release.manifest
    facts: Mapping[str, Any] = manifest.facts
    sizes = graph.clusters.group_by("method", "cluster", "words").len("size").sort("method", "size", descending=[False, True])
    return ReportData(
        shop=shop.settings.name,
        currency=shop.settings.currency,
        release_id=graph.release.id,
        as_of=dt.date.fromisoformat(facts["last_day"]),
        created=manifest.created,
        baskets=facts["orders"],
        customers=facts["customers"],
        ingest=_ingest(facts["sources"]),
        rules=_rules(facts["sources"]),
        products=graph.products.select("product_id", "title", "department", "category", "customers"),
        associations=graph.associations,
        metrics=Metrics.validate(pl.DataFrame(manifest.metrics, schema=Metrics.create_empty().schema), cast=True),
        clusters=sizes,
        sentence=verdict_sentence,
        association_rules=graph.rules,
    )


def _ingest(sources: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows and money of every table the release was built on."""
    import polars as pl

    money = {
        "money_in": "money",
        "money_kept": "money_kept",
        "money_netted": "money_netted",
        "money_quarantined": "money_quarantined",
    }
    names = ("table", "rows_in", "kept", "quarantined", "repaired", *money)
    rows = [
        {
            **{name: one[name] for name in ("table", "kept", "quarantined")},
            "rows_in": one["rows"],
            "repaired": sum(count["took"] for count in one["counts"] if count["verb"] == "repair"),
            **{name: float(one[source]) if float(one["money"]) else None for name, source in money.items()},
        }
        for one in sources
    ]
    schema = {name: pl.String if name == "table" else pl.Float64 if name in money else pl.Int64 for name in names}
    frame = pl.DataFrame([{name: row[name] for name in names} for row in rows], schema=schema)
    return frame.group_by("table", maintain_order=True).agg(pl.all().sum())


def _rules(sources: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """How often each rule set rows aside, repaired or flagged them."""
    import polars as pl

    names = {
        "table": pl.String,
        "rule": pl.String,
        "verb": pl.String,
        "rows": pl.Int64,
        "money": pl.Float64,
        "example": pl.String,
    }
    rows = [
        {
            "table": one["table"],
            **{name: count[name] for name in ("rule", "verb")},
            "rows": count["broke"],
            "money": None,
            "example": None,
        }
        for one in sources
        for count in one["counts"]
        if count["broke"]
    ]
    return pl.DataFrame([{name: row[name] for name in names} for row in rows], schema=names)
