"""Pairs and itemsets by counts that fade with time (`decay` says how), updatable at a cost that history does not matter to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl

from basketry.associations.mining.decay import Clock, clock_of
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.names import names_from_arrays, names_to_arrays, recoded
from basketry.associations.mining.transactions import Transactions
from basketry.kernels.trees import Int64s, ItemsetTree
from basketry.kernels.weighted import Floats, weigh_itemsets, weigh_pairs

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays

_Columns = tuple[Int64s, Int64s, Floats]


@dataclass(frozen=True)
class FadingPairs:
    """The estimator: its field is the hyperparameter."""

    half_life: float = field(default=28.0, metadata={"doc": "days after which a basket weighs one half"})

    def fit(self, transactions: Transactions) -> FadedPairs:
        """Weigh every pair of items that stand in one basket."""
        empty = np.empty(0, dtype=np.int64)
        nothing = FadedPairs(
            clock_of(self.half_life), transactions.names.head(0), empty, empty, np.empty(0), empty, np.empty(0), 0, 0.0
        )
        return nothing.add(transactions)


@dataclass(frozen=True, eq=False)
class FadedPairs:
    """Pairs of items with their baskets and weights; `add` gives a new model with more baskets in it.

    `pairs` int64 [m] is a * 2**32 + b of two codes a < b, ascending; `counts` int64 and `sums` float64 [m] their baskets and
    weights, `item_counts` and `item_sums` [n] those of the items, `n_baskets` and `total` those of all baskets; weights are as
    of the clock's landmark. Cost of adding: a count of the new baskets and one merge of the pairs, whatever was added before.
    Memory: 24 bytes a pair. Equal to weighing all baskets at once within 1e-9 relative, for baskets less than a thousand
    half-lives apart; what is older than that weighs nothing.
    """

    clock: Clock
    names: pl.Series
    pairs: Int64s
    counts: Int64s
    sums: Floats
    item_counts: Int64s
    item_sums: Floats
    n_baskets: int
    total: float

    def add(self, transactions: Transactions) -> Self:
        """The model with these baskets too: new ones, or ones that come late. New names get the codes after the known."""
        coming = recoded(transactions, self.names)
        baskets, n_items = coming.baskets, len(coming.names)
        clock, scale = self.clock.seeing(baskets.days)
        weights = clock.weights(baskets.days)
        found = weigh_pairs(baskets.indptr, baskets.items, n_items, weights)
        met = found.a.astype(np.int64) << 32 | found.b
        order = np.argsort(met)
        pairs, counts, sums = _merged(
            (self.pairs, self.counts, self.sums * scale), (met[order], found.count[order].astype(np.int64), found.weight[order])
        )
        each = np.repeat(weights, baskets.sizes)
        more = n_items - len(self.item_counts)
        return replace(
            self,
            clock=clock,
            names=coming.names,
            pairs=pairs,
            counts=counts,
            sums=sums,
            item_counts=np.pad(self.item_counts, (0, more)) + np.bincount(baskets.items, minlength=n_items),
            item_sums=np.pad(self.item_sums * scale, (0, more)) + np.bincount(baskets.items, each, minlength=n_items),
            n_baskets=self.n_baskets + len(baskets),
            total=self.total * scale + float(weights.sum()),
        )

    def frame(self, *, as_of: dt.date | None = None, min_weight: float = 0.0) -> pl.DataFrame:
        """One row a pair that weighs at least `min_weight` on the day `as_of` (default: the latest seen), heaviest first.

        `product_id`, `other_id` (names), `baskets` (count), `weight` (faded count), `support` (weight over that of all baskets)
        and `lift` (of weights: w_ab w / (w_a w_b); null where they have faded to nothing).
        Raises RequestError for a day before the latest basket.
        """
        fading = self.clock.fading(as_of)
        kept = np.flatnonzero(self.sums * fading >= min_weight)
        kept = kept[np.argsort(-self.sums[kept], kind="stable")]
        a, b = self.pairs[kept] >> 32, self.pairs[kept] & 0xFFFFFFFF
        with np.errstate(all="ignore"):  # what has faded to nothing has no lift
            lift = (self.sums[kept] / self.item_sums[a]) * (self.total / self.item_sums[b])
        return pl.DataFrame(
            {
                "product_id": self.names.gather(a),
                "other_id": self.names.gather(b),
                "baskets": self.counts[kept],
                "weight": self.sums[kept] * fading,
                "support": self.sums[kept] / self.total if len(kept) else self.sums[kept],
                "lift": pl.Series(np.where(np.isfinite(lift), lift, np.nan), dtype=pl.Float64).fill_nan(None),
            }
        )

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        columns = {name: getattr(self, name) for name in ("pairs", "counts", "sums", "item_counts", "item_sums")}
        numbers = {"n_baskets": np.array([self.n_baskets]), "total": np.array([self.total])}
        return {**columns, **numbers, **self.clock.state(), **names_to_arrays(self.names)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        pairs, counts, item_counts = (state[name].astype(np.int64) for name in ("pairs", "counts", "item_counts"))
        sums, item_sums = (state[name].astype(np.float64) for name in ("sums", "item_sums"))
        clock, names = Clock.from_state(state), names_from_arrays(state)
        n_baskets, total = int(state["n_baskets"][0]), float(state["total"][0])
        return cls(clock, names, pairs, counts, sums, item_counts, item_sums, n_baskets, total)


def _merged(known: _Columns, new: _Columns) -> _Columns:
    """Two sets of pairs, each ascending, as one; counts and sums of a pair in both are added up."""
    pairs, counts, sums = known
    place = np.searchsorted(pairs, new[0])
    met = np.flatnonzero(np.append(pairs, -1)[place] == new[0])
    counts, sums = counts.copy(), sums.copy()
    counts[place[met]] += new[1][met]
    sums[place[met]] += new[2][met]
    lacking = np.ones(len(place), dtype=np.bool_)
    lacking[met] = False
    at = place[lacking]
    whole: _Columns = (
        np.insert(pairs, at, new[0][lacking]),
        np.insert(counts, at, new[1][lacking]),
        np.insert(sums, at, new[2][lacking]),
    )
    return whole


@dataclass(frozen=True)
class FadingItemsets:
    """The estimator: its field is the hyperparameter."""

    half_life: float = field(default=28.0, metadata={"doc": "days after which a basket weighs one half"})

    def fit(self, mined: MinedItemsets, transactions: Transactions) -> FadedItemsets:
        """Weigh the mined itemsets in the baskets, which may be those they were mined from or others."""
        tree, none = mined.tree, np.zeros(len(mined.tree.parent))
        empty = ItemsetTree(tree.parent, tree.item, np.zeros_like(tree.support))
        counted = MinedItemsets(empty, mined.names, 0, mined.min_count)
        return FadedItemsets(clock_of(self.half_life), counted, tree.support > 0, none, 0.0).add(transactions)


@dataclass(frozen=True, eq=False)
class FadedItemsets:
    """The itemsets of one tree, with their baskets and weights; `add` gives a new model with more baskets in it.

    Since no basket weighs more than 1 when it is read, an itemset of weight w is in at least w baskets: where all itemsets were
    mined from the same baskets at `min_count`, every one that weighs `min_count` or more is here. Baskets added later are
    counted for these itemsets alone: bring the tree up to date by `update` and begin anew to see others.

    `counted` holds the tree with its baskets, `wanted` [m] which nodes are shown, `sums` [m] and `total` the weights of the
    nodes and of all baskets, as of the clock's landmark.
    """

    clock: Clock
    counted: MinedItemsets
    wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]
    sums: Floats
    total: float

    def add(self, transactions: Transactions) -> Self:
        """The model with these baskets too."""
        coming = recoded(transactions, self.counted.names)
        baskets = coming.baskets
        clock, scale = self.clock.seeing(baskets.days)
        weights = clock.weights(baskets.days)
        tree = self.counted.tree
        count, weight = weigh_itemsets(baskets.indptr, baskets.items, tree, weights)
        counted = MinedItemsets(
            ItemsetTree(tree.parent, tree.item, tree.support + count),
            coming.names,
            self.counted.n_baskets + len(baskets),
            self.counted.min_count,
        )
        total = self.total * scale + float(weights.sum())
        return replace(self, clock=clock, counted=counted, sums=self.sums * scale + weight, total=total)

    def frame(self, *, as_of: dt.date | None = None, min_weight: float = 0.0) -> pl.DataFrame:
        """One row an itemset that weighs at least `min_weight` on the day `as_of` (default: the latest), heaviest first.

        `itemset` (list of names), `length`, `baskets` (count), `weight` (faded count) and `support` (weight over that of all
        baskets). Raises RequestError for a day before the latest basket.
        """
        fading = self.clock.fading(as_of)
        nodes = np.flatnonzero(self.wanted & (self.sums * fading >= min_weight)).astype(np.int32)
        nodes = nodes[np.argsort(-self.sums[nodes], kind="stable")]
        return pl.DataFrame(
            {
                "itemset": self.counted.named(nodes),
                "length": self.counted.tree.lengths[nodes],
                "baskets": self.counted.tree.support[nodes],
                "weight": self.sums[nodes] * fading,
                "support": self.sums[nodes] / self.total if len(nodes) and self.total else self.sums[nodes],
            }
        )

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        weights = {"wanted": self.wanted, "sums": self.sums, "total": np.array([self.total])}
        return {**self.counted.state(), **weights, **self.clock.state()}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        counted, total = MinedItemsets.from_state(state), float(state["total"][0])
        return cls(Clock.from_state(state), counted, state["wanted"].astype(np.bool_), state["sums"].astype(np.float64), total)
