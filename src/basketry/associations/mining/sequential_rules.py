"""Sequential rules: those who bought all of X, in whatever order, later bought all of Y."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.order_effects import Int64s, OrderEffects
from basketry.associations.mining.sequence_database import SequenceDatabase, named_lists
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.counting import count_itemsets
from basketry.kernels.sequence_rows import Int32s
from basketry.kernels.sequential_rules import MAX_RULES, SEED, mine_sequential_rules
from basketry.kernels.trees import ItemsetTree

if TYPE_CHECKING:
    from basketry.core.protocols import Run


@dataclass(frozen=True)
class SequentialRules:
    """The estimator: its fields are the hyperparameters. The window is in the unit of the database's clock."""

    min_support: int | float = field(default=0.01, metadata={"doc": "a whole number counts sequences, a fraction is a share"})
    min_confidence: float = field(default=0.0, metadata={"doc": "least share of those with X that go on to Y"})
    window: int | None = field(default=None, metadata={"doc": "from the first item of X to the last of Y at most"})
    max_antecedent: int = field(default=3, metadata={"doc": "items of X at most"})
    max_consequent: int = field(default=3, metadata={"doc": "items of Y at most"})
    max_rules: int = field(default=MAX_RULES, metadata={"doc": "stop with an error rather than find more"})

    def __post_init__(self) -> None:
        for name, least in (("window", 0), ("max_antecedent", 1), ("max_consequent", 1), ("max_rules", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise RequestError(f"{name} is {value}", f"give a whole number from {least} up")
        if not 0 <= self.min_confidence <= 1:
            raise RequestError(f"min_confidence is {self.min_confidence}", "a confidence lies in [0, 1]")

    def fit(self, database: SequenceDatabase, run: Run) -> MinedSequentialRules:
        """Find the rules that hold forwards often enough, and test each against reversed time.

        See basketry.kernels.sequential_rules for when a sequence holds a rule, and OrderEffects for the test.
        """
        count = min_count(self.min_support, len(database))
        with span("mining sequential rules", total=2, unit="steps") as progress:
            tree = mine_sequential_rules(
                database.rows,
                min_count=count,
                window=self.window,
                max_antecedent=self.max_antecedent,
                max_consequent=self.max_consequent,
                max_rules=self.max_rules,
            )
            progress.advance()
            parent, item, before, after = tree.sides()
            sides = ItemsetTree(parent, item, np.ones_like(parent))
            holders = count_itemsets(*database.holders(), sides, threads=run.threads)
            progress.advance()
        sides = ItemsetTree(parent, item, holders)
        rule = tree.side != SEED
        tested = int(rule.sum())
        forward = tree.ways.forward
        kept = np.flatnonzero(rule & (forward >= count))
        kept = kept[forward[kept] >= self.min_confidence * holders[before[kept]]]
        order = OrderEffects.of(tree.ways, kept, tested)
        return MinedSequentialRules(sides, before[kept], after[kept], order, database.names, len(database))


@dataclass(frozen=True, eq=False)
class MinedSequentialRules:
    """Rules as two nodes each of a tree of itemsets, which counts the sequences that hold X, or Y, anywhere."""

    sides: ItemsetTree
    antecedent: Int32s
    consequent: Int32s
    order: OrderEffects
    names: pl.Series
    n_sequences: int

    def __len__(self) -> int:
        return len(self.antecedent)

    def counts(self) -> tuple[Int64s, Int64s, Int64s]:
        """Sequences that hold X before Y, X, and Y; int64 [m]."""
        support = self.sides.support.astype(np.int64)
        return self.order.forward, support[self.antecedent], support[self.consequent]

    def take(self, chosen: npt.NDArray[np.generic]) -> MinedSequentialRules:
        """The rules `chosen`, by index or mask."""
        antecedent, consequent = self.antecedent[chosen], self.consequent[chosen]
        return MinedSequentialRules(self.sides, antecedent, consequent, self.order.take(chosen), self.names, self.n_sequences)

    def published(self, floor: int) -> MinedSequentialRules:
        """Those whose counts are of no group smaller than `floor`: of neither way, nor of X or Y without the other."""
        n_xy, n_x, n_y = self.counts()
        back, both = self.order.backward, self.order.both
        groups = (n_xy, back, both, n_xy - both, back - both, n_x - n_xy, n_y - n_xy)
        small = np.any([(group > 0) & (group < floor) for group in groups], axis=0) if len(self) else np.zeros(0, dtype=bool)
        return self.take(~small)

    def frame(self, fdr: float = 0.05) -> pl.DataFrame:
        """One row a rule, the surest order first.

        `antecedent`, `consequent` (lists of names), `sequences` (that hold X before Y), `support`, `confidence` (of those that
        hold X anywhere), `lift` (confidence over the share of sequences with Y), `backward` (sequences that hold Y before X),
        `order_ratio`, `p`, `q`, and `follows`: q at most `fdr`, the only rows that may be told as "bought next".
        """
        n_xy, n_x, n_y = self.counts()
        n = max(self.n_sequences, 1)
        confidence = n_xy / np.maximum(n_x, 1)
        columns = {"antecedent": self._named(self.antecedent), "consequent": self._named(self.consequent)}
        return with_order(columns, n_xy, n, (confidence, confidence * (n / np.maximum(n_y, 1))), self.order, fdr)

    def _named(self, nodes: Int32s) -> pl.Series:
        indptr, items = self.sides.flatten(nodes)
        return named_lists(self.names, items, indptr)


def with_order(
    columns: dict[str, pl.Series],
    count: Int64s,
    n: int,
    measures: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    order: OrderEffects,
    fdr: float,
) -> pl.DataFrame:
    """Rules of any sort with their measures and their placebo, the surest first."""
    figures = {
        "sequences": count,
        "support": count / n,
        "confidence": measures[0],
        "lift": measures[1],
        "backward": order.backward,
        "order_ratio": order.ratio,
        "p": order.p,
        "q": order.q,
        "follows": order.q <= fdr,
    }
    table = pl.DataFrame(columns | {name: pl.Series(values) for name, values in figures.items()})
    return table.sort("p", "sequences", descending=[False, True], maintain_order=True)
