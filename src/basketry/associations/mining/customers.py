"""How many distinct customers stand behind each itemset: what decides whether a shop may publish it."""

from __future__ import annotations

import numpy as np

from basketry.associations.mining.transactions import Transactions
from basketry.kernels.counting import count_groups
from basketry.kernels.trees import Int64s, ItemsetTree


def customers_of(transactions: Transactions, tree: ItemsetTree, *, threads: int = 1) -> Int64s:
    """Distinct customers with at least one basket that holds each node's whole itemset, int64 [m], members or not.

    An anonymous basket is a customer of its own. Cost: see `count_groups`.
    """
    baskets = transactions.baskets
    counted = count_groups(baskets.indptr, baskets.items, tree, baskets.customers, threads=threads)
    return counted[1].astype(np.int64)
