"""The itemsets of one tree found in another, and trees that grow by what they lack."""

from __future__ import annotations

import numpy as np

from basketry.kernels.lattice import Lattice
from basketry.kernels.trees import Int32s, ItemsetTree


def located(tree: ItemsetTree, sought: ItemsetTree) -> Int32s:
    """For each node of `sought` the node of `tree` with the same itemset, -1 for none. A look-up each, some 50 ns."""
    if not len(tree.parent):
        return np.full(len(sought.parent), -1, dtype=np.int32)
    return Lattice.of(tree).find(*sought.flatten(np.arange(len(sought.parent), dtype=np.int32)))


def extended(tree: ItemsetTree, more: ItemsetTree) -> tuple[ItemsetTree, Int32s]:
    """The nodes of `tree` as they are, then those of `more` that it lacks, with their supports; and where each of `more` is."""
    place = located(tree, more)
    new = place < 0
    place[new] = len(tree.parent) + np.arange(new.sum(), dtype=np.int32)
    above = np.append(place, -1)[more.parent]  # a parent of -1 stays -1
    columns = ((tree.parent, above), (tree.item, more.item), (tree.support, more.support))
    return ItemsetTree(*(np.concatenate([old, added[new]]).astype(np.int32) for old, added in columns)), place
