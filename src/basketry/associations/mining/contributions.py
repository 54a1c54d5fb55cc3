"""What each product of an antecedent brings to a rule's lift: the Shapley value of a game of association, not of causes."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError, RequestError

if TYPE_CHECKING:
    import polars as pl

    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.kernels.trees import Int32s, Int64s

Floats = npt.NDArray[np.float64]

MOST_ITEMS: Final = 12  # 2 ** 12 subsets of an antecedent are looked at, each as itself and with the consequent
_AT_ONCE: Final = 1 << 18  # itemsets looked up at once: bounds memory to some 50 MB


@dataclass(frozen=True, eq=False)
class Contributions:
    """Of rule i the products `item[indptr[i]:indptr[i + 1]]` (codes, ascending), each with its part `value` of the log lift.

    The values of a rule add up to the natural logarithm of its lift, to 1e-9.
    """

    indptr: Int64s
    item: Int32s
    value: Floats

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def rule(self) -> Int64s:
        """The rule of each part."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @property
    def factor(self) -> Floats:
        """What each product multiplies the lift by, exp(value): the factors of a rule multiply to its lift."""
        return np.exp(self.value)

    @property
    def share(self) -> Floats:
        """What share of its rule's log lift each value is: see `shares`."""
        return shares(self.value, self.indptr)

    def lists(self) -> pl.Series:
        """The column `contribution`: each rule's values as a list, aligned with the list of its antecedent's names."""
        import polars as pl

        parts = pl.DataFrame({"rule": self.rule, "contribution": self.value})
        return parts.group_by("rule", maintain_order=True).agg("contribution")["contribution"]

    def frame(self, names: pl.Series) -> pl.DataFrame:
        """One row a part: `rule` (its row), `product` (its name), `contribution`, `factor`, and `share` (null for none)."""
        import polars as pl

        return pl.DataFrame(
            {
                "rule": self.rule,
                "product": names.gather(self.item),
                "contribution": self.value,
                "factor": self.factor,
                "share": pl.Series(self.share).fill_nan(None),
            }
        )


def contributions(itemsets: MinedItemsets, antecedent: Int32s, consequent: Int32s) -> Contributions:
    """The Shapley value of each product of the antecedent in the game v(S) = log lift(S => Y), v(nothing) = 0.

    For a rule X => Y with k products in X, and n(.) the baskets that hold an itemset, N all of them,

        v(S) = log(n(S + Y) N / (n(S) n(Y))),
        value(i) = sum over S in X without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S)):

    what adding i to the products already there does to the log lift, averaged over every order of adding them. It is the one
    division of log lift(X => Y) that adds up to it, treats alike what acts alike, gives nothing to a product that never changes
    the lift, and is linear in the game (Shapley 1953, A value for n-person games). Exact: all 2^k subsets are looked up, since
    every part of a frequent itemset is frequent and so is counted already.

    `antecedent` and `consequent` are nodes of `itemsets.tree`, int32 [m], whose two itemsets share no product and stand
    together in the tree. Antecedents to MOST_ITEMS products; 2^k (k + |Y|) steps a rule, rules of one shape at a time. Raises
    RequestError for longer antecedents, and where a subset is not in the tree: mine the kind `all`, with no constraint on what
    an itemset holds.
    """
    tree = itemsets.tree
    left, right = tree.flatten(antecedent), tree.flatten(consequent)
    size, width = np.diff(left[0]), np.diff(right[0])
    if len(size) and size.max() > MOST_ITEMS:
        raise RequestError(
            f"an antecedent has {size.max()} products, and contributions are computed for up to {MOST_ITEMS}",
            f"take rules with max_antecedent={MOST_ITEMS}",
        )
    subsets = _Subsets(itemsets)
    value = np.empty(len(left[1]))
    for k, w in np.unique(np.stack([size, width], axis=1), axis=0).tolist():
        alike = np.flatnonzero((size == k) & (width == w))
        for rows in np.array_split(alike, -(-len(alike) * 2 ** (k + 1) // _AT_ONCE)):
            places = left[0][rows, None] + np.arange(k)
            others = right[0][rows, None] + np.arange(w)
            game = _log_lifts(subsets, left[1][places], right[1][others])
            value[places] = game @ _weights(k)
    return Contributions(left[0], left[1], value)


def _log_lifts(subsets: _Subsets, x: Int32s, y: Int32s) -> Floats:
    """v(S) [m, 2^k] for each rule of `x` [m, k] and `y` [m, w]; bit j of a column stands for x[:, j], column 0 for nothing."""
    m, k = x.shape
    held = (np.arange(1, 2**k)[:, None] >> np.arange(k)) & 1 == 1
    every_x = np.broadcast_to(x[:, None, :], (m, *held.shape))
    every_y = np.broadcast_to(y[:, None, :], (m, len(held), y.shape[1]))
    both = np.concatenate([np.broadcast_to(held, every_x.shape), np.ones(every_y.shape, dtype=bool)], axis=2)
    alone = subsets.counts(every_x, np.broadcast_to(held, every_x.shape))
    with_y = subsets.counts(np.concatenate([every_x, every_y], axis=2), both)
    of_y = subsets.counts(y, np.ones(y.shape, dtype=bool))
    game = np.zeros((m, 2**k))
    game[:, 1:] = np.log(with_y) - np.log(alone) + np.log(subsets.itemsets.n_baskets / of_y)[:, None]
    return game


def _weights(k: int) -> Floats:
    """The matrix [2^k, k] that turns a game into its Shapley values: v(T) counts for i in T and against i outside it."""
    held = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    orders = np.array([factorial(s) * factorial(k - s - 1) / factorial(k) for s in range(k)])
    size = held.sum(axis=1, keepdims=True)
    weights: Floats = np.where(held == 1, orders[np.maximum(size - 1, 0)], -orders[np.minimum(size, k - 1)])
    return weights


def shares(value: Floats, indptr: Int64s) -> Floats:
    """Each value over the sum of its row, in [0, 1]; NaN for a whole row whose values do not all pull one way.

    Of a whole whose parts pull against one another a part is no share, and of nothing nothing is. Rows are compressed and none
    is empty.
    """
    if not len(value):
        return value
    total, size = (np.add.reduceat(values, indptr[:-1]) for values in (value, np.abs(value)))
    one_way = (size > 1e-9) & (np.abs(total) >= size * (1 - 1e-9))
    whole = np.repeat(np.where(one_way, total, np.nan), np.diff(indptr))
    share: Floats = np.clip(value / whole, 0.0, 1.0)
    return share


class _Subsets:
    """A tree's itemsets by their products: each product has a random word of 64 bits, an itemset theirs by exclusive or."""

    def __init__(self, itemsets: MinedItemsets) -> None:
        self.itemsets = itemsets
        tree = itemsets.tree
        levels = [np.flatnonzero(tree.lengths == length) for length in range(2, int(tree.lengths.max(initial=0)) + 1)]
        random = np.random.default_rng(0)
        for _ in range(9):
            self.words = random.integers(0, 2**64, size=len(itemsets.names), dtype=np.uint64)
            hashes = self.words[tree.item]
            for level in levels:
                hashes[level] ^= hashes[tree.parent[level]]
            self.order = tree.members[np.argsort(hashes[tree.members])]
            self.hashes = hashes[self.order]
            if not (self.hashes[1:] == self.hashes[:-1]).any():  # else two itemsets look alike: try other words
                return
        raise DataError("an itemset stands twice in the tree", "give a tree as mining returns it")

    def counts(self, items: Int32s, present: npt.NDArray[np.bool_]) -> Int32s:
        """Baskets that hold each itemset, int32 [...]: those `items` [..., w] that are `present`.

        Raises RequestError where one is not in the tree.
        """
        hashes = np.bitwise_xor.reduce(np.where(present, self.words[items], np.uint64(0)), axis=-1)
        nodes = self.order[np.minimum(np.searchsorted(self.hashes, hashes), len(self.order) - 1)]
        counts = self.itemsets.tree.support[nodes]
        self._prove(nodes.ravel(), items[present], np.count_nonzero(present, axis=-1).ravel())
        return counts

    def _prove(self, nodes: Int32s, items: Int32s, sizes: Int64s) -> None:
        """That each node is the itemset that was meant, product by product: equal words alone would be no proof."""
        indptr, held = self.itemsets.tree.flatten(nodes)
        wanted = items[np.lexsort((items, np.repeat(np.arange(len(sizes)), sizes)))]
        if np.array_equal(np.diff(indptr), sizes) and np.array_equal(held, wanted):
            return
        asked = np.split(wanted, np.cumsum(sizes)[:-1])
        found = np.split(held, indptr[1:-1])
        absent = next(each for each, node in zip(asked, found, strict=True) if each.tolist() != node.tolist())
        raise RequestError(
            f"a part of a rule is not among the itemsets: {self.itemsets.names.gather(absent).to_list()}",
            "mine itemsets of kind 'all', without constraints on what they hold",
        )
