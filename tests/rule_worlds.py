"""Rules without the rule miner: one item on the right, from any tree of itemsets; and baskets made at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.rule_counts import ChosenRules
from basketry.core.protocols import Run

RUN = Run(seed=0, threads=1)


@dataclass(frozen=True)
class OneItemRules:
    """Every rule with one item on the right, and at most `max_antecedent` items on the left."""

    min_confidence: float = 0.0
    max_antecedent: int = 0

    def fit(self, mined, run):
        tree = mined.tree
        sets = []
        for above, item in zip(tree.parent.tolist(), tree.item.tolist(), strict=True):
            sets.append((sets[above] if above >= 0 else frozenset()) | {item})
        node = {each: i for i, each in enumerate(sets)}
        rows = [
            (node[each - {item}], node[frozenset([item])], whole)
            for whole, each in enumerate(sets)
            if 1 < len(each) <= (self.max_antecedent or len(each)) + 1
            for item in sorted(each)
            if tree.support[whole] >= self.min_confidence * tree.support[node[each - {item}]]
        ]
        columns = np.array(rows, dtype=np.int32).reshape(-1, 3).T
        return ChosenRules(mined, *(np.ascontiguousarray(column) for column in columns))


def packed(rows, n_items, customers=None, days=None):
    """Baskets from lists of codes."""
    each = np.arange(len(rows), dtype=np.int32)
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    items = np.array([item for row in rows for item in row], dtype=np.int32)
    as_int32 = [each if customers is None else np.asarray(customers), each * 0 if days is None else np.asarray(days)]
    return BasketMatrix(indptr, items, *(column.astype(np.int32) for column in as_int32), n_items)


def from_matrix(holds, customers=None, days=None):
    """Baskets from a boolean matrix [baskets, items]."""
    items = np.nonzero(holds)[1]
    each = np.arange(len(holds), dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum(holds.sum(axis=1))]).astype(np.int64)
    as_int32 = [each if customers is None else np.asarray(customers), each * 0 if days is None else np.asarray(days)]
    return BasketMatrix(indptr, items.astype(np.int32), *(column.astype(np.int32) for column in as_int32), holds.shape[1])
