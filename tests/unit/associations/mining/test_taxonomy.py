"""Items under categories: against plain Python, the paper's own example, and a catalogue with all its holes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.taxonomy import Taxonomy
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from taxonomy_worlds import NAMES, forests, generalized, line, parents, related

RUN = Run()
CLOTHES = {
    "Jacket": "Outerwear",
    "Ski Pants": "Outerwear",
    "Outerwear": "Clothes",
    "Shirt": "Clothes",
    "Shoes": "Footwear",
    "Hiking Boots": "Footwear",
    "Clothes": None,
    "Footwear": None,
}
BOUGHT = [["Shirt"], ["Jacket", "Hiking Boots"], ["Ski Pants", "Hiking Boots"], ["Shoes"], ["Shoes"], ["Jacket"]]
rows_of_baskets = st.lists(st.frozensets(st.sampled_from(NAMES), max_size=4), min_size=1, max_size=12)


def found(mined):
    rows = list(mined.frame().select("itemset", "baskets").iter_rows())
    assert len({frozenset(itemset) for itemset, _ in rows}) == len(rows) == len(mined)
    return {frozenset(itemset): baskets for itemset, baskets in rows}


def test_the_example_of_srikant_and_agrawal():
    """Figure 2 of the paper: six baskets, support 30% (two baskets), confidence 60%."""
    transactions, facts = Taxonomy.from_parents(parents(CLOTHES)).extended(Transactions.from_lists(BOUGHT))
    mined = Itemsets(0.3).fit(transactions, RUN, facts)
    assert found(mined) == {
        frozenset(itemset): baskets
        for *itemset, baskets in (
            ("Jacket", 2),
            ("Outerwear", 3),
            ("Clothes", 4),
            ("Shoes", 2),
            ("Hiking Boots", 2),
            ("Footwear", 4),
            ("Outerwear", "Hiking Boots", 2),
            ("Clothes", "Hiking Boots", 2),
            ("Outerwear", "Footwear", 2),
            ("Clothes", "Footwear", 2),
        )
    }
    rules = Rules(0.6).fit(mined, RUN).frame()
    said = {
        (*x, *y): round(confidence, 3) for x, y, confidence in rules.select("antecedent", "consequent", "confidence").rows()
    }
    assert said == {
        ("Outerwear", "Hiking Boots"): 0.667,
        ("Outerwear", "Footwear"): 0.667,
        ("Hiking Boots", "Outerwear"): 1.0,
        ("Hiking Boots", "Clothes"): 1.0,
    }


@settings(max_examples=300, deadline=None)
@given(forests(), rows_of_baskets, st.integers(1, 4))
def test_mining_is_filtering_everything_in_the_extended_baskets(above, rows, least):
    transactions, facts = Taxonomy.from_parents(parents(above)).extended(Transactions.from_lists(rows))
    baskets = transactions.baskets
    held = [
        set(transactions.names.gather(baskets.items[a:b])) for a, b in zip(baskets.indptr, baskets.indptr[1:], strict=False)
    ]
    assert held == [{up for name in row for up in line(above, name)} for row in rows]
    assert len(baskets.items) == sum(map(len, held))
    mined = Itemsets(least).fit(transactions, RUN, facts)
    expected = generalized(above, rows, least)
    assert found(mined) == expected
    rules = Rules().fit(mined, RUN)  # all subsets of an itemset without relatives are there
    assert len(rules) == sum(2 ** len(each) - 2 for each in expected)


@settings(deadline=None)
@given(forests())
def test_codes_run_depth_first_and_relatives_are_who_is_above_and_below(above):
    transactions, facts = Taxonomy.from_parents(parents(above)).extended(Transactions.from_lists([NAMES]))
    names = transactions.names.to_list()
    assert sorted(names) == sorted(NAMES)
    for code, name in enumerate(names):
        below = [i for i, each in enumerate(names) if name in line(above, each)]
        assert below == list(range(code, code + len(below)))
        if facts.relatives is None:
            assert len(below) == 1
            continue
        start, relatives = facts.relatives
        mine = [i for i, each in enumerate(names) if related(above, name, each)]
        assert relatives[start[code] : start[code + 1]].tolist() == mine


def test_customers_days_and_empty_baskets_stay():
    matrix = BasketMatrix(
        np.array([0, 1, 1, 3]), np.array([0, 0, 1], np.int32), np.array([4, 4, 7], np.int32), np.array([1, 2, 3], np.int32), 2
    )
    taxonomy = Taxonomy.from_parents(pl.DataFrame({"item": ["x", "y"], "parent": ["z", "z"]}))
    baskets = taxonomy.extended(Transactions(matrix, pl.Series(["x", "y"])))[0].baskets
    assert baskets.customers.tolist() == [4, 4, 7] and baskets.days.tolist() == [1, 2, 3]
    assert baskets.sizes.tolist() == [2, 0, 3]


def test_whole_numbers_meet_text():
    numbers = Transactions.from_lists([[7, 8], [8]])
    by_text = Taxonomy.from_parents(pl.DataFrame({"item": ["7", "8"], "parent": ["tea", None]}))
    assert by_text.extended(numbers)[0].names.to_list() == ["8", "tea", "7"]
    by_number = Taxonomy.from_parents(pl.DataFrame({"item": [7, 8], "parent": [90, None]}))
    assert by_number.extended(numbers)[0].names.to_list() == [8, 90, 7]


CATALOGUE = pl.DataFrame(
    {
        "product_id": ["p1", "p2", "p3", "p4", "p5", "p6"],
        "department": ["FRESH", "FRESH", "FROZEN", None, "FROZEN", ""],
        "category": ["MEAT", None, "MEAT", "MEAT", "FISH", None],
        "subcategory": ["BEEF", "HERBS", "BEEF", None, "FISH", None],
    }
)


def lines_of(levels):
    """What each basket of one product holds, by the levels that are mined."""
    taxonomy = Taxonomy.from_products(CATALOGUE, levels)
    transactions, facts = taxonomy.extended(Transactions.from_lists([[each] for each in CATALOGUE["product_id"]]))
    assert (facts.relatives is None) == (len(levels) == 1)
    baskets = transactions.baskets
    return [transactions.names.gather(row).to_list() for row in np.split(baskets.items, baskets.indptr[1:-1])]


def test_a_catalogue_with_nulls_and_namesakes():
    """Two departments have MEAT, so it is told by its way; FISH is a category and a subcategory, told apart by the level."""
    assert lines_of(("department", "category", "subcategory", "product")) == [
        ["department: FRESH", "category: FRESH > MEAT", "subcategory: FRESH > MEAT > BEEF", "p1"],
        ["department: FRESH", "subcategory: HERBS", "p2"],
        ["department: FROZEN", "category: FROZEN > MEAT", "subcategory: FROZEN > MEAT > BEEF", "p3"],
        ["category: MEAT", "p4"],
        ["department: FROZEN", "category: FISH", "subcategory: FISH", "p5"],
        ["p6"],
    ]


def test_chosen_levels_only():
    """Without departments there is one MEAT; without products only categories are mined, and p2 and p6 leave empty baskets."""
    meat = ["category: MEAT"]
    assert lines_of(("product", "category")) == [
        [*meat, "p1"],
        ["p2"],
        [*meat, "p3"],
        [*meat, "p4"],
        ["category: FISH", "p5"],
        ["p6"],
    ]
    assert lines_of(("category",)) == [meat, [], meat, meat, ["category: FISH"], []]
    assert lines_of(("product",)) == [[each] for each in CATALOGUE["product_id"]]


def test_closed_categories_can_be_mined_where_nothing_is_related():
    transactions, facts = Taxonomy.from_products(CATALOGUE, ("department",)).extended(Transactions.from_lists([["p1", "p3"]]))
    assert found(Itemsets(1, "closed").fit(transactions, RUN, facts)) == {
        frozenset({"department: FRESH", "department: FROZEN"}): 1
    }


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")], "an item is above itself: 'a' < 'b' < 'c' < 'a'"),
        ([("a", "a")], "an item is above itself: 'a' < 'a'"),
        ([("a", "b"), ("a", "c")], "1 items have two parents, such as 'a' below 'b', 'c'"),
        ([("a", "b"), (None, "c")], "1 items of the taxonomy are null, such as row 2"),
        ([("a", "b"), ("", "c")], "1 items of the taxonomy are null, such as row 2"),
    ],
)
def test_what_is_no_forest(rows, told):
    with pytest.raises(DataError, match=told):
        Taxonomy.from_parents(pl.DataFrame(rows, schema=["item", "parent"], orient="row"))


@settings(deadline=None)
@given(st.lists(st.integers(-1, 9), min_size=10, max_size=10))
def test_a_circle_is_found_wherever_there_is_one(above):
    def ends(item):
        for _ in range(10):
            item = above[item] if item >= 0 else -1
        return item < 0

    table = pl.DataFrame({"item": range(10), "parent": [None if each < 0 else each for each in above]})
    if all(ends(item) for item in range(10)):
        Taxonomy.from_parents(table)
    else:
        with pytest.raises(DataError, match="above itself"):
            Taxonomy.from_parents(table)


def test_what_is_not_known_is_named():
    taxonomy = Taxonomy.from_parents(pl.DataFrame({"item": ["a"], "parent": [None]}))
    with pytest.raises(DataError, match="2 of 3 items are not in the taxonomy, such as 'b', 'c'"):
        taxonomy.extended(Transactions.from_lists(["abc"]))
    with pytest.raises(DataError, match="no column 'parent'"):
        Taxonomy.from_parents(pl.DataFrame({"item": ["a"]}))
    with pytest.raises(DataError, match="names in the taxonomy are Float64"):
        Taxonomy.from_parents(pl.DataFrame({"item": [0.5], "parent": ["a"]}))
    for levels, told in ((("aisle",), "no level is called 'aisle'"), ((), "no level is named")):
        with pytest.raises(RequestError, match=told):
            Taxonomy.from_products(CATALOGUE, levels)
    clash = CATALOGUE.with_columns(product_id=pl.Series(["category: FISH", *"bcdef"]))
    with pytest.raises(DataError, match="1 names stand for two things, such as 'category: FISH'"):
        Taxonomy.from_products(clash)


def test_the_most_levels_that_anybody_has():
    """A chain of a thousand: every item is related to every other, so only single items are left."""
    names = [f"{each:04}" for each in range(1000)]
    taxonomy = Taxonomy.from_parents(pl.DataFrame({"item": names, "parent": [None, *names[:-1]]}))
    transactions, facts = taxonomy.extended(Transactions.from_lists([[names[-1]], [names[9]]]))
    mined = Itemsets(1).fit(transactions, RUN, facts)
    assert len(mined) == 1000 and sorted(mined.tree.support.tolist()) == [1] * 990 + [2] * 10
    assert transactions.names.to_list() == names
