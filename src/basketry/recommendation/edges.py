"""A table of edges as a ranker: what goes with, follows or is like what a history holds, as the association graph found it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.recommendation.item_graph import ItemGraph, rows_of
from basketry.recommendation.recency import Recency

if TYPE_CHECKING:
    import polars as pl

    from basketry.recommendation.facts import Facts


@dataclass(frozen=True)
class Edges:
    """B[i, j] = the greatest `measure` of the edges from i to j of one of `kinds`, without pairs whose verdict is in `without`.

    `kinds` and verdicts are those of the table Associations; so is `measure`, which must be 0 or more. An edge of null measure
    says nothing. Complements, not substitutes: `Edges(("bought_together",), without=("substitute",))`.
    """

    kinds: tuple[str, ...]
    without: tuple[str, ...] = ()
    measure: str = "strength"
    recency: Recency = field(default_factory=Recency)

    def fit(self, edges: pl.DataFrame, facts: Facts) -> ItemGraph:
        """Lay the edges between the products of `facts`; those of other products are left out.

        `edges` has product_id, other_id, kind, the measure, and verdict where `without` asks. Raises RequestError if not.
        """
        import polars as pl
        from scipy.sparse import csr_array

        wanted = ("product_id", "other_id", "kind", self.measure, *(("verdict",) if self.without else ()))
        missing = [column for column in wanted if column not in edges.columns]
        if missing:
            raise RequestError(f"the table of edges has no column {missing[0]}", f"it needs {', '.join(wanted)}")
        codes = pl.DataFrame({"id": facts.frame["product_id"].cast(pl.String), "code": np.arange(len(facts))})
        ids = edges.with_columns(pl.col("product_id", "other_id").cast(pl.String))
        shunned = ids.filter(pl.col("verdict").cast(pl.String).is_in(self.without)) if self.without else ids.clear()
        kept = (
            ids.filter(pl.col("kind").cast(pl.String).is_in(self.kinds), pl.col(self.measure) > 0)
            .join(shunned, on=["product_id", "other_id"], how="anti")
            .filter(pl.col("product_id") != pl.col("other_id"))
            .group_by("product_id", "other_id", maintain_order=True)
            .agg(pl.col(self.measure).max())
            .join(codes.rename({"code": "a"}), left_on="product_id", right_on="id")
            .join(codes.rename({"code": "b"}), left_on="other_id", right_on="id")
        )
        n = len(facts)
        at = (kept["a"].to_numpy(), kept["b"].to_numpy())
        return ItemGraph(rows_of(csr_array((kept[self.measure].to_numpy(), at), shape=(n, n))), self.recency)
