"""Explain: the whole evidence on one pair of products, or on one product's place in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


@dataclass(frozen=True)
class ExplainRequest:
    """What to explain: a pair of products, or one product in the list that `recommend` gives to the same question."""

    product: str = field(metadata={"help": "Product id, or words from its title.", "argument": True})
    other: str = field(
        default="", metadata={"help": "The other product of a pair, likewise; default: explain a list.", "argument": True}
    )
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})
    customer: str = field(default="", metadata={"help": "Of a list: whose it is, by the shop's own id."})
    products: str = field(default="", metadata={"help": "Of a list: products viewed or in the basket, apart by commas."})
    scene: str = field(default="home", metadata={"help": "Of a list: its scene, as recommend has them."})
    k: int = field(default=10, metadata={"help": "Of a list: its length."})
    filter: str = field(default="", metadata={"help": "Of a list: the filter it was asked with."})
    hide: str = field(default="", metadata={"help": "Of a list: product ids that were to be left out, apart by commas."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )


@dataclass(frozen=True)
class ExplainResult:
    """All that is known. Of a pair: `other`, and in `evidence` its figures, one column an edge.

    Of a list: the `place` (none: not shown) and the `rank` by score among `ranked` products, the part of the scene whose
    `score` it is; in `evidence` what each product of the history added to that score, which with everybody's purchases adds up
    to it; in `voices` what every part says; in `around` the products next to it. The notes are sentences.
    """

    product: str
    release: str
    evidence: pl.DataFrame
    notes: tuple[str, ...]
    other: str | None = None
    scene: str | None = None
    place: int | None = None
    rank: int | None = None
    ranked: int | None = None
    part: str | None = None
    score: float | None = None
    voices: pl.DataFrame | None = None
    around: pl.DataFrame | None = None


def explain(shop: Shop, request: ExplainRequest) -> ExplainResult:
    """Show why: all the evidence on a pair of products, or why a product is, or is not, on a customer's list.

    A list is explained from the history of the one customer asked for: show it to them, or to those who may see it.
    """
    from basketry.core.errors import RequestError

    if bool(request.other) == bool(request.customer or request.products):
        raise RequestError(
            "explain a pair of products, or one product of a list",
            "name the other product, or whose list it is: --customer ID, or --products of a scene about products",
        )
    if request.other:
        return _pair(shop, request)
    from basketry.app.explain_recommendation import explained

    return explained(shop, request)


def _pair(shop: Shop, request: ExplainRequest) -> ExplainResult:
    """Every measure of a pair, its test, its placebo, and the verdict they allow, in words."""
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
