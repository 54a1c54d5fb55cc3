"""Clusters: groups of products whose texts mean alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


@dataclass(frozen=True)
class ClustersRequest:
    """Which groups to show."""

    method: str = field(default="kmeans", metadata={"help": "How they were found: kmeans or hierarchical."})
    cluster: int = field(default=-1, metadata={"help": "Number of one group, to list its products; default: all groups."})
    k: int = field(default=20, metadata={"help": "How many rows at most."})


@dataclass(frozen=True)
class ClustersResult:
    """Groups with their words, or the products of one group."""

    release: str
    rows: pl.DataFrame
    notes: tuple[str, ...]


def clusters(shop: Shop, request: ClustersRequest) -> ClustersResult:
    """List groups of products that mean alike, each by its most telling words, largest first."""
    import polars as pl

    from basketry.app.associations import checked
    from basketry.core.errors import NotFound

    graph = shop.graph()
    method = checked(request.method, ("kmeans", "hierarchical"), "method")
    chosen = graph.clusters.filter(pl.col("method") == method)
    measured = {row["model"]: row["value"] for row in graph.release.manifest.metrics if row["metric"] == "silhouette"}
    pairs = ((measured.get(method), measured.get(f"{method} shuffled")),)
    notes = tuple(f"silhouette {ours:.3f}, with groups dealt out at random {luck:.3f}" for ours, luck in pairs if ours and luck)
    if request.cluster < 0:
        sizes = chosen.group_by("cluster", "words").len("products").sort("products", "cluster", descending=[True, False])
        return ClustersResult(graph.release.id, sizes.head(max(request.k, 0)), notes)
    members = chosen.filter(pl.col("cluster") == request.cluster)
    if members.is_empty():
        raise NotFound(f"there is no group {request.cluster} by {method}", "list them with: basketry clusters")
    rows = members.join(graph.products, on="product_id").sort("customers", descending=True, nulls_last=True)
    columns = ("product_id", "title", "category", "customers")
    return ClustersResult(
        graph.release.id, rows.select(columns).head(max(request.k, 0)), (f"words: {members['words'][0]}", *notes)
    )
