"""Which levels a mining command mines: products alone, or mixed with what they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.associations.mining.constraints import ItemFacts
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.associations.mining.transactions import Transactions

LEVELS_HELP: Final = (
    "Of the shop's own: levels to mine together, of department, category, subcategory, product; default: product alone."
)
TAXONOMY_HELP: Final = "A CSV file with the columns item and parent: baskets then hold what their items belong to besides."
SURPRISE_HELP: Final = "Of several levels: only what is so many times as frequent as categories lead to expect, as 1.1; 0: all."


@dataclass(frozen=True)
class Leveled:
    """Baskets to mine, who is related to whom in them, and the taxonomy; None where they hold what was bought and no more."""

    transactions: Transactions
    facts: ItemFacts
    taxonomy: Taxonomy | None


def on_levels(shop: Shop, transactions: Transactions, source: str, levels: str, taxonomy: str) -> Leveled:
    """The baskets on the levels that were asked for: of the shop's catalogue, or of a file of items and their parents.

    Raises RequestError for levels of a file, or beside a taxonomy of one's own.
    """
    from pathlib import Path

    from basketry.associations.mining.constraints import ItemFacts
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.associations.mining.taxonomy_files import read_taxonomy
    from basketry.core.errors import RequestError
    from basketry.core.tables import Products

    if not levels and not taxonomy:
        return Leveled(transactions, ItemFacts(), None)
    if levels and (source or taxonomy):
        told = "a file of baskets has none" if source else "a taxonomy brings its own"
        raise RequestError(f"levels {levels!r} are those of the shop's catalogue, and {told}", "give --taxonomy FILE alone")
    if taxonomy:
        known = read_taxonomy(Path(taxonomy).expanduser())
    else:
        with shop.dataset() as dataset:
            asked = tuple(each.strip() for each in levels.split(",") if each.strip())
            known = Taxonomy.from_products(dataset.table(Products), asked)
    extended, facts = known.extended(transactions)
    return Leveled(extended, facts, known)


def refuse_surprise(surprise: float, levels: str, taxonomy: str) -> None:
    """Raise RequestError for a surprise that cannot be: below 0, or where nothing is above anything."""
    from basketry.core.errors import RequestError

    if not 0 <= surprise < float("inf"):
        raise RequestError(f"surprise is {surprise}", "give a factor such as 1.1, or 0 to keep all")
    if surprise and not (levels or taxonomy):
        raise RequestError(f"surprise {surprise} needs categories to compare with", "give --levels or --taxonomy too")
