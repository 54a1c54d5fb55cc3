"""Rules after the cut: which live on, and what their confidence was worth, in worlds where the truth is known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.validation import HoldOut
from basketry.core.errors import RequestError
from rule_worlds import RUN, OneItemRules, from_matrix, packed

ITEMS, BASKETS = 30, 4000
DAY = dt.date(1970, 1, 1)
CUT = DAY + dt.timedelta(days=50)


def world(seed=0, ends=False):
    """Items at random; 0 and 1 go together throughout; 2 and 3 go together until the cut where `ends`, else throughout."""
    rng = np.random.default_rng(seed)
    holds = rng.random((BASKETS, ITEMS)) < rng.uniform(0.02, 0.12, ITEMS)
    days = rng.integers(0, 100, BASKETS)
    also = rng.random((2, BASKETS)) < 0.5
    holds[:, 1] |= holds[:, 0] & also[0]
    holds[:, 3] |= holds[:, 2] & also[1] & ((days < 50) | (not ends))
    customers = np.sort(rng.integers(0, 800, BASKETS))
    return Transactions(from_matrix(holds, customers, days), pl.Series([f"i{i}" for i in range(ITEMS)]))


@pytest.fixture(scope="module")
def held():
    return HoldOut(resamples=60).fit(world(ends=True), CUT, Itemsets(8), OneItemRules(0.1, 1), RUN)


def row(frame, x, y):
    chosen = frame.filter((pl.col("antecedent") == [x]) & (pl.col("consequent") == [y]))
    return chosen.row(0, named=True)


def value(metrics, metric, model):
    found = metrics.filter((pl.col("metric") == metric) & (pl.col("model") == model))
    return found.row(0, named=True)


def test_what_goes_on_lives_on_and_what_ended_does_not(held):
    frame = held.frame()
    assert row(frame, "i0", "i1")["lived_on"] and row(frame, "i0", "i1")["later_confidence"] > 0.4
    assert row(frame, "i2", "i3")["confidence"] > 0.4 and not row(frame, "i2", "i3")["lived_on"]
    strays = frame.filter(~pl.col("antecedent").list.first().is_in(["i0", "i1", "i2", "i3"]))
    assert len(strays) > 50 and strays["lived_on"].sum() <= 2
    assert value(held.metrics, "lived_on", "all rules")["value"] == pytest.approx(frame["lived_on"].mean())
    strongest = value(held.metrics, "lived_on", "strength 10 of 10")
    assert strongest["value"] == 2 / strongest["n"], "0 with 1, both ways; 2 with 3 was as strong and ended"
    assert value(held.metrics, "lived_on", "strength 5 of 10")["value"] == 0


def test_the_figures_of_a_rule_before_and_after_are_counts(held):
    shop = world(ends=True)
    rows = [set(shop.baskets.items[a:b].tolist()) for a, b in zip(shop.baskets.indptr, shop.baskets.indptr[1:], strict=False)]
    for later, names in (
        (False, ("baskets", "confidence", "lift")),
        (True, ("later_baskets", "later_confidence", "later_lift")),
    ):
        part = [held_ for held_, day in zip(rows, shop.baskets.days.tolist(), strict=True) if (day >= 50) == later]
        both, x, y = (sum(want <= each for each in part) for want in ({0, 1}, {0}, {1}))
        figures = row(held.frame(), "i0", "i1")
        assert [figures[name] for name in names] == pytest.approx([both, both / x, both * len(part) / (x * y)])


def test_shrinking_repairs_optimism_and_is_told_from_luck():
    held = HoldOut(resamples=60).fit(world(3), CUT, Itemsets(8), OneItemRules(0.1, 1), RUN)
    mined, shrunk = (value(held.metrics, "optimism", model) for model in ("mined", "shrunk"))
    assert mined["low"] > 0.01 and shrunk["low"] < 0 < shrunk["high"]
    gain = value(held.metrics, "log_loss_gain", "shrunk over mined")
    assert gain["low"] > 0 and gain["low"] < gain["value"] < gain["high"]
    losses = [value(held.metrics, "log_loss", model)["value"] for model in ("mined", "shrunk")]
    assert gain["value"] == pytest.approx(losses[0] - losses[1])


def test_losses_by_hand():
    """Confidence 3/4 foretold, 1 of 2 came: Brier .5 x .5 + .25^2, log loss -(ln .75 + ln .25) / 2, optimism .25."""
    rows = [[0, 1], [0, 1], [0, 1], [0], [1], [2], [0, 1], [0], [2], [2], [1]]
    shop = Transactions(packed(rows, 3, days=[0] * 6 + [9] * 5), pl.Series(["a", "b", "c"]))
    held = HoldOut(resamples=0).fit(shop, DAY + dt.timedelta(days=9), Itemsets(3), OneItemRules(), RUN)
    assert len(held.before) == 2 and held.frame()["later_confidence"].to_list() == [0.5, 0.5]
    assert value(held.metrics, "brier", "mined")["value"] == pytest.approx(0.25 + 0.0625)
    assert value(held.metrics, "log_loss", "mined")["value"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert value(held.metrics, "optimism", "mined")["value"] == pytest.approx(0.25)
    assert value(held.metrics, "brier", "consequent")["value"] == pytest.approx(0.25 + (4 / 6 - 0.5) ** 2)
    assert value(held.metrics, "brier", "mined")["low"] is None


def test_reliability_counts_every_rule_met_once(held):
    table = held.reliability()
    totals = table.group_by("model").agg(pl.col("rules").sum())["rules"]
    assert totals.to_list() == [int((held.after.n_x > 0).sum())] * 3
    mined = table.filter(pl.col("model") == "mined")
    assert mined["predicted"].is_sorted()


def test_nothing_after_the_cut_reaches_what_was_foretold():
    shop, other = world(5), world(5, ends=True)
    one, two = (HoldOut(resamples=0).fit(each, CUT, Itemsets(8), OneItemRules(0.1), RUN) for each in (shop, other))
    assert one.prior == two.prior
    names = ["antecedent", "consequent", "confidence", "shrunk", "strength"]
    assert one.frame().select(names).equals(two.frame().select(names))
    assert not one.frame().equals(two.frame())


def test_rolling_tests_each_cut_until_the_next():
    shop, cuts = world(6), [DAY + dt.timedelta(days=day) for day in (40, 60, 80)]
    held, metrics = HoldOut(resamples=5).rolling(shop, cuts, Itemsets(0.01), OneItemRules(0.1, 1), RUN)
    days = shop.baskets.days
    assert [each.before.n for each in held] == [int((days < day).sum()) for day in (40, 60, 80)]
    assert [each.after.n for each in held] == [
        int(((days >= a) & (days < b)).sum()) for a, b in ((40, 60), (60, 80), (80, 999))
    ]
    assert metrics["slice"].unique().sort().to_list() == [cut.isoformat() for cut in cuts]
    with pytest.raises(RequestError, match="do not rise"):
        HoldOut().rolling(shop, cuts[::-1], Itemsets(8), OneItemRules(), RUN)


def test_one_part_alone_and_no_rules():
    with pytest.raises(RequestError, match="0 baskets lie before"):
        HoldOut().fit(world(), DAY, Itemsets(8), OneItemRules(), RUN)
    none = HoldOut(resamples=3).fit(world(), CUT, Itemsets(0.9), OneItemRules(), RUN)
    assert len(none.frame()) == 0 and len(none.metrics) == 0 and len(none.reliability()) == 0
    with pytest.raises(RequestError, match="alpha"):
        HoldOut(alpha=0)
