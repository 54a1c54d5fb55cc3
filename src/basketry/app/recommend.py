"""Recommend: what to show this customer, beside this product or in this basket, and why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.graph_reader import GraphReader
    from basketry.app.recommenders import RecommendationReader
    from basketry.app.shop import Shop
    from basketry.core.figures import Language
    from basketry.core.histories import Queries
    from basketry.recommendation.answers import Answer, Stage

MOST: Final = 200
_EPOCH: Final = dt.date(1970, 1, 1)
NAMES: Final = (  # of recommendation.scenes, which would load numpy before it is needed
    *("home", "similar", "goes_with", "bought_together", "next_basket", "new_products", "on_promotion", "cross_sell"),
    *("because_you_viewed", "email"),
)


@dataclass(frozen=True)
class RecommendRequest:
    """For whom or beside what, in which scene."""

    customer: str = field(default="", metadata={"help": "The shop's own id of a customer: what they bought is the history."})
    products: str = field(
        default="",
        metadata={"help": "Products viewed or in the basket: ids or words of titles, apart by commas."},
    )
    scene: str = field(default="home", metadata={"help": f"What is asked: {', '.join(NAMES)}."})
    k: int = field(default=10, metadata={"help": f"How many products, at most {MOST}."})
    filter: str = field(
        default="", metadata={"help": "Only products that pass, as department = GROCERY and brand in (National, Private)."}
    )
    hide: str = field(default="", metadata={"help": "Product ids that must not be shown, apart by commas."})
    diversity: float = field(default=0.0, metadata={"help": "From 0 to under 1: how much likeness within the list costs."})
    language: str = field(default="en", metadata={"help": "Language of the reasons: en or zh."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )


@dataclass(frozen=True)
class RecommendResult:
    """The list: which part of the scene gave each product, and what of the history spoke for it."""

    scene: str
    release: str
    history: int
    recommendations: pl.DataFrame
    notes: tuple[str, ...]


def recommend(shop: Shop, request: RecommendRequest) -> RecommendResult:
    """List what to show a customer, or beside products: ranked, within every limit, each with the reason it stands there."""
    import polars as pl

    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.recommenders import RecommendationReader
    from basketry.core.errors import NotFound, RequestError
    from basketry.recommendation.filter_text import parsed
    from basketry.recommendation.policy import Policy

    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    if not 1 <= request.k <= MOST:
        raise RequestError(f"k is {request.k}", f"give a number from 1 to {MOST}")
    only = parsed(request.filter)
    hidden = tuple(each.strip() for each in request.hide.split(",") if each.strip())
    policy = Policy(excluded=hidden, diversity=request.diversity)
    reader = RecommendationReader(shop.graph())
    unknown = [each for each in hidden if reader.facts.code(each) < 0]
    if unknown:
        raise NotFound(f"no product has the id {unknown[0]!r}, which is to be hidden", "give ids, apart by commas")
    stage = reader.stage(request.scene, policy)
    queries = _queries(shop, reader, request)
    answer = stage.answer(queries, request.k, only)
    products = answer.rankings.products[0]
    there = products[products >= 0]
    reasons = _reasons(reader, stage, queries, answer, language)[: len(there)]
    frame = pl.DataFrame({"product": there, "score": answer.rankings.scores[0][: len(there)], "from": answer.linked(0)})
    known = reader.graph.products.select("product_id", "title", "category").with_row_index("product")
    shown = (
        frame.with_columns(pl.col("product").cast(pl.UInt32), because=pl.Series(reasons, dtype=pl.String))
        .join(known, on="product", how="left", maintain_order="left")
        .with_row_index("rank", offset=1)
        .select("rank", "product_id", "title", "category", pl.col("score").round_sig_figs(4), "from", "because")
    )
    return RecommendResult(
        request.scene, reader.graph.release.id, len(queries.histories.products), shown, _notes(reader.graph, stage, queries)
    )


def _queries(shop: Shop, reader: RecommendationReader, request: RecommendRequest) -> Queries:
    """One question: the customer's orders, then the products given, on the day after the last order of the release."""
    import numpy as np

    from basketry.core.errors import RequestError
    from basketry.core.histories import Histories, Queries
    from basketry.data.pseudonyms import pseudonym
    from basketry.recommendation.reading import nothing, read_customer
    from basketry.recommendation.scenes import SCENES
    from basketry.store.key import load_or_create_key

    about, n = SCENES[request.scene].about, len(reader.facts)
    named = _codes(reader.graph, request.products)
    if about != "customer" and not len(named):
        raise RequestError(f"scene {request.scene} is about a {about}", "name it: --products ID, or words from its title")
    as_of = reader.graph.release.manifest.as_of
    past = nothing(n)
    if request.customer:
        with shop.dataset(as_of, engine=request.engine) as dataset:
            past = read_customer(dataset, pseudonym(load_or_create_key(shop.folder), request.customer), n)
    today = max((as_of.date() - _EPOCH).days, int(past.days.max(initial=0)))
    visit = int(past.visits.max(initial=-1)) + 1
    own = visit + np.arange(len(named)) if about == "customer" else np.full(len(named), visit)  # a basket has no order
    if about != "customer":
        past = nothing(n)  # such a scene is asked of what is given alone
    histories = Histories(
        np.array([0, len(past.products) + len(named)], dtype=np.int64),
        np.concatenate([past.products, named]).astype(np.int32),
        np.concatenate([past.days, np.full(len(named), today)]).astype(np.int32),
        np.concatenate([past.visits, own]).astype(np.int32),
        n,
    )
    return Queries(histories, np.array([today], dtype=np.int32))


def _codes(graph: GraphReader, products: str) -> list[int]:
    """Codes of the products named: the first that each name fits."""
    place = dict(zip(graph.products["product_id"].to_list(), range(len(graph.products)), strict=True))
    names = [each.strip() for each in products.split(",") if each.strip()]
    return [place[graph.find(each).products["product_id"][0]] for each in names]


def _reasons(
    reader: RecommendationReader, stage: Stage, queries: Queries, answer: Answer, language: Language
) -> list[str | None]:
    """A sentence for each product of which the history tells something; none where everybody's purchases decided."""
    from basketry.recommendation.reasons.telling import Answer as Told
    from basketry.recommendation.reasons.telling import Telling
    from basketry.recommendation.wording import say

    told = Told(stage.asked(queries), answer.rankings, stage.explain(queries, answer), reader.graph.products["title"].to_list())
    telling = Telling(verb="bought" if stage.scene.about == "customer" else "viewed", dated=stage.scene.about == "customer")
    statements = [telling.because(told, 0, rank) for rank in range(answer.rankings.products.shape[1])]
    return [None if statement is None else say(statement, language) for statement in statements]


def _notes(graph: GraphReader, stage: Stage, queries: Queries) -> tuple[str, ...]:
    """What a person should know of this answer."""
    notes = (
        [f"release {graph.release.fell_back_from} is damaged: an earlier one answers"] if graph.release.fell_back_from else []
    )
    if stage.scene.where and not stage.where.any():
        notes.append(f"no product passes what the scene asks for: {stage.scene.where}")
    if not len(queries.histories.products):
        notes.append("nothing is known of this customer (ids are as the source file writes them): what everybody buys is shown")
    return (stage.scene.question, *notes)
