"""Baskets parted in time: the earlier ones to learn from, the later ones to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.associations.mining.transactions import Transactions


@dataclass(frozen=True, eq=False)
class PartedBaskets:
    """`earlier` and `later` baskets of two products and more, sparse 0/1 float32 [n, products], the oldest first.

    `names` of the products, and the customer of each later basket, int64 [n].
    """

    earlier: csr_array
    later: csr_array
    names: tuple[str, ...]
    customers: npt.NDArray[np.int64]


def part(transactions: Transactions, share: float, floor: int) -> PartedBaskets:
    """The last `share` of the baskets by day apart from those before; of products that `floor` earlier customers bought.

    Where no days are known the baskets' own order is taken for that of time, and each is a customer of its own. Raises
    DataError where no basket of two such products is left on either side.
    """
    from scipy.sparse import csr_array

    baskets = transactions.baskets
    shape = (len(baskets), baskets.n_products)
    whole = csr_array((np.ones(len(baskets.items), dtype=np.float32), baskets.items, baskets.indptr), shape=shape)
    order = np.argsort(baskets.days, kind="stable")
    cut = round(len(order) * (1 - share))
    rows = np.repeat(np.arange(len(baskets)), baskets.sizes)
    before = np.zeros(len(baskets), dtype=np.bool_)
    before[order[:cut]] = True
    buyers = np.unique(np.column_stack([baskets.items, baskets.customers[rows]])[before[rows]], axis=0)
    known = np.bincount(buyers[:, 0], minlength=baskets.n_products) >= floor
    kept = whole[:, np.flatnonzero(known)]
    several = np.diff(kept.indptr) > 1
    sides = [side[several[side]] for side in (order[:cut], order[cut:])]
    if not all(map(len, sides)):
        raise DataError(
            f"no basket of two products that {floor} customers bought before is left to learn from, or to judge by",
            "give more baskets, or a lower min_count",
        )
    names = tuple(str(name) for name in transactions.names.filter(known).to_list())
    earlier, later = (kept[side] for side in sides)
    for each in (earlier, later):
        each.sort_indices()
    return PartedBaskets(earlier, later, names, baskets.customers[sides[1]].astype(np.int64))
