"""Explain a list: why a product stands on it, or does not, to the last digit of its score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.explain import ExplainRequest, ExplainResult
    from basketry.app.recommend import Asked
    from basketry.app.shop import Shop
    from basketry.recommendation.reasons.standing import Standing

SHOWN: Final = 10  # products of a history, before the rest of it is added up
AROUND: Final = 2  # products above and below


def explained(shop: Shop, request: ExplainRequest) -> ExplainResult:
    """Where a product stands in the list that `recommend` gives, what its score is made of, and what bars or moves it.

    Cost: that of a list, a ranking of all products by each part, and for a product that is shown a few lists a distinct
    product of the history, to find the smallest part of it that the place hangs on.
    """
    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.explain import ExplainResult
    from basketry.app.recommend import RecommendRequest, notes_on, telling_of, understood
    from basketry.recommendation.reasons.standing import standing, statements
    from basketry.recommendation.wording import say

    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    asked = understood(
        shop,
        RecommendRequest(
            customer=request.customer,
            products=request.products,
            scene=request.scene,
            k=request.k,
            filter=request.filter,
            hide=request.hide,
            engine=request.engine,
        ),
    )
    graph, stage = asked.reader.graph, asked.stage
    product = graph.find(request.product).products.row(0, named=True)
    code = asked.reader.facts.code(product["product_id"])
    parts = asked.reader.blended(request.scene)
    found = standing(stage, asked.queries, code, request.k, asked.only, parts, asked.resting)
    titles = graph.products["title"].to_list()
    told = statements(found, stage.asked(asked.queries), titles, telling_of(stage))
    return ExplainResult(
        product=f"{product['product_id']} {product['title']}",
        release=graph.release.id,
        evidence=_evidence(asked, found),
        notes=(*(say(each, language) for each in told), *notes_on(graph, stage, asked.queries)[1:], *_doubts(asked, found)),
        scene=request.scene,
        place=found.place,
        rank=found.rank,
        ranked=found.ranked,
        part=found.link,
        score=found.score,
        voices=_voices(found),
        around=_around(asked, found),
    )


def _doubts(asked: Asked, found: Standing) -> list[str]:
    """Why `recommend` shows no reason here, if it does not: what a score is made of need not be what moves the product."""
    trust = asked.reader.trust(asked.scene)
    if not found.evidence.events.any() or (trust and trust.earned(found.link)):
        return []
    why = "; ".join(trust.why_not(found.link)) if trust else "nobody measured whether they are true"
    return [f"recommend shows no reasons of {found.link}: {why}"]


def _evidence(asked: Asked, found: Standing) -> pl.DataFrame:
    """What each product of the history added to the score, most first; then the rest of it, and what no event accounts for."""
    import polars as pl

    history = asked.stage.asked(asked.queries).histories
    own = asked.stage.scene.about == "customer"
    events = pl.DataFrame(
        {
            "code": history.products,
            "last": pl.Series(history.days, dtype=pl.Int32).cast(pl.Date) if own else [None] * len(history.products),
            "added": found.evidence.of(0, 0, len(history.products)),
        },
        schema_overrides={"last": pl.Date},
    )
    each = (
        events.group_by("code")
        .agg(pl.len().alias("times"), pl.col("last").max(), pl.col("added").sum())
        .sort(pl.col("added").abs(), "code", descending=[True, False])
        .join(_known(asked), on="code", how="left", maintain_order="left")
        .select("product_id", "title", "times", "last", "added")
    )
    lines = [each.head(SHOWN)]
    if len(each) > SHOWN:
        more = each[SHOWN:]
        lines.append(_line(f"{len(more)} other products of the history", int(more["times"].sum()), float(more["added"].sum())))
    if found.evidence.rest[0, 0]:
        lines.append(_line("what everybody buys", None, float(found.evidence.rest[0, 0])))
    return pl.concat(lines, how="vertical_relaxed").with_columns(share=pl.col("added") / found.score)


def _line(title: str, times: int | None, added: float) -> pl.DataFrame:
    import polars as pl

    row = {"product_id": None, "title": title, "times": times, "last": None, "added": added}
    kinds = {"product_id": pl.String, "title": pl.String, "times": pl.UInt32, "last": pl.Date, "added": pl.Float64}
    return pl.DataFrame([row], schema=kinds)


def _known(asked: Asked) -> pl.DataFrame:
    """The catalogue by code."""
    import polars as pl

    known = asked.reader.graph.products.select("product_id", "title").with_row_index("code")
    return known.with_columns(pl.col("code").cast(pl.Int32))


def _voices(found: Standing) -> pl.DataFrame:
    """What every part of the scene says of the product, in the order they are asked."""
    import polars as pl

    return pl.DataFrame(
        [
            {"from": each.link, "part": each.part, "rank": each.rank, "score": each.score, "adds": each.adds}
            for each in found.voices
        ],
        schema={"from": pl.String, "part": pl.String, "rank": pl.Int64, "score": pl.Float64, "adds": pl.Float64},
    )


def _around(asked: Asked, found: Standing) -> pl.DataFrame:
    """Its neighbours by rank, each with its place in the list as shown, if it has one."""
    import polars as pl

    first = max(found.rank - 1 - AROUND, 0)
    near = found.line[first : found.rank + AROUND]
    near = near[near >= 0]
    places = {int(product): place for place, product in enumerate(found.shown, start=1) if product >= 0}
    frame = pl.DataFrame({"code": near, "rank": range(first + 1, first + 1 + len(near))})
    return (
        frame.with_columns(pl.Series("place", [places.get(int(each)) for each in near], dtype=pl.Int64))
        .join(_known(asked), on="code", how="left", maintain_order="left")
        .select("rank", "place", "product_id", "title")
    )
