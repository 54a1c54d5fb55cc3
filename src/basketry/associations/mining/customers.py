"""How many distinct customers stand behind each itemset: what decides whether a shop may publish it."""

from __future__ import annotations

import numpy as np

from basketry.associations.mining.transactions import Transactions
from basketry.kernels.itemsets import count_itemsets
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree


def customers_of(transactions: Transactions, tree: ItemsetTree) -> Int64s:
    """Distinct customers with at least one basket that holds each node's whole itemset, int64 [m], members or not.

    An anonymous basket is a customer of its own. A node's customers are among its parent's: the tree is walked depth first, and
    each step joins the baskets of the parent with those of one item; time is about the sum of the supports along the tree, and
    memory the baskets of one branch. Where every basket is a customer of its own, they are the supports.
    """
    baskets = transactions.baskets
    customers = baskets.customers
    if (np.diff(customers) > 0).all():
        return count_itemsets(baskets.indptr, baskets.items, tree).astype(np.int64)
    holders = _holders(transactions)
    counts = np.zeros(len(tree.parent), dtype=np.int64)
    children = _children(tree.parent)
    none = np.empty(0, dtype=np.int32)
    pending: list[tuple[int, Int32s | None]] = [(node, None) for node in reversed(children.get(-1, []))]
    while pending:
        node, above = pending.pop()
        held = holders.get(int(tree.item[node]), none)
        own = held if above is None else np.intersect1d(above, held, assume_unique=True)
        if len(own):
            counts[node] = 1 + np.count_nonzero(np.diff(customers[own]))
            pending += [(child, own) for child in reversed(children.get(node, []))]
    return counts


def _holders(transactions: Transactions) -> dict[int, Int32s]:
    """The baskets that hold each item, ascending."""
    baskets = transactions.baskets
    rows = np.repeat(np.arange(len(baskets), dtype=np.int32), baskets.sizes)
    order = np.argsort(baskets.items, kind="stable")
    ends = np.cumsum(np.bincount(baskets.items, minlength=baskets.n_products))
    parts = np.split(rows[order], ends[:-1]) if len(ends) else []
    return {code: part for code, part in enumerate(parts) if len(part)}


def _children(parent: Int32s) -> dict[int, list[int]]:
    """The nodes right below each node that has some."""
    below: dict[int, list[int]] = {}
    for node, above in enumerate(parent.tolist()):
        below.setdefault(above, []).append(node)
    return below
