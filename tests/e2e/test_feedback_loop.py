"""The loop through the real pipeline: facts and the policy of shop.toml shape lists, and what was shown teaches."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import worlds
from basketry.app.build import BuildRequest, build
from basketry.app.experiment import ExperimentRequest, experiment
from basketry.app.ingest import Frame, IngestRequest, ingest
from basketry.app.recommend import RecommendRequest, RecommendResult, recommend
from basketry.app.shop import Shop
from basketry.app.train import TrainRequest, train
from basketry.core.errors import ConfigError, DataError, RequestError
from basketry.recommendation.scenes import SCENES

SHOP = 'name = "Corner"\ncurrency = "EUR"\ntimezone = "UTC"\n'
TITLES = {"bun": "Burger buns", "patty": "Beef patties", "milk1": "Milk", "milk2": "Milk organic", "wine": "Red wine"}
TITLES |= {"cheese": "Mature cheese"} | {f"s{each}": f"Staple {each}" for each in range(20)}
LAST = worlds.START + dt.timedelta(weeks=26)


def shown_lists() -> pl.DataFrame:
    """Lists of the last two weeks: arm `new` is clicked on half of its lists, `old` on a fifth; and some to come."""
    rows = []
    for number in range(900):
        customer, arm = f"c{number}", ("old", "new")[number % 2]
        clicked = number % 10 < 2 if arm == "old" else number % 20 < 11
        ts = LAST - dt.timedelta(hours=300) + dt.timedelta(minutes=number)
        for place, product in enumerate(("s0", "s1", "wine"), start=1):
            base = {"list_id": f"l{number}", "product_id": product, "customer_id": customer, "ts": ts}
            base |= {"place": place, "scene": "home", "model": arm, "propensity": 0.25}
            rows.append(base | {"action": "impression"})
            if clicked and product != "wine":
                rows.append(base | {"action": "click", "propensity": None})
    rows.append(rows[0] | {"list_id": "d", "product_id": "milk1", "customer_id": "c1", "action": "dismissal", "place": None})
    rows.append(rows[0] | {"list_id": "p", "product_id": "cheese", "customer_id": "new one", "action": "purchase"})
    return pl.DataFrame(rows, schema_overrides={"place": pl.Int32, "propensity": pl.Float64})


def frames() -> tuple[Frame, ...]:
    lines = worlds.order_lines(list(worlds.trips(customers=300))).drop("source", "row", "day", "store_id")
    titles = pl.DataFrame({"product_id": list(TITLES), "title": list(TITLES.values())})
    titles = titles.with_columns(category=pl.col("product_id").str.slice(0, 1))
    earlier, later = LAST - dt.timedelta(days=40), LAST - dt.timedelta(days=20)
    prices = pl.DataFrame(
        {
            "product_id": ["bun", "bun", "wine", "milk1"],
            "ts": [earlier, later, earlier, earlier],
            "price": ["1.99", "2.49", "9.00", "1.00"],
            "cost": ["1.00", None, "3.50", None],
        }
    )
    counts = {"bun": 4, "patty": 0, "wine": 12}
    stock = pl.DataFrame({"product_id": list(counts), "units": list(counts.values()), "ts": [later] * 3})
    stock = pl.concat([stock, stock.head(1).with_columns(ts=earlier, units=pl.lit(99))], how="vertical_relaxed")
    weeks = pl.DataFrame(
        {
            "product_id": ["wine", "milk2"],
            "store_id": ["1", "1"],
            "first_day": [(LAST - dt.timedelta(days=3)).date(), (LAST - dt.timedelta(days=30)).date()],
        }
    )
    found = {"products": titles, "order_lines": lines, "prices": prices, "stock": stock, "promotions": weeks}
    return tuple(Frame(name, frame) for name, frame in (found | {"events": shown_lists()}).items())


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("loop")
    (folder / "shop.toml").write_text(SHOP, encoding="utf-8")
    opened = Shop.open(folder)
    done = ingest(opened, IngestRequest(frames()))
    assert (done.tables["quarantined"] == 0).all(), done.rules
    built = build(opened, BuildRequest(rule_support="none"))
    assert built.as_of > LAST - dt.timedelta(days=14)
    trained = train(opened, TrainRequest(horizon_days=21))
    assert any("clicks" in note for note in trained.notes)
    assert "viewed" in trained.weights.columns and (trained.weights["viewed"] >= 0).all()
    assert "personal without clicks" in trained.exam["model"].to_list()
    return folder


def asked(folder: Path, policy: str = "", **request) -> RecommendResult:
    (folder / "shop.toml").write_text(SHOP + policy, encoding="utf-8")
    try:
        return recommend(Shop.open(folder), RecommendRequest(**request))
    finally:
        (folder / "shop.toml").write_text(SHOP, encoding="utf-8")


def products(found: RecommendResult) -> list[str]:
    return found.recommendations["product_id"].to_list()


def test_facts_of_the_release_by_hand(shop):
    facts = {row["product_id"]: row for row in Shop.open(shop).graph().products.iter_rows(named=True)}
    told = {name: tuple(facts[name][each] for each in ("price", "margin", "stock", "promoted")) for name in facts}
    assert told["bun"] == (2.49, pytest.approx(1.49), 4.0, False)  # the latest price, and the latest cost that is known
    assert told["wine"] == (9.0, 5.5, 12.0, True)
    assert told["milk1"] == (1.0, None, None, False)
    assert told["milk2"] == (pytest.approx(1.85), None, None, False)  # sold at (3.34 + 0.36) / 2; its promotion is over


def test_filters_read_facts_and_what_is_sold_out_vanishes_from_every_scene(shop):
    assert products(asked(shop, filter="price < 3 and stock > 0")) == ["bun"]
    assert products(asked(shop, scene="on_promotion")) == ["wine"]
    for scene, of in SCENES.items():
        given = {} if of.about == "customer" else {"products": "bun"}
        assert "patty" not in products(asked(shop, scene=scene, k=26, **given)), scene
    beside = asked(shop, scene="bought_together", products="patty", k=1)  # yet as history it helps
    assert products(beside) == ["bun"]


def test_the_policy_of_the_file_shapes_lists(shop):
    policy = """
    [policy]
    excluded = ["wine"]
    never = "title contains cheese"
    diversity = 0.2
    caps = [{column = "category", most = 2}]
    pins = [{position = 2, product = "milk2"}]
    exploration = {share = 0.2, among = 5}
    """
    found = asked(shop, policy, k=3)
    assert products(found)[1] == "milk2" and not {"wine", "cheese"} & set(products(found))
    assert found.recommendations["propensity"].to_list()[1] == 1.0
    assert found.recommendations["propensity"].to_list()[0] in (pytest.approx(0.8), pytest.approx(0.2 / 5))
    assert sum(name[0] == "s" for name in products(asked(shop, policy, k=5))) <= 2
    assert products(asked(shop, policy, k=5, hide="milk2")) and "milk2" not in products(asked(shop, policy, k=5, hide="milk2"))
    gone = asked(shop, '[policy]\nexcluded = ["ghost"]\n')
    assert any("no product has the id 'ghost'" in note for note in gone.notes)


@pytest.mark.parametrize(
    ("policy", "error", "says"),
    [
        ("[policy]\ndiversty = 0.2\n", ConfigError, "did you mean diversity"),
        ("policy = 3\n", ConfigError, "write it as a table"),
        ("[policy]\nmargin_weight = 2\n", ConfigError, "margin_weight and diversity lie"),
        ("[policy]\ndismissed_days = -1\n", ConfigError, "give 0 or more"),
        ('[policy]\nnever = "colour = red"\n', RequestError, "there are product_id"),
    ],
)
def test_a_policy_that_is_wrong_names_the_key(shop, policy, error, says):
    with pytest.raises(error) as refused:
        asked(shop, policy)
    assert says in refused.value.hint


def test_what_a_customer_waved_away_rests(shop):
    everything = {"k": 26, "scene": "next_basket"}
    assert "milk1" not in products(asked(shop, customer="c1", **everything))
    assert "milk1" in products(asked(shop, customer="c2", **everything))
    assert "milk1" in products(asked(shop, "[policy]\ndismissed_days = 1\n", customer="c1", **everything))
    pinned = '[policy]\npins = [{position = 1, product = "milk1"}]\n'
    assert "milk1" not in products(asked(shop, pinned, customer="c1", **everything))


def test_a_purchase_in_a_list_is_history_at_once(shop):
    found = asked(shop, customer="new one")
    assert found.history == 1 and "cheese" not in products(found)


def test_an_experiment_tells_the_planted_effect(shop):
    found = experiment(Shop.open(shop), ExperimentRequest(arms="old=1,new=1"))
    arms = {row["arm"]: row for row in found.arms.iter_rows(named=True)}
    assert {arm: (row["customers"], row["impressions"]) for arm, row in arms.items()} == {
        "old": (450, 1350),
        "new": (450, 1350),
    }
    assert arms["old"]["rate"] == pytest.approx(0.2)
    (row,) = found.comparison.iter_rows(named=True)
    assert row["decided"] and row["low"] <= arms["new"]["rate"] - 0.2 <= row["high"]
    assert not any("mismatch" in note for note in found.notes)
    uneven = experiment(Shop.open(shop), ExperimentRequest(arms="old=3,new=1"))
    assert any("sample ratio mismatch" in note for note in uneven.notes)
    hashed = experiment(Shop.open(shop), ExperimentRequest(name="reasons"))
    assert hashed.arms["customers"].sum() == 900 and not hashed.comparison["decided"].any()


def test_the_release_is_valued_by_events_it_has_not_learned_from(shop):
    old = experiment(Shop.open(shop), ExperimentRequest(scene="home"))
    assert old.values.is_empty() and any("too few impressions" in note for note in old.notes)
    later = (
        shown_lists()
        .filter(pl.col("action") != "dismissal")
        .with_columns(pl.col("ts") + dt.timedelta(days=20), pl.col("list_id") + "x")
    )
    ingest(Shop.open(shop), IngestRequest((Frame("events", later),)))
    found = experiment(Shop.open(shop), ExperimentRequest(scene="home"))
    values = {row["estimate"]: row for row in found.values.iter_rows(named=True)}
    assert set(values) == {"logged", "ips", "snips", "dr"}
    assert values["logged"]["n"] == 2700 and values["logged"]["low"] <= values["logged"]["value"] <= values["logged"]["high"]
    anywhere = experiment(Shop.open(shop), ExperimentRequest())
    assert anywhere.values.is_empty() and any("name a scene about a customer: home" in note for note in anywhere.notes)
    with pytest.raises(DataError, match="no event was found"):
        experiment(Shop.open(shop), ExperimentRequest(scene="attic"))
    with pytest.raises(RequestError, match="cannot be counted"):
        experiment(Shop.open(shop), ExperimentRequest(reward="joy"))
