"""How two releases answer the same customers: how alike the lists are, and a few of them side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.compare import CompareRequest
    from basketry.app.recommenders import RecommendationReader
    from basketry.app.shop import Shop
    from basketry.core.histories import Histories, Int32s, Int64s

    Told = tuple[pl.DataFrame, pl.DataFrame, tuple[str, ...]]


def likeness(shop: Shop, before: RecommendationReader, after: RecommendationReader, request: CompareRequest) -> Told:
    """Overlap and rank-biased overlap of the lists of some customers, means with intervals; examples; notes.

    Both releases are asked with the same histories: what is known up to the later of them. Customers are not named.
    """
    import numpy as np
    import polars as pl

    from basketry.app.train import RECOMMENDERS
    from basketry.core.tables import Products
    from basketry.evaluation.bootstrap import Draws
    from basketry.evaluation.overlap import overlap, rank_biased_overlap
    from basketry.recommendation.reading import read_histories

    if any(RECOMMENDERS not in each.graph.release.manifest.files for each in (before, after)):
        return pl.DataFrame(), pl.DataFrame(), ()
    as_of = max(each.graph.release.manifest.as_of for each in (before, after))
    with shop.dataset(as_of, engine=request.engine) as dataset:
        products = dataset.table(Products).select("product_id", "title").sort("product_id")
        histories = read_histories(dataset, len(products))
    drawn = _drawn(len(histories), request)
    some = histories.select(drawn)
    ids = products["product_id"].to_list()
    first, second = (_lists(each, some, ids, request) for each in (before, after))
    alike, biased = overlap(first, second), rank_biased_overlap(first, second)
    same = (first == second).all(axis=1).astype(np.float64)
    figures = {f"overlap@{request.k}": alike, "rank-biased overlap": biased, "the very same list": same}
    means = Draws.of(drawn, seed=request.seed).means(figures)
    rows = [{"of": name, "value": (at := means.interval(name)).value, "low": at.low, "high": at.high} for name in figures]
    lists = pl.DataFrame(rows)
    order = np.argsort(biased, kind="stable")
    picked = [int(order[len(order) * each // (2 * max(request.examples - 1, 1))]) for each in range(request.examples)]
    titles = products["title"].to_list()
    examples = [row for number, at in enumerate(picked, start=1) for row in _example(number, first[at], second[at], titles)]
    note = f"lists of {len(drawn)} customers, both releases asked with the same histories; customers are not named"
    return lists, pl.DataFrame(examples), (note,)


def _drawn(n: int, request: CompareRequest) -> Int64s:
    """Rows of customers, ascending."""
    import numpy as np

    random = np.random.default_rng(request.seed)
    return np.sort(random.choice(n, min(request.customers, n), replace=False)).astype(np.int64)


def _lists(reader: RecommendationReader, histories: Histories, ids: list[str], request: CompareRequest) -> Int32s:
    """int32 [customers, k]: the lists of a release in the codes of the tables; its own catalogue may be another one."""
    from dataclasses import replace

    import numpy as np

    from basketry.core.histories import Queries
    from basketry.recommendation.policy import Policy

    own = reader.facts
    code = np.array([own.code(each) for each in ids], dtype=np.int32)
    back = np.full(len(own) + 1, -1, dtype=np.int32)
    back[code[code >= 0]] = np.flatnonzero(code >= 0)
    known = histories.where(code[histories.products] >= 0)
    asked = replace(known, products=code[known.products], n_products=len(own))
    today = np.full(len(asked), int(histories.days.max(initial=0)), dtype=np.int32)
    stage = reader.stage(request.scene, Policy())
    return np.concatenate([back[each.rankings.products] for each in stage.answers(Queries(asked, today), request.k)])


def _example(number: int, before: Int32s, after: Int32s, titles: list[str]) -> list[dict[str, Any]]:
    """One customer's two lists, place by place; `was` is the place before of what stands there now."""
    places = {int(product): place for place, product in enumerate(before, start=1) if product >= 0}
    named = [[None if each < 0 else titles[each] for each in side.tolist()] for side in (before, after)]
    return [
        {"list": number, "place": place, "before": one, "after": other, "was": places.get(int(product))}
        for place, (one, other, product) in enumerate(zip(*named, after, strict=True), start=1)
    ]
