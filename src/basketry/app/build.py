"""Build: from committed tables to a published release of the association graph."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from basketry.app.encoders import HELP as ENCODERS
from basketry.app.engines import HELP

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.release_files import ReleaseFiles
    from basketry.app.shop import Shop
    from basketry.associations.clusters import Groups
    from basketry.associations.graph import AssociationGraph, Graph
    from basketry.associations.lookahead import Catalogue
    from basketry.associations.mining.rulebook import FoundRules, RuleBook
    from basketry.core.protocols import Encoder, Run, Vectors
    from basketry.data.dataset import Dataset
    from basketry.vectors.index import VectorIndex


NO_RULES: Final = "none"
RANGES: Final[dict[str, tuple[float, float]]] = {
    "neighbours": (1, 1000),
    "theta": (-1, 1),
    "exact_up_to": (0, 10**9),
    "min_customers": (1, 10**9),
    "horizon_days": (1, 3650),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True)
class BuildRequest:
    """What to build, and how."""

    as_of: str = field(default="", metadata={"help": "Knowledge cut, ISO 8601 with zone; default: after the last order line."})
    encoder: str = field(default="universal", metadata={"local": True, "help": ENCODERS})
    metric: str = field(default="cosine", metadata={"help": "Similarity of texts: cosine, euclidean, or weighted (learned)."})
    neighbours: int = field(default=10, metadata={"help": "Similar products kept for each product."})
    theta: float = field(default=0.5, metadata={"help": "Least similarity of a similar edge."})
    exact_up_to: int = field(
        default=50_000,
        metadata={"help": "Distinct texts up to which all are compared; beyond, an index finds nearly all that are near."},
    )
    min_customers: int = field(default=20, metadata={"help": "Distinct customers an edge needs; also the privacy floor."})
    horizon_days: int = field(
        default=42, metadata={"help": "How far ahead strength looks, and how long the hold-out is, in days."}
    )
    rule_support: str = field(
        default="0.0001",
        metadata={"help": "Least baskets of a rule: a count, or a share; never below min_customers. none: no rules."},
    )
    engine: str = field(default="", metadata={"local": True, "help": HELP})
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

    from basketry.app.encoders import shop_encoder
    from basketry.app.release_files import ReleaseFiles, sources_account
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Cluster, Run
    from basketry.core.tables import Documents, Products
    from basketry.core.telemetry import span
    from basketry.encoders.cache import CachedEncoder
    from basketry.vectors.indexing import VectorIndexing

    estimator, book = _estimator(request), _rule_book(request)
    with (
        shop.releases.stage() as staging,
        shop.dataset(engine=request.engine) as everything,
        span("build", total=5, unit="steps") as progress,
    ):
        cluster = everything.engine if isinstance(everything.engine, Cluster) else None
        run = Run(seed=request.seed, threads=shop.settings.threads, cluster=cluster)
        dataset, facts = _known(everything, request)
        products = dataset.table(Products).sort("product_id")
        documents = dataset.query(Documents, "documents")
        plain, state = shop_encoder(shop, request.encoder, run)
        encoder = CachedEncoder(plain, shop.folder / "cache" / "vectors")
        texts, vectors, document = _encoded(documents, encoder)
        progress.advance()
        groups = _grouped(vectors, texts, document, run)
        progress.advance()
        index = VectorIndexing(exact_up_to=request.exact_up_to, k=request.neighbours).fit(vectors, run)
        catalogue = _catalogue(products, index, document, groups[0])
        graph = estimator.fit(dataset, products["product_id"], catalogue, run)
        progress.advance()
        rules = book.fit(Transactions(graph.baskets, products["product_id"].alias("item")), run) if book else None
        progress.advance()
        numbered = documents.with_columns(document=pl.Series(document))
        files = ReleaseFiles(
            _told(products, dataset, shop.settings.timezone),
            numbered,
            index,
            state,
            groups,
            graph,
            rules,
            request.min_customers,
        )
        facts |= files.account() | {"encoder": encoder.name, "sources": sources_account(shop, dataset.digest)}
        fitted = {"graph": estimator, "index": index.indexing, "rules": book}
        release = _publish(shop, staging, dataset, fitted, request, facts, files)
        progress.advance()
        progress.note(edges=len(graph.associations))
    counts = graph.associations.group_by("kind", "verdict").len("edges").sort("kind", "verdict")
    notes = (*_notes(graph, estimator), *(_rule_notes(rules) if rules else ()))
    return BuildResult(release, dataset.as_of, counts, _hold_out(graph.metrics), notes)


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
    for name, (least, most) in RANGES.items():
        if not least <= getattr(request, name) <= most:
            raise RequestError(f"{name} is {getattr(request, name)}", f"give a number from {least} to {most}")
    return AssociationGraph(
        together=BoughtTogether(min_customers=request.min_customers),
        next=BoughtNext(min_customers=request.min_customers),
        similar=Similar(request.neighbours, request.theta, metric, approximate_above=request.exact_up_to),
        lookahead=Lookahead(Strength(horizon_days=request.horizon_days)),
    )


def _rule_book(request: BuildRequest) -> RuleBook | None:
    """The estimator of the release's rules; None where there shall be none."""
    from basketry.app.mine import read_support
    from basketry.associations.mining.itemsets import min_count
    from basketry.associations.mining.rulebook import RuleBook

    if request.rule_support == NO_RULES:
        return None
    support = read_support(request.rule_support, "rule_support")
    min_count(support, 1)  # refuses what is no support before minutes of work
    return RuleBook(min_customers=request.min_customers, min_support=support)


def _known(everything: Dataset, request: BuildRequest) -> tuple[Dataset, dict[str, Any]]:
    """The dataset cut at the instant asked for, or just after the last line; and how much it holds."""
    from basketry.app.instants import instant
    from basketry.core.errors import DataError
    from basketry.core.tables import Coverage

    asked = instant(request.as_of)
    cut = everything if asked is None else everything.before(asked)
    row = cut.query(Coverage, "coverage").row(0, named=True)
    if not row["lines"]:
        raise DataError(f"no order line is known before {cut.as_of.isoformat()}", "ingest order lines, or choose a later as_of")
    after = row.pop("last_ts") + dt.timedelta(microseconds=1)
    few = row["customers"] < request.min_customers or row["orders"] < request.min_customers
    facts = {name: str(value) if name.endswith("day") else value for name, value in row.items()}
    return cut.before(min(after, cut.as_of)), facts | ({"customers": None, "orders": None} if few else {})


def _told(products: pl.DataFrame, dataset: Dataset, timezone: str) -> pl.DataFrame:
    """The catalogue with what the dataset knows of prices, stock and promotions; a column of nothing known is left out."""
    from zoneinfo import ZoneInfo

    import polars as pl

    from basketry.core.tables import ProductFacts

    today = (dataset.as_of - dt.timedelta(microseconds=1)).astimezone(ZoneInfo(timezone)).date()
    facts = dataset.query(ProductFacts, "product_facts", {"today": today.isoformat()})
    known = [name for name in facts.columns if name == "promoted" or facts[name].null_count() < len(facts)]
    numbers = facts.select(known).cast({name: pl.Float64 for name in known if facts.schema[name].is_decimal()})
    return products.join(numbers, on="product_id", how="left", maintain_order="left")


def _encoded(documents: pl.DataFrame, encoder: Encoder) -> tuple[list[str], Vectors, npt.NDArray[np.int32]]:
    """Distinct texts, their vectors, and for each product the number of its text (-1 for none)."""
    import numpy as np
    import polars as pl

    from basketry.encoders.documents import readable

    found = documents["text"].drop_nulls().unique().sort()
    texts = found.filter(pl.Series([readable(text) for text in found], dtype=pl.Boolean))
    vectors = encoder.encode(texts.to_list()) if len(texts) else np.empty((0, encoder.dim), dtype=np.float32)
    numbered = texts.to_frame().with_row_index("document")
    joined = documents.join(numbered, on="text", how="left", maintain_order="left")
    return texts.to_list(), vectors, joined["document"].cast(pl.Int32).fill_null(-1).to_numpy()


def _grouped(vectors: Vectors, texts: list[str], document: npt.NDArray[np.int32], run: Run) -> tuple[Groups, Groups]:
    """Groups of products by both methods."""
    from basketry.associations.clusters import Grouping

    kmeans, ward = (Grouping(method).fit(vectors, texts, document, run) for method in ("kmeans", "hierarchical"))
    return kmeans, ward


def _catalogue(products: pl.DataFrame, index: VectorIndex, document: npt.NDArray[np.int32], groups: Groups) -> Catalogue:
    """Categories and groups as codes."""
    import numpy as np
    import polars as pl

    from basketry.associations.lookahead import Catalogue

    def coded(column: str) -> npt.NDArray[np.int32]:
        ranks = products.select(pl.col(column).rank("dense").cast(pl.Int32) - 1)
        return ranks.to_series().fill_null(-1).to_numpy()

    text_group = np.full(len(document), -1, dtype=np.int32)
    text_group[groups.product] = groups.cluster
    return Catalogue(index.vectors, document, coded("category"), coded("subcategory"), text_group, index)


def _publish(
    shop: Shop,
    staging: Path,
    dataset: Dataset,
    fitted: dict[str, Any],
    request: BuildRequest,
    facts: dict[str, Any],
    files: ReleaseFiles,
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
        fitted={name: dataclasses.asdict(each) if each else None for name, each in fitted.items()}
        | {"encoder": request.encoder},
        seeds={"run": request.seed},
        metrics=(*files.graph.metrics.to_dicts(), *files.text_metrics()),
        facts=json.loads(json.dumps(facts)),
    )
    files.write(staging)
    return shop.releases.publish(staging, manifest).id


def _hold_out(metrics: pl.DataFrame) -> pl.DataFrame:
    """The figures a person asks for first: how each model ranks the pairs of the hold-out, slice by slice."""
    import polars as pl

    return metrics.filter(pl.col("metric").is_in(["auc", "log_loss"])).sort(
        "slice", "metric", "value", descending=[False, False, True]
    )


def _notes(graph: Graph, estimator: AssociationGraph) -> tuple[str, ...]:
    """What a person should know before trusting it."""
    import polars as pl

    notes = [f"{count:,} {what.replace('_', ' ')}" for what, count in graph.set_aside().items() if count]
    if graph.strength is None:
        need = 4 * estimator.lookahead.strength.horizon_days
        notes.append(f"the history is shorter than {need} days, so strength was not fitted: choose a smaller horizon_days")
    gains = graph.metrics.filter((pl.col("metric") == "log_loss_gain") & pl.col("low").is_not_null())
    for row in gains.iter_rows(named=True):
        if row["low"] <= 0:
            claim = "is no better than" if row["high"] > 0 else "is worse than"
            notes.append(f"on slice {row['slice']}, fused {claim} {row['model'].removeprefix('fused over ')} (log loss)")
    if graph.weights is not None and not graph.weights.wins:
        notes.append("the learned weights did not beat the plain cosine on held-out pairs, so the cosine is used")
    return tuple(notes)


def _rule_notes(found: FoundRules) -> tuple[str, ...]:
    """What became of the rules that are not there."""
    notes = []
    if found.withheld:
        notes.append(f"{found.withheld:,} itemsets withheld because they would tell of few customers")
    if found.over_cap:
        notes.append(f"{found.over_cap:,} rules left out, being less sure than the {len(found.rules):,} published")
    if found.rules.is_empty():
        notes.append("no rule was found: too few baskets, or nothing that customers buy together more than by chance")
    return tuple(notes)
