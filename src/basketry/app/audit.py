"""Audit: who is shown and who is served well, by the published recommenders, on the weeks of their exam."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from basketry.app.engines import HELP

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.protocols import Ranker
    from basketry.recommendation.fairness import Audit, Groups
    from basketry.recommendation.protocols import Split


@dataclass(frozen=True)
class AuditRequest:
    """By which groups, and what would be bounded."""

    by: str = field(
        default="brand,price_band,activity",
        metadata={
            "help": "Groups, apart by commas: columns of texts of products, as brand or category; price_band; activity (of "
            "customers).",
            "argument": True,
        },
    )
    new: bool = field(default=False, metadata={"help": "Ask only for products that the customer has not bought before."})
    k: int = field(default=10, metadata={"help": "Places of a list."})
    groups: int = field(default=10, metadata={"help": "Groups of a kind at most, the greatest; the rest is one group."})
    bound_gap: float = field(
        default=0.0,
        metadata={"help": "Say what it costs to hold each group's exposure within this of its sales, as 0.01; 0: do not."},
    )
    min_customers: int = field(default=20, metadata={"help": "Privacy floor: distinct customers behind every group."})
    engine: str = field(default="", metadata={"local": True, "help": HELP})
    seed: int = field(default=0, metadata={"help": "Seed of the resamples of the intervals."})


@dataclass(frozen=True)
class AuditResult:
    """Groups of products: shares of exposure and sales; of both kinds: nDCG, and its gap to all others, with intervals.

    `bounds` says of each group whose gap is greater than asked what holding it within costs: in nDCG, paired, and in score.
    """

    release: str
    exam: str
    questions: int
    exposure: pl.DataFrame
    quality: pl.DataFrame
    bounds: pl.DataFrame
    notes: tuple[str, ...]


def audit(shop: Shop, request: AuditRequest) -> AuditResult:
    """Show who is shown and who is served well: exposure and quality by group, with intervals, and what bounding a gap costs.

    The rankers are those of the release's exam: its parts as they were before the last weeks, under the published weights.
    Which gap is unfair is for people to say.
    """
    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.recommendation.fairness import Audit
    from basketry.recommendation.published import PERSONAL

    if not (
        1 <= request.k <= 100 and 2 <= request.groups <= 1000 and 0 <= request.bound_gap < 1 and request.min_customers >= 1
    ):
        raise RequestError(
            f"k {request.k}, groups {request.groups}, bound_gap {request.bound_gap}, min_customers {request.min_customers}",
            "k is 1 to 100, groups 2 to 1000, bound_gap from 0 to below 1, min_customers from 1",
        )
    release, name, split, ranker, of_products, of_customers = _exam(shop, request)
    measure = Audit(k=request.k, seed=request.seed)
    told = [measure.products(PERSONAL, ranker, split, each) for each in of_products]
    told += [measure.customers(PERSONAL, ranker, split, each) for each in of_customers]
    rows = pl.concat([each.lazy().collect() for each in told])
    quality = _quality(rows, request)
    exposure = _exposure(rows) if of_products else pl.DataFrame()
    bounds, notes = _bounds(split, ranker, of_products, exposure, measure, request) if request.bound_gap else ([], ())
    return AuditResult(
        release, name, len(split.queries), exposure, quality, pl.DataFrame(bounds), (*_told(exposure, quality, request), *notes)
    )


def _exam(shop: Shop, request: AuditRequest) -> tuple[str, str, Split, Ranker, list[Groups], list[Groups]]:
    """The release, the exam, its split and ranker, and the groups of products and of customers."""
    import numpy as np

    from basketry.app.examined import examined
    from basketry.recommendation.grouping import buyers, by_activity, by_column, by_price, floored
    from basketry.recommendation.published import AGAIN, NEW
    from basketry.recommendation.reading import read_prices

    name = NEW if request.new else AGAIN
    kinds = list(dict.fromkeys(each.strip() for each in request.by.split(",") if each.strip()))
    exam = examined(shop, shop.releases.current(), request.engine)
    facts, (split, ranker) = exam.facts, exam.exams[name]
    of_products, of_customers = [], []
    for kind in kinds:
        if kind == "activity":
            found = by_activity(split.train)
            asked = found.of[split.customers]
            size = np.bincount(asked[asked >= 0], minlength=len(found.names))
            of_customers.append(floored(found, size, size, request.min_customers, request.groups))
        else:
            if kind == "price_band":
                with shop.dataset(exam.release.manifest.as_of, engine=request.engine) as dataset:
                    found = by_price(read_prices(dataset, facts.frame["product_id"]))
            else:
                found = by_column(facts, kind)
            sales = np.bincount(found.of[split.train.products], minlength=len(found.names))
            of_products.append(floored(found, sales, buyers(found, split.train), request.min_customers, request.groups))
    return exam.release.id, name, split, ranker, of_products, of_customers


def _exposure(rows: pl.DataFrame) -> pl.DataFrame:
    """One line a group of products, those shown most above what they sell first."""
    import polars as pl

    shares = ("exposure share", "sales share", "catalogue share")
    table = rows.filter(pl.col("metric").is_in([*shares, "exposure gap"]))
    wide = table.pivot("metric", index="slice", values=["value", "low", "high"])
    return wide.select(
        "slice",
        *(pl.col(f"value_{each}").alias(each) for each in shares),
        pl.col("value_exposure gap").alias("gap"),
        pl.col("low_exposure gap").alias("low"),
        pl.col("high_exposure gap").alias("high"),
    ).sort("gap", descending=True)


def _quality(rows: pl.DataFrame, request: AuditRequest) -> pl.DataFrame:
    """One line a group, the worst served first; no figure of fewer questions than the floor."""
    import polars as pl

    metric = f"ndcg@{request.k}"
    table = rows.filter(pl.col("metric").is_in([metric, f"{metric} gap"]), pl.col("n") >= request.min_customers)
    if table.is_empty():
        return pl.DataFrame()
    wide = table.pivot("metric", index=["slice", "n"], values=["value", "low", "high"])
    return wide.select(
        "slice",
        pl.col("n").alias("questions"),
        pl.col(f"value_{metric}").alias(metric),
        pl.col(f"value_{metric} gap").alias("gap"),
        pl.col(f"low_{metric} gap").alias("low"),
        pl.col(f"high_{metric} gap").alias("high"),
    ).sort("gap", nulls_last=True)


def _bounds(
    split: Split,
    ranker: Ranker,
    kinds: Sequence[Groups],
    exposure: pl.DataFrame,
    measure: Audit,
    request: AuditRequest,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """What bounding costs, a line for each group whose gap is beyond the bound."""
    from basketry.core.errors import RequestError
    from basketry.recommendation.bounding import cost_of_bounds, deep

    gaps = {row["slice"]: row for row in exposure.iter_rows(named=True)}
    rankings = deep(ranker, split, measure)
    lines, notes = [], []
    for groups in kinds:
        for number, label in enumerate(groups.names):
            name = f"{groups.kind}={label}"
            row = gaps[name]
            if row["gap"] is None or abs(row["gap"]) <= request.bound_gap:
                continue
            sales = row["sales share"]
            try:
                cost = cost_of_bounds(
                    split,
                    rankings,
                    groups.of == number,
                    (max(sales - request.bound_gap, 0.0), min(sales + request.bound_gap, 1.0)),
                    measure,
                )
            except RequestError as error:
                notes.append(f"{name} cannot be held within {request.bound_gap:g}: {error.message}")
                continue
            metric = f"ndcg@{request.k}"
            lines.append(
                {"slice": name, "gap": row["gap"], "bounded gap": cost.share - sales, metric: cost.before}
                | {"bounded": cost.after, "change": cost.change.value, "low": cost.change.low, "high": cost.change.high}
                | {"score lost": cost.loss}
            )
    if not lines and not notes:
        notes.append(f"no group's exposure is further than {request.bound_gap:g} from its sales: nothing to bound")
    return lines, tuple(notes)


def _told(exposure: pl.DataFrame, quality: pl.DataFrame, request: AuditRequest) -> tuple[str, ...]:
    """The greatest gap each way of each kind of groups, in words, where it is no chance."""
    told = []
    for row in _extremes(exposure):
        if row["low"] is not None and (row["low"] > 0 or row["high"] < 0):
            verb = "more" if row["gap"] > 0 else "less"
            told.append(
                f"{row['slice']} is shown {verb} than it sells: {row['exposure share']:.1%} of exposure, "
                f"{row['sales share']:.1%} of sales, gap {row['gap']:+.1%} ({row['low']:+.1%} to {row['high']:+.1%})"
            )
    for row in _extremes(quality):
        if row["low"] is not None and (row["low"] > 0 or row["high"] < 0):
            verb = "better" if row["gap"] > 0 else "worse"
            told.append(
                f"{row['slice']} is served {verb} than all others: ndcg@{request.k} gap {row['gap']:+.4f} "
                f"({row['low']:+.4f} to {row['high']:+.4f})"
            )
    return tuple(told) or ("no gap is shown to be more than chance",)


def _extremes(table: pl.DataFrame) -> list[dict[str, Any]]:
    """The first and the last line of each kind of a table in the order of its gap."""
    import polars as pl

    if table.is_empty():
        return []
    kinds = (
        table.drop_nulls("gap")
        .with_columns(pl.col("slice").str.split("=").list.first().alias("of"))
        .partition_by("of", maintain_order=True)
    )
    return [row for each in kinds for row in pl.concat([each.head(1), each[1:].tail(1)]).iter_rows(named=True)]
