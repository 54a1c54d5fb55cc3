from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.stability import PlantedNoise, Stability
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from rule_worlds import RUN, OneItemRules, from_matrix, packed

NAMES = pl.Series([f"i{i}" for i in range(12)])


def world(seed=0, n=1000, customers=None):
    rng = np.random.default_rng(seed)
    holds = rng.random((n, 12)) < 0.1
    holds[:, 1] |= holds[:, 0] & (rng.random(n) < 0.6)
    return Transactions(from_matrix(holds, customers), NAMES)


def row(frame, x, y):
    return frame.filter((pl.col("antecedent") == [x]) & (pl.col("consequent") == [y])).row(0, named=True)


@pytest.mark.parametrize("resampling", ["bootstrap", "half"])
def test_strong_rules_pass_again_and_those_at_the_floor_half_the_time(resampling):
    shop = world()
    found = Itemsets(2).fit(shop, RUN)
    rules = OneItemRules(max_antecedent=1).fit(found, RUN)
    pairs = found.tree.support[rules.whole]
    floor = int(np.median(pairs))
    frame = Stability(resampling, 200).fit(shop, Itemsets(floor), OneItemRules(max_antecedent=1), RUN).frame()
    assert row(frame, "i0", "i1")["passed"] == 1.0
    at_floor = frame.filter(pl.col("baskets") == floor)
    assert 0.45 < at_floor["passed"].mean() < 0.7, "half, and half of those who stay exactly there"


def test_intervals_are_those_of_a_proportion():
    """With a basket a customer, the interval of a confidence is about 1.96 sqrt(c (1 - c) / n_x) on each side, both ways."""
    shop = world(2, 4000)
    for resampling in ("bootstrap", "half"):
        found = row(Stability(resampling, 400).fit(shop, Itemsets(20), OneItemRules(max_antecedent=1), RUN).frame(), "i0", "i1")
        n_x = found["baskets"] / found["confidence"]
        wide = 2 * 1.96 * (found["confidence"] * (1 - found["confidence"]) / n_x) ** 0.5
        assert found["confidence_high"] - found["confidence_low"] == pytest.approx(wide, rel=0.2)
        assert found["confidence_low"] < found["confidence"] < found["confidence_high"]
        assert found["lift_low"] < found["lift"] < found["lift_high"]


def test_one_customer_many_baskets_is_one_witness():
    """The same 4,000 baskets, but eight of a customer alike: the interval is wider by about the root of eight."""
    base = world(3, 500)
    rows = [base.baskets.items[a:b].tolist() for a, b in zip(base.baskets.indptr, base.baskets.indptr[1:], strict=False)]
    repeated = [each for each in rows for _ in range(8)]
    widths = []
    for customers in (None, np.repeat(np.arange(500), 8)):
        shop = Transactions(packed(repeated, 12, customers), NAMES)
        found = row(
            Stability("bootstrap", 200).fit(shop, Itemsets(20), OneItemRules(max_antecedent=1), RUN).frame(), "i0", "i1"
        )
        widths.append(found["confidence_high"] - found["confidence_low"])
    assert widths[1] / widths[0] == pytest.approx(8**0.5, rel=0.25)


def test_a_count_as_floor_keeps_its_share_in_a_half():
    """Six baskets of ten hold both; in a half of five a floor of 6 becomes 3, one of 0.6 too."""
    shop = Transactions(packed([[0, 1]] * 10, 2), NAMES[:2])
    for floor in (10, 1.0):
        stable = Stability("half", 5).fit(shop, Itemsets(floor), OneItemRules(), RUN)
        assert stable.passed.tolist() == [1.0, 1.0]


def test_a_floor_that_falls_between_two_counts_is_the_higher_one():
    """Seven of ten hold both, at a floor of 7: in a half 3.5 means 4, which 126 of 252 halves have."""
    shop = Transactions(packed([[0, 1]] * 7 + [[0]] * 3, 2), NAMES[:2])
    stable = Stability("half", 400).fit(shop, Itemsets(7), OneItemRules(), RUN)
    assert stable.passed == pytest.approx([0.5, 0.5], abs=0.08)


def test_noise_by_kind_and_share():
    shop = world(4, 3000)
    metrics = PlantedNoise((0.0, 0.02, 0.3), 3).fit(shop, Itemsets(20), OneItemRules(0.2), RUN)
    assert len(metrics) == 3 * 3 * 2
    known = {(r["metric"], r["model"], r["slice"]): r for r in metrics.iter_rows(named=True)}
    for kind in ("drop", "replace", "add"):
        assert known["survived", kind, "0"]["value"] == 1 and known["appeared", kind, "0"]["value"] == 0
        assert known["survived", kind, "0.3"]["low"] <= known["survived", kind, "0.3"]["value"] <= 1
    assert known["survived", "drop", "0.3"]["value"] < known["survived", "drop", "0.02"]["value"] < 1
    assert known["appeared", "add", "0.3"]["value"] > known["appeared", "add", "0.02"]["value"]
    assert len({row["n"] for row in known.values()}) == 1


def test_the_same_seed_gives_the_same_answer():
    shop = world(5)
    one, two, other = (
        Stability(resamples=5).fit(shop, Itemsets(5), OneItemRules(), Run(seed, 1)).frame() for seed in (1, 1, 2)
    )
    assert one.equals(two) and not one.equals(other)
    noise = [PlantedNoise((0.1,), 2).fit(shop, Itemsets(5), OneItemRules(), Run(seed, 1)) for seed in (1, 1, 2)]
    assert noise[0].equals(noise[1]) and not noise[0].equals(noise[2])


def test_what_cannot_be_asked_is_refused_and_nothing_is_stable():
    for wrong in (
        lambda: Stability("odd"),
        lambda: Stability(resamples=0),
        lambda: PlantedNoise(()),
        lambda: PlantedNoise((0.1,), 0),
    ):
        with pytest.raises(RequestError):
            wrong()
    assert len(Stability(resamples=2).fit(world(), Itemsets(0.9), OneItemRules(), RUN).frame()) == 0
