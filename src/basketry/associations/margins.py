"""What is known of single products, and when a pair's counts beside it would tell of a small group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.kernels.pairs import count_items

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.kernels.pairs import PairCounts

    Int64s = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Margins:
    """Baskets and distinct customers of each product, int64 [n_products]."""

    baskets: Int64s
    customers: Int64s

    @classmethod
    def of(cls, baskets: BasketMatrix) -> Self:
        """Count them."""
        frequency, customers = count_items(baskets.indptr, baskets.items, baskets.n_products, baskets.customers)
        return cls(frequency.astype(np.int64), customers.astype(np.int64))

    def tell(self, counts: PairCounts, min_customers: int) -> Mask:
        """Whether the counts of a pair and of its products tell of a small group: who bought the one without the other.

        A difference of customers gives their number outright; a difference of fewer baskets than the floor bounds it. None is
        no group.
        """
        small = np.zeros(len(counts.a), dtype=np.bool_)
        for side in (counts.a, counts.b):
            for whole, pair in ((self.customers, counts.groups), (self.baskets, counts.count)):
                apart = whole[side] - pair
                small |= (apart > 0) & (apart < min_customers)
        return small
