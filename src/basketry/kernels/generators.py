"""Generators: the itemsets that no smaller one stands for."""

from __future__ import annotations

import numpy as np

from basketry.kernels.lattice import EMPTY, Lattice
from basketry.kernels.trees import ItemsetTree


def only_generators(tree: ItemsetTree) -> ItemsetTree:
    """Of a tree that holds every generator, the generators: itemsets all of whose subsets stand in more baskets.

    It is enough to look at the subsets with one item less: a smaller one in as many baskets leads to one of these in as many.
    All subsets of a generator are generators, so where one is not in the tree, neither is the itemset a generator. Items in
    every basket must have been left out of the tree: the empty itemset stands in as many.
    """
    if not len(tree.parent):
        return tree
    start, subsets = Lattice.of(tree).subsets(np.arange(len(tree.parent), dtype=np.int32))
    support = np.append(tree.support, np.iinfo(np.int32).max)  # the empty itemset comes last, as EMPTY is -1
    fewer = np.where(subsets >= EMPTY, support[np.maximum(subsets, EMPTY)], 0)
    least = np.minimum.reduceat(fewer, start[:-1])
    return tree.keep(least > tree.support)
