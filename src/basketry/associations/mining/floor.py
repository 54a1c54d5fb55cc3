"""Which rules may be shown: none whose counts tell of fewer customers than the privacy floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basketry.kernels.counting import count_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.contingency import Counts
    from basketry.associations.mining.rules import MinedRules
    from basketry.kernels.lattice import Lattice

    Mask = npt.NDArray[np.bool_]


def within_floor(rules: MinedRules, baskets: BasketMatrix, min_customers: int, *, threads: int = 1) -> Mask:
    """Whether each rule's counts may be shown, mask [r]: as edges of the graph are held back, for sets of any size.

    An itemset is held back where fewer than `min_customers` distinct customers bought all of it in one basket, or where the
    counts of it and of a subset tell of a smaller group, those who bought the subset without the rest: where the difference of
    their customers, or of their baskets, lies strictly between 0 and the floor. So is every itemset that has such a subset,
    since the counts of both can be had from rules. A rule is held back with its itemset.
    """
    tree = rules.itemsets.tree
    counted = count_groups(baskets.indptr, baskets.items, tree, baskets.customers, threads=threads)
    held, customers = (counts.astype(np.int64) for counts in counted)
    held_back = tells_of_few(rules.lattice, (customers, held), min_customers) | (customers < min_customers)
    return ~held_back[rules.whole]


def tells_of_few(lattice: Lattice, counts: tuple[Counts, ...], floor: int) -> Mask:
    """Whether an itemset or a subset of it stands to a subset of itself in a difference strictly between 0 and `floor`.

    A mask over all nodes of a tree with all subsets; each of `counts` [m] falls or stays as items are added. So subsets with
    one item less are enough: a difference to a smaller one is either at least as large, or that of a subset that itself
    tells.
    """
    tells = np.zeros(len(lattice.depth), dtype=np.bool_)
    for length in range(2, int(lattice.depth.max(initial=0)) + 1):
        these = np.flatnonzero(lattice.depth == length).astype(np.int32)
        start, below = lattice.without_each(these)
        few = tells[below]
        for count in counts:
            apart = count[below] - np.repeat(count[these], length)
            few |= (apart > 0) & (apart < floor)
        tells[these] = np.logical_or.reduceat(few, start[:-1])
    return tells
