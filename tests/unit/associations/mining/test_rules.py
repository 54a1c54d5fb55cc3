from __future__ import annotations

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.interest import INTEREST
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rules import MinedRules, Rules
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from mining_worlds import baskets, subsets, supports, tree_of

LETTERS = pl.Series("item", list("abcdef"))
# Eight baskets: a in 6, b in 5, c in 5; a and b in 4, a and c in 3, b and c in 3; all three in 2.
EIGHT = [frozenset(map("abc".index, row)) for row in ("abc", "abc", "ab", "ab", "ac", "a", "bc", "c")]
# a and b meet on 20 of 60 visits and never apart; c and d come as they like.
PLANTED = [frozenset([0, 1] * (i % 3 == 0) + [2] * (i % 2) + [3] * (i % 5 > 2)) for i in range(60)]


def mined(rows, min_count=1, seed=0, names=LETTERS):
    tree, itemsets = tree_of(supports(rows, min_count), seed)
    return MinedItemsets(tree, names, len(rows), min_count), itemsets


def find(rules, antecedent, consequent):
    """The row of a rule given as letters."""
    frame = rules.frame()
    wanted = (sorted(antecedent), sorted(consequent))
    rows = [i for i, (x, y, *_) in enumerate(frame.iter_rows()) if (sorted(x), sorted(y)) == wanted]
    assert len(rows) == 1
    return rows[0]


def test_eight_baskets_by_hand():
    rules = Rules().fit(mined(EIGHT)[0], Run())
    assert len(rules) == rules.tried == 3 * 2 + 6
    frame = rules.frame(("improvement", "boost", "p", "q"))
    assert frame.columns == [
        "antecedent",
        "consequent",
        "baskets",
        "support",
        "confidence",
        "lift",
        "improvement",
        "boost",
        "p",
        "q",
    ]
    row = frame.row(find(rules, "ab", "c"), named=True)
    assert (row["baskets"], row["support"], row["confidence"], row["lift"]) == (2, 0.25, 0.5, 0.8)
    # more general: c alone in 5/8, after a in 3/6, after b in 3/5
    assert row["improvement"] == -0.125
    assert row["boost"] == 0.8
    assert row["p"] == pytest.approx(65 / 70)  # 4 of 8 are drawn, 5 are good: only one of them in 5 of 70 ways


def test_confidence_is_as_written():
    assert len(Rules(min_confidence=0.6).fit(mined(EIGHT)[0], Run()).where("confidence", at_most=0.6)) == 3, (
        "b => c, c => a, c => b: 3 of 5"
    )
    assert len(Rules(min_confidence=0.6000000000000001).fit(mined(EIGHT)[0], Run()).where("confidence", at_most=0.6)) == 0


@settings(deadline=None)
@given(baskets(), st.integers(0, 99), st.floats(0, 1), st.integers(0, 3), st.integers(0, 3))
def test_counts_are_those_of_the_baskets(rows, seed, confidence, most_x, most_y):
    itemsets, names = mined(rows, 1, seed)
    rules = Rules(confidence, most_x, most_y).fit(itemsets, Run())
    n_xy, n_x, n_y = rules.counts()
    for i, rule in enumerate(zip(rules.antecedent, rules.consequent, rules.whole, strict=True)):
        x, y, both = (names[node] for node in rule)
        assert x | y == both and not x & y and x and y
        assert (n_xy[i], n_x[i], n_y[i]) == tuple(sum(each <= row for row in rows) for each in (both, x, y))
        assert Fraction(int(n_xy[i]), int(n_x[i])) >= Fraction(repr(confidence))


@settings(deadline=None)
@given(baskets(), st.integers(0, 99))
def test_improvement_and_boost(rows, seed):
    itemsets, names = mined(rows, 1, seed)
    held = supports(rows) | {frozenset(): len(rows)}
    rules = Rules().fit(itemsets, Run())
    improvement, boost, confidence = (rules.measure(name) for name in ("improvement", "boost", "confidence"))
    for i, (x, y) in enumerate(zip(rules.antecedent, rules.consequent, strict=True)):
        best = max(Fraction(held[part | names[y]], held[part]) for part in subsets(names[x])[:-1])
        assert improvement[i] == pytest.approx(confidence[i] - float(best), abs=1e-12)
        assert boost[i] == pytest.approx(confidence[i] / float(best), rel=1e-12)


@settings(deadline=None)
@given(baskets(5), st.integers(1, 3), st.sampled_from([0.0, 0.25, 0.5, 0.8]))
def test_standardised_lift_as_in_the_paper(rows, min_count, confidence):
    """McNicholas et al., with the term 4 s / (1 + s)^2 that the code leaves out."""
    rules = Rules(confidence).fit(mined(rows, min_count)[0], Run())
    n, s = len(rows), min_count / len(rows)
    for xy, x, y, ours in zip(*rules.counts(), rules.measure("standardised_lift"), strict=True):
        a, b = x / n, y / n
        least = max((a + b - 1) / (a * b), 4 * s / (1 + s) ** 2, s / (a * b), confidence / b)
        most = 1 / max(a, b)
        expected = 1.0 if most - least < 1e-12 else (xy / n / (a * b) - least) / (most - least)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_measures_are_the_same_alone_together_and_in_blocks(monkeypatch):
    rows = [frozenset(np.flatnonzero(np.random.default_rng(i).random(6) < 0.5).tolist()) for i in range(60)]
    together = Rules().fit(mined(rows)[0], Run()).measures(INTEREST)
    monkeypatch.setattr("basketry.associations.mining.rules._BLOCK", 7)
    rules = Rules().fit(mined(rows)[0], Run())
    assert len(rules) > 100
    for name, measure in INTEREST.items():
        alone = rules.measure(name)
        assert (alone == together[name]).all() and (alone == measure(*rules.counts(), rules.n_baskets)).all()
        assert rules.measure(name) is alone, "kept once it is there"


def test_filters_and_order():
    rules = Rules().fit(mined(EIGHT)[0], Run())
    lift = rules.measure("lift")
    strong = rules.where("lift", at_least=1.0).where("baskets", at_least=3, at_most=3)
    assert sorted(strong.measure("lift")) == sorted(lift[(lift >= 1) & (rules.measure("baskets") == 3)])
    ordered = rules.sort_by("confidence")
    assert (np.diff(ordered.measure("confidence")) <= 0).all() and len(ordered) == len(rules)
    assert (np.diff(rules.sort_by("p", descending=False).measure("p")) >= 0).all()
    ties = ordered.sort_by("coverage").where("coverage", at_least=0.75).measure("confidence")
    assert (np.diff(ties) <= 0).all(), "what is equal stays in its order"
    assert len(rules.head(5)) == 5 and len(rules.head(99)) == len(rules) and len(rules.head(-1)) == 0
    assert rules.head(5).frame().equals(rules.frame().head(5))


def test_q_is_over_the_rules_at_hand_but_counts_all_that_were_within_reach():
    rules = Rules(min_confidence=0.6, max_consequent=1).fit(mined(PLANTED)[0], Run())
    assert 3 < len(rules) < rules.tried == 28
    lengths = rules.itemsets.tree.lengths
    assert rules.tested == sum(int((lengths == 1).sum()) - length for length in lengths.tolist()) >= 28
    p, q = rules.measure("p"), rules.measure("q")
    assert p.min() < q.min() < 0.05 and (q == benjamini_hochberg(p, rules.tested)).all()
    some = rules.take(np.arange(0, len(rules), 2))
    assert some.tested == rules.tested
    assert (some.measure("q") >= q[::2]).all()


def test_other_names_and_names_that_are_none():
    rules = Rules().fit(mined(EIGHT)[0], Run())
    assert rules.measure("doc") is rules.measure("confidence_difference")
    assert rules.frame(("count", "lift", "doc")).columns[-2:] == ["count", "doc"]
    with pytest.raises(RequestError, match="no measure is called 'confidense'") as caught:
        rules.measure("confidense")
    assert caught.value.hint == "did you mean confidence?"
    with pytest.raises(RequestError, match="no measure is called 'zzzz'"):
        rules.where("zzzz", at_least=1)


@pytest.mark.parametrize(
    "names", [LETTERS, pl.Series("item", [10, 20, 30, 40, 50, 60]), pl.Series("item", ["Käse", "", "豆腐", "d", "e", "f"])]
)
def test_all_of_it_is_arrays(names):
    rules = Rules(min_confidence=0.5).fit(mined(EIGHT, names=names)[0], Run()).sort_by("lift")
    back = MinedRules.from_state(rules.state())
    measures = ("q", "standardised_lift", "improvement")
    assert back.frame(measures).equals(rules.frame(measures))
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in rules.state().values())
    broken = rules.state() | {"whole": rules.whole + 99}
    with pytest.raises(ValueError, match="nodes must lie in"):
        MinedRules.from_state(broken)


def test_no_rules():
    for rows in ([frozenset()], [frozenset({1})]):
        rules = Rules().fit(mined(rows)[0], Run())
        assert len(rules) == 0
        assert rules.frame(("q", "improvement", "hyper_lift")).is_empty()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"min_confidence": 1.5}, "min_confidence is 1.5"),
        ({"min_confidence": float("nan")}, "min_confidence is nan"),
        ({"max_antecedent": -1}, "max_antecedent is -1"),
        ({"max_rules": -1}, "max_rules is -1"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(bad, words):
    with pytest.raises(RequestError, match=words):
        Rules(**bad)


def test_too_many_rules_say_what_to_do():
    with pytest.raises(RequestError, match="there are 12 rules, and 11 are allowed") as caught:
        Rules(max_rules=11).fit(mined(EIGHT)[0], Run())
    assert "raise min_confidence or min_support" in caught.value.hint
