"""Stand-in."""
from __future__ import annotations
import csv
def load_transactions(shop, source):
    from basketry.associations.lookahead import read_baskets
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.tables import Products
    if source:
        with open(source) as f: return Transactions.from_lists([[c.strip() for c in r if c.strip()] for r in csv.reader(f)])
    with shop.dataset() as dataset:
        names = dataset.table(Products)["product_id"].sort()
        return Transactions(read_baskets(dataset, len(names)), names.alias("item"))
