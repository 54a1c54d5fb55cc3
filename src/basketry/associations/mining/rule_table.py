"""Mined rules as rows of the contract Rules: every count, measure and test that a reader of a rule asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from basketry.associations.mining.contributions import MOST_ITEMS, contributions
from basketry.associations.significance import pair_p_values
from basketry.core.tables import Rules as Contract

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.associations.contingency import Counts, Floats
    from basketry.associations.mining.rules import MinedRules

_MEASURED: Final = ("support", "confidence", "lift", "leverage", "conviction", "improvement")


def rule_table(rules: MinedRules, p: Floats, q: Floats, customers: Counts | None = None) -> dy.DataFrame[Contract]:
    """One row a rule, in the order of `rules`; whole-number names become text.

    `p` [r] of the test, and `q` [r] as it was worked out among all rules tested; `customers` [r] the distinct customers behind
    each, None where nobody knows. Contributions are worked out for
    antecedents up to MOST_ITEMS products and null beyond. Raises RequestError where the itemsets lack a subset.
    """
    antecedent, consequent = (side.cast(pl.List(pl.String)) for side in rules.named())
    n_xy, n_x, n_y = rules.counts()
    columns = {
        "antecedent": antecedent,
        "consequent": consequent,
        "baskets": n_xy,
        "customers": customers,
        "antecedent_baskets": n_x,
        "consequent_baskets": n_y,
        **rules.measures(_MEASURED),
        "p": p,
        "q": q,
        "contribution": _contributions(rules),
    }
    frame = pl.DataFrame({name: columns[name] for name in Contract.column_names()}, schema_overrides={"customers": pl.Int64})
    return Contract.validate(frame, cast=True)


def customer_p_values(rules: MinedRules, customers: Counts) -> Floats:
    """The exact test of each rule with its counts deflated to distinct customers, as edges of the graph are tested.

    A household that buys the same basket every week is no fresh evidence each time: see `pair_p_values`.
    """
    n_xy, n_x, n_y = rules.counts()
    return pair_p_values(n_xy, customers, n_x, n_y, rules.n_baskets)


def _contributions(rules: MinedRules) -> pl.Series:
    """What each product of X adds to the log lift, a list a rule; null for a longer X than is worked out."""
    short = np.flatnonzero(rules.itemsets.tree.lengths[rules.antecedent] <= MOST_ITEMS)
    parts = contributions(rules.itemsets, rules.antecedent[short], rules.consequent[short]).lists()
    place = pl.DataFrame({"rule": short, "contribution": parts.cast(pl.List(pl.Float64))})
    every = pl.DataFrame({"rule": np.arange(len(rules))})
    return every.join(place, on="rule", how="left", maintain_order="left")["contribution"]
