"""Neighbours: the products nearest in meaning to a product or to any text, among all or those a filter keeps."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.graph_reader import GraphReader
    from basketry.app.shop import Shop
    from basketry.core.protocols import Vectors
    from basketry.vectors.index import Allowed

MOST: Final = 1000
_SHOWN: Final = 200  # signs of a text that an answer repeats


@dataclass(frozen=True)
class NeighboursRequest:
    """Near to what, how many, and among which."""

    product: str = field(
        metadata={"help": "Product id, words from its title, or any text, in English or Chinese.", "argument": True}
    )
    text: bool = field(default=False, metadata={"help": "Take it for a text of its own, even where it names a product."})
    k: int = field(default=10, metadata={"help": f"How many products, at most {MOST}."})
    filter: str = field(
        default="", metadata={"help": "Only products that pass, as department = GROCERY and brand in (National, Private)."}
    )


@dataclass(frozen=True)
class NeighboursResult:
    """What was asked, and the products nearest to it; `cosine` to 5 decimals, `customers` null where too few to tell."""

    near_to: str
    release: str
    neighbours: pl.DataFrame
    notes: tuple[str, ...]


def neighbours(shop: Shop, request: NeighboursRequest) -> NeighboursResult:
    """List the products nearest in meaning to a product or a text, and say how the search was done and what it may miss."""
    import polars as pl

    from basketry.core.errors import NotFound, RequestError
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.filter_text import parsed
    from basketry.recommendation.filters import EVERYTHING, passing

    if not 1 <= request.k <= MOST:
        raise RequestError(f"k is {request.k}", f"give a number from 1 to {MOST}")
    wanted = parsed(request.filter)
    graph = shop.graph()
    near_to, query, own, notes = _asked(graph, request)
    passes = pl.Series(passing(wanted, Facts(graph.products)))
    candidates = graph.products.filter(passes, pl.col("document") >= 0, pl.col("product_id") != own)
    allowed = None
    if wanted != EVERYTHING:
        if candidates.is_empty():
            raise NotFound("no product passes all of the filter", "leave out one of its conditions")
        allowed = graph.index.only(candidates["document"].unique().to_numpy())
    found = (
        graph.near(query, request.k + 1, allowed)  # one more, as the product itself is left out
        .join(candidates, on="document", how="inner")
        .sort("score", "customers", "product_id", descending=[True, True, False], nulls_last=True)
        .head(request.k)
        .with_row_index("rank", offset=1)
    )
    shown = found.select("rank", "product_id", "title", "department", "category", "customers", cosine="score")
    fallen = graph.release.fell_back_from
    if fallen:
        notes = (f"release {fallen} is damaged: an earlier one answers", *notes)
    return NeighboursResult(near_to, graph.release.id, shown, (*notes, _how(graph, allowed)))


def _asked(graph: GraphReader, request: NeighboursRequest) -> tuple[str, Vectors, str, tuple[str, ...]]:
    """What was meant in words, its vector [1, dim], the id of the product (empty for a text), and notes on the choice."""
    from basketry.core.errors import NotFound
    from basketry.encoders.documents import readable

    found = None if request.text else graph.named(request.product)
    if found is None:
        if not readable(request.product):
            raise NotFound(f"nothing can be read in {request.product!r}", "give a product id, or words")
        said = textwrap.shorten(request.product, _SHOWN, placeholder=" ...")
        note = () if request.text else (f"no product is called {said!r}: it is taken for a text",)
        return said, graph.encoder.encode([request.product]), "", note
    product = found.products.row(0, named=True)
    if product["document"] < 0:
        raise NotFound(f"product {product['product_id']} has no text", "describe it in words, with --text")
    others = ", ".join(f"{row['product_id']} {row['title']}" for row in found.products[1:].iter_rows(named=True))
    notes = (f"also fitting {request.product!r}: {others}",) if others else ()
    row = product["document"]
    return f"{product['product_id']} {product['title']}", graph.index.vectors[row : row + 1], product["product_id"], notes


def _how(graph: GraphReader, allowed: Allowed | None) -> str:
    """How the search was done, in a sentence."""
    index = graph.index
    count, whole = len(index) if allowed is None else allowed.count, len(index)
    among = f"{count:,} of {whole:,} texts" if count < whole else f"{whole:,} texts"
    if index.way(allowed) == "exact":
        return f"searched exactly: all of {among} were compared" if count == whole else f"searched exactly among {among}"
    recall = index.recall
    sure = f"{recall.value:.3f} ({recall.low:.3f} to {recall.high:.3f}) of the {recall.k} nearest"
    return f"searched {among} by index ({index.way(allowed)}), which found {sure} when it was built"
