"""Which rules may be shown: none whose counts tell of fewer customers than the privacy floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.kernels.lattice import EMPTY

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.contingency import Counts
    from basketry.associations.mining.rules import MinedRules
    from basketry.kernels.lattice import Lattice
    from basketry.kernels.trees import Int32s, ItemsetTree

    Mask = npt.NDArray[np.bool_]

_FAR: Final = np.iinfo(np.int64).max


def within_floor(rules: MinedRules, baskets: BasketMatrix, min_customers: int) -> Mask:
    """Whether each rule's counts may be shown, mask [r]: as edges of the graph are held back, for sets of any size.

    An itemset is held back where fewer than `min_customers` distinct customers bought all of it in one basket, or where the
    counts of it and of a subset tell of a smaller group, those who bought the subset without the rest: where the difference of
    their customers, or of their baskets, lies strictly between 0 and the floor. So is every itemset that has such a subset,
    since the counts of both can be had from rules. A rule is held back with its itemset.
    """
    lattice, tree = rules.lattice, rules.itemsets.tree
    needed = with_subsets(lattice, np.unique(rules.whole))
    customers = np.zeros(len(tree.parent), dtype=np.int64)
    customers[needed] = customers_of(baskets, tree, needed)
    held_back = tells_of_few(lattice, needed, (customers, tree.support.astype(np.int64)), min_customers)
    held_back[needed[customers[needed] < min_customers]] = True
    return ~held_back[rules.whole]


def tells_of_few(lattice: Lattice, nodes: Int32s, counts: tuple[Counts, ...], floor: int) -> Mask:
    """Whether an itemset or a subset of it stands to a subset of itself in a difference strictly between 0 and `floor`.

    A mask over all nodes, true only among `nodes`, which hold all subsets of each of theirs; each of `counts` [m] falls or
    stays as items are added. The least difference above 0 is that to a subset with one item less, or, where there is none,
    one of that subset's own.
    """
    tells = np.zeros(len(lattice.depth), dtype=np.bool_)
    for count in counts:
        least = np.full(len(count), _FAR)
        for length in range(2, int(lattice.depth[nodes].max(initial=0)) + 1):
            these = nodes[lattice.depth[nodes] == length]
            start, below = lattice.without_each(these)
            apart = count[below] - np.repeat(count[these], length)
            least[these] = np.minimum.reduceat(np.where(apart > 0, apart, least[below]), start[:-1])
            tells[these] |= np.logical_or.reduceat(tells[below], start[:-1]) | (least[these] < floor)
    return tells


def customers_of(baskets: BasketMatrix, tree: ItemsetTree, nodes: Int32s) -> Counts:
    """Distinct customers with a basket that holds all of an itemset, int64 [k], for nodes of the tree.

    The one place where customers of itemsets are counted: each node's baskets are those of its parent that hold its item.
    """
    holders = np.repeat(np.arange(len(baskets), dtype=np.int32), baskets.sizes)[np.argsort(baskets.items, kind="stable")]
    ends = np.cumsum(np.bincount(baskets.items, minlength=baskets.n_products))
    held: dict[int, npt.NDArray[np.int32]] = {}

    def baskets_of(node: int) -> npt.NDArray[np.int32]:
        if node not in held:
            item, above = tree.item[node], int(tree.parent[node])
            mine = holders[ends[item - 1] if item else 0 : ends[item]]
            held[node] = mine if above < 0 else np.intersect1d(baskets_of(above), mine, assume_unique=True)
        return held[node]

    found = np.zeros(len(nodes), dtype=np.int64)
    for i, node in enumerate(nodes.tolist()):
        who = baskets.customers[baskets_of(node)]
        found[i] = np.count_nonzero(np.diff(who)) + (len(who) > 0)
    return found


def with_subsets(lattice: Lattice, nodes: Int32s) -> Int32s:
    """The nodes and all subsets of theirs, ascending."""
    reached = np.zeros(len(lattice.depth), dtype=np.bool_)
    front = nodes
    while len(front):
        reached[front] = True
        below = np.unique(lattice.without_each(front)[1])
        front = below[(below != EMPTY) & ~reached[below]]
    return np.flatnonzero(reached).astype(np.int32)
