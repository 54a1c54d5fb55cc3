"""Demo: the main job on a year of real grocery baskets, from nothing to a published, explained graph and its page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


UNLIKE: Final = 0.75  # similarity of texts from which a pair says little that one does not know


@dataclass(frozen=True)
class DemoRequest:
    """How many associations to print."""

    k: int = field(default=12, metadata={"help": "How many of the strongest associations to print."})


@dataclass(frozen=True)
class DemoResult:
    """What was kept and found, and the strongest associations with their reasons."""

    release: str
    report: str
    tables: pl.DataFrame
    rules: pl.DataFrame
    edges: pl.DataFrame
    hold_out: pl.DataFrame
    strongest: pl.DataFrame
    notes: tuple[str, ...]


def demo(shop: Shop, request: DemoRequest) -> DemoResult:
    """Read the Complete Journey data (1.5 million order lines), build and publish its graph, and show the strongest edges."""
    from basketry.app.build import BuildRequest, build
    from basketry.app.ingest import IngestRequest, ingest
    from basketry.app.init import InitRequest, init
    from basketry.app.report import ReportRequest, report

    if not (shop.folder / "shop.toml").is_file():
        init(shop, InitRequest(adapter="complete_journey"))
    read = ingest(shop, IngestRequest())
    built = build(shop, BuildRequest())
    page = report(shop, ReportRequest())
    return DemoResult(
        release=built.release,
        report=page.wrote,
        tables=read.tables,
        rules=read.rules.select("table", "rule", "verb", "broke", "took", "example"),
        edges=built.edges,
        hold_out=built.hold_out,
        strongest=_strongest(shop, request.k),
        notes=(
            *read.notes,
            *built.notes,
            f"ask it: basketry associations milk --shop {shop.folder}",
            f"look at it: {page.wrote}",
        ),
    )


def _strongest(shop: Shop, k: int) -> pl.DataFrame:
    """Complements of unlike products by the certain part of their adjusted lift, and the plainest substitutes."""
    import polars as pl

    from basketry.associations.wording import with_sentences

    graph = shop.graph()
    once = graph.associations.filter((pl.col("product_id") < pl.col("other_id")) & (pl.col("kind") == "bought_together"))
    category = graph.products.select("product_id", "category")
    known = once.join(category, on="product_id").join(category, left_on="other_id", right_on="product_id", suffix="_other")
    unlike = pl.col("category").ne_missing(pl.col("category_other")) & (pl.col("similarity") < UNLIKE).fill_null(True)
    across = known.filter((pl.col("verdict") == "complement") & unlike)
    instead = known.filter(pl.col("verdict") == "substitute").sort("contrast_high", nulls_last=True).head(max(k // 4, 1))
    chosen = pl.concat([across.sort("adjusted_low", descending=True).head(k - len(instead)), instead])
    told = with_sentences(chosen, graph.products, "en")
    return told.select("verdict", "adjusted_lift", "customers", reason="verdict_sentence")
