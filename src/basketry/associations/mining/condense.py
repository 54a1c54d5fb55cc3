"""The closed, the maximal and the generating itemsets among all frequent ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.lookup import Children
from basketry.associations.mining.union import union_trees
from basketry.kernels.itemsets import Kind
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree


def condensed(tree: ItemsetTree, kind: Kind, n_baskets: int) -> ItemsetTree:
    """The itemsets of `kind` in a tree of all frequent ones, in canonical form.

    Maximal: no frequent itemset holds one item more. Closed: none that holds one item more has the same support. Generators:
    none that holds one item less has the same support, where the empty set has `n_baskets`. Between an itemset and a larger one
    of the same support lies one of one item more with that support too, so looking one item far is enough.

    Cost: for each itemset of k items, k look-ups by bisection. Memory: 8 k bytes an itemset for two sizes k at a time.
    """
    tree = union_trees([tree])
    if kind == "all":
        return tree
    keep = np.ones(len(tree.parent), dtype=np.bool_)
    if kind == "generators":
        keep[tree.parent < 0] = tree.support[tree.parent < 0] < n_baskets
    for larger, smaller in _covers(tree):
        if kind == "maximal":
            keep[smaller] = False
        elif kind == "closed":
            keep[smaller[tree.support[smaller] == tree.support[larger][:, None]]] = False
        else:
            keep[larger[(tree.support[smaller] == tree.support[larger][:, None]).any(axis=1)]] = False
    return union_trees([ItemsetTree(tree.parent, tree.item, np.where(keep, tree.support, 0).astype(np.int32))])


def _covers(tree: ItemsetTree) -> list[tuple[Int32s, Int64s]]:
    """For each size k > 1: its nodes [m], and the nodes [m, k] of their itemsets less one item, the j-th item in column j.

    The itemset of a node less its j-th item is the child, by the node's own item, of the parent's itemset less its j-th.
    """
    children = Children(tree)
    lengths = tree.lengths
    row = np.zeros(len(tree.parent), dtype=np.int64)  # of each node among those of its size
    found: list[tuple[Int32s, Int64s]] = []
    above: npt.NDArray[np.int64] = np.full((0, 0), -1, dtype=np.int64)
    for k in range(1, int(lengths.max(initial=0)) + 1):
        nodes = np.flatnonzero(lengths == k).astype(np.int32)
        row[nodes] = np.arange(len(nodes))
        parents = tree.parent[nodes].astype(np.int64)
        less = np.empty((len(nodes), k), dtype=np.int64)
        less[:, k - 1] = parents
        if k > 1:
            less[:, : k - 1] = children.find(above[row[parents]], tree.item[nodes].astype(np.int64)[:, None])
            found.append((nodes, less))
        above = less
    return found
