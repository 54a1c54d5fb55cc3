"""Baskets on several levels: products mixed with the categories, or whatever else, that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.constraints import ItemFacts
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.associations.mining.transactions import Transactions

LEVELS_HELP: Final = "Of the shop's own: levels to mix, of department, category, subcategory, product; default: products alone."
TAXONOMY_HELP: Final = "Of a file's baskets: a CSV file with the columns item and parent, whose parents are mined too."
SURPRISE_HELP: Final = "Of several levels: only what is so many times as frequent as categories lead to expect, as 1.1; 0: all."


def refuse_surprise(surprise: float, levels: str, taxonomy: str) -> None:
    """Raise RequestError for a surprise that cannot be: below 0, or where nothing is above anything."""
    from basketry.core.errors import RequestError

    if not 0 <= surprise < float("inf"):
        raise RequestError(f"surprise is {surprise}", "give a factor such as 1.1, or 0 to keep all")
    if surprise and not (levels or taxonomy):
        raise RequestError(f"surprise {surprise} needs categories to compare with", "give --levels or --taxonomy too")


def leveled(
    shop: Shop, source: str, transactions: Transactions, levels: str, taxonomy: str
) -> tuple[Transactions, ItemFacts, Taxonomy | None]:
    """The baskets with the ancestors of their items, what a miner must know of these, and the taxonomy; as they are without.

    Raises RequestError where levels are asked of a file, or a taxonomy file for the shop's own baskets.
    """
    from basketry.associations.mining.constraints import ItemFacts
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.core.errors import RequestError
    from basketry.core.tables import Products

    if (levels and source) or (taxonomy and not source):
        told = "levels are those of the shop's catalogue" if levels else "a taxonomy file goes with a file of baskets"
        raise RequestError(f"{told}, not of this source", "use --levels for a shop, --taxonomy FILE.csv for a file")
    if not levels and not taxonomy:
        return transactions, ItemFacts(), None
    if taxonomy:
        found = Taxonomy.from_parents(_parents(taxonomy, whole=transactions.names.dtype.is_integer()))
    else:
        with shop.dataset() as dataset:
            named = tuple(each.strip() for each in levels.split(",") if each.strip())
            found = Taxonomy.from_products(dataset.table(Products).sort("product_id"), named)
    return *found.extended(transactions), found


def _parents(path: str, *, whole: bool) -> pl.DataFrame:
    """The rows of a taxonomy file; names are text, or whole numbers where the items are."""
    from pathlib import Path

    import polars as pl

    from basketry.core.errors import SourceFormat, SourceMissing

    try:
        rows = pl.read_csv(Path(path).expanduser(), infer_schema=False)
    except OSError as error:
        raise SourceMissing(
            f"{path} cannot be read: {error.strerror}", "name a CSV file with the columns item and parent"
        ) from error
    except pl.exceptions.PolarsError as error:
        told = str(error).splitlines()[0][:200]
        raise SourceFormat(
            f"{path} is no CSV file: {told}", "write the columns item and parent, separated by commas"
        ) from error
    numbers = rows.select(pl.all().cast(pl.Int64, strict=False))
    return numbers if whole and numbers.null_count().equals(rows.null_count()) else rows
