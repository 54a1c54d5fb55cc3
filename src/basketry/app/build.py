"""Build: from committed tables to a published release of the association graph."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from basketry.core.errors import Busy

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.clusters import Groups
    from basketry.associations.graph import AssociationGraph, Graph
    from basketry.associations.lookahead import Catalogue
    from basketry.associations.similarity import LearnedWeights
    from basketry.core.protocols import Run, Vectors
    from basketry.data.dataset import Dataset


@dataclass(frozen=True)
class BuildRequest:
    """What to build, and how."""

    as_of: str = field(default="", metadata={"help": "Knowledge cut, ISO 8601 with zone; default: after the last order line."})
    encoder: str = field(default="universal", metadata={"help": "universal, onnx:FOLDER, or sentence:FOLDER_OR_NAME."})
    metric: str = field(default="cosine", metadata={"help": "Similarity of texts: cosine, euclidean, or weighted (learned)."})
    neighbours: int = field(default=10, metadata={"help": "Similar products kept for each product."})
    theta: float = field(default=0.5, metadata={"help": "Least similarity of a similar edge."})
    min_customers: int = field(default=20, metadata={"help": "Distinct customers an edge needs; also the privacy floor."})
    horizon_days: int = field(
        default=42, metadata={"help": "How far ahead strength looks, and how long the hold-out is, in days."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of every random draw: the same seed gives the same release."})


@dataclass(frozen=True)
class BuildResult:
    """What was published, and how well it foretells."""

    release: str
    as_of: dt.datetime
    edges: pl.DataFrame
    hold_out: pl.DataFrame
    notes: tuple[str, ...]


def build(shop: Shop, request: BuildRequest) -> BuildResult:
    """Find, test, fuse and judge the associations of everything ingested, and publish them as a release."""
    import polars as pl

    from basketry.core.protocols import Run
    from basketry.core.tables import Documents, Products
    from basketry.core.telemetry import span

    run = Run(seed=request.seed, threads=shop.settings.threads)
    estimator = _estimator(request)
    with shop.dataset() as everything, span("build", total=4, unit="steps") as progress:
        dataset, facts = _known(everything, request)
        products = dataset.table(Products).sort("product_id")
        documents = dataset.query(Documents, "documents")
        texts, vectors, document = _encoded(documents, shop.folder / "cache" / "vectors", request.encoder, run)
        progress.advance()
        groups = _grouped(vectors, texts, document, run)
        progress.advance()
        catalogue = _catalogue(products, vectors, document, groups[0])
        graph = estimator.fit(dataset, products["product_id"], catalogue, run)
        progress.advance()
        facts |= {
            "edges": len(graph.associations),
            "texts": len(texts),
        }
        facts |= {"weights": _fared(graph.weights) if graph.weights else None}
        facts |= {"sources": _sources(shop, dataset.digest)}
        files = _Files(
            products, documents.with_columns(document=pl.Series(document)), vectors, groups, graph, request.min_customers
        )
        release = _publish(shop, dataset, estimator, request, facts, files)
        progress.advance()
        progress.note(edges=len(graph.associations))
    counts = graph.associations.group_by("kind", "verdict").len("edges").sort("kind", "verdict")
    return BuildResult(release, dataset.as_of, counts, _hold_out(graph.metrics), _notes(graph, estimator))


def _estimator(request: BuildRequest) -> AssociationGraph:
    """The estimator with the request's hyperparameters."""
    from basketry.associations.behaviour import BoughtNext, BoughtTogether
    from basketry.associations.graph import AssociationGraph
    from basketry.associations.lookahead import Lookahead
    from basketry.associations.semantic import Similar
    from basketry.associations.similarity import METRICS
    from basketry.associations.strength import Strength
    from basketry.core.errors import RequestError

    metric = next((each for each in METRICS if each == request.metric), None)
    if metric is None:
        raise RequestError(f"no metric is called {request.metric!r}", f"use one of {', '.join(METRICS)}")
    if request.min_customers < 1 or request.neighbours < 1 or request.horizon_days < 1:
        raise RequestError("min_customers, neighbours and horizon_days start at 1", "give larger numbers")
    return AssociationGraph(
        together=BoughtTogether(min_customers=request.min_customers),
        next=BoughtNext(min_customers=request.min_customers),
        similar=Similar(k=request.neighbours, theta=request.theta, metric=metric),
        lookahead=Lookahead(Strength(horizon_days=request.horizon_days)),
    )


def _known(everything: Dataset, request: BuildRequest) -> tuple[Dataset, dict[str, Any]]:
    """The dataset cut at the instant asked for, or just after the last line; and how much it holds."""
    from basketry.core.errors import DataError, RequestError
    from basketry.core.tables import Coverage

    cut = everything
    if request.as_of:
        try:
            cut = everything.before(dt.datetime.fromisoformat(request.as_of))
        except ValueError as error:
            raise RequestError(f"as_of {request.as_of!r} is not an instant", "write 2017-10-01T00:00:00Z") from error
    row = cut.query(Coverage, "coverage").row(0, named=True)
    if not row["lines"]:
        raise DataError(f"no order line is known before {cut.as_of.isoformat()}", "ingest order lines, or choose a later as_of")
    after = row.pop("last_ts") + dt.timedelta(microseconds=1)
    return cut.before(min(after, cut.as_of)), {
        name: str(value) if name.endswith("day") else value for name, value in row.items()
    }


def _encoded(documents: pl.DataFrame, cache: Path, encoder: str, run: Run) -> tuple[list[str], Vectors, npt.NDArray[np.int32]]:
    """Distinct texts, their vectors, and for each product the number of its text (-1 for none)."""
    import numpy as np
    import polars as pl

    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.registry import load_encoder

    texts = documents["text"].drop_nulls().unique().sort()
    known = CachedEncoder(load_encoder(encoder, run), cache)
    vectors = known.encode(texts.to_list()) if len(texts) else np.empty((0, known.dim), dtype=np.float32)
    numbered = texts.to_frame().with_row_index("document")
    joined = documents.join(numbered, on="text", how="left", maintain_order="left")
    return texts.to_list(), vectors, joined["document"].cast(pl.Int32).fill_null(-1).to_numpy()


def _grouped(vectors: Vectors, texts: list[str], document: npt.NDArray[np.int32], run: Run) -> tuple[Groups, Groups]:
    """Groups of products by both methods."""
    from basketry.associations.clusters import Grouping

    kmeans, ward = (Grouping(method).fit(vectors, texts, document, run) for method in ("kmeans", "hierarchical"))
    return kmeans, ward


def _catalogue(products: pl.DataFrame, vectors: Vectors, document: npt.NDArray[np.int32], groups: Groups) -> Catalogue:
    """Categories and groups as codes."""
    import numpy as np
    import polars as pl

    from basketry.associations.lookahead import Catalogue

    def coded(column: str) -> npt.NDArray[np.int32]:
        ranks = products.select(pl.col(column).rank("dense").cast(pl.Int32) - 1)
        return ranks.to_series().fill_null(-1).to_numpy()

    text_group = np.full(len(document), -1, dtype=np.int32)
    text_group[groups.product] = groups.cluster
    return Catalogue(vectors, document, coded("category"), coded("subcategory"), text_group)


@dataclass(frozen=True, eq=False)
class _Files:
    """What a release is made of."""

    products: pl.DataFrame
    documents: pl.DataFrame
    vectors: Vectors
    groups: tuple[Groups, Groups]
    graph: Graph
    min_customers: int

    def write(self, folder: Path) -> None:
        """Put everything into `folder`: Parquet and safetensors, nothing that runs."""
        import polars as pl

        from basketry.store.arrays import write_arrays

        together = self.graph.together
        bought = pl.Series("customers", together.customers_of)
        shown = bought.set(bought < self.min_customers, None)
        products = self.products.with_columns(shown, self.documents["text"], self.documents["document"])
        products.write_parquet(folder / "products.parquet")
        self.graph.associations.write_parquet(folder / "associations.parquet", row_group_size=20_000)
        self._clusters().write_parquet(folder / "clusters.parquet")
        write_arrays(folder / "vectors.safetensors", {"vectors": self.vectors})
        if self.graph.strength is not None:
            write_arrays(folder / "strength.safetensors", self.graph.strength.state())

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


def _publish(
    shop: Shop, dataset: Dataset, estimator: AssociationGraph, request: BuildRequest, facts: dict[str, Any], files: _Files
) -> str:
    """Write aside, seal, publish."""
    from importlib.metadata import version

    from basketry.store.manifest import Manifest, new_release_id

    manifest = Manifest(
        id=new_release_id(),
        data_digest=dataset.digest,
        as_of=dataset.as_of,
        created=dt.datetime.now(dt.UTC),
        version=version("basketry"),
        fitted={"graph": dataclasses.asdict(estimator), "encoder": request.encoder},
        seeds={"run": request.seed},
        metrics=(*files.graph.metrics.to_dicts(), *_text_metrics(files)),
        facts=json.loads(json.dumps(facts)),
    )
    with shop.releases.stage() as staging:
        files.write(staging)
        return shop.releases.publish(staging, manifest).id


def _text_metrics(files: _Files) -> list[dict[str, Any]]:
    """Rows of Metrics on what was made of texts alone, each beside its baseline."""
    import math

    n = len(files.vectors)
    measured = [("neighbour_recall", "exact search", 1.0), ("neighbour_recall", "search used", files.graph.recall)]
    for each in files.groups:
        measured += [
            ("silhouette", each.method, each.silhouette),
            ("silhouette", f"{each.method} shuffled", each.silhouette_shuffled),
        ]
    return [
        {"metric": name, "model": model, "slice": "texts", "value": value, "low": None, "high": None, "n": n}
        for name, model, value in measured
        if math.isfinite(value)
    ]


def _sources(shop: Shop, digest: str) -> list[dict[str, Any]]:
    """The account of every source the release rests on: rows, money, rules."""
    snapshot = shop.tables.snapshot()
    if snapshot.digest != digest:
        raise Busy("the tables changed while the release was built", "build again: the new tables are read then")
    hidden = ("signature", "parts")
    return [{name: value for name, value in source.items() if name not in hidden} for source in snapshot.sources]


def _fared(weights: LearnedWeights) -> dict[str, float | bool]:
    """How the learned weights did against the plain cosine."""
    figures = ("auc", "auc_cosine", "gain_low", "gain_high", "held_out", "wins")
    return {name: getattr(weights, name) for name in figures}


def _hold_out(metrics: pl.DataFrame) -> pl.DataFrame:
    """The figures a person asks for first: how each model ranks the pairs of the hold-out, slice by slice."""
    import polars as pl

    return metrics.filter(pl.col("metric").is_in(["auc", "log_loss"])).sort(
        "slice", "metric", "value", descending=[False, False, True]
    )


def _notes(graph: Graph, estimator: AssociationGraph) -> tuple[str, ...]:
    """What a person should know before trusting it."""
    import polars as pl

    if graph.strength is None:
        need = 4 * estimator.lookahead.strength.horizon_days
        return (f"the history is shorter than {need} days, so strength was not fitted: choose a smaller horizon_days",)
    gains = graph.metrics.filter((pl.col("metric") == "log_loss_gain") & pl.col("low").is_not_null())
    notes = []
    for row in gains.iter_rows(named=True):
        if row["low"] <= 0:
            claim = "is no better than" if row["high"] > 0 else "is worse than"
            notes.append(f"on slice {row['slice']}, fused {claim} {row['model'].removeprefix('fused over ')} (log loss)")
    if graph.weights is not None and not graph.weights.wins:
        notes.append("the learned weights did not beat the plain cosine on held-out pairs, so the cosine is used")
    return tuple(notes)
