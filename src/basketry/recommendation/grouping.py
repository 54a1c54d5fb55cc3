"""Groups of products and of customers for an audit, none of which tells of a few customers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.recommendation.fairness import Groups

if TYPE_CHECKING:
    from basketry.core.histories import Floats, Histories, Int64s
    from basketry.recommendation.facts import Facts

UNKNOWN: Final = "unknown"
OTHERS: Final = "others"
PRICES: Final = ("cheapest quarter", "second quarter", "third quarter", "dearest quarter")
ACTIVITY: Final = ("few visits", "some visits", "many visits")


def by_column(facts: Facts, column: str) -> Groups:
    """Products by a column of texts, as brand; what has none is `unknown`. Raises RequestError for another column."""
    codes, names = facts.groups(column)
    if not (codes < 0).any():
        return Groups(column, codes, names)
    return Groups(column, np.where(codes < 0, len(names), codes).astype(np.int32), (*names, UNKNOWN))


def by_price(prices: Floats) -> Groups:
    """Products by the quarter of all known prices in which theirs lies; NaN is `unknown`."""
    known = np.isfinite(prices)
    ends = np.quantile(prices[known], [0.25, 0.5, 0.75]) if known.any() else np.zeros(3)
    quarters = np.where(known, np.searchsorted(ends, prices, side="left"), len(PRICES))
    return Groups("price_band", quarters.astype(np.int32), (*PRICES, UNKNOWN))


def by_activity(histories: Histories) -> Groups:
    """Customers by thirds of their numbers of visits, equal numbers in one group; who has none is in no group."""
    new = np.ones(len(histories.products), dtype=np.bool_)
    new[1:] = (np.diff(histories.visits) != 0) | (np.diff(histories.rows) != 0)
    visits = np.bincount(histories.rows[new], minlength=len(histories))
    some = visits > 0
    ends = np.quantile(visits[some], [1 / 3, 2 / 3], method="lower") if some.any() else np.zeros(2)
    thirds = np.where(some, np.searchsorted(ends, visits, side="left"), -1)
    return Groups("activity", thirds.astype(np.int32), ACTIVITY)


def buyers(groups: Groups, histories: Histories) -> Int64s:
    """int64 [groups]: distinct customers who bought a product of each group."""
    of = groups.of[histories.products].astype(np.int64)
    pairs = np.unique(np.stack([of, histories.rows])[:, of >= 0], axis=1)
    return np.bincount(pairs[0], minlength=len(groups.names)).astype(np.int64)


def floored(groups: Groups, size: Int64s, customers: Int64s, floor: int, most: int) -> Groups:
    """At most `most` groups, the greatest by `size`; all others, and those of fewer than `floor` customers, as `others`.

    A group left out alone could be worked out from the rest: `others` takes in the next smallest until it has `floor` too,
    counting customers of several groups once for the largest of them. Groups of nothing are dropped. Where no two groups can
    be told apart so, all is one group.
    """
    order = np.lexsort((np.arange(len(size)), -size))
    order = order[(size[order] > 0) | (customers[order] > 0)]
    kept = [int(each) for each in order if customers[each] >= floor][: most if len(order) <= most else most - 1]
    rest = [int(each) for each in order if int(each) not in kept]
    while rest and kept and max(int(customers[each]) for each in rest) < floor:
        rest.append(kept.pop())
    names = [groups.names[each] for each in kept] + ([OTHERS] if rest else [])
    place = np.full(len(groups.names) + 1, -1, dtype=np.int32)
    place[kept] = np.arange(len(kept))
    place[rest] = len(kept)
    return Groups(groups.kind, place[groups.of], names)
