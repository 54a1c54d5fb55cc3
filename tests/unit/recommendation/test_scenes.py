"""Every scene answers in a small shop whose right answers are known, and never with what may not be shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import NotFound, RequestError
from basketry.core.histories import Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.answers import CATALOGUE, PINNED, stage_of
from basketry.recommendation.edges import Edges
from basketry.recommendation.facts import Facts
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.meaning import Meaning
from basketry.recommendation.policy import Cap, Exploration, Pin, Policy
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.popularity_in_groups import PopularInGroups, PopularityInGroups
from basketry.recommendation.scenes import SCENES
from basketry.recommendation.shelf import shelf_of
from basketry.recommendation.transitions import Transitions

MILK, OAT, BREAD, ROLLS, JAM, HONEY, TEA, COFFEE, MUG, NEW = range(10)
FRAME = pl.DataFrame(
    {
        "product_id": ["milk", "oat", "bread", "rolls", "jam", "honey", "tea", "coffee", "mug", "new"],
        "category": ["dairy", "dairy", "bakery", "bakery", "spread", "spread", "drinks", "drinks", "ware", "dairy"],
        "subcategory": ["milk", "milk", "bread", "bread", "sweet", "sweet", "tea", "coffee", "mugs", "milk"],
        "brand": ["a", "b", "c", "c", "d", "d", "e", "e", None, "a"],
        "age_days": [400] * 9 + [3],
        "promoted": [False, True] + [False] * 7 + [None],
    }
)
BOUGHT = [
    [MILK, BREAD, JAM],
    [MILK, BREAD, JAM, TEA],
    [MILK, BREAD, HONEY],
    [OAT, ROLLS, HONEY, COFFEE],
    [MILK, TEA, MUG],
    [BREAD, JAM, TEA],
]
EDGES = pl.DataFrame(
    [
        ("milk", "bread", "bought_together", 0.9, "complement"),
        ("milk", "oat", "bought_together", 0.5, "substitute"),
        ("milk", "jam", "bought_together", 0.4, "unknown"),
        ("milk", "oat", "similar", 0.8, "substitute"),
        ("milk", "new", "similar", 0.6, "unknown"),
        ("tea", "mug", "bought_together", 0.7, "complement"),
        ("tea", "gone", "bought_together", 0.9, "complement"),
    ],
    schema=["product_id", "other_id", "kind", "strength", "verdict"],
    orient="row",
)


def rankers(facts):
    histories, run = Histories.from_rows(BOUGHT, len(FRAME)), Run()
    return {
        "personal": ItemNeighbours().fit(histories, run),
        "next": Transitions().fit(histories, run),
        "reorder": Transitions(repeats=True, hop=0).fit(histories, run),
        "together": Edges(("bought_together",)).fit(EDGES, facts),
        "complements": Edges(("bought_together",), without=("substitute",)).fit(EDGES, facts),
        "similar": Edges(("similar",)).fit(EDGES, facts),
        "substitutes": Edges(("similar", "bought_together")).fit(EDGES.filter(pl.col("verdict") == "substitute"), facts),
        "meaning": Meaning().fit(np.eye(9, dtype=np.float32), np.array([*range(9), MILK], dtype=np.int32)),  # new reads as milk
        "in_category": PopularityInGroups().fit(histories, facts.groups("category")[0], run),
        "recent": Popularity(window_days=2).fit(histories, run),
        "popular": Popularity().fit(histories, run),
    }


FACTS = Facts(FRAME)
RANKERS = rankers(FACTS)


def asked(*histories):
    rows = Histories.from_rows([list(each) for each in histories], len(FRAME))
    return Queries(rows, np.full(len(histories), 30, dtype=np.int32))


def answered(scene, history, k=4, policy=None, facts=FACTS, only="", without=()):
    parts = {name: ranker for name, ranker in RANKERS.items() if name not in without}
    answer = stage_of(scene, parts, facts, policy or Policy()).answer(asked(history), k, parsed(only))
    products = answer.rankings.products[0]
    return dict(zip([FRAME["product_id"][int(p)] for p in products if p >= 0], answer.linked(0), strict=True))


def test_edges_are_laid_between_known_products():
    scores = RANKERS["complements"].scores(asked([MILK], [TEA]))
    assert scores[0].nonzero()[0].tolist() == [BREAD, JAM] and scores[0, BREAD] == np.float32(0.9)
    assert scores[1].nonzero()[0].tolist() == [MUG]
    with pytest.raises(RequestError, match="no column verdict"):
        Edges(("similar",), without=("substitute",)).fit(EDGES.drop("verdict"), FACTS)


def test_popularity_of_the_categories_in_a_history():
    ranker = RANKERS["in_category"]
    queries = asked([OAT, TEA, TEA], [], [MUG])
    scores = ranker.scores(queries)
    assert scores[0].tolist() == [4, 1, 0, 0, 0, 0, 6, 2, 0, 0] and not scores[1].any()
    found = ranker.rank(queries, 3, shelf_of(FACTS, Policy()).candidates())
    assert found.products.tolist() == [[MILK, COFFEE, -1], [-1, -1, -1], [-1, -1, -1]]
    evidence = ranker.explain(queries, found)
    assert evidence.exact and evidence.of(0, 0, 3).tolist() == [4, 0, 0] and evidence.of(0, 1, 3).tolist() == [0, 1, 1]
    again = PopularInGroups.from_state(ranker.state())
    assert (again.scores(queries) == scores).all()
    with pytest.raises(RequestError, match="3 groups for 10"):
        PopularityInGroups().fit(Histories.from_rows(BOUGHT, 10), np.zeros(3, dtype=np.int32), Run())


def test_what_is_like_milk_and_what_completes_it():
    like = answered("similar", [MILK])
    assert list(like)[:2] == ["oat", "new"] and like["oat"] == "similar" and "similar" not in list(like.values())[2:]
    goes = answered("goes_with", [MILK], k=6)
    assert list(goes)[:2] == ["bread", "jam"] and goes["bread"] == "complements"
    assert not {"oat", "new", "milk"} & set(goes)  # of its own subcategory
    assert "rolls" not in goes and "honey" not in goes  # one of each subcategory


def test_a_substitute_of_another_subcategory_does_not_complete():
    apart = Facts(FRAME.with_columns(pl.Series("subcategory", ["milk", "oat", *FRAME["subcategory"][2:]])))
    assert "oat" in answered("goes_with", [MILK], k=9, facts=apart, without=("substitutes",))
    assert "oat" not in answered("goes_with", [MILK], k=9, facts=apart)


def test_next_basket_repeats_and_home_does_not():
    assert "bread" in answered("next_basket", [MILK, BREAD, MILK, BREAD]) and "bread" not in answered("home", [MILK, BREAD], 9)


def test_new_promoted_and_other_categories():
    assert answered("new_products", [MILK]) == {"new": "meaning"}
    assert answered("new_products", [TEA]) == answered("new_products", [MILK], without=("meaning",)) == {"new": CATALOGUE}
    assert list(answered("on_promotion", [])) == ["oat"]
    crossed = answered("cross_sell", [MILK, BREAD], k=9)
    assert next(iter(crossed)) == "jam" and set(crossed) == {"jam", "honey", "tea", "coffee", "mug"}


def test_because_you_viewed_looks_at_the_last_one():
    seen = answered("because_you_viewed", [COFFEE, MILK], k=3)
    assert seen == answered("because_you_viewed", [MILK], k=3) and next(iter(seen)) == "bread" and seen["bread"] == "next"


def test_a_basket_is_completed():
    assert next(iter(answered("bought_together", [TEA], k=2))) == "mug"


def test_a_customer_without_history_is_told_what_is_popular():
    found = answered("home", [], k=10)
    assert next(iter(found.values())) == "recent" and list(found.values())[-1] == CATALOGUE
    assert "personal" not in found.values() and answered("email", [], without=("recent",))["milk"] == "popular"
    assert answered("home", [], k=2, without=tuple(RANKERS)) == {"milk": CATALOGUE, "oat": CATALOGUE}


def test_parts_that_are_not_there_are_named():
    stage = stage_of("goes_with", {"popular": RANKERS["popular"]}, FACTS, Policy())
    assert stage.missing == ("complements", "together", "next", "recent", "substitutes")
    assert stage.answer(asked([]), 1).linked(0) == ("popular",)


def test_a_pin_that_nothing_ranked_says_so():
    policy = Policy(pins=(Pin(2, "new"), Pin(3, "jam")))
    # the catalogue ranks all there is, so a pin is without a rank only where the chain is cut before it
    found = answered("home", [MILK], k=3, policy=policy)
    assert list(found)[1:] == ["new", "jam"]
    assert found["new"] in (PINNED, CATALOGUE) and found["jam"] == "personal"


def test_caps_make_the_chain_look_further_down():
    n = 3_000
    crowd = Facts(pl.DataFrame({"product_id": np.arange(n), "category": ["one"] * (n - 2) + ["two", "three"]}))
    histories = Histories.from_rows([[i] * (n - i) for i in range(0, n, 50)], n)
    edges = pl.DataFrame({"product_id": [7, 7], "other_id": [n - 1, n - 2], "kind": "similar", "strength": [0.9, 0.8]})
    parts = {"next": Edges(("similar",)).fit(edges, crowd), "popular": Popularity().fit(histories, Run())}
    stage = stage_of("home", parts, crowd, Policy(caps=(Cap("category", 1),)))
    queries = Queries(Histories.from_rows([[5], [7], []], n), np.full(3, 9, dtype=np.int32))
    answer = stage.answer(queries, 3)
    assert answer.rankings.products.tolist() == [[0, n - 2, n - 1], [n - 1, n - 2, 0], [0, n - 2, n - 1]]
    assert answer.linked(0) == ("popular", CATALOGUE, CATALOGUE) and answer.linked(1) == ("next", "next", "popular")
    first = answer.replaced(np.array([0]), stage.answer(queries.select(np.array([2])), 3))
    assert (first.rankings.products == answer.rankings.products).all() and first.shaped.before.shape == (3, 3)


def test_reasons_add_up_to_the_scores_of_the_links():
    queries = asked([MILK, BREAD], [], [TEA, COFFEE, TEA])
    for name in SCENES:
        stage = stage_of(name, RANKERS, FACTS, Policy())
        answer = stage.answer(queries, 5)
        evidence = stage.explain(queries, answer)
        lengths = stage.asked(queries).histories.lengths
        for query, rank in np.ndindex(answer.link.shape):
            told = evidence.of(query, rank, int(lengths[query])).sum() + evidence.rest[query, rank]
            assert told == pytest.approx(answer.rankings.scores[query, rank], abs=1e-6)


def test_many_customers_are_answered_in_parts():
    queries = asked([MILK], [], [TEA], [BREAD, JAM], [MUG])
    stage = stage_of("email", RANKERS, FACTS, Policy(exploration=Exploration(0.5, 3)))
    keys = list("abcde")
    whole = stage.answer(queries, 3, keys=keys)
    parts = list(stage.answers(queries, 3, keys=keys, size=2))
    assert len(parts) == 3
    assert (np.concatenate([part.rankings.products for part in parts]) == whole.rankings.products).all()
    assert (np.concatenate([part.shaped.propensity for part in parts]) == whole.shaped.propensity).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(NotFound, match="no scene 'hom'"):
        stage_of("hom", RANKERS, FACTS, Policy())
    with pytest.raises(RequestError, match="no column 'promoted'"):
        stage_of("on_promotion", RANKERS, Facts(FRAME.drop("promoted")), Policy())
    with pytest.raises(RequestError, match="knows 10 products, and there are 9"):
        stage_of("home", RANKERS, Facts(FRAME[:9]), Policy())
    with pytest.raises(NotFound, match="no product has category"):
        answered("home", [], only="category = diary")


def test_a_scene_of_ones_own():
    breakfast = replace(SCENES["home"], where="category in (dairy, bakery, gone)")
    assert set(answered(breakfast, [TEA], k=9)) == {"milk", "oat", "bread", "rolls", "new"}


flags = st.lists(st.sampled_from([True, False, False, None]), min_size=len(FRAME), max_size=len(FRAME))
stocks = st.lists(st.sampled_from([0, 4, None]), min_size=len(FRAME), max_size=len(FRAME))
histories = st.lists(st.lists(st.integers(0, len(FRAME) - 1), max_size=4), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(flags, stocks, histories, st.sampled_from(["", "category in (dairy, spread)"]), st.integers(1, 6))
def test_nothing_forbidden_appears_in_any_scene_or_ranker(hidden, stock, rows, only, k):
    frame = FRAME.with_columns(hidden=pl.Series(hidden, dtype=pl.Boolean), stock=pl.Series(stock, dtype=pl.Int64))
    facts, queries = Facts(frame), asked(*rows)
    policy = Policy(excluded=("jam",), never="brand = b", pins=(Pin(1, "oat"), Pin(2, "milk")))
    kept = frame.select(
        ~pl.col("hidden").fill_null(value=False)
        & (pl.col("stock").fill_null(1) > 0)
        & (pl.col("product_id") != "jam")
        & (pl.col("brand").fill_null("") != "b")
    ).to_series()
    if only:
        kept &= frame["category"].is_in(["dairy", "spread"])
    may = set(np.flatnonzero(kept.to_numpy()).tolist())
    for name, scene in SCENES.items():
        answer = stage_of(name, RANKERS, facts, policy).answer(queries, k, parsed(only))
        for row, products in zip(rows, answer.rankings.products, strict=True):
            shown = [int(p) for p in products if p >= 0]
            assert len(set(shown)) == len(shown) and set(shown) <= may - (set() if scene.repeats else set(row))
            if name in ("home", "similar", "next_basket"):  # no limits but the policy's
                assert bool(shown) == bool(may - (set() if scene.repeats else set(row)))
    shelf = shelf_of(facts, policy)
    for repeats in (True, False):
        candidates = shelf.candidates(parsed(only), repeats=repeats)
        for ranker in RANKERS.values():
            for row, products in zip(rows, ranker.rank(queries, k, candidates).products, strict=True):
                assert set(products[products >= 0].tolist()) <= may - (set() if repeats else set(row))


@pytest.mark.parametrize("gone", [{"hidden": True}, {"stock": 0}])
def test_what_may_not_be_shown_still_helps_as_history(gone):
    (column, value), other = *gone.items(), None
    facts = Facts(FRAME.with_columns(pl.when(product_id="milk").then(pl.lit(value)).otherwise(pl.lit(other)).alias(column)))
    for scene, link in (("home", "personal"), ("goes_with", "complements"), ("because_you_viewed", "next")):
        found = answered(scene, [MILK], facts=facts)
        assert found == answered(scene, [MILK]) and found["bread"] == link
    assert "milk" not in answered("next_basket", [MILK, BREAD, MILK], k=9, facts=facts)
    assert "milk" in answered("next_basket", [MILK, BREAD, MILK], k=9)
