"""Finding itemsets in a tree."""

from __future__ import annotations

import numpy as np

from basketry.kernels.trees import Int64s, ItemsetTree


class Children:
    """The children of each node, by item, found by bisection."""

    def __init__(self, tree: ItemsetTree) -> None:
        self._width = int(tree.item.max(initial=0)) + 1
        keys = (tree.parent.astype(np.int64) + 1) * self._width + tree.item
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def find(self, parent: Int64s, item: Int64s) -> Int64s:
        """The child of each `parent` (-1 for the root) with the `item` beside it, or -1 for none; arrays of any one shape."""
        if not len(self._keys):
            return np.full(np.broadcast_shapes(parent.shape, item.shape), -1, dtype=np.int64)
        keys = np.where(item < self._width, (parent + 1) * self._width + item, -1)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._order[place], -1)


def located(tree: ItemsetTree, sought: ItemsetTree) -> Int64s:
    """For each node of `sought` the node of `tree` with the same itemset, -1 for none. Both canonical (`union_trees`)."""
    children, lengths = Children(tree), sought.lengths
    found = np.full(len(sought.parent) + 1, -1, dtype=np.int64)  # the last stands for the root
    for k in range(1, int(lengths.max(initial=0)) + 1):
        nodes = np.flatnonzero(lengths == k)
        above = sought.parent[nodes]
        here = (found[above] >= 0) | (above < 0)
        found[nodes[here]] = children.find(found[above[here]], sought.item[nodes[here]].astype(np.int64))
    return found[:-1]


def without(tree: ItemsetTree, known: ItemsetTree) -> ItemsetTree:
    """The tree with those members alone that are no members of `known`; nodes stay. Both canonical."""
    place = located(known, tree)
    old = place >= 0
    old[old] = known.support[place[old]] > 0
    return ItemsetTree(tree.parent, tree.item, np.where(old, 0, tree.support).astype(np.int32))
