"""Histories as sparse 0/1 matrices: visits by products, and customers by products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.histories import Histories, Int64s


@dataclass(frozen=True, eq=False)
class Visits:
    """`held` float32 0/1 [visits, n_products], in the order of the events; `customer` int64 [visits], never falling."""

    held: csr_array
    customer: Int64s

    def shifted(self, lag: int) -> csr_array:
        """For each visit what the same customer's visit `lag` later held; nothing where there is none."""
        from scipy.sparse import csr_array

        n = len(self.customer)
        here = np.arange(max(n - lag, 0))
        here = here[self.customer[here] == self.customer[here + lag]]
        pick = csr_array((np.ones(len(here), dtype=np.float32), (here, here + lag)), shape=(n, n))
        return csr_array(pick @ self.held)


def visits_of(histories: Histories) -> Visits:
    """Each visit's distinct products."""
    from scipy.sparse import csr_array

    rows = histories.rows
    new: npt.NDArray[np.int64] = np.ones(len(rows), dtype=np.int64)
    new[1:] = (np.diff(histories.visits) != 0) | (np.diff(rows) != 0)
    visit = np.cumsum(new) - 1
    n = int(visit[-1]) + 1 if len(visit) else 0
    held = csr_array((np.ones(len(rows), dtype=np.float32), (visit, histories.products)), shape=(n, histories.n_products))
    held.sum_duplicates()
    held.data[:] = 1
    customer = np.empty(n, dtype=np.int64)
    customer[visit] = rows
    return Visits(held, customer)


def customers_of(histories: Histories) -> csr_array:
    """float32 0/1 [customers, n_products]: each customer's distinct products, columns ascending."""
    from scipy.sparse import csr_array

    shape = (len(histories), histories.n_products)
    ones = np.ones(len(histories.products), dtype=np.float32)
    held = csr_array((ones, histories.products, histories.indptr), shape=shape, copy=True)
    held.sum_duplicates()  # sorts in place: hence the copy
    held.data[:] = 1
    return held
