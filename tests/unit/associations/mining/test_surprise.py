"""R-interest against plain Python over fractions, and the example of the paper."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.surprise import is_surprising, surprising
from basketry.associations.mining.taxonomy import Taxonomy
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from taxonomy_worlds import NAMES, forests, generalized, parents, raisings

RUN = Run()
factors = st.sampled_from([0.5, 1.0, 1.1, 1.5, 2.0])
rows_of_baskets = st.lists(st.frozensets(st.sampled_from(NAMES[:8]), max_size=4), min_size=1, max_size=14)
RULE = tuple[frozenset[str], frozenset[str]]


def mined_with(taxonomy, rows, least):
    transactions, facts = taxonomy.extended(Transactions.from_lists(rows))
    return Itemsets(least).fit(transactions, RUN, facts)


def nearest(ways, interesting, above):
    """Of the ways to interesting ancestors, those with no interesting ancestor on the way."""
    return [
        (way, there) for way, there in ways if there in interesting and not any(
            other in interesting and there in above[other] for _, other in ways
        )
    ]  # fmt: skip


def interesting_itemsets(above, held, factor):
    """By the definition, the most general first: an ancestor has more baskets at every step up, or is decided before."""
    ways = {each: [(way, frozenset(way.values())) for way in raisings(above, each)] for each in held}
    ways = {each: [(way, there) for way, there in found if there in held] for each, found in ways.items()}
    over = {each: {there for _, there in found} for each, found in ways.items()}
    interesting: set[frozenset[str]] = set()
    for each in sorted(held, key=lambda each: len(ways[each])):
        expected = [
            held[there] * prod(Fraction(held[frozenset({a})], held[frozenset({b})]) for a, b in way.items())
            for way, there in nearest(ways[each], interesting, over)
        ]
        if all(held[each] >= Fraction(repr(factor)) * count for count in expected):
            interesting.add(each)
    return interesting


def interesting_rules(above, held, rules, factor):
    def raised(side, way):
        return frozenset(way[name] for name in side)

    ways = {(x, y): [(way, (raised(x, way), raised(y, way))) for way in raisings(above, x | y)] for x, y in rules}
    ways = {each: [(way, there) for way, there in found if there in rules] for each, found in ways.items()}
    over = {each: {there for _, there in found} for each, found in ways.items()}
    interesting: set[RULE] = set()
    for x, y in sorted(rules, key=lambda each: len(raisings(above, each[0] | each[1]))):
        enough = []
        for way, (x2, y2) in nearest(ways[x, y], interesting, over):
            share = {a: Fraction(held[frozenset({a})], held[frozenset({b})]) for a, b in way.items()}
            support = held[x2 | y2] * prod(share.values())
            confidence = Fraction(held[x2 | y2], held[x2]) * prod(share[name] for name in y)
            bound = Fraction(repr(factor))
            enough.append(held[x | y] >= bound * support or Fraction(held[x | y], held[x]) >= bound * confidence)
        if all(enough):
            interesting.add((x, y))
    return interesting


@settings(max_examples=250, deadline=None)
@given(forests(NAMES[:8]), rows_of_baskets, st.integers(1, 2), factors)
def test_itemsets_as_defined(above, rows, least, factor):
    taxonomy = Taxonomy.from_parents(parents(above))
    mined = mined_with(taxonomy, rows, least)
    kept = {frozenset(each) for each in surprising(mined, taxonomy, factor).frame()["itemset"]}
    assert kept == interesting_itemsets(above, generalized(above, rows, least), factor)


@settings(max_examples=250, deadline=None)
@given(forests(NAMES[:8]), rows_of_baskets, st.integers(1, 2), factors, st.sampled_from([0.0, 0.6]))
def test_rules_as_defined(above, rows, least, factor, confidence):
    """With a least confidence some rules on the way from a rule to an ancestor are missing."""
    taxonomy = Taxonomy.from_parents(parents(above))
    rules = Rules(confidence).fit(mined_with(taxonomy, rows, least), RUN)
    here = [tuple(map(frozenset, pair)) for pair in rules.frame().select("antecedent", "consequent").rows()]
    wanted = is_surprising(rules, taxonomy, factor)
    kept = {each for each, is_kept in zip(here, wanted, strict=True) if is_kept}
    assert kept == interesting_rules(above, generalized(above, rows, least), set(here), factor)
    assert len(surprising(rules, taxonomy, factor)) == wanted.sum()


CLOTHES = pl.DataFrame(
    {"item": ["Jackets", "Parkas", "Outerwear", "Shirts"], "parent": ["Outerwear", "Outerwear", "Clothes", "Clothes"]}
)


def clothes_shop():
    """50, 20 and 10 baskets with Clothes, Outerwear and Jackets; 10, 8 and 4 of them with Footwear."""
    alone = {"Jackets": 6, "Parkas": 6, "Shirts": 28}
    with_shoes = {"Jackets": 4, "Parkas": 4, "Shirts": 2}
    rows = [[name] for name, times in alone.items() for _ in range(times)]
    return rows + [[name, "Footwear"] for name, times in with_shoes.items() for _ in range(times)]


def test_the_example_of_srikant_and_agrawal():
    """Section 2.3: as 5, 2, 1 the items, as 10, 8, 4 the rules; R = 2.

    Outerwear => Footwear is twice as frequent as Clothes => Footwear leads to expect (10 x 2/5 = 4), so it is interesting;
    Jackets => Footwear exactly as Outerwear => Footwear does (8 x 1/2 = 4), so it is not, although it is twice as frequent as
    by Clothes => Footwear (10 x 1/5 = 2): that is not its nearest ancestor.
    """
    taxonomy = Taxonomy.from_parents(pl.concat([CLOTHES, pl.DataFrame({"item": ["Footwear"], "parent": [None]})]))
    mined = mined_with(taxonomy, clothes_shop(), 4)
    supports = {tuple(itemset): baskets for itemset, baskets in mined.frame().select("itemset", "baskets").rows()}
    assert [supports[each,] for each in ("Clothes", "Outerwear", "Jackets")] == [50, 20, 10]
    assert [supports[each, "Footwear"] for each in ("Clothes", "Outerwear", "Jackets")] == [10, 8, 4]
    rules = Rules().fit(mined, RUN)
    left = surprising(rules, taxonomy, 2.0).frame()
    with_footwear = {x[0] for x, y in left.select("antecedent", "consequent").rows() if y == ["Footwear"]}
    assert with_footwear == {"Clothes", "Outerwear"}
    assert {x[0] for x in surprising(mined, taxonomy, 2.0).frame()["itemset"] if len(x) == 2} == {"Clothes", "Outerwear"}
    none = surprising(rules, taxonomy, 2.000001).frame().filter(pl.col("consequent").list.first() == "Footwear")
    assert none["antecedent"].to_list() == [["Clothes"]]
    without_between = rules.take(~(rules.frame()["antecedent"].list.first() == "Outerwear").to_numpy())
    again = surprising(without_between, taxonomy, 2.0).frame().filter(pl.col("consequent").list.first() == "Footwear")
    assert sorted(again["antecedent"].list.first()) == ["Clothes", "Jackets", "Parkas"]


def test_only_the_nearest_ancestor_counts_also_where_another_way_leads_past_it():
    """R = 0.5, as no ancestor but the nearest can decide otherwise from 1 up. Every item in 30 baskets, {P, Q} in 32.

    {P, z} is in 9 of 16 that are expected, so it is interesting; {y, Q} in 7 of 16, so it is not, and {y, z} is compared with
    {P, Q} by this way: 3 of 8 are not enough. But {P, z} is nearer to it than {P, Q}, and 3 of 4.5 are.
    """
    taxonomy = Taxonomy.from_parents(pl.DataFrame({"item": ["y", "u", "z", "v"], "parent": ["P", "P", "Q", "Q"]}))
    pairs = {"yz": 3, "uz": 6, "yv": 4, "uv": 19}
    rows = [list(pair) for pair, times in (pairs | {"y": 23, "u": 5, "z": 21, "v": 7}).items() for _ in range(times)]
    mined = mined_with(taxonomy, rows, 3)
    left = {frozenset(each) for each in surprising(mined, taxonomy, 0.5).frame()["itemset"] if len(each) == 2}
    assert left == set(map(frozenset, ("PQ", "Pz", "uQ", "yz", "uv", "Pv")))


def test_a_tie_with_the_factor_is_settled_in_whole_numbers():
    """1.1 times 30 x 15/45 is 11: 11 baskets are enough, though not in floating point."""
    taxonomy = Taxonomy.from_parents(pl.DataFrame({"item": ["a", "b", "x"], "parent": ["A", "A", None]}))
    rows = [["a", "x"]] * 11 + [["a"]] * 4 + [["b", "x"]] * 19 + [["b"]] * 11
    assert 45 / 15 * (11 / 30) < 1.1
    mined = mined_with(taxonomy, rows, 11)
    assert ["a", "x"] in surprising(mined, taxonomy, 1.1).frame()["itemset"].list.sort().to_list()
    assert ["a", "x"] not in surprising(mined, taxonomy, 1.1000001).frame()["itemset"].list.sort().to_list()


def test_what_cannot_be_judged():
    taxonomy = Taxonomy.from_parents(CLOTHES)
    rows = [["Jackets", "Parkas"], ["Jackets", "Shirts"], ["Outerwear", "Shirts"]]
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RequestError, match="factor is"):
            surprising(mined_with(taxonomy, rows, 1), taxonomy, factor)
    transactions, facts = taxonomy.extended(Transactions.from_lists(rows))
    with pytest.raises(RequestError, match="holds an item and its own ancestor"):
        surprising(Itemsets(1).fit(transactions, RUN), taxonomy)
    with pytest.raises(RequestError, match="rests on the supports of its items"):
        surprising(Itemsets(1, min_length=2).fit(transactions, RUN, facts), taxonomy)
    with pytest.raises(DataError, match="1 of 5 items are not in the taxonomy, such as 'Gloves'"):
        surprising(Itemsets(1).fit(Transactions.from_lists([*rows, ["Gloves"]]), RUN), taxonomy)
    assert len(surprising(mined_with(taxonomy, rows, 4), taxonomy)) == 0
    assert len(surprising(Rules().fit(mined_with(taxonomy, rows, 4), RUN), taxonomy)) == 0
