"""Arms by a stable hash, and Events as what off-policy estimates take."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from basketry.core.errors import DataError, RequestError
from basketry.core.tables import Events
from basketry.evaluation.off_policy import off_policy
from basketry.recommendation.feedback import Experiment, Rewards, impressions, logged

NOON = dt.datetime(2026, 5, 3, 12, tzinfo=dt.UTC)


def told(*rows) -> pl.DataFrame:
    table = pl.DataFrame(
        [
            {
                "list_id": list_id,
                "product_id": product,
                "action": action,
                "customer_id": customer,
                "ts": NOON,
                "day": NOON.date(),
                "place": place,
                "scene": "home",
                "model": None,
                "propensity": propensity,
            }
            for list_id, product, action, customer, place, propensity in rows
        ],
        schema_overrides={"place": pl.Int32, "model": pl.String, "propensity": pl.Float64, "customer_id": pl.String},
    )
    return Events.validate(table, cast=True)


def test_events_become_rewards_by_hand():
    events = told(
        ("2", "a", "impression", None, 1, 0.5),
        ("1", "b", "impression", "ann", 2, 0.25),
        ("1", "a", "impression", "ann", 1, 0.5),
        ("1", "b", "click", "ann", 2, None),
        ("1", "b", "purchase", "ann", 2, None),
        ("2", "a", "dismissal", None, 1, None),
        ("3", "c", "impression", "ann", 1, 1.0),
    )
    assert impressions(events).select("list_id", "product_id").rows() == [("1", "a"), ("1", "b"), ("2", "a"), ("3", "c")]
    rows = logged(events, np.array([1, 1, 0.5, 1.0]), Rewards(click=0.5, purchase=2, dismissal=-1))
    assert rows.reward.tolist() == [0, 2.5, -1, 0]
    assert rows.propensity.tolist() == [0.5, 0.25, 0.5, 1]
    assert rows.cluster[0] == rows.cluster[1] == rows.cluster[3] != rows.cluster[2]
    assert off_policy(rows).interval("ips").value == pytest.approx((0 + 10 - 1 + 0) / 4)


def test_an_event_told_twice_is_refused_as_two_rows():
    row = ("1", "a", "click", "ann", 1, None)
    assert len(told(row)) == 1
    with pytest.raises(Exception, match="primary_key"):
        told(row, row)


def test_impressions_without_a_propensity_say_so():
    with pytest.raises(DataError, match="1 impressions have no propensity"):
        logged(told(("1", "a", "impression", "ann", 1, None)), np.ones(1))


def test_arms_stay_and_are_split_as_weighed():
    customers = [f"c{i}" for i in range(20_000)]
    test = Experiment("reasons", {"control": 3, "treatment": 1, "off": 0})
    arms = test.assigned(customers)
    assert arms == [test.arm(customer) for customer in customers]
    assert arms.count("treatment") / len(arms) == pytest.approx(0.25, abs=0.01)
    assert "off" not in arms
    other = Experiment("reasons2", {"control": 3, "treatment": 1}).assigned(customers)
    both = sum(a == b == "treatment" for a, b in zip(arms, other, strict=True))
    assert both / len(arms) == pytest.approx(0.0625, abs=0.01)  # independent of each other


def test_arms_are_the_same_on_every_machine():
    assert Experiment("a").assigned(["bc", "d", "顾客"]) == ["treatment", "treatment", "control"]


def test_no_experiment_without_name_and_weight():
    for name, arms in (("", {"a": 1.0}), ("x", {"a": 0.0}), ("x", {"a": -1.0, "b": 2.0})):
        with pytest.raises(RequestError, match="splits nobody"):
            Experiment(name, arms)
