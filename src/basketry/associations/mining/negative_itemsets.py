"""Itemsets with an absent item: (X, not y), counted by inclusion and exclusion from a tree of itemsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from basketry.associations.margins import Margins
from basketry.associations.mining.depletion import Counts, Floats, depletion_p_values
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.counting import count_itemsets
from basketry.kernels.trees import Int32s, ItemsetTree

if TYPE_CHECKING:
    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class NegativeItemsets:
    """Tests, for every frequent itemset X of at most `max_present` items and every frequent item y, whether X keeps y away.

    support(X, not y) = support(X) - support(X and y). The family of tests is that of all (X, y) that chance would bring
    together `min_expected` times or more, s(X) s(y) / n, by margins alone; how often they do meet is counted exactly, below the
    support that X was mined at too. Start from itemsets of kind `all`. Limits: `max_patterns` patterns in the family, at about
    100 bytes each.
    """

    max_present: int = field(default=2, metadata={"doc": "items of X: 1 or 2"})
    min_expected: float = field(
        default=5.0, metadata={"doc": "meetings that chance would bring, below which (X, y) is not tested"}
    )
    max_patterns: int = field(default=5_000_000, metadata={"doc": "patterns to test at most"})

    def __post_init__(self) -> None:
        if self.max_present not in (1, 2) or not self.min_expected > 0 or self.max_patterns < 1:
            raise RequestError(
                f"these limits cannot be met: {self}", "max_present is 1 or 2, min_expected above 0, max_patterns from 1 up"
            )

    def fit(self, mined: MinedItemsets, transactions: Transactions, run: Run) -> NegativeItemsetModel:
        """Count and test them over the baskets that `mined` was mined from."""
        with span("itemsets with an absent item", total=1, unit="counts") as progress:
            short = _shorter(mined.tree, self.max_present)
            single = short.parent < 0
            items, frequency = short.item[single], short.support[single].astype(np.int64)
            node, place = self._family(short, frequency, len(transactions))
            repeated = _holds(short, node, items[place])
            node, place = node[~repeated], place[~repeated]
            grown = ItemsetTree(
                np.concatenate([short.parent, node]),
                np.concatenate([short.item, items[place]]),
                np.concatenate([short.support, np.ones(len(node), dtype=np.int32)]),
            )
            baskets = transactions.baskets
            both = count_itemsets(baskets.indptr, baskets.items, grown, threads=run.threads)[len(short.parent) :]
            progress.advance()
        margins = Margins.of(baskets)
        per_item = np.maximum(margins.baskets / np.maximum(margins.customers, 1), 1.0)
        repeats = np.maximum(_most(short, per_item)[node], per_item[items[place]])
        n_x, n_y, n_xy = short.support[node].astype(np.int64), frequency[place], both.astype(np.int64)
        p = depletion_p_values(n_xy, n_x, n_y, len(transactions), repeats)
        gain = _gains(short, node, items[place], (n_x, n_y, n_xy), repeats)
        model = MinedItemsets(short, mined.names, mined.n_baskets, mined.min_count)
        return NegativeItemsetModel(model, node, items[place], n_x, n_y, n_xy, p, benjamini_hochberg(p, len(p)), gain)

    def _family(self, tree: ItemsetTree, frequency: Counts, n: int) -> tuple[Int32s, Counts]:
        """Node of X and position of y, for all that should meet often enough."""
        order = np.argsort(-frequency, kind="stable")
        often = frequency[order].astype(np.float64)
        members = tree.members
        needed = self.min_expected * n / tree.support[members]
        partners = np.searchsorted(-often, -needed * (1 - 1e-12), side="right")
        if partners.sum() > self.max_patterns:
            raise RequestError(
                f"{int(partners.sum()):,} patterns are frequent enough to be tested, more than {self.max_patterns:,}",
                "raise the support of the itemsets or min_expected, or allow more with max_patterns",
            )
        node = np.repeat(members, partners)
        place = np.arange(len(node)) - np.repeat(np.cumsum(partners) - partners, partners)
        return node, order[place]


@dataclass(frozen=True, eq=False)
class NegativeItemsetModel:
    """Every pattern (X, not y) of the family, aligned: `node` of X in `itemsets`, the `absent` item, counts and tests.

    `gain_p`: for X of two items, the larger of two p: that the one keeps y away also among the baskets with the other. NaN for
    single X.
    """

    itemsets: MinedItemsets
    node: Int32s
    absent: Int32s
    n_x: Counts
    n_y: Counts
    n_xy: Counts
    p: Floats
    q: Floats
    gain_p: Floats

    def __len__(self) -> int:
        return len(self.node)

    def frame(self, level: float = 0.05) -> pl.DataFrame:
        """Patterns called at a false discovery rate of `level`, the most certain first, those that a part explains left out.

        A pattern of two present items stands only where each adds to the other (gain_p <= level). Columns: `itemset` X,
        `absent` y, `baskets` with X and without y, `support`, `confidence` P(not y | X), `lift` confidence / P(not y), `ratio`
        counted meetings over n_x n_y / n, `p`, `q`, `gain_p`.
        """
        n = self.itemsets.n_baskets
        rows = np.flatnonzero((self.q <= level) & ~(self.gain_p > level))
        rows = rows[np.argsort(self.p[rows], kind="stable")]
        n_x, n_y, n_xy = self.n_x[rows], self.n_y[rows], self.n_xy[rows]
        alone = n_x - n_xy
        return pl.DataFrame(
            {
                "itemset": self.itemsets.named(self.node[rows]),
                "absent": self.itemsets.names.gather(self.absent[rows]),
                "baskets": alone,
                "support": alone / max(n, 1),
                "confidence": alone / n_x,
                "lift": (alone / n_x) * (n / (n - n_y)),
                "ratio": n_xy / n_x * (n / n_y),
                "p": self.p[rows],
                "q": self.q[rows],
                "gain_p": self.gain_p[rows],
            }
        ).with_columns(pl.col("gain_p").fill_nan(None))


def count_without(baskets: BasketMatrix, present: Sequence[int], absent: Sequence[int], threads: int = 1) -> int:
    """Baskets with all of X = `present` and none of `absent`: sum over S in absent of (-1)^|S| s(X + S).

    2**len(absent) itemsets are counted, so `absent` holds 12 at most; an empty X stands for every basket.
    Raises RequestError for more, for an item that is both, and for items outside [0, n_products).
    """
    x, y = sorted(set(present)), sorted(set(absent))
    if len(y) > 12 or set(x) & set(y) or not all(0 <= item < baskets.n_products for item in [*x, *y]):
        raise RequestError(
            f"items {x} with none of {y} cannot be counted", "name known items, none on both sides and at most 12 as absent"
        )
    parent: list[int] = []
    item: list[int] = []
    sign: list[int] = []
    for subset in (each for size in range(len(y) + 1) for each in combinations(y, size)):
        path = [*x, *subset]
        parent += [len(parent) - 1 + step if step else -1 for step in range(len(path))]
        item += path
        sign += [0] * (len(path) - 1) + [(-1) ** len(subset)] if path else []
    tree = ItemsetTree(*(np.array(column, dtype=np.int32) for column in (parent, item, np.ones(len(item)))))
    counted = count_itemsets(baskets.indptr, baskets.items, tree, threads=threads) if item else np.zeros(0, np.int32)
    return (0 if x else len(baskets)) + int(counted.astype(np.int64) @ np.array(sign, dtype=np.int64))


def _shorter(tree: ItemsetTree, length: int) -> ItemsetTree:
    """The nodes of at most so many items; every node's parent is among them."""
    kept = tree.lengths <= length
    number = np.append(np.cumsum(kept) - 1, -1)  # the last entry is that of parent -1
    return ItemsetTree(number[tree.parent[kept]].astype(np.int32), tree.item[kept], tree.support[kept])


def _holds(tree: ItemsetTree, node: Int32s, item: Int32s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the itemset of each node holds the item; nodes of one or two items."""
    above = tree.parent[node]
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (tree.item[node] == item) | ((above >= 0) & (tree.item[above] == item))
    return found


def _most(tree: ItemsetTree, value: Floats) -> Floats:
    """The largest value among the items of each node; nodes of one or two items."""
    own = value[tree.item]
    return np.where(tree.parent >= 0, np.maximum(own, own[tree.parent]), own)


def _gains(tree: ItemsetTree, node: Int32s, item: Int32s, counts: tuple[Counts, Counts, Counts], repeats: Floats) -> Floats:
    """For X = {a, b}: the larger of P(so few y | a), with b against without b, and the same the other way round."""
    n_x, _, n_xy = counts
    gain = np.full(len(node), np.nan)
    width = np.int64(tree.item.max(initial=0)) + 1
    above = tree.parent[node]
    single = above < 0
    keys = tree.item[node[single]] * width + item[single]
    order = np.argsort(keys)
    keys, met, held = keys[order], n_xy[single][order], n_x[single][order]
    pair = np.flatnonzero(~single)
    if len(pair):
        each = np.zeros(len(pair))
        for one in (tree.item[node[pair]], tree.item[above[pair]]):
            row = np.searchsorted(keys, one * width + item[pair])
            each = np.maximum(each, depletion_p_values(n_xy[pair], n_x[pair], met[row], held[row], repeats[pair]))
        gain[pair] = each
    return gain
