"""What each product brings to a lift: golden numbers by hand, the axioms as laws, and equality with every order of adding."""

from __future__ import annotations

from itertools import combinations, permutations
from math import exp, log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.contributions import MOST_ITEMS, contributions, shares
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.transactions import Transactions
from basketry.associations.wording.rules import contribution_parts, contribution_sentence
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from basketry.kernels.trees import ItemsetTree

U = log(2)


def mined(baskets: list[str]) -> MinedItemsets:
    """Every itemset of baskets written as words, one letter a product."""
    return Itemsets(1).fit(Transactions.from_lists(baskets), Run())


def tree_of(counts: dict[str, int], n: int) -> MinedItemsets:
    """The tree of itemsets written as words of letters in order, with these counts."""
    names = sorted({letter for word in counts for letter in word})
    words = sorted(counts, key=lambda word: (len(word), word))
    node = {word: i for i, word in enumerate(words)}
    columns = (
        [node.get(word[:-1], -1) for word in words],
        [names.index(word[-1]) for word in words],
        [counts[word] for word in words],
    )
    tree = ItemsetTree(*(np.array(column, dtype=np.int32) for column in columns))
    return MinedItemsets(tree, pl.Series(names), n, 1)


def nodes(itemsets: MinedItemsets, words: list[str]) -> np.ndarray:
    """The nodes of itemsets written as words."""
    indptr, items = itemsets.tree.flatten(np.arange(len(itemsets.tree.parent), dtype=np.int32))
    names = itemsets.names.to_list()
    found = {"".join(names[code] for code in row): i for i, row in enumerate(np.split(items, indptr[1:-1]))}
    return np.array([found["".join(sorted(word))] for word in words], dtype=np.int32)


def values(itemsets: MinedItemsets, antecedent: str, consequent: str) -> dict[str, float]:
    found = contributions(itemsets, nodes(itemsets, [antecedent]), nodes(itemsets, [consequent]))
    return dict(zip(itemsets.names.gather(found.item).to_list(), found.value.tolist(), strict=True))


def log_lift(baskets: list[str], x: str, y: str) -> float:
    """Straight from the baskets; nothing has no lift."""
    both, left, right = (sum(set(part) <= set(basket) for basket in baskets) for part in (x + y, x, y))
    return log(both * len(baskets) / (left * right)) if x else 0.0


def by_every_order(baskets: list[str], x: str, y: str) -> dict[str, float]:
    """The definition: the mean of what each product adds, over all orders."""
    orders = list(permutations(x))
    total = dict.fromkeys(x, 0.0)
    for order in orders:
        for place, product in enumerate(order):
            before = "".join(order[:place])
            total[product] += log_lift(baskets, before + product, y) - log_lift(baskets, before, y)
    return {product: value / len(orders) for product, value in total.items()}


# lift(a) = 4 * 16 / (8 * 4) = 2, lift(b) = 2 * 16 / (8 * 4) = 1, lift(ab) = 2 * 16 / (2 * 4) = 4
TWO = ["abY"] * 2 + ["aY"] * 2 + ["a"] * 4 + ["b"] * 6 + ["z"] * 2


def test_two_products_by_hand():
    """a: (log 2 + (log 4 - log 1)) / 2 = 1.5 log 2; b: (log 1 + (log 4 - log 2)) / 2 = 0.5 log 2."""
    itemsets = mined(TWO)
    assert values(itemsets, "ab", "Y") == pytest.approx({"a": 1.5 * U, "b": 0.5 * U}, abs=1e-15)
    found = contributions(itemsets, nodes(itemsets, ["ab", "b"]), nodes(itemsets, ["Y", "Y"]))
    assert found.factor == pytest.approx([2**1.5, 2**0.5, 1.0])
    assert found.share.tolist()[:2] == pytest.approx([0.75, 0.25])
    assert np.isnan(found.share[2])


def test_three_products_by_hand():
    """With lift 2 as the unit: v(a) = v(ac) = 1, v(ab) = 2, v(abc) = 3, the rest 0.

    In the six orders abc, acb, bac, bca, cab, cba a brings 1, 1, 2, 3, 1, 3; b 1, 2, 0, 0, 2, 0; c 1, 0, 1, 0, 0, 0.
    """
    alone = {"a": 16, "b": 16, "c": 16, "ab": 4, "ac": 8, "bc": 8, "abc": 1}
    with_y = {"aY": 4, "bY": 2, "cY": 2, "abY": 2, "acY": 2, "bcY": 1, "abcY": 1}
    itemsets = tree_of(alone | with_y | {"Y": 8}, 64)
    assert values(itemsets, "abc", "Y") == pytest.approx({"a": 11 / 6 * U, "b": 5 / 6 * U, "c": 2 / 6 * U}, abs=1e-14)


def test_the_frame_and_the_sentence():
    itemsets = mined(TWO)
    found = contributions(itemsets, nodes(itemsets, ["b", "ab"]), nodes(itemsets, ["Y", "Y"]))
    frame = found.frame(itemsets.names)
    assert frame.columns == ["rule", "product", "contribution", "factor", "share"]
    assert frame.select("rule", "product").rows() == [(0, "b"), (1, "a"), (1, "b")]
    assert frame["share"].to_list() == [None, pytest.approx(0.75), pytest.approx(0.25)]
    lists = found.lists().to_list()
    assert lists == [[pytest.approx(0)], pytest.approx([1.5 * U, 0.5 * U])]
    assert (
        contribution_sentence(contribution_parts(["salsa", "chips"], lists[1][::-1]), "en")
        == "Of that lift, “chips” explains 75% (factor 2.83) and “salsa” 25% (factor 1.41)."
    )
    assert (
        contribution_sentence(contribution_parts(["salsa", "chips"], [log(0.5), log(3)]), "en")
        == "That lift is the product of 3 from “chips” and 0.5 from “salsa”."
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Baskets over six letters, and every rule in them with an antecedent of up to four."""
    baskets = draw(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1).map(sorted).map("".join), min_size=1, max_size=9))
    whole = {part for basket in baskets for size in range(2, 6) for part in combinations(basket, size)}
    rules = [
        ("".join(x), "".join(sorted(set(z) - set(x))))
        for z in sorted(whole)
        for size in range(1, min(len(z), 5))
        for x in combinations(z, size)
    ]
    return baskets, draw(st.lists(st.sampled_from(rules), max_size=8)) if rules else []


@settings(deadline=None)
@given(worlds())
def test_equal_to_every_order_of_adding_and_adds_up_to_the_lift(world):
    baskets, rules = world
    itemsets = mined(baskets)
    found = contributions(itemsets, nodes(itemsets, [x for x, _ in rules]), nodes(itemsets, [y for _, y in rules]))
    assert len(found) == len(rules)
    names = itemsets.names.to_list()
    for i, (x, y) in enumerate(rules):
        part = slice(found.indptr[i], found.indptr[i + 1])
        one = dict(zip([names[code] for code in found.item[part]], found.value[part].tolist(), strict=True))
        assert one == pytest.approx(by_every_order(baskets, x, y), abs=1e-12)
        assert abs(sum(one.values()) - log_lift(baskets, x, y)) <= 1e-9
        share = found.share[part]
        if np.isnan(share).any():
            assert np.isnan(share).all()
        else:
            assert share.sum() == pytest.approx(1) and (found.value[part] * np.sign(sum(one.values())) > -1e-12).all()
    assert np.exp(found.value) == pytest.approx(found.factor)


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from("abY"), min_size=1).map("".join), max_size=12))
def test_what_never_changes_the_lift_gets_nothing_and_twins_get_the_same(some):
    baskets = ["aAbnY", *(basket.replace("a", "aA") + "n" for basket in some)]  # n in every basket, A wherever a is
    found = values(mined(baskets), "aAbn", "Y")
    assert found["n"] == pytest.approx(0, abs=1e-12)
    assert found["a"] == pytest.approx(found["A"], abs=1e-12)
    assert values(mined(baskets), "bAna", "Y") == found


def test_twelve_products_add_up_and_thirteen_are_refused():
    letters = "abcdefghijklmn"
    dice = np.random.default_rng(3)
    baskets = [letters] * 2 + ["".join(letters[i] for i in np.flatnonzero(dice.random(14) < 0.5)) for _ in range(60)]
    itemsets = Itemsets(2).fit(Transactions.from_lists([*baskets, letters]), Run())
    found = values(itemsets, letters[:MOST_ITEMS], "n")
    assert abs(sum(found.values()) - log_lift([*baskets, letters], letters[:MOST_ITEMS], "n")) <= 1e-9
    with pytest.raises(RequestError, match="has 13 products") as refused:
        values(itemsets, letters[:13], "n")
    assert "max_antecedent=12" in refused.value.hint


def test_a_tree_without_every_part_is_refused():
    counts = {"a": 4, "b": 4, "ab": 2, "abY": 1, "Y": 2, "aY": 2}
    with pytest.raises(RequestError, match=r"\['Y', 'b'\]") as refused:
        values(tree_of(counts, 8), "ab", "Y")
    assert "kind 'all'" in refused.value.hint


def test_a_tree_with_an_itemset_twice_is_refused():
    columns = ([-1, -1, 0, 1], [0, 1, 1, 0], [3, 3, 2, 2])
    tree = ItemsetTree(*(np.array(column, dtype=np.int32) for column in columns))
    with pytest.raises(DataError, match="twice"):
        contributions(MinedItemsets(tree, pl.Series(["a", "b"]), 9, 1), np.array([0], np.int32), np.array([1], np.int32))


def test_no_rules_no_contributions():
    none = np.empty(0, dtype=np.int32)
    found = contributions(mined(TWO), none, none)
    assert len(found) == 0 and found.frame(pl.Series(["a"])).height == 0 and found.share.size == 0 and len(found.lists()) == 0


def test_shares_of_parts_that_pull_apart_are_none():
    indptr = np.array([0, 2, 4, 5])
    found = shares(np.array([-1.0, -3.0, 2.0, -1.0, 0.0]), indptr)
    assert found[:2].tolist() == [0.25, 0.75]
    assert np.isnan(found[2:]).all()


@pytest.mark.data
def test_groceries_add_up(datasets):
    lines = (datasets / "groceries_arules" / "groceries.csv").read_text(encoding="utf-8").splitlines()
    baskets = [sorted({name.strip() for name in line.split(",")} - {""}) for line in lines]
    itemsets = Itemsets(40).fit(Transactions.from_lists(baskets), Run())
    tree = itemsets.tree
    indptr, items = tree.flatten(tree.members)
    node = dict(zip((tuple(row.tolist()) for row in np.split(items, indptr[1:-1])), tree.members.tolist(), strict=True))
    rules = [(whole, last) for whole in node if len(whole) > 1 for last in whole]
    x = np.array([node[tuple(code for code in whole if code != last)] for whole, last in rules], dtype=np.int32)
    y = np.array([node[last,] for _, last in rules], dtype=np.int32)
    z = np.array([node[whole] for whole, _ in rules], dtype=np.int32)
    found = contributions(itemsets, x, y)
    n_x, n_y, n_z = (tree.support[nodes].astype(float) for nodes in (x, y, z))
    assert np.abs(np.add.reduceat(found.value, found.indptr[:-1]) - np.log(n_z * len(baskets) / (n_x * n_y))).max() < 1e-12
    codes = {name: code for code, name in enumerate(itemsets.names)}
    both, beer = tuple(sorted((codes["liquor"], codes["bottled beer"]))), codes["bottled beer"]
    assert [exp(v) for v in found.value[found.indptr[rules.index((both, beer))] :][:1]] == pytest.approx([5.2402], abs=1e-3)
