"""Recommend: what to show this customer, beside this product or in this basket, and why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.graph_reader import GraphReader
    from basketry.app.recommenders import RecommendationReader
    from basketry.app.shop import Shop
    from basketry.core.figures import Language
    from basketry.core.histories import Bools, Histories, Queries
    from basketry.recommendation.answers import Answer, Stage
    from basketry.recommendation.filters import Filter
    from basketry.recommendation.policy import Policy
    from basketry.recommendation.reasons.telling import Telling

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
    diversity: float = field(
        default=0.0, metadata={"help": "From 0 to under 1: how much likeness within the list costs; 0: as shop.toml says."}
    )
    language: str = field(default="en", metadata={"help": "Language of the reasons: en or zh."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )


@dataclass(frozen=True)
class RecommendResult:
    """The list: which part of the scene gave each product, and what of the history spoke for it.

    `propensity` is the probability with which this place shows this product: below 1 where the policy explores. Keep it with
    the list, and the table Events can say later what another policy would have earned.
    """

    scene: str
    release: str
    history: int
    recommendations: pl.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Asked:
    """A request understood: the release that answers, the scene as it is set, one question, and what may be shown at all.

    `resting`, bool [1, n_products]: what the customer waved away a short while ago. `policy` is that of shop.toml.
    """

    reader: RecommendationReader
    scene: str
    stage: Stage
    queries: Queries
    only: Filter
    resting: Bools | None
    policy: Policy


def recommend(shop: Shop, request: RecommendRequest) -> RecommendResult:
    """List what to show a customer, or beside products: ranked, within every limit, each with the reason it stands there."""
    import polars as pl

    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.recommenders import gone

    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    asked = understood(shop, request)
    reader, stage, queries = asked.reader, asked.stage, asked.queries
    answer = stage.answer(queries, request.k, asked.only, barred=asked.resting)
    products = answer.rankings.products[0]
    there = products[products >= 0]
    told, withheld = reasons_of(reader, request.scene, stage, queries, answer, language)
    reasons = told[0]
    frame = pl.DataFrame({"product": there, "score": answer.rankings.scores[0][: len(there)], "from": answer.linked(0)})
    frame = frame.with_columns(propensity=pl.Series(answer.shaped.propensity[0][: len(there)]))
    known = reader.graph.products.select("product_id", "title", "category").with_row_index("product")
    shown = (
        frame.with_columns(pl.col("product").cast(pl.UInt32), because=pl.Series(reasons[: len(there)], dtype=pl.String))
        .join(known, on="product", how="left", maintain_order="left")
        .with_row_index("rank", offset=1)
        .select("rank", "product_id", "title", "category", pl.col("score").round_sig_figs(4), "from", "because", "propensity")
    )
    notes = (*notes_on(reader.graph, stage, queries), *withheld, *filter(None, [gone(reader.facts, asked.policy)]))
    return RecommendResult(request.scene, reader.graph.release.id, len(queries.histories.products), shown, notes)


def understood(shop: Shop, request: RecommendRequest) -> Asked:
    """What a request asks. Raises RequestError and NotFound for one that cannot be answered."""
    from basketry.app.recommenders import RecommendationReader, shop_policy
    from basketry.core.errors import NotFound, RequestError
    from basketry.recommendation.filter_text import parsed

    if not 1 <= request.k <= MOST:
        raise RequestError(f"k is {request.k}", f"give a number from 1 to {MOST}")
    only = parsed(request.filter)
    hidden = tuple(each.strip() for each in request.hide.split(",") if each.strip())
    wanted = shop_policy(shop)
    policy = replace(wanted, excluded=wanted.excluded + hidden, diversity=request.diversity or wanted.diversity)
    reader = RecommendationReader(shop.graph())
    unknown = [each for each in hidden if reader.facts.code(each) < 0]
    if unknown:
        raise NotFound(f"no product has the id {unknown[0]!r}, which is to be hidden", "give ids, apart by commas")
    stage = reader.stage(request.scene, policy)
    queries, resting = _asked(shop, reader, request, policy.dismissed_days)
    return Asked(reader, request.scene, stage, queries, only, resting, wanted)


def _asked(shop: Shop, reader: RecommendationReader, request: RecommendRequest, rest: int) -> tuple[Queries, Bools | None]:
    """One question, and what the customer waved away less than `rest` days ago, the latest ingest included."""
    from basketry.core.tables import Dismissals
    from basketry.data.pseudonyms import pseudonym
    from basketry.recommendation.feedback import resting
    from basketry.recommendation.reading import nothing, read_customer
    from basketry.store.key import load_or_create_key

    n = len(reader.facts)
    if not request.customer:
        return _question(reader, request, nothing(n)), None
    who = pseudonym(load_or_create_key(shop.folder), request.customer)
    with shop.dataset(engine=request.engine) as everything:
        past = read_customer(everything.before(reader.graph.release.manifest.as_of), who, n)
        dismissals = everything.query(Dismissals, "dismissals", {"customer_id": who})
    queries = _question(reader, request, past)
    return queries, resting(dismissals, reader.facts, [who], queries.days, rest) if len(dismissals) else None


def _question(reader: RecommendationReader, request: RecommendRequest, past: Histories) -> Queries:
    """The customer's orders, then the products given, on the day after the last order of the release."""
    import numpy as np

    from basketry.core.errors import RequestError
    from basketry.core.histories import Histories, Queries
    from basketry.recommendation.reading import nothing
    from basketry.recommendation.scenes import SCENES

    about, n = SCENES[request.scene].about, len(reader.facts)
    named = _codes(reader.graph, request.products)
    if about != "customer" and not len(named):
        raise RequestError(f"scene {request.scene} is about a {about}", "name it: --products ID, or words from its title")
    as_of = reader.graph.release.manifest.as_of
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


def reasons_of(
    reader: RecommendationReader, scene: str, stage: Stage, queries: Queries, answer: Answer, language: Language
) -> tuple[list[list[str | None]], list[str]]:
    """A sentence for each product of each list of which the history tells something; none where all purchases decided.

    Nor where the ranker that gave the product has not earned trust: the notes name those whose reasons were withheld.
    """
    from basketry.recommendation.reasons.telling import Answer as Told
    from basketry.recommendation.wording import say

    told = Told(stage.asked(queries), answer.rankings, stage.explain(queries, answer), reader.graph.products["title"].to_list())
    telling = telling_of(stage)
    trust, withheld = reader.trust(scene), {}
    sentences: list[list[str | None]] = [[None] * answer.link.shape[1] for _ in answer.link]
    for row, links in enumerate(answer.link.tolist()):
        for rank, link in enumerate(links):
            statement = telling.because(told, row, rank) if link >= 0 else None
            if statement is None:
                continue
            if trust and trust.earned(answer.links[link]):
                sentences[row][rank] = say(statement, language)
            else:
                withheld[answer.links[link]] = "; ".join(trust.why_not(answer.links[link])) if trust else ""
    if withheld and not trust:
        return sentences, ["reasons are not shown: nobody measured whether they are true; basketry train measures it"]
    return sentences, [f"reasons of {name} are not shown, they did not pass: {why}" for name, why in withheld.items()]


def telling_of(stage: Stage) -> Telling:
    """How reasons are told in a scene: only what a customer bought has a day."""
    from basketry.recommendation.reasons.telling import Telling

    own = stage.scene.about == "customer"
    return Telling(verb="bought" if own else "viewed", dated=own)


def notes_on(graph: GraphReader, stage: Stage, queries: Queries) -> tuple[str, ...]:
    """What a person should know of this answer."""
    notes = (
        [f"release {graph.release.fell_back_from} is damaged: an earlier one answers"] if graph.release.fell_back_from else []
    )
    if stage.scene.where and not stage.where.any():
        notes.append(f"no product passes what the scene asks for: {stage.scene.where}")
    if not len(queries.histories.products):
        notes.append("nothing is known of this customer (ids are as the source file writes them): what everybody buys is shown")
    return (stage.scene.question, *notes)
