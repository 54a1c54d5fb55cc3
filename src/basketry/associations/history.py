"""What baskets say of any pairs asked for, whether or not they have an edge: the counts that verdicts and strength rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.associations.adjustment import Exposure, exposure_next, exposure_together
from basketry.associations.margins import Margins
from basketry.associations.verdict import Tally
from basketry.kernels.pairs import Annotations, PairCounts, count_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from basketry.associations.baskets import BasketMatrix
    from basketry.core.protocols import Run

    Codes = npt.NDArray[np.int32]
    Keys = npt.NDArray[np.int64]


_BLOCK: Final = 1_000_000  # counted pairs looked up at a time


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct unordered pairs of product codes, sorted: a < b, aligned."""

    a: Codes
    b: Codes
    n_products: int

    @classmethod
    def of(cls, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], n_products: int) -> Self:
        """The distinct pairs among those given in any order and direction; a pair of a product with itself is left out."""
        first, second = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
        keys = np.unique((first * n_products + second)[first != second])
        return cls((keys // n_products).astype(np.int32), (keys % n_products).astype(np.int32), n_products)

    def __len__(self) -> int:
        return len(self.a)

    @property
    def keys(self) -> Keys:
        """One number a pair: a * n_products + b."""
        return self.a * np.int64(self.n_products) + self.b

    def rows(self, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Keys:
        """The row of each given pair, either way round; every one of them must be here."""
        first, second = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
        rows: Keys = np.searchsorted(self.keys, first * self.n_products + second)
        return rows


@dataclass(frozen=True, eq=False)
class History:
    """Every pair counted in some baskets. Memory: 16 bytes a distinct pair; 12 million pairs in a year of 2,500 households."""

    baskets: BasketMatrix
    margins: Margins
    counts: PairCounts
    exposure: Exposure
    threads: int

    @classmethod
    def of(cls, baskets: BasketMatrix, run: Run) -> Self:
        """Count all pairs that share a basket."""
        return cls(
            baskets,
            Margins.of(baskets),
            _counted(baskets, None, run.threads),
            exposure_together(baskets, np.ones(len(baskets), np.bool_)),
            run.threads,
        )

    def days(self) -> int:
        """Days from the first basket to the last, both counted."""
        return int(self.baskets.days.max() - self.baskets.days.min()) + 1 if len(self.baskets) else 0

    def edges(self, min_customers: int) -> tuple[Codes, Codes]:
        """Pairs that share baskets of at least so many customers."""
        rows = self.counts.groups >= min_customers
        return self.counts.a[rows], self.counts.b[rows]

    def together(self, pairs: Pairs) -> Tally:
        """The pairs within one basket."""
        baskets, customers = _found(pairs, self.counts)
        return Tally(baskets, customers, self.exposure.expected(pairs.a, pairs.b))

    def group_lift(self, pairs: Pairs, group: Codes) -> npt.NDArray[np.float64]:
        """Log of how much oftener than by chance products of the two groups share a basket, the pair itself left out.

        `group` int32 [n_products], -1 for none; 0 (chance) where either product has none. One basket of chance is added to both
        sides. Where a pair is too rare to be counted, the pairs of its two groups speak for it.
        """
        inside = group.astype(np.int64) >= 0
        size = np.int64(group.max(initial=0)) + 1
        own = self.together(pairs)
        wanted, place = np.unique(_group_keys(group, pairs.a, pairs.b, size), return_inverse=True)
        sums = np.zeros(len(wanted))
        for rows, counted in _matches(wanted, self.counts, lambda a, b: _group_keys(group, a, b, size)):
            sums += np.bincount(rows, self.counts.count[counted], len(wanted))
        weight = np.zeros((int(size), self.exposure.of.shape[1]))
        np.add.at(weight, group[inside], self.exposure.of[inside])
        square = np.bincount(group[inside], (self.exposure.of[inside] ** 2).sum(axis=1), int(size))
        a, b = group[pairs.a], group[pairs.b]
        both = Exposure(weight, weight).expected(a, b)
        expected = np.where(a == b, (both - square[a]) / 2, both)
        others = np.maximum(sums[place] - own.baskets, 0) + 1.0, np.maximum(expected - own.expected, 0) + 1.0
        return np.where((a >= 0) & (b >= 0), np.log(others[0] / others[1]), 0.0)

    def published(self, pairs: Pairs, min_customers: int) -> Tally:
        """`together`, with all that may not be published taken as nothing.

        That is: pairs of fewer customers than the floor, pairs whose counts would tell of fewer, and what is expected of
        products that fewer customers bought.
        """
        counted = self.together(pairs)
        as_counts = PairCounts(
            pairs.a, pairs.b, counted.baskets.astype(np.int32), counted.customers.astype(np.int32), pairs.a[:0]
        )
        shown = (counted.customers >= min_customers) & ~self.margins.tell(as_counts, min_customers)
        known = (self.margins.customers[pairs.a] >= min_customers) & (self.margins.customers[pairs.b] >= min_customers)
        return Tally(counted.baskets * shown, counted.customers * shown, counted.expected * known)

    def across(self, pairs: Pairs) -> tuple[Tally, Tally]:
        """The placebo: A in an order and B in the same customer's next order, and the other way round."""
        partner = self.baskets.next_orders()
        counts = _counted(self.baskets, partner, self.threads)
        exposure = exposure_next(self.baskets, partner, np.ones(len(self.baskets), np.bool_))
        forth = _found(pairs, counts)
        back = _found(pairs, PairCounts(counts.b, counts.a, counts.count, counts.groups, counts.marked))
        return Tally(*forth, exposure.expected(pairs.a, pairs.b)), Tally(*back, exposure.expected(pairs.b, pairs.a))


def _group_keys(group: Codes, a: Codes, b: Codes, size: np.int64) -> Keys:
    """One number for the unordered pair of groups of each pair; -1 where either has none."""
    first, second = np.minimum(group[a], group[b]).astype(np.int64), np.maximum(group[a], group[b]).astype(np.int64)
    return np.where(first >= 0, first * size + second, -1)


def _counted(baskets: BasketMatrix, partner: Codes | None, threads: int) -> PairCounts:
    about = Annotations(baskets.customers, partner)
    return count_pairs(baskets.indptr, baskets.items, baskets.n_products, about=about, threads=threads)


def _found(pairs: Pairs, counts: PairCounts) -> tuple[Keys, Keys]:
    """Baskets and customers of each pair in the direction a, b; 0 where it was never counted."""
    baskets, customers = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    for rows, counted in _matches(pairs.keys, counts, lambda a, b: a * np.int64(pairs.n_products) + b):
        baskets[rows], customers[rows] = counts.count[counted], counts.groups[counted]
    return baskets, customers


def _matches(wanted: Keys, counts: PairCounts, key: Callable[[Codes, Codes], Keys]) -> Iterator[tuple[Keys, Keys]]:
    """Rows of `wanted` (sorted) and rows of `counts` that have one key; in blocks, so that millions of pairs take 50 MB."""
    for start in range(0, len(counts.a) if len(wanted) else 0, _BLOCK):
        keys = key(counts.a[start : start + _BLOCK], counts.b[start : start + _BLOCK])
        rows = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        hit = np.flatnonzero(wanted[rows] == keys)
        yield rows[hit], hit + start
