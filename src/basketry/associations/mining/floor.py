"""Which itemsets and rules may be shown: none whose counts tell of fewer customers than the privacy floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.kernels.counting import count_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.contingency import Counts
    from basketry.associations.mining.rules import MinedRules
    from basketry.kernels.lattice import Lattice

    Mask = npt.NDArray[np.bool_]

_CELLS: Final = 1 << 21  # looked at together: bounds memory to some 50 MB


def within_floor(rules: MinedRules, baskets: BasketMatrix, min_customers: int, *, threads: int = 1) -> Mask:
    """Whether each rule's counts may be shown, mask [r]: a rule is held back with its itemset (see `held_back`)."""
    return ~held_back(rules.lattice, baskets, min_customers, threads=threads)[0][rules.whole]


def held_back(lattice: Lattice, baskets: BasketMatrix, min_customers: int, *, threads: int = 1) -> tuple[Mask, Counts]:
    """Which itemsets of a tree with all subsets may not be shown, mask [m], and the distinct customers of each, int64 [m].

    As edges of the graph are held back, for sets of any size: an itemset is where fewer than `min_customers` distinct customers
    bought all of it in one basket, or where the counts of it and of a subset tell of a smaller group, those who bought the
    subset without the rest: where the difference of their customers, or of their baskets, lies strictly between 0 and the
    floor. So is every itemset that has such a subset, since the counts of both can be had from rules. What is left has all its
    subsets.
    """
    tree = lattice.tree
    counted = count_groups(baskets.indptr, baskets.items, tree, baskets.customers, threads=threads)
    held, customers = (counts.astype(np.int64) for counts in counted)
    return tells_of_few(lattice, (customers, held), min_customers) | (customers < min_customers), customers


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


def cells_tell_of_few(lattice: Lattice, n_baskets: int, floor: int) -> Mask:
    """Whether the supports of an itemset's subsets, put together, tell of fewer than `floor` baskets, and of more than none.

    For items A, B, C whose subsets are all published, n(A) - n(AB) - n(AC) + n(ABC) baskets hold A and neither B nor C: so, by
    inclusion and exclusion, can all 2^k cells of the table of k items be had (Atzori, Bonchi, Giannotti and Pedreschi, VLDB
    Journal 17, 2008, Anonymity preserving pattern discovery). A mask over all nodes of a tree with all subsets. A cell of a
    subset is the sum of two cells of the whole, so an itemset with a marked subset is marked itself, and what is left has all
    its subsets. 2^k k steps an itemset.
    """
    tells = np.zeros(len(lattice.depth), dtype=np.bool_)
    for length in range(1, int(lattice.depth.max(initial=0)) + 1):
        these = np.flatnonzero(lattice.depth == length).astype(np.int32)
        for nodes in np.array_split(these, -(-len(these) * 2**length // _CELLS)):
            cells = _cells(lattice, nodes, n_baskets)
            tells[nodes] = ((cells > 0) & (cells < floor)).any(axis=1)
    return tells


def _cells(lattice: Lattice, nodes: npt.NDArray[np.int32], n_baskets: int) -> Counts:
    """Baskets [k, 2^length] that hold exactly those items of the itemset whose bits are set, of nodes of one length."""
    items = lattice.tree.flatten(nodes)[1].reshape(len(nodes), -1)
    length = items.shape[1]
    cells = np.full((len(nodes), 2**length), n_baskets, dtype=np.int64)
    for subset in range(1, 2**length):
        held = items[:, [bit for bit in range(length) if subset >> bit & 1]]
        start = np.arange(len(nodes) + 1, dtype=np.int64) * held.shape[1]
        cells[:, subset] = lattice.tree.support[lattice.find(start, held.ravel())]
    for bit in range(length):
        without = np.flatnonzero((np.arange(2**length) >> bit & 1) == 0)
        cells[:, without] -= cells[:, without | 1 << bit]
    return cells
