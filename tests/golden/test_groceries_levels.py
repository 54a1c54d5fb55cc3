"""The Groceries baskets with the store's own taxonomy: 169 items in 55 groups in 10 departments."""

from __future__ import annotations

import warnings
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
import rdata

from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.surprise import surprising
from basketry.associations.mining.taxonomy import Taxonomy
from basketry.associations.mining.transactions import Transactions
from basketry.core.protocols import Run

pytestmark = pytest.mark.data
MIN_COUNT = 492  # 5% of 9,835 baskets
GOLDEN = 415
BY_LENGTH = [(1, 58), (2, 183), (3, 154), (4, 20)]


@pytest.fixture(scope="module")
def groceries(datasets: Path) -> tuple[Transactions, pl.DataFrame]:
    """The baskets, and each item with its group and department; some groups are called as one of their items is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata says that it does not know the S4 class
        read = rdata.conversion.convert(rdata.parser.parse_file(datasets / "groceries_arules" / "Groceries.rda"))["Groceries"]
    about = read.itemInfo.astype(str)
    labels = about["labels"].tolist()
    rows = [[labels[item] for item in read.data.i[a:b]] for a, b in zip(read.data.p, read.data.p[1:], strict=False)]
    catalogue = pl.DataFrame(
        {"product_id": labels, "department": about["level1"].tolist(), "category": about["level2"].tolist()}
    ).with_columns(subcategory=pl.lit(None, pl.String))
    return Transactions.from_lists(rows), catalogue


@pytest.fixture(scope="module")
def mined(groceries) -> tuple[MinedItemsets, Taxonomy]:
    transactions, catalogue = groceries
    taxonomy = Taxonomy.from_products(catalogue)
    extended, facts = taxonomy.extended(transactions)
    assert len(extended.names) == 169 + 55 + 10
    return Itemsets(0.05).fit(extended, Run(), facts), taxonomy


def by_brute_force(groceries) -> dict[frozenset[tuple[str, str]], int]:
    """Sets of baskets by (level, name), joined one by one; relatives are told by the rows of the catalogue alone."""
    transactions, catalogue = groceries
    names, baskets = transactions.names.to_list(), transactions.baskets
    lines = {item: (("p", item), ("c", group), ("d", hall)) for item, hall, group, _ in catalogue.iter_rows()}
    related = {frozenset(pair) for line in lines.values() for pair in combinations(line, 2)}
    where: dict[tuple[str, str], set[int]] = {}
    for basket, (a, b) in enumerate(zip(baskets.indptr, baskets.indptr[1:], strict=False)):
        for code in baskets.items[a:b]:
            for each in lines[names[code]]:
                where.setdefault(each, set()).add(basket)
    frequent = {each: held for each, held in where.items() if len(held) >= MIN_COUNT}
    level = {frozenset({each}): held for each, held in frequent.items()}
    found = {itemset: len(held) for itemset, held in level.items()}
    while level:
        grown = {}
        for itemset, held in level.items():
            for each, more in frequent.items():
                whole = itemset | {each}
                if each > max(itemset) and not any(frozenset({each, other}) in related for other in itemset):
                    both = held & more
                    if len(both) >= MIN_COUNT:
                        grown[whole] = both
        level = grown
        found |= {itemset: len(held) for itemset, held in level.items()}
    return found


def test_multi_level_itemsets_are_those_of_a_plain_count(groceries, mined):
    counted = by_brute_force(groceries)
    letters = {"department": "d", "category": "c"}

    def plain(name: str) -> tuple[str, str]:
        level, parted, label = name.partition(": ")
        return (letters[level], label) if parted else ("p", name)

    table = mined[0].frame()
    ours = {frozenset(map(plain, itemset)): baskets for itemset, baskets in table.select("itemset", "baskets").rows()}
    assert ours == counted
    assert (mined[0].min_count, len(counted), len(ours), len(mined[0])) == (MIN_COUNT, GOLDEN, GOLDEN, GOLDEN)
    assert sum(all(level == "p" for level, _ in itemset) for itemset in counted) == 31  # as every textbook has it
    assert table.group_by("length").len().sort("length").rows() == BY_LENGTH


def test_what_categories_explain_is_dropped(mined):
    """Pinned as found: the definition itself is proved on small worlds, in tests/unit/associations/mining/test_surprise.py."""
    itemsets, taxonomy = mined
    assert len(surprising(itemsets, taxonomy, 1e-9)) == len(itemsets)
    rules = Rules(0.2).fit(itemsets, Run())
    left = [len(surprising(found, taxonomy, 1.1)) for found in (itemsets, rules)]
    assert (len(rules), *left) == (1200, 190, 723)
