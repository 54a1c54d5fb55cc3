"""Explain: the whole evidence on one pair of products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


@dataclass(frozen=True)
class ExplainRequest:
    """The pair to explain."""

    product: str = field(metadata={"help": "Product id, or words from its title.", "argument": True})
    other: str = field(metadata={"help": "The other product, likewise.", "argument": True})
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})


@dataclass(frozen=True)
class ExplainResult:
    """Every edge between the two: its figures, one column an edge, and its sentences."""

    product: str
    other: str
    release: str
    evidence: pl.DataFrame
    notes: tuple[str, ...]


def explain(shop: Shop, request: ExplainRequest) -> ExplainResult:
    """Show all that is known of a pair: every measure, its test, its placebo, and the verdict they allow, in words."""
    import polars as pl

    from basketry.app.associations import LANGUAGES, checked
    from basketry.associations.wording import with_sentences
    from basketry.core.errors import NotFound

    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    graph = shop.graph()
    one, two = (graph.find(text).products for text in (request.product, request.other))
    pairs = pl.scan_parquet(graph.release.path("associations.parquet")).filter(
        pl.col("product_id").is_in(one["product_id"].to_list()) & pl.col("other_id").is_in(two["product_id"].to_list())
    )
    edges = pairs.collect().sort("strength", pl.col("kind").to_physical(), descending=[True, False], nulls_last=True)
    if edges.is_empty():
        names = " and ".join(each["title"][0] for each in (one, two))
        raise NotFound(f"no edge joins {names}", "too few customers bought both, and their texts are not alike")
    best = edges.row(0, named=True)
    chosen = edges.filter((pl.col("product_id") == best["product_id"]) & (pl.col("other_id") == best["other_id"]))
    told = with_sentences(chosen, graph.products, language)
    figures = chosen.drop("product_id", "other_id", "kind", "verdict", "q", "p")
    small = chosen.select(pl.col("p", "q").map_elements(lambda value: f"{value:.2e}", return_dtype=pl.String))
    text = pl.concat([figures.select(pl.all().round_sig_figs(6).cast(pl.String)), small], how="horizontal")
    evidence = text.transpose(include_header=True, header_name="measure", column_names=chosen["kind"].cast(pl.String).to_list())
    titles = dict(graph.products.select("product_id", "title").iter_rows())
    return ExplainResult(
        product=f"{best['product_id']} {titles[best['product_id']]}",
        other=f"{best['other_id']} {titles[best['other_id']]}",
        release=graph.release.id,
        evidence=evidence,
        notes=(*told["sentence"], told["verdict_sentence"][0]),
    )
