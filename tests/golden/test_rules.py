"""Rules of data that everybody mines: the numbers that textbooks, the R package arules and other miners print."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.redundancy import remove_redundant
from basketry.associations.mining.rules import MinedRules, Rules
from basketry.associations.mining.transactions import Transactions
from basketry.core.protocols import Run

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def groceries(datasets: Path) -> MinedItemsets:
    """All itemsets in a thousandth of the baskets, that is in 10."""
    with (datasets / "groceries_arules" / "groceries.csv").open(encoding="utf-8", newline="") as file:
        rows = [[name.strip() for name in row if name.strip()] for row in csv.reader(file)]
    mined = Itemsets(0.001).fit(Transactions.from_lists(rows), Run())
    assert (mined.n_baskets, mined.min_count, len(mined)) == (9835, 10, 13_492)
    return mined


@pytest.fixture(scope="module")
def liquor(groceries) -> MinedRules:
    """{liquor, red/blush wine} => {bottled beer}, the most telling of the classic 410."""
    best = Rules(0.8, max_consequent=1).fit(groceries, Run()).sort_by("lift").head(1)
    antecedent, consequent = best.named()
    assert (sorted(antecedent[0]), consequent[0].to_list()) == (["liquor", "red/blush wine"], ["bottled beer"])
    return best


@pytest.mark.parametrize(
    ("confidence", "most", "support", "number"),
    [(0.8, 1, 10, 410), (0.8, 0, 10, 413), (0.5, 1, 10, 5668), (0.25, 1, 60, 463)],
)
def test_how_many_rules_groceries_has(groceries, confidence, most, support, number):
    """The classic numbers; floating point finds 406 instead of 410, since 4/5 and the like are ties."""
    rules = Rules(confidence, max_consequent=most).fit(groceries, Run())
    assert len(rules.where("baskets", at_least=support)) == number


def test_liquor_and_wine_as_arules_prints_them(liquor):
    printed = {"support": 0.001931876, "confidence": 0.9047619, "coverage": 0.002135231, "lift": 11.23527, "baskets": 19}
    for name, value in printed.items():
        assert float(f"{liquor.measure(name)[0]:.7g}") == value, name


def test_liquor_and_wine_by_its_counts(liquor):
    """19 of 21 baskets with liquor and wine hold beer, and 792 of all 9,835."""
    assert tuple(counts.item() for counts in liquor.counts()) == (19, 21, 792)
    assert liquor.measure("conviction")[0] == pytest.approx((9835 - 792) / 9835 / (2 / 21))
    assert liquor.measure("leverage")[0] == pytest.approx(19 / 9835 - 21 * 792 / 9835**2)
    assert liquor.measure("odds_ratio")[0] == pytest.approx(19 * (9835 - 21 - 792 + 19) / (2 * (792 - 19)))
    assert liquor.measure("p")[0] < 1e-15
    best = liquor.measure("confidence")[0] - liquor.measure("improvement")[0]
    liquor_alone = Rules(max_antecedent=1, max_consequent=1).fit(liquor.itemsets, Run())
    frame = liquor_alone.frame()
    row = frame.filter((frame["antecedent"].list.first() == "liquor") & (frame["consequent"].list.first() == "bottled beer"))
    assert best == pytest.approx(row["confidence"][0]), "liquor alone foretells beer better than wine does"


def test_every_way_to_drop_redundant_rules_keeps_the_best_and_drops_some(groceries):
    rules = Rules(0.5, max_consequent=1).fit(groceries, Run())
    left = {by: len(remove_redundant(rules, by)) for by in ("improvement", "closed", "statistical")}
    assert left["closed"] <= len(rules)
    assert left["statistical"] < left["improvement"] < len(rules)


def test_how_many_rules_t10i4d100k_has(datasets):
    """At 100 baskets 431,838 splits; 333,757 rules have a confidence of a half, as mlxtend finds too."""
    with gzip.open(datasets / "fimi" / "T10I4D100K.dat.gz", "rt") as file:
        rows = [list(map(int, line.split())) for line in file]
    mined = Itemsets(100).fit(Transactions.from_lists(rows), Run())
    assert len(mined) == 27_532
    assert len(Rules().fit(mined, Run())) == 431_838
    half = Rules(0.5).fit(mined, Run())
    assert (len(half), half.tried) == (333_757, 431_838)
    assert len(Rules(0.5, max_consequent=1).fit(mined, Run())) == int((half.lattice.depth[half.consequent] == 1).sum())
    table = half.measures(("support", "confidence", "lift"))
    assert all(np.isfinite(values).all() for values in table.values()) and table["confidence"].min() == 0.5
