"""Why a product is on a list: in a world of five products worked out by hand, and as laws over every scene."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from basketry.core.histories import Candidates, Histories, Queries, Rankings
from basketry.core.protocols import Run
from basketry.recommendation.answers import stage_of
from basketry.recommendation.blending import blended
from basketry.recommendation.edges import Edges
from basketry.recommendation.facts import Facts
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.item_graph import ItemGraph, rows_of
from basketry.recommendation.policy import Cap, Pin, Policy
from basketry.recommendation.popularity import Popular, Popularity
from basketry.recommendation.reasons.standing import standing, statements
from basketry.recommendation.recency import Recency
from basketry.recommendation.scenes import SCENES
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing
from basketry.recommendation.wording import say

MILK, BREAD, TEA, BUTTER, JAM, MUG = range(6)
TITLES = ["milk", "bread", "tea", "butter", "jam", "mug"]
COLUMNS = {
    "product_id": TITLES,
    "category": ["dairy", "bakery", "drinks", "dairy", "spread", "ware"],
    "subcategory": ["milk", "bread", "tea", "butter", "jam", "mugs"],
    "brand": ["a", "b", "c", "a", "d", None],
    "age_days": [400, 400, 400, 400, 400, 3],
    "promoted": [False, True, False, True, False, None],
}
FACTS = Facts(pl.DataFrame(COLUMNS))


def world(facts=FACTS, policy=None):
    """Milk leads to butter by 3, bread to butter by 2, tea to jam by 1; everybody buys jam 4 times, butter 2, mugs never."""
    points = np.zeros((6, 6))
    points[MILK, BUTTER], points[BREAD, BUTTER], points[TEA, JAM] = 3, 2, 1
    graph = ItemGraph(rows_of(csr_array(points)), Recency())
    popular = Popular(np.array([1, 1, 1, 2, 4, 0], dtype=np.float32))
    personal = blended((graph, popular), (0.75, 0.25), Voicing(depth=0))
    return stage_of("home", {"personal": personal, "next": graph, "popular": popular}, facts, policy or Policy())


def asked(*products):
    days = np.arange(len(products), dtype=np.int32)
    rows = Histories(np.array([0, len(products)]), np.array(products, dtype=np.int32), days, days, 6)
    return Queries(rows, np.array([30], dtype=np.int32))


HISTORY = asked(MILK, BREAD, TEA)
PARTS = ("graph", "popular")


def told(stage, product, k, only="", history=HISTORY):
    found = standing(stage, history, product, k, parsed(only), PARTS)
    return found, [say(each, "en") for each in statements(found, stage.asked(history), TITLES)]


def test_a_listed_product_by_hand():
    # of butter: graph 5 of 5 at best, popular 2 of 4; of jam: graph 1 of 5, popular 4 of 4
    found, words = told(world(), BUTTER, 2)
    assert (found.place, found.rank, found.ranked, found.link) == (1, 1, 3, "personal")
    assert found.score == pytest.approx(0.75 * 5 / 5 + 0.25 * 2 / 4)
    assert found.evidence.of(0, 0, 3).tolist() == pytest.approx([0.75 * 3 / 5, 0.75 * 2 / 5, 0])
    assert found.evidence.rest[0, 0] == pytest.approx(0.25 * 2 / 4)
    said = {each.part or each.link: (each.rank, each.score, each.adds) for each in found.voices}
    assert said["graph"] == (1, 5, pytest.approx(0.75)) and said["popular"][:2] == (2, 2)
    assert [each.adds for each in found.voices[:2]] == pytest.approx([0.75, 0.125])
    assert words[0] == "“butter” is at place 1 of your first 2." and words[1].startswith("“butter” is here because you bought")
    assert not found.bars and not found.rules


def test_what_must_be_gone_is_the_smallest_part_and_was_tried():
    # without milk butter has .75 * 2/2 + .125 and jam .75 * 1/2 + .25: only without milk and bread is jam first
    found, words = told(world(), BUTTER, 1)
    assert found.gone is not None and found.gone.gone.tolist() == [MILK, BREAD] and found.gone.smallest
    assert words[-1] == "Without “milk” and “bread”, “butter” would not be among your first 1."
    everywhere, _ = told(world(), JAM, 2)  # popular enough to stay without any history
    assert everywhere.place == 2 and everywhere.gone is None


def test_a_product_that_is_not_listed_has_a_rank():
    found, words = told(world(), MUG, 2)
    assert (found.place, found.rank, found.link, found.gone) == (None, 3, "catalogue", None)
    assert words == [
        "“mug” is not among your first 2: by its score it is at 3 of 3.",
        "“mug” stands last: nothing in your history, nor in what others buy, speaks for it.",
    ]
    bought, words = told(world(), MILK, 2)
    assert bought.bars == ("bought",) and bought.rank == 3 and bought.ranked == 4  # as if nothing barred it
    assert words[1] == "“milk” is in your history, and this scene shows what is not."


def test_every_bar_is_named_and_the_rank_is_that_without_it():
    facts = Facts(pl.DataFrame(COLUMNS | {"hidden": [False] * 4 + [True, False], "stock": [9, 9, 9, 0, 9, 9]}))
    policy = Policy(excluded=("jam",), never="category = spread")
    found, words = told(world(facts, policy), JAM, 2, "category = dairy")
    assert set(found.bars) == {"excluded", "hidden", "never", "filter"} and found.rank == 1
    assert "“jam” is ruled out by the shop's policy." in words and "“jam” does not pass the filter." in words
    sold, words = told(world(facts, policy), BUTTER, 2)
    assert sold.bars == ("sold_out",) and (sold.place, sold.rank) == (None, 1)
    assert words[:2] == ["“butter” is not among your first 2: by its score it is at 1 of 2.", "“butter” is sold out."]


def test_caps_and_pins_are_told():
    facts = Facts(pl.DataFrame(COLUMNS | {"brand": ["a", "b", "c", "x", "x", None]}))
    capped, words = told(world(facts, Policy(caps=(Cap("brand", 1),))), JAM, 2)
    assert (capped.place, capped.rank, capped.rules) == (None, 2, ("cap",))
    assert "“jam” gives way: your list holds as many of its group as it may." in words
    pinned, words = told(world(policy=Policy(pins=(Pin(1, "mug"),))), MUG, 2)
    assert (pinned.place, pinned.rank, pinned.rules) == (1, 3, ("pin",))
    assert words[:2] == [
        "“mug” is at place 1 of your first 2; by its score alone it would be at 3.",
        "“mug” is pinned to its place.",
    ]
    moved, words = told(world(policy=Policy(pins=(Pin(1, "mug"),))), BUTTER, 2)
    assert words[0] == "“butter” is at place 2 of your first 2; by its score alone it would be at 1." and moved.place == 2


def test_a_stranger_is_shown_what_everybody_buys():
    found, words = told(world(), JAM, 2, history=asked())
    assert found.place == 1 and words == ["“jam” is at place 1 of your first 2.", "“jam” is popular so far."]


BOUGHT = [[MILK, BREAD, JAM], [MILK, BREAD, TEA], [BREAD, BUTTER, JAM], [TEA, JAM, BUTTER], [MILK, BUTTER]]
EDGES = pl.DataFrame(
    [
        ("milk", "bread", "bought_together", 0.9, "complement"),
        ("milk", "butter", "similar", 0.5, "substitute"),
        ("tea", "jam", "bought_together", 0.4, "unknown"),
    ],
    schema=["product_id", "other_id", "kind", "strength", "verdict"],
    orient="row",
)


def every_ranker():
    histories, run = Histories.from_rows(BOUGHT, 6), Run()
    next_, popular = Transitions().fit(histories, run), Popularity().fit(histories, run)
    return {
        "personal": blended((next_, popular), (0.6, 0.4)),
        "next": next_,
        "reorder": Transitions(repeats=True, hop=0).fit(histories, run),
        "complements": Edges(("bought_together",), without=("substitute",)).fit(EDGES, FACTS),
        "together": Edges(("bought_together",)).fit(EDGES, FACTS),
        "similar": Edges(("similar",)).fit(EDGES, FACTS),
        "substitutes": Edges(("similar",)).fit(EDGES.filter(pl.col("verdict") == "substitute"), FACTS),
        "popular": popular,
    }


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("products", [(), (MILK,), (TEA, MILK), (MILK, BREAD, BUTTER)])
def test_in_every_scene_the_standing_agrees_with_the_answer(scene, products):
    stage, queries, k = stage_of(scene, every_ranker(), FACTS, Policy()), asked(*products), 3
    answer = stage.answer(queries, k)
    shown = answer.rankings.products[0].tolist()
    allowed = stage.candidates(queries).allowed
    for product in range(6):
        found = standing(stage, queries, product, k, parts=PARTS)
        assert found.place == (shown.index(product) + 1 if product in shown else None)
        if found.place is not None:
            at = found.place - 1
            assert not found.bars and found.score == pytest.approx(answer.rankings.scores[0, at])
            assert found.link == answer.linked(0)[at]
        row = allowed if allowed.ndim == 1 else allowed[0]
        may = row[product] and (SCENES[scene].repeats or product not in products)
        assert bool(found.bars) == (not may)
        whole = found.evidence.events.sum() + found.evidence.rest.sum()
        assert not found.evidence.exact or whole == pytest.approx(found.score, rel=1e-5)
        of_blend = [each.adds for each in found.voices if each.link == "personal" and each.adds is not None]
        if found.link == "personal":
            assert sum(of_blend) == pytest.approx(found.score, rel=1e-5)
        if found.gone is not None:  # ranked once more, by hand: the history without it no longer lists it
            left = np.unique(stage.asked(queries).histories.products)
            kept = ~np.isin(stage.asked(queries).histories.products, left[found.gone.gone])
            fewer = Queries(stage.asked(queries).histories.where(kept), queries.days)
            bars = np.zeros(6, dtype=np.bool_)
            for bar in stage.limits(queries).values():
                bars |= bar if bar.ndim == 1 else bar[0]
            again = stage.within(fewer, k, Candidates(~bars, repeats=True))
            assert product not in again.rankings.products[0]


def test_what_the_parts_of_a_blend_say_adds_up():
    ranker, queries = every_ranker()["personal"], asked(MILK, TEA)
    rankings = Rankings(np.array([[BREAD, BUTTER, JAM, -1]], dtype=np.int32), np.zeros((1, 4)))
    said = ranker.said(queries, rankings)
    assert said.shape == (1, 4, 2)
    assert said.sum(axis=2)[0, :3] == pytest.approx(ranker.scores(queries)[0, [BREAD, BUTTER, JAM]], abs=1e-6)
