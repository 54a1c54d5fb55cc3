from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from basketry.associations.mining.next_rules import NextRules
from basketry.associations.mining.order_effects import OrderEffects
from basketry.associations.mining.sequence_database import SequenceDatabase
from basketry.associations.mining.sequential_rules import SequentialRules
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.kernels.sequence_rows import Limits

# Four customers: a before b in three, b before a in two, of which one holds both ways.
FOUR = [["a", "b"], ["ac", "b"], ["b", "a", "b"], ["b", "a"]]


def row(table, antecedent, consequent):
    found = [
        each for each in table.iter_rows(named=True) if (each["antecedent"], each["consequent"]) == (antecedent, consequent)
    ]
    assert len(found) == 1
    return found[0]


def test_a_rule_counted_on_paper():
    table = SequentialRules(1).fit(SequenceDatabase.from_lists(FOUR), Run()).frame()
    rule = row(table, ["a"], ["b"])
    assert (rule["sequences"], rule["support"], rule["confidence"], rule["lift"]) == (3, 0.75, 0.75, 0.75)
    assert (rule["backward"], rule["order_ratio"]) == (2, 1.5)
    assert rule["p"] == pytest.approx(1 / 2)  # two only forwards, one only backwards: P(Bin(3, 1/2) >= 2)
    assert not rule["follows"]
    both = row(table, ["a", "c"], ["b"])
    assert (both["sequences"], both["confidence"], both["backward"], both["order_ratio"]) == (1, 1.0, 0, np.inf)


def test_the_next_element_counted_on_paper():
    table = NextRules(1).fit(SequenceDatabase.from_lists(FOUR), Run()).frame()
    rule = row(table, [["a"]], ["b"])
    assert (rule["sequences"], rule["confidence"], rule["lift"], rule["backward"]) == (3, 0.75, 0.75, 2)
    long = row(table, [["b"], ["a"]], ["b"])
    assert (long["sequences"], long["confidence"], long["backward"], long["p"]) == (1, 0.5, 1, 1.0)
    joint = row(table, [["a", "c"]], ["b"])
    assert (joint["sequences"], joint["confidence"], joint["backward"]) == (1, 1.0, 0)


def test_order_effects_are_the_exact_sign_test():
    order = OrderEffects(*map(np.array, ([30, 10, 5], [10, 10, 0], [5, 10, 0])), tested=6)
    assert order.p == pytest.approx([binom.sf(24, 30, 0.5), 1.0, 1 / 32])
    assert order.ratio.tolist() == [3.0, 1.0, np.inf]
    assert order.q == pytest.approx([6 * order.p[0], 1.0, 3 * order.p[2]])
    assert order.take(np.array([2])).p == pytest.approx([1 / 32])


def tastes(seed, n=400, n_items=12, days=8):
    """Customers with tastes of their own and no order: whoever likes two items buys them time and again, either first."""
    rng = np.random.default_rng(seed)
    likes = rng.random((n, n_items)) < 0.3
    return [[np.flatnonzero(liked & (rng.random(n_items) < 0.4)).tolist() for _ in range(days)] for liked in likes]


def test_a_taste_is_not_an_order_in_forty_worlds():
    """Where nothing has an order, a claim of one is made in at most 5% of worlds or so: here of 40, in fewer than 6."""
    claimed = lifted = 0
    for seed in range(40):
        table = (
            SequentialRules(30, max_antecedent=2, max_consequent=1)
            .fit(SequenceDatabase.from_lists(tastes(seed)), Run())
            .frame()
        )
        claimed += bool(table["follows"].any())
        lifted += len(table)
    assert lifted > 1000 and claimed < 6


@pytest.mark.parametrize(
    "estimator", [SequentialRules(30, max_antecedent=1, max_consequent=1), NextRules(30, limits=Limits(max_length=2))]
)
def test_a_planted_order_is_found_and_only_that(estimator):
    """A tenth of the customers buys item 12 and, two visits on, item 13."""
    world = tastes(99)
    for i in range(0, len(world), 10):
        world[i][2].append(12)
        world[i][4].append(13)
    table = estimator.fit(SequenceDatabase.from_lists(world), Run()).frame()
    flat = [
        (np.ravel(each["antecedent"]).tolist(), each["consequent"]) for each in table.filter("follows").iter_rows(named=True)
    ]
    assert flat == [([12], [13])]
    assert table["sequences"][0] == 40 and table["backward"][0] == 0 and table["order_ratio"][0] == np.inf


def test_confidence_and_floors():
    database = SequenceDatabase.from_lists(FOUR)
    every = SequentialRules(1).fit(database, Run()).frame()
    some = SequentialRules(1, 0.75).fit(database, Run()).frame()
    assert some.equals(every.filter(every["confidence"] >= 0.75).select(some.columns)) and 0 < len(some) < len(every)
    nexts = NextRules(1).fit(database, Run()).frame()
    assert len(NextRules(1, 0.75).fit(database, Run())) == int((nexts["confidence"] >= 0.75).sum())
    assert SequentialRules(2).fit(database, Run()).frame()["sequences"].min() == 2
    rules = SequentialRules(1).fit(database, Run())
    assert len(rules.published(1)) == len(rules) and len(rules.published(10)) == 0
    assert len(SequentialRules(5).fit(database, Run()).frame()) == 0


def test_windows_are_on_the_clock():
    timed = SequenceDatabase.from_lists([["a", "b"], ["a", "b"]], [[0, 3], [0, 9]])
    assert SequentialRules(1, window=3).fit(timed, Run()).frame()["sequences"].to_list() == [1]
    assert NextRules(1, limits=Limits(window=3)).fit(timed, Run()).frame()["sequences"].to_list() == [1]


def test_wrong_requests_say_what_is_right():
    for wrong, text in (
        ({"window": -1}, "window is -1"),
        ({"max_antecedent": 0}, "max_antecedent is 0"),
        ({"min_confidence": 2.0}, "min_confidence is 2"),
    ):
        with pytest.raises(RequestError, match=text):
            SequentialRules(**wrong)
    with pytest.raises(RequestError, match="min_confidence is -1"):
        NextRules(min_confidence=-1)
