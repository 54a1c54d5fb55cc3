"""Other baskets a shop might have had: customers drawn anew, and baskets with some of their items wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from basketry.associations.baskets import BasketMatrix
from basketry.core.errors import RequestError

if TYPE_CHECKING:
    from numpy.random import Generator

    Integers = npt.NDArray[np.int64]

Noise = Literal["drop", "replace", "add"]
NOISES: Final = ("drop", "replace", "add")


def bootstrapped(baskets: BasketMatrix, random: Generator) -> BasketMatrix:
    """As many customers, drawn with replacement, each with all their baskets; one drawn twice is two customers.

    Baskets of one customer resemble each other, so they are drawn together: where no customer is known, each basket is one.
    """
    starts = _starts(baskets)
    drawn = np.sort(random.integers(0, len(starts) - 1, len(starts) - 1)) if len(starts) > 1 else np.empty(0, dtype=np.int64)
    return _customers(baskets, starts, drawn)


def halved(baskets: BasketMatrix, random: Generator) -> tuple[BasketMatrix, BasketMatrix]:
    """All baskets of a random half of the customers, and those of the others."""
    starts = _starts(baskets)
    n = len(starts) - 1
    first = np.zeros(n, dtype=np.bool_)
    first[random.permutation(n)[: n // 2]] = True
    chosen = np.repeat(first, np.diff(starts))
    return baskets.select(chosen), baskets.select(~chosen)


def noised(baskets: BasketMatrix, kind: Noise, share: float, random: Generator) -> BasketMatrix:
    """Baskets in which a share of the item occurrences is wrong, chosen at random.

    `drop`: each occurrence is lost with chance `share` (a line not scanned). `add`: that share of occurrences more, each in the
    basket of a random occurrence and of the item of another (one that is there already changes nothing). `replace`: each
    occurrence becomes, with chance `share`, the item of a random occurrence (a wrong line). Item frequencies stay nearly as
    they were, apart from what is dropped or added. Empty baskets stay and count.
    Raises RequestError for an unknown kind or a share outside [0, 1].
    """
    if kind not in NOISES:
        raise RequestError(f"noise {kind!r} is not known", f"choose one of {', '.join(NOISES)}")
    if not 0 <= share <= 1:
        raise RequestError(f"a share of noise of {share} is no share", "give one from 0 to 1, such as 0.05")
    total = len(baskets.items)
    rows = np.repeat(np.arange(len(baskets), dtype=np.int64), baskets.sizes)
    items = baskets.items.astype(np.int64)
    if kind == "add":
        more = random.binomial(total, share) if total else 0
        rows = np.append(rows, rows[random.integers(0, max(total, 1), more)])
        items = np.append(items, items[random.integers(0, max(total, 1), more)])
    else:
        struck = random.random(total) < share
        if kind == "drop":
            rows, items = rows[~struck], items[~struck]
        else:
            items[struck] = items[random.integers(0, max(total, 1), int(struck.sum()))]
    keys = np.unique(rows * max(baskets.n_products, 1) + items)
    rows, items = np.divmod(keys, max(baskets.n_products, 1))
    indptr = np.searchsorted(rows, np.arange(len(baskets) + 1)).astype(np.int64)
    return BasketMatrix(indptr, items.astype(np.int32), baskets.customers, baskets.days, baskets.n_products)


def _starts(baskets: BasketMatrix) -> Integers:
    """Where each customer's baskets begin, and the end of all: int64 [customers + 1]."""
    first = np.flatnonzero(np.diff(baskets.customers, prepend=-1) != 0)
    return np.append(first, len(baskets)).astype(np.int64)


def _customers(baskets: BasketMatrix, starts: Integers, drawn: Integers) -> BasketMatrix:
    """The baskets of the drawn customers, in the order drawn."""
    index = _ranges(starts[drawn], starts[drawn + 1])
    sizes = baskets.sizes[index]
    of = np.repeat(np.arange(len(drawn), dtype=np.int32), starts[drawn + 1] - starts[drawn])
    return BasketMatrix(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        baskets.items[_ranges(baskets.indptr[index], baskets.indptr[index + 1])],
        of,
        baskets.days[index],
        baskets.n_products,
    )


def _ranges(starts: Integers, ends: Integers) -> Integers:
    """The numbers of [start, end) of each row, one row after another."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
