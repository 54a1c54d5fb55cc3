"""Which compared rules may be shown: none whose counts tell, on either side, of fewer customers than the privacy floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basketry.associations.mining.floor import tells_of_few
from basketry.kernels.counting import count_groups
from basketry.kernels.lattice import Lattice

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.comparison import ComparedRules
    from basketry.core.protocols import Run

    Mask = npt.NDArray[np.bool_]


def within_floors(compared: ComparedRules, sides: tuple[BasketMatrix, BasketMatrix], min_customers: int, run: Run) -> Mask:
    """Whether the counts of each compared rule may be shown, mask [len(compared)], judged on each side by itself.

    The rule of `within_floor`, but that an itemset nobody bought tells of nobody: 0 is no group. What a rule emerged from may
    be nothing, or at least `min_customers` distinct customers. The two sides are different baskets, so the counts of one are
    not subtracted from those of the other.
    """
    tree = compared.rules.itemsets.tree
    lattice = Lattice.of(tree)
    allowed = np.ones(len(compared), dtype=np.bool_)
    for baskets in sides:
        counted = count_groups(baskets.indptr, baskets.items, tree, baskets.customers, threads=run.threads)
        held, customers = (counts.astype(np.int64) for counts in counted)
        few = (customers > 0) & (customers < min_customers)
        held_back = few | tells_of_few(lattice, (customers, held), min_customers)
        allowed &= ~held_back[compared.rules.whole]
    return allowed
