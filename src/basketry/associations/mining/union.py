"""Itemset trees in one canonical form: several joined into one, and what is left of one once it is counted anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

_LARGEST = 2**31 - 1


def union_trees(trees: Sequence[ItemsetTree]) -> ItemsetTree:
    """Every itemset that is a member of any tree, once; its support is the sum of its supports in the trees.

    The answer is canonical: items on a way from the root ascend, and nodes stand in the lexicographic order of their itemsets,
    a prefix before what it begins (so parent[i] < i). Two sets of trees with the same members and the same sums give the same
    arrays, in whatever order they come; of one tree it is the canonical form.

    Where each tree counts a part of the baskets, the sum is what is known of the count over all of them: exact if the itemset
    is a member everywhere, else a lower bound. A prefix that is no member has support 0.

    Cost: a sort of the members for each item of the longest. Memory: some 30 bytes an item of a member.
    Raises ValueError if a sum exceeds 2**31 - 1.
    """
    rows = [tree.flatten(tree.members) for tree in trees]
    starts = np.concatenate([[0], *(np.diff(indptr) for indptr, _ in rows)]).cumsum()
    items = np.concatenate([np.empty(0, dtype=np.int32), *(part for _, part in rows)])
    supports = np.concatenate([np.empty(0, dtype=np.int64), *(tree.support[tree.members] for tree in trees)])
    parent, item, node = _grown(starts.astype(np.int64), items)
    support = np.bincount(node, weights=supports, minlength=len(item))  # float64: exact to 2**53
    if support.max(initial=0) > _LARGEST:
        raise ValueError(f"a support of {support.max():.0f} does not fit 31 bits; take fewer baskets at a time")
    return _renumbered(parent, item, support.astype(np.int32))


def recounted(tree: ItemsetTree, counts: Int32s, min_count: int) -> ItemsetTree:
    """The itemsets of `tree` whose count, by `counts` [m] over all nodes, is at least `min_count`, with that support.

    Every node is taken, members or not: of an itemset that reaches the floor every prefix does too, so a way is never cut and
    the order of the nodes stays. Raises ValueError if counts are not aligned with the nodes, or a node outnumbers its parent.
    """
    if len(counts) != len(tree.parent):
        raise ValueError(f"{len(counts)} counts for {len(tree.parent)} nodes")
    below = tree.parent >= 0
    if (counts[below] > counts[tree.parent[below]]).any():
        raise ValueError("a node is counted in more baskets than its prefix: counts are of another tree")
    kept = counts >= max(min_count, 1)
    renamed = np.append(np.cumsum(kept) - 1, -1)  # a parent of -1 stays -1
    return ItemsetTree(renamed[tree.parent[kept]].astype(np.int32), tree.item[kept], counts[kept].astype(np.int32))


def _grown(starts: Int64s, items: Int32s) -> tuple[Int32s, Int32s, Int64s]:
    """The prefix tree of ascending rows, level by level: parent and item of each node, and the node of each row."""
    node = np.full(len(starts) - 1, -1, dtype=np.int64)
    lengths = np.diff(starts)
    parents, codes, grown, depth = [np.empty(0, np.int64)], [np.empty(0, np.int32)], 0, 0
    while len(rows := np.flatnonzero(lengths > depth)):
        above, code = node[rows], items[starts[rows] + depth]
        order = np.lexsort((code, above))
        above, code = above[order], code[order]
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (np.diff(above) != 0) | (np.diff(code) != 0)
        node[rows[order]] = grown + np.cumsum(first) - 1
        parents.append(above[first])
        codes.append(code[first])
        grown += int(first.sum())
        depth += 1
    return np.concatenate(parents).astype(np.int32), np.concatenate(codes), node


def _renumbered(parent: Int32s, item: Int32s, support: Int32s) -> ItemsetTree:
    """Nodes that stand level by level, each level by parent and item, brought into the order of their itemsets."""
    levels = _levels(parent)
    size = np.ones(len(parent), dtype=np.int64)  # of the subtree below a node, itself too
    for first, last in reversed(levels[1:]):
        size += np.bincount(parent[first:last], weights=size[first:last], minlength=len(parent)).astype(np.int64)
    place = np.empty(len(parent), dtype=np.int64)
    for first, last in levels:
        before = np.cumsum(size[first:last]) - size[first:last]
        above = parent[first:last]
        eldest = np.searchsorted(above, above)  # the first of one's siblings, for parents ascend within a level
        start = np.where(above >= 0, place[above] + 1, 0)
        place[first:last] = start + before - before[eldest]
    order = np.argsort(place)
    renamed = np.append(place, -1)
    return ItemsetTree(renamed[parent[order]].astype(np.int32), item[order], support[order])


def _levels(parent: Int32s) -> list[tuple[int, int]]:
    """Runs of nodes of one depth: the children of one level follow it and stand together."""
    levels, first = [], 0
    last = int(np.searchsorted(parent, 0))
    while first < last:
        levels.append((first, last))
        first, last = last, int(np.searchsorted(parent, last))
    return levels
