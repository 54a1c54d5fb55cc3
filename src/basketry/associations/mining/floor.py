"""Which itemsets and rules may be shown: none whose counts tell of fewer customers than the privacy floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.associations.mining.generalizations import Generalizations
from basketry.kernels.counting import count_groups
from basketry.kernels.lattice import MISSING, Lattice

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.contingency import Counts
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.associations.mining.rules import MinedRules
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.kernels.trees import Int32s

    Mask = npt.NDArray[np.bool_]

_CELLS: Final = 1 << 21  # looked at together: bounds memory to some 50 MB


def within_floor(
    rules: MinedRules, baskets: BasketMatrix, min_customers: int, *, taxonomy: Taxonomy | None = None, threads: int = 1
) -> Mask:
    """Whether each rule's counts may be shown, mask [r]: a rule is held back with its itemset (see `held_back`).

    With the `taxonomy` by which baskets were extended, more general itemsets (`Generalizations`) are as subsets: those who
    bought dairy but no milk are a group too. What could be worked out from three counts and more is not looked for.
    """
    general = None if taxonomy is None else Generalizations.of(rules.lattice, rules.itemsets.names, taxonomy)
    return ~held_back(rules.lattice, baskets, min_customers, general=general, threads=threads)[0][rules.whole]


def held_back(
    lattice: Lattice,
    baskets: BasketMatrix,
    min_customers: int,
    *,
    general: Generalizations | None = None,
    threads: int = 1,
) -> tuple[Mask, Counts]:
    """Which itemsets of a tree with all subsets may not be shown, mask [m], and the distinct customers of each, int64 [m].

    As edges of the graph are held back, for sets of any size: an itemset is where fewer than `min_customers` distinct customers
    bought all of it in one basket, or where the counts of it and of a subset tell of a smaller group, those who bought the
    subset without the rest: where the difference of their customers, or of their baskets, lies strictly between 0 and the
    floor. So is every itemset that has such a subset, since the counts of both can be had from rules. What is left has all its
    subsets.
    """
    held, customers = _counted(lattice, baskets, threads)
    return tells_of_few(lattice, (customers, held), min_customers, general) | (customers < min_customers), customers


def itemsets_within_floor(
    mined: MinedItemsets, baskets: BasketMatrix, min_customers: int, *, taxonomy: Taxonomy, threads: int = 1
) -> Mask:
    """The same of itemsets mined on several levels, mask over `tree.members`; compared with those that are in the tree."""
    lattice = Lattice.of(mined.tree)
    held, customers = _counted(lattice, baskets, threads)
    general = Generalizations.of(lattice, mined.names, taxonomy)
    held_back = tells_of_few(lattice, (customers, held), min_customers, general, gaps=True) | (customers < min_customers)
    return ~held_back[mined.tree.members]


def _counted(lattice: Lattice, baskets: BasketMatrix, threads: int) -> tuple[Counts, Counts]:
    """Baskets and distinct customers of each node."""
    counted = count_groups(baskets.indptr, baskets.items, lattice.tree, baskets.customers, threads=threads)
    return counted[0].astype(np.int64), counted[1].astype(np.int64)


def tells_of_few(
    lattice: Lattice,
    counts: tuple[Counts, ...],
    floor: int,
    general: Generalizations | None = None,
    *,
    gaps: bool = False,
) -> Mask:
    """Whether an itemset or a subset of it stands to a subset of itself in a difference strictly between 0 and `floor`.

    A mask over all nodes of a tree with all subsets (or, where `gaps` are allowed, over what there is); each of `counts` [m]
    falls or stays as items are added. So subsets with one item less are enough: a difference to a smaller one is either at
    least as large, or that of a subset that itself tells. With `general`, more general itemsets are as subsets, and likewise
    those by one step are enough: from any to one more general leads a way of items raised by one step, or left out.
    """
    tells = np.zeros(len(lattice.depth), dtype=np.bool_)
    for length in range(1 if general else 2, int(lattice.depth.max(initial=0)) + 1):
        these = np.flatnonzero(lattice.depth == length).astype(np.int32)
        if length > 1:
            start, below = lattice.subsets(these) if gaps else lattice.without_each(these)
            few = _few_apart(np.repeat(these, length), below, tells, counts, floor)
            tells[these] = np.logical_or.reduceat(few, start[:-1])
        if general is not None and len(these):
            _spread_down(general, these, tells, counts, floor)
    return tells


def _spread_down(general: Generalizations, these: Int32s, tells: Mask, counts: tuple[Counts, ...], floor: int) -> None:
    """Mark those of `these`, all of one length, that tell by an itemset with one item raised, the most general ones first."""
    rows = general.rows(these)
    heights = general.heights(rows)
    for height in np.unique(heights).tolist():
        level = np.flatnonzero(heights == height)
        which, _, above = general.raised(rows[level])
        own = these[level[which]]
        tells[own[_few_apart(own, above, tells, counts, floor)]] = True


def _few_apart(nodes: Int32s, above: Int32s, tells: Mask, counts: tuple[Counts, ...], floor: int) -> Mask:
    """Whether each node is apart from the one `above` it by few, or that one tells itself; not where there is none."""
    few: Mask = tells[above]
    for count in counts:
        apart = count[above] - count[nodes]
        few |= (apart > 0) & (apart < floor)
    few &= above != MISSING
    return few


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
