"""No association, no call: family-wise errors over worlds of independent items; planted rules found at the stated power."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, nchypergeom_fisher

from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.permutation import Permutation, size_lift
from basketry.associations.mining.rule_counts import RuleCounts
from basketry.associations.mining.transactions import Transactions
from basketry.associations.significance import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
    least_p_values,
    rule_p_values,
    rule_space,
    rules_within_reach,
    tarone,
)
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from rule_worlds import RUN, OneItemRules, from_matrix

WORLDS, ALPHA = 200, 0.05
MOST = int(binom.ppf(0.999, WORLDS, ALPHA))  # 21: a test of exactly 5% passes this bound in 999 of 1,000 seeds
N, FREQUENCIES = 300, (30, 40, 50, 60, 70, 80, 90, 120)
NAMES = pl.Series("item", [f"i{i}" for i in range(len(FREQUENCIES))])
ITEMSETS, RULES = Itemsets(5), OneItemRules(max_antecedent=2)


def independent(rng):
    """Each item in its number of baskets, drawn without regard to the others: the margins are the same in every world."""
    holds = np.zeros((N, len(FREQUENCIES)), dtype=bool)
    for item, frequency in enumerate(FREQUENCIES):
        holds[rng.choice(N, frequency, replace=False), item] = True
    return holds


def planted(rng, odds):
    """The same with items 2 and 3 (50 and 60 baskets) tied by an odds ratio."""
    holds = independent(rng)
    both = nchypergeom_fisher.rvs(N, 50, 60, odds, random_state=rng)
    first = rng.permutation(np.flatnonzero(holds[:, 2]))
    rest = rng.permutation(np.flatnonzero(~holds[:, 2]))
    holds[:, 3] = False
    holds[[*first[:both], *rest[: 60 - both]], 3] = True
    return holds


def transactions(holds):
    return Transactions(from_matrix(holds), NAMES[: holds.shape[1]])


def mined(holds):
    """Rules, their counts and Fisher's p."""
    found = RULES.fit(ITEMSETS.fit(transactions(holds), RUN), RUN)
    counts = RuleCounts.mined(found)
    return found, counts, rule_p_values(counts.n_xy, counts.n_x, counts.n_y, counts.n)


def tarone_of(found, p):
    """Over every pair of a frequent itemset of one or two items and a frequent item outside it."""
    tree = found.itemsets.tree
    nodes = tree.members[tree.lengths[tree.members] <= 2]
    singles = tree.members[tree.lengths[tree.members] == 1]
    x, y = (each.ravel() for each in np.meshgrid(nodes, singles, indexing="ij"))
    inside = (tree.item[x] == tree.item[y]) | ((tree.parent[x] >= 0) & (tree.item[tree.parent[x]] == tree.item[y]))
    support = tree.support.astype(np.int64)
    return tarone(p, least_p_values(support[x[~inside]], support[y[~inside]], N))


@pytest.fixture(scope="module")
def null():
    """499 null worlds; those of `items` depend on the margins alone, so they serve every world with these margins."""
    return Permutation("items", 499).fit(transactions(independent(np.random.default_rng(1))), ITEMSETS, RULES, RUN)


def test_on_independent_items_the_family_wise_errors_stay_at_five_percent(null):
    rng = np.random.default_rng(2)
    false = dict.fromkeys(("raw", "holm", "holm, whole space", "tarone", "by", "bh", "westfall-young"), 0)
    for _ in range(WORLDS):
        found, _counts, p = mined(independent(rng))
        tested = rules_within_reach(found.itemsets.tree, 2, 1)
        false["raw"] += (p <= ALPHA).any()
        false["holm"] += (holm(p, tested) <= ALPHA).any()
        false["holm, whole space"] += (holm(p, rule_space(len(FREQUENCIES), 2, 1)) <= ALPHA).any()
        false["tarone"] += (tarone_of(found, p) <= ALPHA).any()
        false["by"] += (benjamini_yekutieli(p, tested) <= ALPHA).any()
        false["bh"] += (benjamini_hochberg(p, tested) <= ALPHA).any()
        false["westfall-young"] += (null.adjust(p) <= ALPHA).any()
    assert false.pop("raw") > 0.8 * WORLDS, "without a correction nearly every world has a false call"
    assert max(false.values()) <= MOST, false
    assert max(false[each] for each in ("holm", "holm, whole space", "tarone", "by")) <= ALPHA * WORLDS, false


def test_correcting_for_the_rules_that_were_mined_is_no_correction():
    """40 items in 30 of 300 baskets each, floor 8 where 3 are expected: what is mined was chosen by the luck under test."""
    rng, false = np.random.default_rng(8), {"mined": 0, "within reach": 0}
    for _ in range(WORLDS):
        holds = np.zeros((N, 40), dtype=bool)
        for item in range(40):
            holds[rng.choice(N, 30, replace=False), item] = True
        shop = Transactions(from_matrix(holds), pl.Series([f"i{i}" for i in range(40)]))
        found = RULES.fit(Itemsets(8).fit(shop, RUN), RUN)
        counts = RuleCounts.mined(found)
        p = rule_p_values(counts.n_xy, counts.n_x, counts.n_y, counts.n)
        false["mined"] += (holm(p, len(p)) <= ALPHA).any()
        false["within reach"] += (holm(p, rules_within_reach(found.itemsets.tree, 2, 1)) <= ALPHA).any()
    assert false["mined"] > 0.8 * WORLDS and false["within reach"] <= ALPHA * WORLDS, false


def critical_count(level, n_x=50, n_y=60):
    """The least n_xy with p at most `level`."""
    counts = np.arange(min(n_x, n_y) + 1)
    return int(counts[rule_p_values(counts, counts * 0 + n_x, counts * 0 + n_y, N) <= level][0])


def test_planted_rules_are_found_at_the_stated_power(null):
    """Odds ratio 4 on 50 and 60 of 300 baskets: power by the distribution of the count, then by trial."""
    odds, trials = 4.0, 150
    found, _counts, _p = mined(independent(np.random.default_rng(1)))
    thresholds = {
        "holm": ALPHA / rules_within_reach(found.itemsets.tree, 2, 1),
        "westfall-young": null.least[int(ALPHA * 500) - 1],
    }
    power = {name: nchypergeom_fisher.sf(critical_count(level) - 1, N, 50, 60, odds) for name, level in thresholds.items()}
    assert 0.5 < power["holm"] < power["westfall-young"] < 0.95
    rng = np.random.default_rng(3)
    hits = dict.fromkeys(power, 0)
    for _ in range(trials):
        found, _counts, p = mined(planted(rng, odds))
        tree = found.itemsets.tree
        pair = (tree.item[found.consequent] == 3) & (tree.lengths[found.antecedent] == 1) & (tree.item[found.antecedent] == 2)
        hits["holm"] += (holm(p, rules_within_reach(tree, 2, 1))[pair] <= ALPHA).any()
        hits["westfall-young"] += (null.adjust(p)[pair] <= ALPHA).any()
    for name, stated in power.items():
        assert binom.ppf(0.001, trials, stated) <= hits[name] <= binom.ppf(0.999, trials, min(1, stated + 0.03)), (name, stated)


def uneven(rng, baskets=200, items=8):
    """One basket in seven is large. Log odds add up item by basket, so given both margins every world is equally likely."""
    size = np.where(rng.random(baskets) < 1 / 7, 2.0, -1.0)[:, None]
    return rng.random((baskets, items)) < 1 / (1 + np.exp(-(size + np.linspace(-1.5, 0, items)[None, :])))


def test_only_the_null_that_keeps_basket_sizes_is_not_deceived_by_large_baskets():
    rng = np.random.default_rng(4)
    limits = Itemsets(3), OneItemRules(max_antecedent=1)
    false = {"items": 0, "baskets": 0}
    for world in range(WORLDS):
        shop = transactions(uneven(rng))
        for null in false:
            if null == "baskets" or world < 20:
                tested = Permutation(null, 19).fit(shop, *limits, Run(seed=world, threads=1))
                false[null] += (tested.adjusted <= ALPHA).any()
    assert false["items"] >= 19, "of 20: every world is full of associations that sizes alone made"
    assert false["baskets"] <= MOST


def test_a_pair_beyond_what_sizes_explain_is_found_under_the_null_that_keeps_them():
    rng = np.random.default_rng(5)
    found = 0
    for world in range(20):
        holds = uneven(rng)
        holds[:, 1] = np.where(rng.random(len(holds)) < 0.6, holds[:, 0], holds[:, 1])
        tested = Permutation("baskets", 39).fit(
            transactions(holds), Itemsets(3), OneItemRules(max_antecedent=1), Run(seed=world)
        )
        tree = tested.rules.itemsets.tree
        pairs = [{tree.item[x], tree.item[y]} for x, y in zip(tested.rules.antecedent, tested.rules.consequent, strict=True)]
        called = [pair for pair, p in zip(pairs, tested.adjusted, strict=True) if p <= ALPHA]
        found += {0, 1} in called
    assert found >= 18


def test_null_worlds_are_the_same_for_any_number_of_threads_and_differ_by_seed():
    shop = transactions(independent(np.random.default_rng(6)))
    for null in ("items", "baskets"):
        one, two, other = (
            Permutation(null, 12).fit(shop, ITEMSETS, RULES, Run(seed, threads)) for seed, threads in ((5, 1), (5, 2), (6, 2))
        )
        assert (one.least == two.least).all() and (one.expected == two.expected).all() and (one.p == two.p).all()
        assert (one.least != other.least).any()


def test_adjusted_p_and_the_false_calls_expected_by_hand():
    """Three worlds with least p .01 .04 .2: .02 is beaten by one of them, so (1 + 1) / 4; a tie counts as beaten."""
    from basketry.associations.mining.permutation import PermutedRules

    p = np.array([0.02, 0.005, 0.04, 0.5])
    permuted = PermutedRules(None, p, np.array([0.01, 0.04, 0.2]), np.array([0.5, 0.1, 0.9, 8.0]))
    assert permuted.adjusted == pytest.approx([0.5, 0.25, 0.75, 1.0])
    assert permuted.q == pytest.approx([0.25, 0.1, 0.3, 1.0])


def test_the_lift_that_sizes_make_by_enumeration():
    """Baskets of 1, 2 and 4 places. A pair: sum s(s-1) = 14, sum s = 7: 3 x 14 / 49; three items: sum s(s-1)(s-2) = 24."""
    sizes = np.array([1, 2, 4])
    lengths = np.array([1, 2], dtype=np.int32), np.array([1, 1], dtype=np.int32)
    assert size_lift(sizes, *lengths) == pytest.approx([3 * 14 / 49, 3 * 24 / (14 * 7)])
    even = size_lift(np.full(10, 5), *lengths)
    assert even == pytest.approx([4 / 5, 3 / 5])


def test_null_lift_agrees_with_null_worlds():
    """Large baskets and small ones, rare items: what pairs' lift is in traded worlds, against the formula, within 3%."""
    from basketry.kernels.randomize import trade_items

    rng = np.random.default_rng(7)
    sizes = np.where(rng.random(2000) < 0.1, 20, 3)
    holds = np.zeros((2000, 200), dtype=bool)
    for basket, size in enumerate(sizes):
        holds[basket, rng.choice(200, size, replace=False)] = True
    baskets = from_matrix(holds)
    of = np.repeat(np.arange(2000), baskets.sizes)
    lifts = []
    for seed in range(10):
        items = trade_items(baskets.indptr, baskets.items, 200, seed=(seed,))
        world = np.zeros((2000, 200))
        world[of, items] = 1
        together, alone = world.T @ world, world.sum(axis=0)
        lift = 2000 * together / np.outer(alone, alone)
        lifts.append(lift[np.triu_indices(200, 1)].mean())
    one = np.ones(1, dtype=np.int32)
    assert np.mean(lifts) == pytest.approx(size_lift(baskets.sizes, one, one)[0], rel=0.03)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(RequestError, match="null 'odd'"):
        Permutation("odd")
    with pytest.raises(RequestError, match="worlds is 0"):
        Permutation("items", 0)


def test_a_world_without_rules_has_nothing_to_adjust():
    shop = transactions(np.eye(8, dtype=bool))
    permuted = Permutation("baskets", 5).fit(shop, ITEMSETS, RULES, RUN)
    assert len(permuted.adjusted) == len(permuted.q) == 0 and permuted.least.tolist() == [1.0] * 5
