"""Associations: what goes with one product, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop

Language = Literal["en", "zh"]
LANGUAGES: Final[dict[str, Language]] = {"en": "en", "zh": "zh"}
ORDERS: Final = ("verdict", "strength", "adjusted_low", "adjusted_lift", "lift", "confidence", "customers", "similarity")


@dataclass(frozen=True)
class AssociationsRequest:
    """Which edges to show."""

    product: str = field(metadata={"help": "Product id, or words from its title, in English or Chinese.", "argument": True})
    k: int = field(default=10, metadata={"help": "How many edges at most."})
    kind: str = field(default="", metadata={"help": "Only this kind: bought_together, bought_next or similar."})
    verdict: str = field(default="", metadata={"help": "Only this verdict: complement, substitute, co_trip or unknown."})
    order: str = field(
        default="verdict",
        metadata={"help": "Best first by: " + ", ".join(ORDERS) + "; verdict: complements, substitutes, the rest by strength."},
    )
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})


@dataclass(frozen=True)
class AssociationsResult:
    """The product that was meant, and its edges with a sentence each."""

    product_id: str
    title: str
    release: str
    edges: pl.DataFrame
    notes: tuple[str, ...]


def associations(shop: Shop, request: AssociationsRequest) -> AssociationsResult:
    """Show what goes with a product: bought together, bought next, similar; with the evidence in a sentence."""
    import polars as pl

    from basketry.associations.wording import with_sentences
    from basketry.core.tables import KINDS, VERDICTS

    language = checked(request.language, tuple(LANGUAGES), "language")
    graph = shop.graph()
    found = graph.find(request.product)
    product = found.products.row(0, named=True)
    edges = graph.edges(product["product_id"])
    for column, value, allowed in (("kind", request.kind, KINDS), ("verdict", request.verdict, VERDICTS)):
        if value:
            edges = edges.filter(pl.col(column) == checked(value, allowed, column))
    best = _ordered(edges, checked(request.order, ORDERS, "order")).head(max(request.k, 0))
    told = with_sentences(best, graph.products, LANGUAGES[language])
    shown = told.join(
        graph.products.select(other_id="product_id", other="title"), on="other_id", how="left", maintain_order="left"
    )
    columns = ("other_id", "other", "kind", "verdict", "strength", "adjusted_lift", "customers", "similarity", "sentence")
    return AssociationsResult(
        product_id=product["product_id"],
        title=product["title"],
        release=graph.release.id,
        edges=shown.select(*columns),
        notes=_notes(found.products, found.how, request.product, graph.release.fell_back_from),
    )


def _ordered(edges: pl.DataFrame, order: str) -> pl.DataFrame:
    """Best first; by verdict, complements stand in the order of the lift that is certain, all else by strength."""
    import polars as pl

    if order != "verdict":
        return edges.sort(pl.col(order), pl.col("similarity"), descending=True, nulls_last=True)
    complement = pl.col("verdict") == "complement"
    within = pl.when(complement).then(pl.col("adjusted_low")).otherwise(pl.col("strength"))
    return edges.sort(
        pl.col("verdict").to_physical(), within, pl.col("similarity"), descending=[False, True, True], nulls_last=True
    )


def _notes(found: pl.DataFrame, how: str, asked: str, fell_back_from: str | None) -> tuple[str, ...]:
    """What the reader should know of how the product was chosen."""
    notes = [f"release {fell_back_from} is damaged: an earlier one answers"] if fell_back_from else []
    if how == "meaning":
        notes.append(f"no text holds {asked!r}; this is the nearest in meaning")
    if len(found) > 1:
        others = ", ".join(f"{row['product_id']} {row['title']}" for row in found[1:].iter_rows(named=True))
        notes.append(f"also fitting {asked!r}: {others}")
    return tuple(notes)


def checked(value: str, allowed: tuple[str, ...], name: str) -> str:
    """`value` if it is allowed; a RequestError that says what is, otherwise."""
    from basketry.core.errors import RequestError

    if value not in allowed:
        raise RequestError(f"{name} {value!r} is not known", f"choose one of {', '.join(allowed)}")
    return value
