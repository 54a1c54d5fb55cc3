"""Two groups of baskets whose difference is known, or that have none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from basketry.associations.mining.comparison import CHANGES, Comparison, aligned
from basketry.associations.mining.differences import equal_shares_p
from basketry.associations.mining.itemsets import Itemsets, min_count
from basketry.associations.mining.rule_counts import RuleCounts
from basketry.associations.mining.transactions import Transactions
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from rule_worlds import RUN, OneItemRules, from_matrix, packed

ITEMS = 14
NAMES = pl.Series("item", [f"i{i}" for i in range(ITEMS)])
ONE_TO_ONE = OneItemRules(max_antecedent=1)


def world(rng, n, ties, customers=None):
    """Each item in a tenth of the baskets; ties[(x, y)] is the chance that a basket with x is given y too."""
    holds = rng.random((n, ITEMS)) < 0.1
    for (x, y), chance in ties.items():
        holds[:, y] |= holds[:, x] & (rng.random(n) < chance)
    return Transactions(from_matrix(holds, customers), NAMES)


def row(frame, x, y):
    return frame.filter((pl.col("antecedent") == [x]) & (pl.col("consequent") == [y])).row(0, named=True)


def test_each_status_is_given_where_it_is_due():
    rng = np.random.default_rng(1)
    first = world(rng, 4000, {(0, 1): 0.6, (2, 3): 0.3, (4, 5): 0.7, (8, 9): 0.5})
    second = world(rng, 6000, {(0, 1): 0.6, (2, 3): 0.7, (4, 5): 0.3, (6, 7): 0.5})
    frame = Comparison(0.01, 0.3, margin=0.12).fit(first, second, ONE_TO_ONE, RUN).frame()
    status = {(x, y): row(frame, f"i{x}", f"i{y}")["status"] for x, y in ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))}
    assert status == {
        (0, 1): "unchanged",
        (2, 3): "stronger",
        (4, 5): "weaker",
        (6, 7): "emerging",
        (8, 9): "vanishing",
    }
    emerged = row(frame, "i6", "i7")
    assert emerged["growth"] > 3 and emerged["low"] > 0.2 and emerged["q_lift"] < 0.001 and emerged["odds_ratio"] > 4
    assert frame["p_confidence"][0] < 1e-20, "the surest change stands first"


def test_few_baskets_are_unclear_and_not_unchanged():
    rng = np.random.default_rng(2)
    few, many = (
        Comparison(0.02, 0.3, margin=0.1).fit(*(world(rng, n, {(0, 1): 0.5}) for _ in range(2)), ONE_TO_ONE, RUN).frame()
        for n in (300, 20_000)
    )
    assert row(few, "i0", "i1")["status"] == "unclear" and row(many, "i0", "i1")["status"] == "unchanged"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.2), st.floats(0.05, 0.6), st.integers(20, 80), st.integers(20, 80))
def test_exactly_the_rules_that_pass_in_either_are_compared(seed, support, confidence, n_one, n_two):
    rng = np.random.default_rng(seed)
    sides = world(rng, n_one, {(0, 1): 0.5}), world(rng, n_two, {(1, 2): 0.4})
    search = OneItemRules(max_antecedent=2)
    expected, counts = set(), {}
    for number, side in enumerate(sides):
        found = search.fit(Itemsets(support).fit(side, RUN), RUN)
        passed = RuleCounts.mined(found).passing(min_count(support, len(side)), confidence)
        x, y = (found.itemsets.named(nodes).to_list() for nodes in (found.antecedent, found.consequent))
        for a, b, passes, n in zip(x, y, passed, RuleCounts.mined(found).n_xy.tolist(), strict=True):
            counts[frozenset(a), *b, number] = n
            expected |= {(frozenset(a), *b)} if passes else set()
    frame = Comparison(support, confidence).fit(*sides, search, RUN).frame()
    compared = {(frozenset(each["antecedent"]), *each["consequent"]): each for each in frame.iter_rows(named=True)}
    assert compared.keys() == expected and len(compared) == len(frame)
    for rule, each in compared.items():
        for number, name in enumerate(("baskets_first", "baskets_second")):
            assert (*rule, number) not in counts or each[name] == counts[*rule, number]


def test_every_rule_sought_counts_as_three_tests():
    rng = np.random.default_rng(7)
    compared = Comparison(0.02, 0.3).fit(world(rng, 900, {(0, 1): 0.6}), world(rng, 900, {(0, 1): 0.4}), ONE_TO_ONE, RUN)
    assert 1 <= len(compared) < 10 < len(compared.sides[0])
    p = compared.p_values()
    q = benjamini_hochberg(p.ravel(), 3 * len(compared.sides[0])).reshape(p.shape)
    order = np.lexsort((np.arange(p.shape[1]), np.minimum(p[0], p[1])))
    names = ("q_support", "q_confidence", "q_lift")
    assert [compared.frame()[name].to_list() for name in names] == q[:, order].tolist()


def test_between_two_samples_of_one_world_changes_are_called_in_five_percent_of_worlds_at_most():
    rng, worlds = np.random.default_rng(3), 200
    called, naive, told, rules = 0, 0, 0, 0
    for _ in range(worlds):
        ties = {(0, 1): 0.5, (2, 3): 0.3, (4, 5): 0.8}
        compared = Comparison(0.02, 0.1).fit(world(rng, 400, ties), world(rng, 300, ties), ONE_TO_ONE, RUN)
        frame = compared.frame()
        called += frame["status"].cast(pl.String).is_in(CHANGES).any()
        naive += (frame["p_confidence"] <= 0.05).any()
        one, two = compared.sides
        told += (equal_shares_p(one.n_xy, one.n_x, two.n_xy, two.n_x) <= 0.05).sum()
        rules += len(one)
    assert naive > 0.7 * worlds, "without a correction most comparisons find changes"
    assert 0.02 < told / rules <= 0.05, "the test is exact, and discrete"
    assert called <= binom.ppf(0.999, worlds, 0.05)


def test_the_placebo_finds_nothing_where_baskets_are_independent():
    rng = np.random.default_rng(4)
    ties = {(0, 1): 0.5, (2, 3): 0.3}
    plain = Comparison(0.02, 0.1).fit(world(rng, 1500, ties), world(rng, 1500, {**ties, (6, 7): 0.5}), ONE_TO_ONE, RUN)
    tables = {deal: plain.placebo(RUN, 10, deal) for deal in ("customers", "baskets")}
    for deal, table in tables.items():
        known = {(r["metric"], r["model"]): r["value"] for r in table.iter_rows(named=True)}
        assert known["changes", "compared"] >= 2 and known["changes", f"placebo of {deal}"] < 0.5
        assert known["told", f"placebo of {deal}"] == pytest.approx(0.04, abs=0.03)
    assert tables["customers"].equals(plain.placebo(RUN, 10))
    assert not tables["customers"].equals(plain.placebo(Run(seed=9, threads=1), 10))
    with pytest.raises(RequestError, match="deal 'odd'"):
        plain.placebo(RUN, 1, "odd")


def test_loyal_customers_change_nothing_once_each_is_one_witness():
    """Each of 75 customers a side brings twenty baskets of the same kind; known as customers, and taken for strangers."""
    rng, ties, told = np.random.default_rng(6), {(0, 1): 0.5, (2, 3): 0.3}, {}
    bases = [world(rng, 75, ties).baskets for _ in range(2)]
    rows = [
        [base.items[a:b].tolist() for a, b in zip(base.indptr, base.indptr[1:], strict=False) for _ in range(20)]
        for base in bases
    ]
    for name, customers in (("known", np.repeat(np.arange(75), 20)), ("strangers", None)):
        sides = [Transactions(packed(each, ITEMS, customers), NAMES) for each in rows]
        compared = Comparison(0.02, 0.1).fit(*sides, ONE_TO_ONE, RUN)
        told[name] = compared.frame()["status"].cast(pl.String).is_in(CHANGES).sum()
        if name == "known":
            wide = compared.frame()
            share = {r["model"]: r["value"] for r in compared.placebo(RUN, 10).iter_rows(named=True) if r["metric"] == "told"}
    assert told["strangers"] > 20 and told["known"] == 0
    assert share["placebo of customers"] < 0.06
    once = Comparison(0.02, 0.1).fit(*(Transactions(base, NAMES) for base in bases), ONE_TO_ONE, RUN).frame()
    for name in ("difference", "low", "high", "p_support"):
        assert row(wide, "i0", "i1")[name] == pytest.approx(row(once, "i0", "i1")[name]), "twenty alike are as good as one"


def test_turning_the_two_around_turns_the_answer_around():
    rng = np.random.default_rng(5)
    sides = world(rng, 800, {(0, 1): 0.5}), world(rng, 500, {(0, 1): 0.2, (2, 3): 0.6})
    there, back = (Comparison(0.02, 0.2).fit(*each, ONE_TO_ONE, RUN).frame() for each in (sides, sides[::-1]))
    turned = {"emerging": "vanishing", "vanishing": "emerging", "stronger": "weaker", "weaker": "stronger"}
    for each in there.iter_rows(named=True):
        other = row(back, each["antecedent"][0], each["consequent"][0])
        assert other["status"] == turned.get(each["status"], each["status"])
        assert other["difference"] == pytest.approx(-each["difference"]) and other["low"] == pytest.approx(-each["high"])
        assert other["q_support"] == pytest.approx(each["q_support"]) and other["q_lift"] == pytest.approx(each["q_lift"])


def test_two_sources_are_aligned_by_name():
    one, two = Transactions.from_lists([["b", "c"], ["c"]]), Transactions.from_lists([["a", "c"], ["a", "b", "c"]])
    first, second = aligned(one, two)
    assert first.names.to_list() == second.names.to_list() == ["b", "c", "a"]
    names = first.names.to_numpy()
    assert [sorted(names[second.baskets.items[a:b]]) for a, b in ((0, 2), (2, 5))] == [["a", "c"], ["a", "b", "c"]]
    assert sorted(names[first.baskets.items[:2]]) == ["b", "c"]
    assert aligned(one, one) == (one, one)
    with pytest.raises(DataError, match="the items of one"):
        aligned(one, Transactions.from_lists([[1, 2]]))
    frame = Comparison(1, 0.0).fit(one, two, OneItemRules(), RUN).frame()
    assert row(frame, "b", "c")["baskets_first"] == 1 and row(frame, "b", "c")["baskets_second"] == 1
    assert row(frame, "a", "b")["growth"] == float("inf") and row(frame, "a", "c")["confidence_first"] is None


def test_what_cannot_be_compared_is_refused():
    one = Transactions.from_lists([["b", "c"]])
    with pytest.raises(RequestError, match="the second of the two holds no basket"):
        Comparison().fit(one, Transactions.from_lists([["a"]]).select(np.array([False])), OneItemRules(), RUN)
    with pytest.raises(RequestError, match="margin 0"):
        Comparison(margin=0)
    nothing = Comparison(1, 1.0).fit(Transactions.from_lists([["a"]]), Transactions.from_lists([["b"]]), OneItemRules(), RUN)
    assert len(nothing.frame()) == 0 and nothing.placebo(RUN, 2)["value"].to_list() == [0, 0, 0, 0]
    assert nothing.placebo(RUN, 0)["model"].to_list() == ["compared", "compared"]
