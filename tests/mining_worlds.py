"""Small worlds for mining, and the plainest possible count of their itemsets."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

from basketry.kernels.trees import ItemsetTree

Supports = dict[frozenset[int], int]


def baskets(most_items: int = 6, most_baskets: int = 24) -> st.SearchStrategy[list[frozenset[int]]]:
    """Baskets of item codes; empty ones and repeated ones among them."""
    return st.lists(st.frozensets(st.integers(0, most_items - 1)), min_size=1, max_size=most_baskets)


def subsets(items: Iterable[int]) -> list[frozenset[int]]:
    """All of them, the empty one too, the smallest first."""
    whole = sorted(items)
    return [frozenset(each) for size in range(len(whole) + 1) for each in combinations(whole, size)]


def supports(rows: Sequence[frozenset[int]], min_count: int = 1) -> Supports:
    """Baskets that hold each itemset that is not empty and stands in `min_count` of them."""
    seen = {each for row in rows for each in subsets(row) if each}
    counted = {each: sum(each <= row for row in rows) for each in seen}
    return {each: count for each, count in counted.items() if count >= min_count}


def tree_of(counted: Supports, seed: int = 0) -> tuple[ItemsetTree, list[frozenset[int]]]:
    """A tree in no order but that a parent comes first, each path by another order of items; and the itemset of each node.

    What is a node's parent: any of its largest subsets.
    """
    dice = random.Random(seed)
    names = sorted(counted, key=lambda each: (len(each), dice.random()))
    if seed % 2:  # sizes mixed: only parents must come before
        names = []
        for each in sorted(counted, key=lambda _: dice.random()):
            names += [part for part in subsets(each) if part and part not in names]
    node = {each: i for i, each in enumerate(names)}
    last = [dice.choice(sorted(each)) for each in names]
    parent = [node[each - {item}] if len(each) > 1 else -1 for each, item in zip(names, last, strict=True)]
    columns = (parent, last, [counted[each] for each in names])
    return ItemsetTree(*(np.array(column, dtype=np.int32) for column in columns)), names
