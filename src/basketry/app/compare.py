"""Compare: two releases beside each other, before one of them is left to serve: exams, lists and edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.engines import HELP

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.graph_reader import GraphReader
    from basketry.app.recommenders import RecommendationReader
    from basketry.app.shop import Shop
    from basketry.store.releases import Release

METRICS: Final = ("recall@10", "ndcg@10")
EDGES: Final = 10  # of those that appeared, vanished or were judged anew, shown of each


@dataclass(frozen=True)
class CompareRequest:
    """Which releases, and whose lists."""

    releases: str = field(
        default="",
        metadata={
            "help": "Two ids, BEFORE,AFTER; default: the one that serves, and the last before it that can be compared with it."
        },
    )
    scene: str = field(default="home", metadata={"help": "Scene of the lists that are compared, one about a customer."})
    k: int = field(default=10, metadata={"help": "Places of a list."})
    customers: int = field(default=200, metadata={"help": "How many customers' lists, drawn by the seed."})
    examples: int = field(default=2, metadata={"help": "Lists to show side by side, of customers not named."})
    engine: str = field(default="", metadata={"local": True, "help": HELP})
    seed: int = field(default=0, metadata={"help": "Seed of the draw of customers, and of resamples."})


@dataclass(frozen=True)
class CompareResult:
    """`exams`: figures of both, and their difference where both took the same exam. `lists`: how alike they are, 1 the same.

    `examples`: those least and most middling in likeness, side by side. `edges`: how many of each kind there are, appeared,
    vanished or were judged anew; `changed`: the strongest of these.
    """

    before: str
    after: str
    exams: pl.DataFrame
    lists: pl.DataFrame
    examples: pl.DataFrame
    edges: pl.DataFrame
    changed: pl.DataFrame
    notes: tuple[str, ...]


def compare(shop: Shop, request: CompareRequest) -> CompareResult:
    """Set two releases side by side: what their exams say, whose lists change and how, which edges appear and vanish.

    Figures of one exam (equal digests) are compared by customer, with an interval; those of two exams only stand beside each
    other. Models that are not published are compared by `evaluate`.
    """
    from basketry.app.compare_exams import exams
    from basketry.app.compare_lists import likeness
    from basketry.app.recommenders import RecommendationReader
    from basketry.core.errors import NotFound, RequestError
    from basketry.recommendation.scenes import SCENES

    if not (1 <= request.k <= 200 and 1 <= request.customers <= 100_000 and 0 <= request.examples <= 20):
        raise RequestError(
            f"k {request.k}, customers {request.customers}, examples {request.examples}", "1 to 200, 1 to 100000, 0 to 20"
        )
    if request.scene not in SCENES:
        raise NotFound(f"there is no scene {request.scene!r}", f"choose one of {', '.join(SCENES)}")
    if SCENES[request.scene].about != "customer":
        raise RequestError(f"scene {request.scene} is about a {SCENES[request.scene].about}", "name one about a customer")
    before, after = _releases(shop, request.releases)
    told, exam_notes = exams(shop, before, after, request)
    readers = [RecommendationReader(_graph(each)) for each in (before, after)]
    lists, examples, list_notes = likeness(shop, readers[0], readers[1], request)
    edges, changed = _edges(readers[0].graph.associations, readers[1].graph.associations, _titles(readers))
    notes = (*exam_notes, *list_notes, f"to go back: basketry rollback {before.id}")
    return CompareResult(before.id, after.id, told, lists, examples, edges, changed, notes)


def _releases(shop: Shop, named: str) -> tuple[Release, Release]:
    """Both, opened. Raises RequestError for other than two."""
    from basketry.app.train import RECOMMENDERS
    from basketry.core.errors import RequestError

    ids = [each.strip() for each in named.split(",") if each.strip()]
    if not ids:
        serving, published = shop.releases.current(files=()), shop.releases.published()
        earlier = [shop.releases.open(each) for each in published[: published.index(serving.id)]]
        if not earlier:
            raise RequestError(f"release {serving.id} is the first: there is none before it", "build or train once more")
        alike = [each for each in earlier if (RECOMMENDERS in each.manifest.files) == (RECOMMENDERS in serving.manifest.files)]
        return (alike or earlier)[-1], serving
    if len(ids) != 2 or ids[0] == ids[1]:
        raise RequestError(f"{len(set(ids))} releases are named", "name two, as BEFORE,AFTER: basketry releases lists them")
    before, after = (shop.releases.open(each) for each in ids)
    return before, after


def _graph(release: Release) -> GraphReader:
    from basketry.app.graph_reader import GraphReader

    return GraphReader(release)


def _titles(readers: list[RecommendationReader]) -> pl.DataFrame:
    """Titles by id, the later release's where both have one."""
    import polars as pl

    known = [each.graph.products.select("product_id", "title") for each in reversed(readers)]
    return pl.concat(known).unique("product_id", keep="first", maintain_order=True)


def _edges(before: pl.DataFrame, after: pl.DataFrame, titles: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How many edges of each kind came, went or got another verdict, and the strongest of them.

    Without their counts, which in two releases would tell of single customers.
    """
    import polars as pl

    key = ["product_id", "other_id", "kind"]
    sides = [each.select(*key, pl.col("kind").cast(pl.String).alias("of"), "verdict", "strength") for each in (before, after)]
    both = sides[0].join(sides[1], on=key, how="full", suffix="_after", coalesce=True)
    was, now = pl.col("verdict").is_not_null(), pl.col("verdict_after").is_not_null()
    status = (
        pl.when(was & ~now)
        .then(pl.lit("vanished"))
        .when(~was & now)
        .then(pl.lit("appeared"))
        .when(pl.col("verdict") != pl.col("verdict_after"))
        .then(pl.lit("judged anew"))
        .otherwise(pl.lit("stayed"))
    )
    both = both.with_columns(
        status=status, strength=pl.max_horizontal("strength", "strength_after"), kind=pl.coalesce("of", "of_after")
    )
    counts = both.group_by("kind").agg(
        was.sum().alias("before"),
        now.sum().alias("after"),
        *((pl.col("status") == each).sum().alias(each.replace(" ", "_")) for each in ("appeared", "vanished", "judged anew")),
    )
    changed = (
        both.filter(pl.col("status") != "stayed", pl.col("product_id") < pl.col("other_id"))
        .sort("strength", *key, descending=[True, False, False, False], nulls_last=True)
        .group_by("status", maintain_order=True)
        .head(EDGES)
    )
    for column, name in (("product_id", "product"), ("other_id", "other")):
        named = titles.rename({"product_id": column, "title": name})
        changed = changed.join(named, on=column, how="left", maintain_order="left")
    shown = changed.select(
        "status", "kind", "product", "other", "verdict", pl.col("verdict_after").alias("verdict_now"), "strength"
    )
    return counts.sort("kind"), shown.sort("status", maintain_order=True)
