"""What a release holds: its files, and the accounts that its manifest gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from basketry.core.errors import Busy

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.clusters import Groups
    from basketry.associations.graph import Graph
    from basketry.associations.mining.rulebook import FoundRules
    from basketry.associations.similarity import LearnedWeights
    from basketry.encoders.state import EncoderState
    from basketry.vectors.index import VectorIndex


@dataclass(frozen=True, eq=False)
class ReleaseFiles:
    """What a release is made of."""

    products: pl.DataFrame
    documents: pl.DataFrame
    index: VectorIndex
    encoder: EncoderState | None
    groups: tuple[Groups, Groups]
    graph: Graph
    rules: FoundRules | None
    min_customers: int

    def write(self, folder: Path) -> None:
        """Put everything into `folder`: Parquet and safetensors, nothing that runs."""
        import polars as pl

        from basketry.encoders.state import write_state
        from basketry.store.arrays import write_arrays

        together = self.graph.together
        bought = pl.Series("customers", together.customers_of)
        shown = bought.set(bought < self.min_customers, None)
        products = self.products.with_columns(shown, self.documents["text"], self.documents["document"])
        products.write_parquet(folder / "products.parquet")
        self.graph.associations.write_parquet(folder / "associations.parquet", row_group_size=20_000)
        self._clusters().write_parquet(folder / "clusters.parquet")
        whole = dict(self.index.state())
        write_arrays(folder / "vectors.safetensors", {"vectors": whole.pop("vectors")})
        if self.index.structure is not None:
            write_arrays(folder / "neighbours.safetensors", whole)
        if self.encoder is not None:
            write_state(folder, self.encoder)
        if self.graph.strength is not None:
            write_arrays(folder / "strength.safetensors", self.graph.strength.state())
        if self.graph.weights is not None:
            write_arrays(folder / "weights.safetensors", self.graph.weights.state())
        if self.rules is not None:
            self.rules.rules.write_parquet(folder / "rules.parquet")
            write_arrays(folder / "itemsets.safetensors", self.rules.itemsets.state())

    def account(self) -> dict[str, Any]:
        """How much there is of what, and what was left out."""
        graph, rules = self.graph, self.rules
        counted = {"edges": len(graph.associations), "texts": len(self.index), **graph.set_aside()}
        weights = {"weights": weights_account(graph.weights) if graph.weights else None}
        return counted | (rules.account() if rules else {}) | weights

    def text_metrics(self) -> list[dict[str, Any]]:
        """Rows of Metrics on what was made of texts alone, each beside its baseline."""
        import math

        n = len(self.index)
        measured = [("neighbour_recall", "exact search", 1.0), ("neighbour_recall", "search used", self.graph.recall)]
        recall = self.index.recall
        told: dict[str, Any] = {
            "metric": "neighbour_recall",
            "model": f"index {self.index.way()}",
            "slice": f"{recall.k} nearest",
        }
        told |= {"value": recall.value, "low": recall.low, "high": recall.high, "n": recall.queries}
        for each in self.groups:
            measured += [
                ("silhouette", each.method, each.silhouette),
                ("silhouette", f"{each.method} shuffled", each.silhouette_shuffled),
            ]
        rows = [told] if self.index.structure is not None else []
        return rows + [
            {"metric": name, "model": model, "slice": "texts", "value": value, "low": None, "high": None, "n": n}
            for name, model, value in measured
            if math.isfinite(value)
        ]

    def _clusters(self) -> pl.DataFrame:
        import polars as pl

        from basketry.core.tables import Clusters

        frames = []
        for found in self.groups:
            words = pl.Series([found.words[each] for each in found.cluster], dtype=pl.String)
            columns = {
                "product_id": self.products["product_id"].gather(found.product),
                "cluster": found.cluster,
                "words": words,
            }
            frames.append(pl.DataFrame(columns).with_columns(method=pl.lit(found.method)))
        return Clusters.validate(pl.concat(frames).select(Clusters.column_names()), cast=True)


def sources_account(shop: Shop, digest: str) -> list[dict[str, Any]]:
    """The account of every source the release rests on: rows, money, rules."""
    snapshot = shop.tables.snapshot()
    if snapshot.digest != digest:
        raise Busy("the tables changed while the release was built", "build again: the new tables are read then")
    told = ("table", "rows", "kept", "quarantined", "money", "money_kept", "money_netted", "money_quarantined", "notes")
    counted = ("rule", "verb", "broke", "took")  # no examples: what stands in a broken row is anybody's guess
    return [
        {name: source[name] for name in told}
        | {"counts": [{name: count[name] for name in counted} for count in source["counts"]]}
        for source in snapshot.sources
    ]


def weights_account(weights: LearnedWeights) -> dict[str, float | bool]:
    """How the learned weights did against the plain cosine."""
    figures = ("auc", "auc_cosine", "gain_low", "gain_high", "held_out", "wins")
    return {name: getattr(weights, name) for name in figures}
