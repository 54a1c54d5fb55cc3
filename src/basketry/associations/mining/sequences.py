"""Frequent sequential patterns: what customers buy, and what they buy after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.sequence_database import SequenceDatabase, named_lists
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.sequence_rows import Int32s, Limits, SequenceTree
from basketry.kernels.sequences import (
    MAX_PATTERNS,
    SEQUENCE_KINDS,
    SequenceKind,
    count_sequences,
    covered_sequences,
    mine_sequences,
    near_sequences,
    only_sequences,
)

if TYPE_CHECKING:
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class Sequences:
    """The estimator: its fields are the hyperparameters. Gaps and the window are in the unit of the database's clock."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts sequences, a fraction is a share"})
    kind: SequenceKind = field(default="all", metadata={"doc": "all, closed or maximal"})
    limits: Limits = field(default=Limits(), metadata={"doc": "gaps, window, greatest length"})
    max_patterns: int = field(default=MAX_PATTERNS, metadata={"doc": "stop with an error rather than find more"})

    def __post_init__(self) -> None:
        if self.kind not in SEQUENCE_KINDS:
            raise RequestError(f"kind {self.kind!r} is not known", f"choose one of {', '.join(SEQUENCE_KINDS)}")
        if self.max_patterns < 1:
            raise RequestError(f"max_patterns is {self.max_patterns}", "give a whole number from 1 up")

    def fit(self, database: SequenceDatabase, run: Run) -> MinedSequences:  # noqa: ARG002  # one thread, no chance
        """Mine them: see basketry.kernels.sequences for what is counted, and how."""
        count = min_count(self.min_support, len(database))
        with span("mining sequences", total=1, unit="searches") as progress:
            tree = mine_sequences(
                database.rows, min_count=count, kind=self.kind, limits=self.limits, max_patterns=self.max_patterns
            )
            progress.advance()
        return MinedSequences(tree, database.names, len(database), count, self.limits)


@dataclass(frozen=True, eq=False)
class MinedSequences:
    """Patterns with their supports: a tree of codes, and the names behind the codes. `len` is how many there are."""

    tree: SequenceTree
    names: pl.Series
    n_sequences: int
    min_count: int
    limits: Limits

    def __len__(self) -> int:
        return len(self.tree)

    def named(self, nodes: Int32s) -> pl.Series:
        """The patterns of `nodes` as a column of lists (elements, in time) of lists (names, in the order of their codes)."""
        starts, elements, items = self.tree.flatten(nodes)
        return named_lists(self.names, items, elements, starts).alias("sequence")

    def frame(self, nodes: Int32s | None = None) -> pl.DataFrame:
        """One row a pattern: `sequence`, `length` (items), `sequences` (count) and `support` (share of all sequences)."""
        nodes = self.tree.members if nodes is None else nodes
        count = pl.Series("sequences", self.tree.support[nodes])
        return pl.DataFrame(
            {
                "sequence": self.named(nodes),
                "length": self.tree.lengths[nodes],
                "sequences": count,
                "support": count / max(self.n_sequences, 1),
            }
        )

    def published(self, floor: int, kind: SequenceKind = "all") -> MinedSequences:
        """Those of `kind` that stand in at least `floor` sequences, whose counts tell, two and two, of no smaller group either.

        These must be all. Each sequence is one customer. See basketry.kernels.sequences.near_sequences for the rule.
        """
        near = near_sequences(self.tree, floor, limits=self.limits)
        covered = covered_sequences(self.tree, kind, limits=self.limits)
        tree = only_sequences(self.tree, ~near & ~covered & (self.tree.support >= floor))
        return MinedSequences(tree, self.names, self.n_sequences, self.min_count, self.limits)

    def recounted(self, database: SequenceDatabase) -> Int32s:
        """Sequences of another database, under the same codes, that hold each node of the tree; int32 [m]."""
        if not database.names.equals(self.names):
            raise RequestError("the databases do not share their codes", "make both from one catalogue")
        return count_sequences(database.rows, self.tree, limits=self.limits)
