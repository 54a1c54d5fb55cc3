"""Itemsets that stand in enough baskets."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

Kind = Literal["all", "closed", "maximal", "generators"]
KINDS: Final = ("all", "closed", "maximal", "generators")


def mine_itemsets(
    indptr: Int64s,
    items: Int32s,
    n_items: int,
    *,
    min_count: int,
    kind: Kind = "all",
    threads: int = 1,
) -> ItemsetTree:
    """Every itemset of `kind` in at least `min_count` baskets. Placeholder: plain Python, to be replaced by the kernel."""
    held = [0] * n_items
    for t in range(len(indptr) - 1):
        for code in items[indptr[t] : indptr[t + 1]].tolist():
            held[code] |= 1 << t
    frequent = sorted((c for c in range(n_items) if held[c].bit_count() >= min_count), key=lambda c: (held[c].bit_count(), c))
    parent: list[int] = []
    item: list[int] = []
    support: list[int] = []

    def grow(above: int, baskets: int, candidates: list[int]) -> None:
        for position, code in enumerate(candidates):
            shared = baskets & held[code]
            if shared.bit_count() >= min_count:
                parent.append(above)
                item.append(code)
                support.append(shared.bit_count())
                grow(len(parent) - 1, shared, candidates[position + 1 :])

    grow(-1, (1 << (len(indptr) - 1)) - 1, frequent)
    tree = ItemsetTree(*(np.array(column, dtype=np.int32) for column in (parent, item, support)))
    if kind != "all":
        raise NotImplementedError(kind)
    return tree


def count_itemsets(indptr: Int64s, items: Int32s, tree: ItemsetTree, *, threads: int = 1) -> Int32s:
    """Baskets that hold each node of `tree`, int32 [m], members or not. Placeholder."""
    held: dict[int, int] = {}
    for t in range(len(indptr) - 1):
        for code in items[indptr[t] : indptr[t + 1]].tolist():
            held[code] = held.get(code, 0) | 1 << t
    shared: list[int] = []
    for above, code in zip(tree.parent.tolist(), tree.item.tolist(), strict=True):
        shared.append((shared[above] if above >= 0 else (1 << (len(indptr) - 1)) - 1) & held.get(code, 0))
    return np.array([each.bit_count() for each in shared], dtype=np.int32)
