"""The closed, the maximal and the generating itemsets among all frequent ones."""

from __future__ import annotations

import numpy as np

from basketry.kernels.generators import only_generators
from basketry.kernels.itemsets import Kind
from basketry.kernels.lattice import Lattice
from basketry.kernels.trees import ItemsetTree


def condensed(tree: ItemsetTree, kind: Kind, n_baskets: int) -> ItemsetTree:
    """The itemsets of `kind` in a tree of all frequent ones, all of whose nodes are members; nodes stay in their order.

    Maximal: no frequent itemset holds one item more. Closed: none that holds one item more has the same support. Generators:
    none that holds one item less has the same support, where the empty set has `n_baskets`. Between an itemset and a larger one
    of the same support lies one of one item more with that support too, so looking one item far is enough.

    Cost: a look-up for each item of each itemset, some 50 ns. Memory: 24 bytes each of those, and 28 an itemset.
    """
    if kind == "all" or not len(tree.parent):
        return tree
    if kind == "generators":
        found = only_generators(tree)
        return found.keep((found.parent >= 0) | (found.support < n_baskets))
    nodes = np.arange(len(tree.parent), dtype=np.int32)
    start, smaller = Lattice.of(tree).subsets(nodes)
    larger = np.repeat(nodes, np.diff(start))
    within = smaller >= 0
    if kind == "closed":
        within &= tree.support[smaller] == tree.support[larger]
    wanted = np.ones(len(nodes), dtype=np.bool_)
    wanted[smaller[within]] = False
    return tree.keep(wanted)
