"""The smallest part of a history without which a product would not be listed.

Up to MOST_EXACT parts every subset is tried, the smaller first, so none is smaller; of equal sizes the one that brought most.
Beyond, the parts that brought most are left out, as few of them as halving finds, and put back one after the other where the
product stays off the list without it: no part of what is left could be spared, but a smaller one may exist.
Every answer was ranked again before it is given. A product that everybody is shown has none: it stays listed without a history.

Source: Mothilal, Sharma and Tan, Explaining machine learning classifiers through diverse counterfactual explanations (2020),
for the demands: valid, and no larger than it must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

import numpy as np

from basketry.recommendation.reasons.attribution import MOST_EXACT

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Int64s


class Listing(Protocol):
    """A question whose history is cut into parts, such as `deletions.Asked`."""

    @property
    def n_parts(self) -> int:
        """How many parts the history has."""
        ...

    def listed(self, kept: Bools, product: int, k: int) -> Bools:
        """Whether `product` is among the k shown with each row of `kept` bool [m, parts], bool [m]."""
        ...


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """Without the parts `gone` (ascending numbers) the product is not among the `k` best; `smallest` where none is smaller."""

    gone: Int64s
    k: int
    smallest: bool


def counterfactual(asked: Listing, product: int, k: int, brought: Floats, *, spare: bool = True) -> Counterfactual | None:
    """What must go, or None where nothing makes it go or it is not listed at all. `brought` float64 [parts] guides the search.

    Cost: a ranking of the candidates a subset tried; at most 2^12 of them up to MOST_EXACT parts, beyond that 2 log2 of the
    parts, and a few times as many as must go to see which could be spared. With `spare` False only the halving is done,
    whatever the number of parts: as valid, but larger.
    """
    n = asked.n_parts
    if n == 0 or not asked.listed(np.ones((1, n), dtype=np.bool_), product, k)[0]:
        return None
    kept = _exact(asked, product, k, brought) if n <= MOST_EXACT and spare else _greedy(asked, product, k, brought, spare)
    if kept is None or asked.listed(kept[None], product, k)[0]:  # the proof: whatever was found is ranked once more
        return None
    gone = np.flatnonzero(~kept)
    return Counterfactual(gone, k, smallest=(n <= MOST_EXACT and spare) or len(gone) == 1)


def _exact(asked: Listing, product: int, k: int, brought: Floats) -> Bools | None:
    n = asked.n_parts
    for size in range(1, n + 1):
        gone = np.array(list(combinations(range(n), size)))
        kept = np.ones((len(gone), n), dtype=np.bool_)
        np.put_along_axis(kept, gone, values=False, axis=1)
        valid = ~asked.listed(kept, product, k)
        if valid.any():
            found: Bools = kept[np.argmax(np.where(valid, brought[gone].sum(axis=1), -np.inf))]
            return found
    return None


def _greedy(asked: Listing, product: int, k: int, brought: Floats, spare: bool) -> Bools | None:
    """One part, two, four, ... until the product goes; then between the last two numbers, by halves."""
    n = asked.n_parts
    order = np.argsort(-brought, kind="stable")
    place = np.argsort(order)
    sizes = np.unique(np.minimum(2 ** np.arange(n.bit_length() + 1), n))
    off = ~asked.listed(place >= sizes[:, None], product, k)
    if not off.any():
        return None
    first = int(off.argmax())
    stays, goes = int(sizes[first - 1]) if first else 0, int(sizes[first])
    while goes - stays > 1:
        middle = (stays + goes) // 2
        if asked.listed(place[None] >= middle, product, k)[0]:
            stays = middle
        else:
            goes = middle
    kept: Bools = place >= goes
    return _spared(asked, product, k, kept, order[::-1]) if spare else kept


def _spared(asked: Listing, product: int, k: int, kept: Bools, order: Int64s) -> Bools:
    """Parts put back, those that brought least first, over and over while one still can be."""
    again = True
    while again:
        again = False
        for part in order[~kept[order]]:
            kept[part] = True
            if asked.listed(kept[None], product, k)[0]:
                kept[part] = False
            else:
                again = True
    return kept
