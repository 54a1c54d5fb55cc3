"""A ranking under a policy: the same products in another order, fewer of some, with what moved each and how likely it was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Rankings
from basketry.recommendation.choice import chosen
from basketry.recommendation.shelf import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketry.core.histories import Bools, Candidates, Floats, Int32s, Queries
    from basketry.recommendation.policy import Exploration
    from basketry.recommendation.shelf import Flags, Shelf


@dataclass(frozen=True)
class Move:
    """What happened to a product: ranks from 1, None where it does not stand; `rules` by name, none if others moved past."""

    product: int
    before: int | None
    after: int | None
    rules: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shaped:
    """Lists as shown. `rankings` [n, k] are in the order of places; their scores are the ranker's own, 0 for one not ranked.

    `before` int32 [n, k]: the rank each had, from 0, or -1 for a pin that was not ranked. `rules` uint16 [n, k]: what moved it.
    `propensity` float64 [n, k]: the probability that this place of this list shows this product, in (0, 1]; 0 for none.
    `first` int32 [n, k] and `fate` uint16 [n, k]: the ranking's own first k, and what kept each out: 0 for those shown.
    """

    rankings: Rankings
    before: Int32s
    rules: Flags
    propensity: Floats
    first: Int32s
    fate: Flags

    def moves(self, query: int) -> tuple[Move, ...]:
        """What was moved in one list, in its order, and then what of the ranking's first k was left out."""
        products = self.rankings.products[query].tolist()
        found = [
            Move(product, before + 1 if before >= 0 else None, place + 1, _names(rules))
            for place, (product, before, rules) in enumerate(
                zip(products, self.before[query].tolist(), self.rules[query].tolist(), strict=True)
            )
            if product >= 0 and before != place
        ]
        found += [
            Move(product, rank + 1, None, _names(fate))
            for rank, (product, fate) in enumerate(zip(self.first[query].tolist(), self.fate[query].tolist(), strict=True))
            if fate
        ]
        return tuple(found)


def rerank(
    shelf: Shelf, queries: Queries, rankings: Rankings, k: int, candidates: Candidates, keys: Sequence[str] = ()
) -> Shaped:
    """The k best of each ranking under the policy of `shelf`. Pure; ask rankers for `policy.depth(k)` products.

    Only products on the shelf, in `candidates`, and unless it repeats not in the history, are shown, pins among them. A pin
    counts in caps; one pinned beyond k is kept for there. Where products run out, pins move up. Without exploration k places
    are the first of k + 1. `keys`, of exploration, name the queries; without, each is named by its ranking. Relevance of rank
    i is score / best score where all are above 0, else they are first shifted, by 1 / length of their range above their least.
    Cost: some 20 us a place and list among 200 products, 50 us more with diversity over 128 dimensions.
    """
    n, width = rankings.products.shape
    if k < 1 or len(queries) != n or (keys and len(keys) != n):
        raise RequestError(f"k is {k}, with {len(queries)} queries and {len(keys)} keys for {n} rankings", "give one of each")
    shown = Rankings(np.full((n, k), -1, dtype=np.int32), np.zeros((n, k)))
    before = np.full((n, k), -1, dtype=np.int32)
    rules, fate = np.zeros((n, k), dtype=np.uint16), np.zeros((n, k), dtype=np.uint16)
    propensity = np.zeros((n, k))
    first = np.full((n, k), -1, dtype=np.int32)
    first[:, : min(k, width)] = rankings.products[:, :k]
    exploration = shelf.policy.exploration
    for query in range(n):
        ranked = rankings.products[query]
        ranked = ranked[: int((ranked >= 0).sum())]
        scores = rankings.scores[query, : len(ranked)]
        history = queries.histories.products[queries.histories.indptr[query] : queries.histories.indptr[query + 1]]
        allowed = _allowed(shelf, candidates, query, history)
        picked = chosen(shelf, ranked, relevance(scores), allowed, history, k, exploration.among if exploration.share else 0)
        key = keys[query] if keys else ranked.tobytes().hex()
        products, flags, likely = _explored(picked.places, picked.flags, picked.pinned, k, exploration, key)
        length = len(products)
        place = _ranks(products, ranked)
        shown.products[query, :length] = products
        shown.scores[query, :length] = np.where(place >= 0, scores[place] if len(scores) else 0.0, 0.0)
        before[query, :length], rules[query, :length], propensity[query, :length] = place, flags, likely
        fate[query] = _fates(first[query], products, place, flags, allowed, picked.capped, shelf)
    return Shaped(shown, before, rules, propensity, first, fate)


def relevance(scores: Floats) -> Floats:
    """Scores of one ranking, best first, as numbers in (0, 1], so that a factor means the same for every ranker."""
    if not len(scores):
        return scores
    high, low = float(scores.max()), float(scores.min())
    if low > 0:
        return scores / high
    if high == low:
        return np.ones(len(scores))
    step = (high - low) / len(scores)
    return (scores - low + step) / (high - low + step)


def _allowed(shelf: Shelf, candidates: Candidates, query: int, history: Int32s) -> Bools:
    allowed = shelf.eligible
    if candidates.allowed is not None:
        allowed = allowed & (candidates.allowed if candidates.allowed.ndim == 1 else candidates.allowed[query])
    if not candidates.repeats and len(history):
        allowed = allowed.copy()
        allowed[history] = False
    return allowed


def _explored(
    products: Int32s, flags: Flags, pinned: Bools, k: int, exploration: Exploration, key: str
) -> tuple[Int32s, Flags, Floats]:
    """The first k, some of them replaced by what is next in line, and the probability of each at its place.

    A place explores with probability e = share; which of m in line it then shows is uniform, without replacement, so that by
    symmetry each stands there with probability e / m, and its own product with 1 - e. Only as many places explore, from the
    last, as there are products in line; no pin does.
    """
    shown, rest = products[:k].copy(), products[k:]
    likely, marks = np.ones(len(shown)), flags[:k].copy()
    places = np.flatnonzero(~pinned[:k])[-len(rest) :] if len(rest) else np.empty(0, dtype=np.int64)
    if not (exploration.share and len(places)):
        return shown, marks, likely
    drawn = _uniform(f"{exploration.seed} {key}", len(places) + len(rest))
    lucky = drawn[: len(places)] < exploration.share
    likely[places] = np.where(lucky, exploration.share / len(rest), 1 - exploration.share)
    line = np.argsort(drawn[len(places) :], kind="stable")[: int(lucky.sum())]
    shown[places[lucky]] = rest[line]
    marks[places[lucky]] = flags[k:][line] | np.uint16(Rule.EXPLORATION)
    return shown, marks, likely


def _uniform(key: str, count: int) -> Floats:
    """Numbers in [0, 1) that the key alone decides, for ever: 53 bits each of SHAKE-128."""
    bits = np.frombuffer(hashlib.shake_128(key.encode()).digest(8 * count), dtype="<u8")
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _ranks(products: Int32s, ranked: Int32s) -> Int32s:
    """The place of each product in a ranking, -1 for none."""
    if not len(ranked):
        return np.full(len(products), -1, dtype=np.int32)
    order = np.argsort(ranked, kind="stable")
    place = order[np.minimum(np.searchsorted(ranked, products, sorter=order), len(ranked) - 1)]
    return np.where(ranked[place] == products, place, -1).astype(np.int32)


def _fates(
    first: Int32s, shown: Int32s, place: Int32s, flags: Flags, allowed: Bools, capped: Bools, shelf: Shelf
) -> np.ndarray:
    """Why each of the ranking's first k is not shown: forbidden, capped, or the rules that put others before it."""
    fate = np.zeros(len(first), dtype=np.uint16)
    for rank, product in enumerate(first):
        if product < 0 or (shown == product).any():
            continue
        if not allowed[product]:
            fate[rank] = Rule.FORBIDDEN
        elif capped[rank]:
            fate[rank] = Rule.CAP
        elif product in shelf.pinned.values():  # kept for a place beyond the list
            fate[rank] = Rule.PIN
        else:
            past = (place > rank) | (place < 0)
            fate[rank] = np.bitwise_or.reduce(flags[past], initial=int(shelf.weighed[product]))
    return fate


def _names(rules: int) -> tuple[str, ...]:
    return tuple(str(rule.name).lower() for rule in Rule if rules & rule)
