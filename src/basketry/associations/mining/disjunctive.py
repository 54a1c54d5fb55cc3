"""Disjunctive patterns: (A or B) as one item, for products that stand in for one another.

Two milks may each go with cereals too seldom to be seen, and both together often. (A or B) is in a basket that holds either:

    support(A or B) = s(A) + s(B) - s(A and B)

A rule with a disjunction is worth telling only if every part adds to it. Widening a side always adds support, and as consequent
always confidence, so neither is a reason. Part A of a group G is asked for among the baskets **without the rest of G**: does A
go with C there more often than chance? That is an exact hypergeometric test, the same for C => G and for G => C; a group is as
good as its worst part (the largest p of the parts: an intersection-union test, Berger 1982). And the leverage of the group must
exceed that of each group with one part left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from basketry.associations.margins import Margins
from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.negative import NegativePairs
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.tails import hypergeometric_upper_tail

if TYPE_CHECKING:
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

Group = tuple[int, ...]
_BLOCK: Final = 64  # groups counted with every item at a time


@dataclass(frozen=True)
class DisjunctiveRules:
    """Finds C => (A or B) and (A or B) => C for single items C, with groups grown from pairs up to `max_parts` parts.

    Candidates for a group are pairs that share baskets less often than chance (`NegativePairs`, q <= `level`), or, where
    categories are given, all pairs of frequent items of one category. A pair that gave a rule (p <= `level`) is grown by every
    item that is a candidate with both of its parts. Every rule tested, of pairs and of all growths tried, counts in the
    correction. Items of the group are never the C of its rules.
    Limits: groups of 3 parts, single items as C, `max_groups` candidate pairs, each costing a pass over the occurrences of
    frequent items. A group of three none of whose pairs gave a rule is missed: growth is greedy.
    """

    min_support: int | float = field(default=0.01, metadata={"doc": "of every part, of C, and of the rule; count or share"})
    level: float = field(default=0.05, metadata={"doc": "false discovery rate of candidates and of rules"})
    max_parts: int = field(default=2, metadata={"doc": "items of a disjunction: 2 or 3"})
    max_groups: int = field(default=5_000, metadata={"doc": "candidate pairs at most"})

    def __post_init__(self) -> None:
        if self.max_parts not in (2, 3) or not 0 < self.level < 1 or self.max_groups < 1:
            raise RequestError(
                f"these limits cannot be met: {self}", "max_parts is 2 or 3, level lies between 0 and 1, max_groups starts at 1"
            )

    def fit(self, transactions: Transactions, run: Run, categories: Sequence[object] | None = None) -> MinedDisjunctions:
        """Mine them. `categories`: one a code of `transactions`, None for none; without it pairs are the exclusive ones."""
        floor = min_count(self.min_support, len(transactions))
        world = _World.of(transactions, floor)
        pairs = self._candidates(transactions, world, run, categories)
        if len(pairs) > self.max_groups:
            raise RequestError(
                f"{len(pairs):,} pairs are candidates for a disjunction, more than {self.max_groups:,}",
                "raise min_support, lower level, or allow more with max_groups",
            )
        with span("disjunctive rules", total=2 if self.max_parts == 3 else 1, unit="rounds") as progress:
            tested = world.rules(pairs)
            progress.advance()
            if self.max_parts == 3:
                tested = tested.and_also(self._grown(world, pairs, tested))
                progress.advance()
        return MinedDisjunctions.of(transactions, tested, self.level)

    def _candidates(
        self, transactions: Transactions, world: _World, run: Run, categories: Sequence[object] | None
    ) -> list[Group]:
        if categories is None:
            found = NegativePairs(self.min_support).fit(transactions, run)
            rows = np.flatnonzero(found.depleted(self.level))
            return [(a, b) for a, b in zip(found.pairs.a[rows].tolist(), found.pairs.b[rows].tolist(), strict=True)]
        if len(categories) != transactions.baskets.n_products:
            raise RequestError(
                f"{len(categories)} categories for {transactions.baskets.n_products} items", "give one an item, None for none"
            )
        alike: dict[object, list[int]] = {}
        for item in world.items.tolist():
            if categories[item] is not None:
                alike.setdefault(categories[item], []).append(item)
        return [(a, b) for items in alike.values() for i, a in enumerate(items) for b in items[i + 1 :]]

    def _grown(self, world: _World, pairs: list[Group], tested: _Tested) -> _Tested:
        """The same for each pair that gave a rule, with every third item tried; all that was tried counts as tested."""
        beside: dict[int, set[int]] = {}
        for a, b in pairs:
            beside.setdefault(a, set()).add(b)
            beside.setdefault(b, set()).add(a)
        seeds = {tested.groups[row] for row in tested.group[tested.adds & (tested.p <= self.level)].tolist()}
        grown = {tuple(sorted((*seed, third))) for seed in seeds for third in beside[seed[0]] & beside[seed[1]]}
        return world.rules(sorted(grown))


@dataclass(frozen=True, eq=False)
class _Tested:
    """Rules between groups and items, aligned: number of the group, item C, counts, p of the worst part, if each part adds."""

    groups: list[Group]
    group: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    n_both: Counts
    n_group: Counts
    n_item: Counts
    p: Floats
    adds: npt.NDArray[np.bool_]

    def and_also(self, more: _Tested) -> _Tested:
        """Both, one after the other."""
        columns = [
            np.concatenate([getattr(self, name), getattr(more, name)])
            for name in ("item", "n_both", "n_group", "n_item", "p", "adds")
        ]
        group = np.concatenate([self.group, more.group + len(self.groups)])
        return _Tested([*self.groups, *more.groups], group, *columns)


@dataclass(frozen=True, eq=False)
class _World:
    """Baskets as a sparse matrix of the items that are frequent; `per_item`: the design effect of each."""

    held: sparse.csc_array
    items: npt.NDArray[np.int64]
    frequency: Counts
    per_item: Floats
    floor: int

    @classmethod
    def of(cls, transactions: Transactions, floor: int) -> _World:
        baskets = transactions.baskets
        margins = Margins.of(baskets)
        items = np.flatnonzero(margins.baskets >= floor)
        ones = np.ones(len(baskets.items), dtype=np.int32)
        whole = sparse.csr_array((ones, baskets.items, baskets.indptr), shape=(len(baskets), baskets.n_products))
        per_item = np.maximum(margins.baskets / np.maximum(margins.customers, 1), 1.0)
        return cls(sparse.csc_array(whole)[:, items], items, margins.baskets[items], per_item[items], floor)

    def rules(self, groups: list[Group]) -> _Tested:
        """Every rule of the groups with at least `floor` baskets."""
        parts = [self._block(groups[start : start + _BLOCK], start) for start in range(0, len(groups), _BLOCK)]
        if not parts:
            none = np.empty(0, dtype=np.int64)
            return _Tested([], none, none, none, none, none, np.empty(0), np.empty(0, dtype=np.bool_))
        return _Tested(groups, *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _block(self, groups: list[Group], start: int) -> tuple[npt.NDArray[np.generic], ...]:
        place = {item: i for i, item in enumerate(self.items.tolist())}
        members = [[place[item] for item in group] for group in groups]
        n_group, both = self._met([set(group) for group in members])
        allowed = both >= self.floor
        for i, group in enumerate(members):
            allowed[i, group] = False
        row, item = np.nonzero(allowed)
        n, n_item = self.held.shape[0], self.frequency[item]
        leverage = both[row, item] * n - n_group[row] * n_item
        p, adds = np.zeros(len(row)), np.ones(len(row), dtype=np.bool_)
        for part in range(len(members[0])):
            n_rest, rest = self._met([set(group) - {group[part]} for group in members])
            adds &= leverage > rest[row, item] * n - n_rest[row] * n_item
            worst = self.per_item[[group[part] for group in members]][row]
            p = np.maximum(
                p,
                _beyond_chance(
                    both[row, item] - rest[row, item],
                    n_group[row] - n_rest[row],
                    n_item - rest[row, item],
                    n - n_rest[row],
                    np.maximum(worst, self.per_item[item]),
                ),
            )
        return row + start, self.items[item], both[row, item], n_group[row], n_item, p, adds

    def _met(self, groups: list[set[int]]) -> tuple[Counts, Counts]:
        """Baskets with any of each group, int64 [g], and with any of it and each item, int64 [g, items]."""
        union = np.zeros((self.held.shape[0], len(groups)), dtype=np.int32)
        for i, group in enumerate(groups):
            for item in group:
                union[self.held.indices[self.held.indptr[item] : self.held.indptr[item + 1]], i] = 1
        return union.sum(axis=0, dtype=np.int64), np.asarray(self.held.T @ union).T.astype(np.int64)


def _beyond_chance(both: Counts, n_a: Counts, n_c: Counts, n: Counts, per_customer: Floats) -> Floats:
    """P(at least so many hold both | margins), all counts divided by the design effect, each rounded against the claim."""
    k = np.floor(both / per_customer).astype(np.int64)
    good, drawn = (np.ceil(each / per_customer).astype(np.int64) for each in (n_a, n_c))
    population = np.maximum(np.floor(n / per_customer).astype(np.int64), np.maximum(good, drawn))
    return hypergeometric_upper_tail(k, good, drawn, population)


@dataclass(frozen=True, eq=False)
class MinedDisjunctions:
    """The rules whose every part adds, and q over all `n_tested` that were tried."""

    names: pl.Series
    n_baskets: int
    n_tested: int
    tested: _Tested
    q: Floats
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, transactions: Transactions, tested: _Tested, level: float) -> MinedDisjunctions:
        """Correct for all that was tested, and keep what is called at `level` and gains leverage by each part."""
        q = benjamini_hochberg(tested.p, len(tested.p))
        rows = np.flatnonzero((q <= level) & tested.adds)
        rows = rows[np.argsort(tested.p[rows], kind="stable")]
        return cls(transactions.names, len(transactions), len(q), tested, q, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self) -> pl.DataFrame:
        """One row a group and item, the most certain first, with the rule in both directions.

        `any_of` (list) the disjunction, `item` C, `baskets` with any of it and C, `support`, `confidence` P(C | any of),
        `confidence_back` P(any of | C), `lift`, `leverage`, `p` of the worst part, `q`.
        """
        t, n, rows = self.tested, self.n_baskets, self.rows
        both, n_group, n_item = t.n_both[rows], t.n_group[rows], t.n_item[rows]
        known = self.names.to_list()
        groups = [[known[item] for item in t.groups[row]] for row in t.group[rows].tolist()]
        return pl.DataFrame(
            {
                "any_of": pl.Series(groups, dtype=pl.List(self.names.dtype)),
                "item": self.names.gather(t.item[rows]),
                "baskets": both,
                "support": both / max(n, 1),
                "confidence": both / n_group,
                "confidence_back": both / n_item,
                "lift": both / n_group * (n / n_item),
                "leverage": (both * n - n_group * n_item) / max(n, 1) ** 2,
                "p": t.p[rows],
                "q": self.q[rows],
            }
        )
