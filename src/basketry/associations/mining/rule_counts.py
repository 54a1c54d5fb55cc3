"""What the statistics of rules need to know of rules: three nodes each, and how many baskets hold them, here or elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError
from basketry.kernels.counting import count_itemsets

if TYPE_CHECKING:
    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.core.protocols import Run
    from basketry.kernels.trees import Int32s, ItemsetTree

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


class RuleNodes(Protocol):
    """Rules X -> Y as nodes of the tree in `itemsets`: int32 arrays [m] of X, of Y, and of both. MinedRules are such."""

    @property
    def itemsets(self) -> MinedItemsets:
        """The itemsets the rules were made of."""
        ...

    @property
    def antecedent(self) -> Int32s:
        """Nodes of X."""
        ...

    @property
    def consequent(self) -> Int32s:
        """Nodes of Y."""
        ...

    @property
    def whole(self) -> Int32s:
        """Nodes of X and Y together."""
        ...


@dataclass(frozen=True, eq=False)
class ChosenRules:
    """Some of other rules, as such."""

    itemsets: MinedItemsets
    antecedent: Int32s
    consequent: Int32s
    whole: Int32s

    @classmethod
    def of(cls, rules: RuleNodes, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """Those at `index`, or where it is true."""
        return cls(rules.itemsets, rules.antecedent[index], rules.consequent[index], rules.whole[index])


class RuleSearch(Protocol):
    """An estimator that makes rules of itemsets, as `Rules` does."""

    @property
    def min_confidence(self) -> float:
        """The floor on confidence."""
        ...

    def fit(self, mined: MinedItemsets, run: Run) -> RuleNodes:
        """The rules that pass its limits."""
        ...


@dataclass(frozen=True, eq=False)
class RuleCounts:
    """Of `n` baskets, how many hold X and Y, X, and Y: int64 arrays [m]."""

    n_xy: Int64s
    n_x: Int64s
    n_y: Int64s
    n: int

    def __len__(self) -> int:
        return len(self.n_xy)

    @cached_property
    def confidence(self) -> Floats:
        """n_xy / n_x; NaN where no basket holds X."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.n_xy / self.n_x)

    @cached_property
    def lift(self) -> Floats:
        """n_xy n / (n_x n_y); NaN where no basket holds X, or none Y."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(self.n_y > 0, self.confidence * (self.n / self.n_y), np.nan))

    def passing(self, min_count: int, min_confidence: float) -> npt.NDArray[np.bool_]:
        """Rules in at least `min_count` baskets and with at least that confidence, compared as whole numbers: 4 of 5 is 0.8."""
        share = Fraction(repr(float(min_confidence)))
        if share.denominator * max(self.n, 1) < 2**63:
            sure = self.n_xy * share.denominator >= share.numerator * self.n_x
        else:
            sure = self.n_xy >= min_confidence * self.n_x
        return np.asarray((self.n_xy >= max(min_count, 1)) & sure)

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """Those of some rules."""
        return type(self)(self.n_xy[index], self.n_x[index], self.n_y[index], self.n)

    def __sub__(self, part: RuleCounts) -> RuleCounts:
        """Those of the baskets that are not in `part`."""
        return RuleCounts(self.n_xy - part.n_xy, self.n_x - part.n_x, self.n_y - part.n_y, self.n - part.n)

    @classmethod
    def of(cls, rules: RuleNodes, support: Int32s, n: int) -> Self:
        """From the baskets of each node of the rules' tree."""
        counts = support.astype(np.int64)
        return cls(counts[rules.whole], counts[rules.antecedent], counts[rules.consequent], n)

    @classmethod
    def mined(cls, rules: RuleNodes) -> Self:
        """In the baskets the rules were mined from."""
        return cls.of(rules, rules.itemsets.tree.support, rules.itemsets.n_baskets)


def counted(rules: RuleNodes, baskets: BasketMatrix, threads: int = 1) -> RuleCounts:
    """The same rules counted in other baskets under the same codes. Raises DataError where they are of other items."""
    if baskets.n_products != len(rules.itemsets.names):
        raise DataError(
            f"the rules are of {len(rules.itemsets.names)} items, the baskets of {baskets.n_products}",
            "take parts of one Transactions, or align two with `aligned`",
        )
    support = count_itemsets(baskets.indptr, baskets.items, rules.itemsets.tree, threads=threads)
    return RuleCounts.of(rules, support, len(baskets))


def itemset_keys(tree: ItemsetTree, n_items: int) -> Keys:
    """A number of 64 bits for each node that depends on its set of items alone: equal in any tree over the same codes.

    The sum, modulo 2**64, of one random number an item. Among a million itemsets two share a key with chance 3e-8.
    """
    numbers = np.random.default_rng(0xBA5CE7).integers(0, 2**64, size=n_items, dtype=np.uint64)
    keys = numbers[tree.item]
    lengths = tree.lengths
    for length in range(2, int(lengths.max(initial=0)) + 1):
        level = np.flatnonzero(lengths == length)
        keys[level] += keys[tree.parent[level]]
    return keys


def rule_keys(rules: RuleNodes) -> Keys:
    """A number of 64 bits for each rule, that depends on its X and Y alone."""
    keys = itemset_keys(rules.itemsets.tree, len(rules.itemsets.names))
    turned = keys[rules.antecedent] * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((turned ^ (turned >> np.uint64(29))) + keys[rules.consequent])
