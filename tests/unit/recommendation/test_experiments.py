"""Worlds with a planted effect: estimates find it, and find none where there is none; by hand where a hand can count."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from basketry.core.tables import Events
from basketry.evaluation.off_policy import Logged, off_policy
from basketry.recommendation.experiments import MISMATCH, compared, customers_of, duels, expectations, lists_of, mismatch, rate

NOON = dt.datetime(2026, 5, 3, 12, tzinfo=dt.UTC)


def events(rows) -> pl.DataFrame:
    """(list, product, action, customer, minutes after noon, place, model)"""
    told = [
        {
            "list_id": list_id,
            "product_id": product,
            "action": action,
            "customer_id": customer,
            "ts": NOON + dt.timedelta(minutes=minutes),
            "day": NOON.date(),
            "place": place,
            "scene": "home",
            "model": model,
            "propensity": 0.5,
        }
        for list_id, product, action, customer, minutes, place, model in rows
    ]
    overrides = {"customer_id": pl.String, "place": pl.Int32, "model": pl.String}
    return Events.validate(pl.DataFrame(told, schema_overrides=overrides), cast=True)


def world(seed: int, effect: float, customers: int = 600, most: int = 4) -> pl.DataFrame:
    """Customers with habits of their own come one to four times; arm `b` raises the chance of a click by `effect`."""
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        arm, habit = "ab"[int(random.integers(2))], random.beta(2, 6)
        for visit in range(int(random.integers(1, most + 1))):
            minutes = int(random.integers(0, 40_000))
            name = f"{customer}-{visit}"
            rows.append((name, "x", "impression", f"c{customer}", minutes, 1, arm))
            if random.random() < habit + effect * (arm == "b"):
                rows.append((name, "x", "click", f"c{customer}", minutes, 1, arm))
    return events(rows)


def arms_of(found: pl.DataFrame) -> pl.DataFrame:
    lists = lists_of(found, "click").with_columns(arm=pl.col("teams").list.first())
    return customers_of(lists)


def test_lists_and_customers_by_hand():
    found = events(
        [
            ("1", "x", "impression", "ann", 0, 1, "a"),
            ("1", "y", "impression", "ann", 0, 2, "a"),
            ("1", "y", "click", "ann", 1, 2, "a"),
            ("2", "x", "impression", "ann", 9, 1, "a"),
            ("3", "x", "impression", "bob", 5, 1, "a"),
            ("4", "x", "impression", "bob", 6, 1, "b"),
            ("5", "x", "impression", None, 7, 1, "b"),
            ("5", "x", "purchase", None, 8, None, None),
            ("6", "x", "click", "eve", 8, 1, "b"),  # shown in no list that was logged
        ]
    )
    lists = lists_of(found, "click")
    assert lists.select("list_id", "impressions", "clicks", "purchases", "rewarded").rows() == [
        ("1", 2, 1, 0, True),
        ("3", 1, 0, 0, False),
        ("4", 1, 0, 0, False),
        ("5", 1, 0, 1, False),
        ("2", 1, 0, 0, False),
    ]
    customers = customers_of(lists.with_columns(arm=pl.col("teams").list.first()))
    assert customers.select("who", "arms", "rate").rows() == [("c:ann", 1, 0.5), ("c:bob", 2, 0.0), ("l:5", 1, 0.0)]
    assert rate(lists).interval("rate").value == pytest.approx(1 / 5)


def test_a_planted_effect_is_found_and_lies_in_its_interval():
    (found,) = compared(arms_of(world(1, 0.15, customers=3_000)), "a")
    assert found.arm == "b" and found.p <= 0.05
    assert found.low <= 0.15 <= found.high and found.low > 0


def test_where_there_is_no_effect_one_looks_as_often_as_one_likes():
    """Fifteen looks at data as they grow, customers coming back between them: false alarms in at most 5% of the worlds."""
    alarms = 0
    for seed in range(100):
        everything = world(seed, 0.0)
        looks = [everything.filter(pl.col("ts") < NOON + dt.timedelta(minutes=until)) for until in range(5_000, 41_000, 2_500)]
        alarms += any(each.p <= 0.05 for look in looks for each in compared(arms_of(look), "a"))
    assert alarms <= 5


def test_arms_in_other_shares_than_planned_are_noticed():
    assert mismatch({"a": 5_000, "b": 5_050}, {"a": 1, "b": 1}) > 0.5
    assert mismatch({"a": 5_000, "b": 5_500}, {"a": 1, "b": 1}) < MISMATCH
    assert mismatch({"a": 2_000, "b": 8_000}, {"a": 0.2, "b": 0.8, "off": 0}) == 1
    assert mismatch({}, {"a": 1, "b": 1}) == 1


def test_interleaved_lists_are_won_by_more_clicks():
    rows = []
    for number in range(40):  # ann gives two lists to b, each of 20 others one, 18 to b and 2 to a; the rest click nothing
        customer = "ann" if number < 2 else f"c{number}"
        for place, (product, team) in enumerate((("x", "a"), ("y", "b"), ("z", "a")), start=1):
            rows.append((str(number), product, "impression", customer, number, place, team))
        if number < 22:
            rows.append((str(number), "x" if number >= 20 else "y", "click", customer, number, None, None))
    found = events(rows)
    (duel,) = duels(found, lists_of(found, "click"), "click")
    assert (duel.one, duel.other, duel.lists, duel.won, duel.lost) == ("a", "b", 40, 20, 2)
    assert duel.preference == pytest.approx(18 / 22)
    assert duel.p == pytest.approx(2 * (1 + 21 + 210) / 2**21)  # 19 customers for b, 2 for a
    assert duel.low <= duel.preference <= duel.high


def test_the_value_of_another_policy_lies_in_its_interval_and_doubly_robust_knows_it_better():
    """Two places, four products, shown at random: the other policy always shows the best product, whose value is known."""
    worth, examined = np.array([0.1, 0.2, 0.3, 0.5]), np.array([0.8, 0.4])
    truth = 0.5 * examined.mean()
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    widths = []
    for seed in range(40):
        random, n = np.random.default_rng(seed), 4_000
        place, product = np.arange(n) % 2, random.integers(4, size=n)
        reward = (random.random(n) < worth[product] * examined[place]).astype(np.float64)
        cluster = np.arange(n, dtype=np.int64)
        shown, chosen = expectations(reward, product, np.full(n, 3), place, cluster)
        logged = Logged(reward, np.full(n, 0.25), (product == 3).astype(np.float64), cluster, shown, chosen)
        told = off_policy(logged, resamples=200, seed=seed)
        for name in held:
            each = told.interval(name)
            held[name] += each.low <= truth <= each.high
        ips, dr = told.interval("ips"), told.interval("dr")
        widths.append((dr.high - dr.low) / (ips.high - ips.low))
    assert min(held.values()) >= 34  # of 40; 38 are expected
    assert np.mean(widths) < 0.95


def test_a_policy_that_shows_nothing_there_is_expected_to_earn_nothing():
    shown, chosen = expectations(np.ones(4), np.array([0, 0, 1, 1]), np.array([-1, 0, -1, 1]), np.zeros(4, int), np.arange(4))
    assert chosen[[0, 2]].tolist() == [0, 0] and (chosen[[1, 3]] > 0).all() and (shown > 0).all()
