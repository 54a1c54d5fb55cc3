"""A question asked again with parts of its history left out: all that reasons for a black box are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Histories, Queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basketry.core.histories import Bools, Floats, Int32s, Int64s
    from basketry.core.protocols import Ranker, Vectors

By = Literal["event", "product"]
_SCORES_AT_ONCE: Final = 1 << 22  # 16 MB of scores


@dataclass(frozen=True, eq=False)
class Asked:
    """One question to a ranker, whose history is cut into parts: `part` int64 [events], the number of each event's part.

    `candidates` are those of the whole history, products of the history excluded where it excludes them: leaving a product out
    of the history does not make it a candidate, so lists with and without it differ by what it said alone. A ranker that ages
    events by the visits after them sees earlier visits as younger once a later one is left out, as if it had never been.
    """

    ranker: Ranker
    query: Queries
    candidates: Candidates
    part: Int64s

    @property
    def n_parts(self) -> int:
        """How many parts the history has."""
        return int(self.part.max(initial=-1)) + 1

    def with_only(self, kept: Bools) -> Queries:
        """The question once for each row of `kept` bool [m, parts], with the events of the parts that are kept."""
        history, m = self.query.histories, len(kept)
        n = len(history.products)
        many = Histories(
            np.arange(m + 1, dtype=np.int64) * n,
            np.tile(history.products, m),
            np.tile(history.days, m),
            np.tile(history.visits, m),
            history.n_products,
        )
        return Queries(many.where(kept[:, self.part].ravel()), np.repeat(self.query.days, m))

    def scores(self, kept: Bools, products: Int32s) -> Floats:
        """float64 [m, products]: their scores with each row of `kept`."""
        parts = [scores[:, products].astype(np.float64) for _, scores in self._scored(kept)]
        return np.concatenate(parts) if parts else np.empty((0, len(products)))

    def ranks(self, kept: Bools, product: int) -> Int64s:
        """int64 [m]: the rank of `product` among the candidates with each row of `kept`, from 1; it loses every tie.

        So a history that says nothing, under which all score alike, ranks it last.
        """
        allowed = self._allowed()
        ranks = np.empty(len(kept), dtype=np.int64)
        for place, scores in self._scored(kept):
            ahead = scores >= scores[:, [product]]
            ahead &= allowed
            ahead[:, product] = False
            ranks[place] = 1 + np.count_nonzero(ahead, axis=1)
        return ranks

    def listed(self, kept: Bools, product: int, k: int) -> Bools:
        """Whether the ranker lists `product` among its k best with each row of `kept`, bool [m]."""
        listed = np.empty(len(kept), dtype=np.bool_)
        for place in self._batches(len(kept)):
            found = self.ranker.rank(self.with_only(kept[place]), k, self.candidates).products
            listed[place] = (found == product).any(axis=1)
        return listed

    def _allowed(self) -> Bools:
        allowed = self.candidates.allowed
        return np.ones(self.ranker.n_products, dtype=np.bool_) if allowed is None else allowed

    def _scored(self, kept: Bools) -> Iterator[tuple[slice, Vectors]]:
        for place in self._batches(len(kept)):
            yield place, self.ranker.scores(self.with_only(kept[place]))

    def _batches(self, m: int) -> Iterator[slice]:
        step = max(_SCORES_AT_ONCE // self.ranker.n_products, 1)
        for first in range(0, m, step):
            yield slice(first, min(first + step, m))


def ask(ranker: Ranker, queries: Queries, row: int, candidates: Candidates, by: By = "event") -> Asked:
    """Question `row` of `queries` about `candidates`, its history cut into its events or into the products they are of.

    Parts are numbered as events come, or by ascending product code. Raises RequestError for another `by`.
    """
    query = queries.select(np.array([row], dtype=np.int64))
    products = query.histories.products
    if by == "event":
        part = np.arange(len(products), dtype=np.int64)
    elif by == "product":
        part = np.unique(products, return_inverse=True)[1].astype(np.int64)
    else:
        raise RequestError(f"a history cannot be cut by {by!r}", "cut it by 'event' or by 'product'")
    allowed = np.ones(ranker.n_products, dtype=np.bool_)
    if candidates.allowed is not None:
        allowed &= candidates.allowed if candidates.allowed.ndim == 1 else candidates.allowed[row]
    if not candidates.repeats:
        allowed[products] = False
    return Asked(ranker, query, replace(candidates, allowed=allowed, repeats=True), part)
