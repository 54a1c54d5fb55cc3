"""Rules of the next element: after these elements in this order, that one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.order_effects import Int64s, OrderEffects
from basketry.associations.mining.sequence_database import SequenceDatabase, named_lists
from basketry.associations.mining.sequential_rules import with_order
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.sequence_rows import Int32s, Limits, SequenceTree, Twins
from basketry.kernels.sequences import MAX_PATTERNS, mine_both_ways

if TYPE_CHECKING:
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class NextRules:
    """The estimator: its fields are the hyperparameters. Gaps and the window are in the unit of the database's clock."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts sequences, a fraction is a share"})
    min_confidence: float = field(default=0.0, metadata={"doc": "least share of those with the pattern that go on"})
    limits: Limits = field(default=Limits(), metadata={"doc": "gaps, window, greatest length"})
    max_patterns: int = field(default=MAX_PATTERNS, metadata={"doc": "stop with an error rather than find more"})

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise RequestError(f"min_confidence is {self.min_confidence}", "a confidence lies in [0, 1]")

    def fit(self, database: SequenceDatabase, run: Run) -> MinedNextRules:  # noqa: ARG002  # one thread, no chance
        """Every pattern of two elements and more as a rule: its last element follows the others.

        confidence = sequences with the pattern / sequences with it but for its last element. The placebo is the pattern in
        reversed time: see OrderEffects. All patterns that reach the floor forwards or backwards were tested.
        """
        count = min_count(self.min_support, len(database))
        with span("mining next rules", total=1, unit="searches") as progress:
            tree, ways = mine_both_ways(database.rows, min_count=count, limits=self.limits, max_patterns=self.max_patterns)
            progress.advance()
        before, last = _parts(tree, database.rows.n_items)
        several = before >= 0
        forward = ways.forward
        nodes = np.flatnonzero(several & (forward >= count)).astype(np.int32)
        nodes = nodes[forward[nodes] >= self.min_confidence * forward[before[nodes]]]
        order = OrderEffects.of(ways, nodes, int(several.sum()))
        return MinedNextRules(tree, ways, nodes, before[nodes], last[nodes], order, database.names, len(database))


@dataclass(frozen=True, eq=False)
class MinedNextRules:
    """Rules as nodes of a tree of patterns: the whole pattern, it without its last element, and that element alone."""

    tree: SequenceTree
    ways: Twins
    whole: Int32s
    antecedent: Int32s
    consequent: Int32s
    order: OrderEffects
    names: pl.Series
    n_sequences: int

    def __len__(self) -> int:
        return len(self.whole)

    def counts(self) -> tuple[Int64s, Int64s, Int64s]:
        """Sequences that hold the whole pattern, the antecedent, and the consequent; int64 [m]."""
        forward = self.ways.forward.astype(np.int64)
        return forward[self.whole], forward[self.antecedent], forward[self.consequent]

    def frame(self, fdr: float = 0.05) -> pl.DataFrame:
        """One row a rule as of `MinedSequentialRules.frame`, but `antecedent` lists elements and `consequent` is one."""
        n_xy, n_x, n_y = self.counts()
        n = max(self.n_sequences, 1)
        confidence = n_xy / np.maximum(n_x, 1)
        starts, elements, items = self.tree.flatten(self.antecedent)
        _, after, after_items = self.tree.flatten(self.consequent)
        columns = {
            "antecedent": named_lists(self.names, items, elements, starts),
            "consequent": named_lists(self.names, after_items, after),
        }
        return with_order(columns, n_xy, n, (confidence, confidence * (n / np.maximum(n_y, 1))), self.order, fdr)


def _parts(tree: SequenceTree, n_items: int) -> tuple[Int32s, Int32s]:
    """For each node the node of its pattern without the last element (-1 for one element), and of its last element alone.

    Both are in the tree: counting either way, and within gaps too, what ends a pattern is held wherever the pattern is.
    """
    m = len(tree.parent)
    before, last = np.full(m, -1, dtype=np.int32), np.arange(m, dtype=np.int32)
    keys = (tree.parent.astype(np.int64) + 1) * (2 * n_items) + 2 * tree.item + tree.joins
    order = np.argsort(keys)
    ranked = keys[order]
    for depth in range(2, int(tree.lengths.max(initial=1)) + 1):
        nodes = np.flatnonzero(tree.lengths == depth)
        above = tree.parent[nodes]
        joins = tree.joins[nodes].astype(np.bool_)
        before[nodes] = np.where(joins, before[above], above)
        base = np.where(joins, last[above], -1).astype(np.int64)
        wanted = (base + 1) * (2 * n_items) + 2 * tree.item[nodes] + joins
        last[nodes] = order[np.searchsorted(ranked, wanted)]
    return before, last
