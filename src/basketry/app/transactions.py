"""What a mining command mines: the shop's own baskets, or those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.associations.mining.transactions import Transactions


def load_transactions(shop: Shop, source: str) -> Transactions:
    """The shop's own baskets as known now, items named by product id, where `source` is empty; else those of the file it names.

    A file's kind is told by its ending: see basketry.associations.mining.files. Customers and days are known of the shop's own.
    """
    from pathlib import Path

    from basketry.associations.lookahead import read_baskets
    from basketry.associations.mining.files import read
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.tables import Products
    from basketry.core.telemetry import span

    if source:
        with span(f"reading {Path(source).name}", total=1, unit="files") as progress:
            found = read(Path(source).expanduser())
            progress.advance()
            return found
    with shop.dataset() as dataset:
        names = dataset.table(Products)["product_id"].sort()
        return Transactions(read_baskets(dataset, len(names)), names.alias("item"))
