"""Two rankings in one list, so that one shopper compares them: team drafting, and who won.

In each round a coin decides which ranking picks first; each puts forward its best product that is not yet in the list. What is
clicked is credited to the ranking that put it there. Needs some ten times fewer shoppers than showing each half one ranking.

Source: Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.evaluation.bootstrap import Draws, Resampled

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Drafted:
    """`products` int64 [n, k], -1 for none, and the `team` int8 [n, k] that put each there: 0 or 1, -1 for none."""

    products: Integers
    team: Int8s


def team_draft(one: Integers, other: Integers, k: int, seed: int) -> Drafted:
    """The first k places drafted from two rankings [n, any], best first, -1 for none, no product twice in a ranking."""
    if len(one) != len(other) or k < 1:
        raise RequestError(f"{len(one)} and {len(other)} rankings cannot be drafted to {k} places", "give pairs, and k from 1")
    random = np.random.default_rng(seed)
    products = np.full((len(one), k), -1, dtype=np.int64)
    team = np.full((len(one), k), -1, dtype=np.int8)
    for row, (mine, theirs) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        left = ([p for p in reversed(mine) if p >= 0], [p for p in reversed(theirs) if p >= 0])
        taken: set[int] = set()
        place = 0
        while place < k and (left[0] or left[1]):
            first = int(random.integers(2))
            for side in (first, 1 - first):
                while left[side] and left[side][-1] in taken:
                    left[side].pop()
                if left[side] and place < k:
                    product = left[side].pop()
                    taken.add(product)
                    products[row, place], team[row, place] = product, side
                    place += 1
    return Drafted(products, team)


def drafted_wins(
    drafted: Drafted, clicked: npt.NDArray[np.bool_], cluster: Integers, resamples: int = 500, seed: int = 0
) -> Resampled:
    """Who won: a list is won by more clicks, `clicked` being bool [n, k].

    `preference` = (lists won by ranking 1 - lists won by ranking 0) / lists with a click, in [-1, 1], NaN where nothing was
    clicked; `decided` = the share of lists that either won.
    """
    wins = np.sign((clicked & (drafted.team == 1)).sum(axis=1) - (clicked & (drafted.team == 0)).sum(axis=1))
    columns = np.column_stack([wins, clicked.any(axis=1), wins != 0, np.ones(len(wins))]).astype(np.float64)
    net, some, won, n = Draws.of(cluster, resamples, seed).totals(columns).T
    preference, decided = (
        np.divide(values, by, out=np.full(len(by), np.nan), where=by > 0) for values, by in ((net, some), (won, n))
    )
    return Resampled({"preference": preference, "decided": decided})
