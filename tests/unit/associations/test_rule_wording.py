"""Sentences on rules and contributions read back exactly, whatever the row and the titles; and they read as agreed."""

from __future__ import annotations

import math
import re

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from basketry.associations.wording import parse
from basketry.associations.wording.rules import (
    CLAIMS,
    Contribution,
    contribution_sentence,
    parse_contributions,
    parse_rule,
    rule_figures,
    rule_sentence,
    stated_contributions,
    with_rule_sentences,
)
from basketry.core.errors import RequestError

LANGUAGES = ("en", "zh")
untimed = settings(deadline=None)  # the first sentence of a language compiles its grammars

ROW = {
    "baskets": 19,
    "antecedent_baskets": 21,
    "confidence": 19 / 21,
    "lift": 11.2353,
    "q": 1.2e-17,
}
FULL = ROW | {
    "customers": 17,
    "antecedent_customers": 18,
    "confidence_low": 0.7109,
    "confidence_high": 0.9731,
    "lift_low": 8.8,
    "lift_high": 12.08,
    "p": 3.4e-20,
}
WINE, BEER = ("liquor", "red/blush wine"), ("bottled beer",)

FRAGMENTS = (
    "“",
    "”",
    "\\",
    "\n",
    '"',
    "\\u{41}",
    "{A}",
    "{baskets}",
    "” and “",
    "”, “",
    "”和“",
    "”、“",
    ", 19 (90.5%) also hold “bottled beer”.",
    " explains 99% (factor 9) and ",
    "；不大可能是巧合（q = 0）。",
    "\u202e",
    "\ud800",
    "\u3000",
    rule_sentence(ROW, WINE, BEER, "en"),
    rule_sentence(FULL, WINE, BEER, "zh"),
)
titles = st.one_of(
    st.text(st.characters(), max_size=20),
    st.lists(st.sampled_from(FRAGMENTS) | st.text(st.characters(), max_size=3), max_size=6).map("".join),
)
sides = st.lists(titles, min_size=1, max_size=5).map(tuple)
counts = st.integers(0, 12) | st.integers(0, 10**12)
shares = st.floats(0, 1) | st.sampled_from((0.0, 1e-301, 1e-300, 0.05, 0.0505, 0.9994, 0.9996, 1 - 2**-53, 1.0))
ratios = (
    st.floats(0, 20)
    | st.floats(allow_nan=False)
    | st.sampled_from((0.9996, 1.0, 1.004, math.inf, 999.6, 1e15, -0.0, 1.7976e308))
)
COUNTS = ("baskets", "antecedent_baskets", "customers", "antecedent_customers")
SHARES = ("confidence", "confidence_low", "confidence_high", "p", "q")
RATIOS = ("lift", "lift_low", "lift_high")


def rows(*, complete: bool = False) -> st.SearchStrategy[dict]:
    def columns(names: tuple[str, ...], values: st.SearchStrategy, null: st.SearchStrategy) -> dict:
        return dict.fromkeys(names, values if complete else values | null)

    null = st.none() | st.just(math.nan)
    return st.fixed_dictionaries(
        columns(COUNTS, counts, st.none()) | columns(SHARES, shares, null) | columns(RATIOS, ratios, null)
    )


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), antecedent=sides, consequent=sides)
@example(row=ROW, antecedent=("",), consequent=("", ""))
def test_every_rule_reads_back(language, claim, row, antecedent, consequent):
    read = parse_rule(rule_sentence(row, antecedent, consequent, language, claim), language)
    assert (read.claim, read.antecedent, read.consequent) == (claim, antecedent, consequent)
    assert read.figures == rule_figures(row, claim)
    for name in set(read.figures) - {"antecedent_baskets", "antecedent_customers"}:
        assert_rounds(name, read.figures[name], row[name])


def assert_rounds(name: str, stated: float, value: float) -> None:
    """The published rule, said a second way: half a unit of the third (for p and q the second) significant digit."""
    chance = name in ("p", "q")
    if name in COUNTS:
        assert stated == value
    elif math.isinf(value) or abs(value) > 1.79e308:
        assert stated == value or abs(stated) == 1.79e308
    elif chance and value < 0.95e-300:
        assert stated == 0
    elif name not in RATIOS and not chance and stated == 0.999:
        assert 0.9985 <= value < 1
    elif abs(value) < 1e-290:
        assert stated == pytest.approx(value, abs=1e-290)
    else:
        unit = 10.0 ** (math.floor(math.log10(abs(value))) - (1 if chance else 2))
        assert abs(stated - value) <= unit * (0.5 + 1e-9)


@pytest.mark.parametrize(
    ("claim", "columns"),
    [
        ("holds", {*COUNTS, *SHARES, *RATIOS} - {"antecedent_customers"}),
        ("lacks", {*COUNTS, *SHARES, *RATIOS} - {"antecedent_customers"}),
        ("follows", {*COUNTS, *SHARES, *RATIOS} - {"baskets", "antecedent_baskets"}),
    ],
)
@untimed
@given(row=rows(complete=True))
def test_nothing_known_is_kept_back(claim, columns, row):
    assert set(rule_figures(row, claim)) == columns


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), antecedent=sides, consequent=sides)
def test_a_sentence_is_one_line_of_text(language, row, antecedent, consequent):
    said = rule_sentence(row, antecedent, consequent, language)
    assert len(said.splitlines()) == 1
    assert said.encode()
    assert "\u202e" not in said


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), at=st.integers(0), mark=st.sampled_from("0123456789.,%∞-eE “”\\x个和、a"))
def test_a_tampered_sentence_is_refused_or_says_what_it_says(language, row, at, mark):
    said = rule_sentence(row, WINE, BEER, language)
    at %= len(said) + 1
    tampered = said[:at] + mark + said[at + 1 :]
    try:
        read = parse_rule(tampered, language)
    except RequestError:
        return
    assert tampered == said or (read.antecedent, read.consequent, read.figures) != (WINE, BEER, rule_figures(row))


parts = st.lists(
    st.tuples(titles, ratios, st.floats(-3, 3)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("shared", [True, False])
@untimed
@given(given_parts=parts)
@example(given_parts=[("” 4%, factor 2", 4.46, 0.618), ("", 2.51, 0.382)])
def test_every_contribution_reads_back(language, shared, given_parts):
    told = tuple(Contribution(title, factor, share if shared else None) for title, factor, share in given_parts)
    said = contribution_sentence(told, language)
    assert parse_contributions(said, language) == stated_contributions(told)
    with pytest.raises(RequestError):
        parse_rule(said, language)


def test_shares_are_told_only_where_every_part_has_one():
    mixed = (Contribution("a", 2.0, 1.4), Contribution("b", 0.8, None))
    assert contribution_sentence(mixed, "en") == "That lift is the product of 2 from “a” and 0.8 from “b”."


RULES = [
    (
        ROW,
        "Of the 21 baskets with “liquor” and “red/blush wine”, 19 (90.5%) also hold “bottled beer”: "
        "11.2 times as often as in all baskets; unlikely to be a coincidence (q = 1.2e-17).",
        "在21个有“liquor”和“red/blush wine”的购物篮中，19个（90.5%）同时有“bottled beer”："
        "是全部购物篮中比例的11.2倍；不大可能是巧合（q = 1.2e-17）。",
    ),
    (
        FULL,
        "Of the 21 baskets with “liquor” and “red/blush wine”, 19 (90.5%) also hold “bottled beer” "
        "(95% interval 71.1% to 97.3%): 11.2 times as often as in all baskets (95% interval 8.8 to 12.1), from 17 customers; "
        "unlikely to be a coincidence (p = 3.4e-20; counting all rules tried, q = 1.2e-17).",
        "在21个有“liquor”和“red/blush wine”的购物篮中，19个（90.5%）同时有“bottled beer”（95%置信区间71.1%至97.3%）："
        "是全部购物篮中比例的11.2倍（95%置信区间8.8至12.1），来自17位顾客；"
        "不大可能是巧合（p = 3.4e-20；计入所有试过的规则，q = 1.2e-17）。",
    ),
    (
        {"baskets": 1, "antecedent_baskets": 1, "confidence": 1.0, "lift": 1.0, "customers": 1, "p": 0.5},
        "Of the 1 basket with “liquor” and “red/blush wine”, 1 (100%) also holds “bottled beer”: "
        "as often as in all baskets, 1 to 1, from 1 customer; coincidence is not ruled out (p = 0.5).",
        "在1个有“liquor”和“red/blush wine”的购物篮中，1个（100%）同时有“bottled beer”："
        "与全部购物篮中比例相当，为1倍，来自1位顾客；不能排除巧合（p = 0.5）。",
    ),
    (
        {"confidence": 0.25, "lift": 0.4, "p": 1e-9},
        "Of the baskets with “liquor” and “red/blush wine”, 25% also hold “bottled beer”: "
        "only 0.4 times as often as in all baskets; unlikely to be a coincidence if no other rule was tried (p = 1e-9).",
        "有“liquor”和“red/blush wine”的购物篮中，25%同时有“bottled beer”："
        "只有全部购物篮中比例的0.4倍；若只试过这一条规则，则不大可能是巧合（p = 1e-9）。",
    ),
    (
        {"p": 0.001, "q": 0.2},
        "Of the baskets with “liquor” and “red/blush wine”, it was not counted how many also hold “bottled beer”; "
        "coincidence is not ruled out (p = 0.001; counting all rules tried, q = 0.2).",
        "有“liquor”和“red/blush wine”的购物篮中，多少个同时有“bottled beer”，未作统计；"
        "不能排除巧合（p = 0.001；计入所有试过的规则，q = 0.2）。",
    ),
]


@pytest.mark.parametrize(("row", "english", "chinese"), RULES)
def test_rules_word_for_word(row, english, chinese):
    assert rule_sentence(row, WINE, BEER, "en") == english
    assert rule_sentence(row, WINE, BEER, "zh") == chinese


def test_other_claims_and_longer_lists_word_for_word():
    three = ("tea", "milk", "cups")
    assert (
        rule_sentence({"baskets": 3, "confidence": 0.5, "lift": 1.5}, three, BEER, "en", "lacks")
        == "Of the 6 baskets with “tea”, “milk” and “cups”, 3 (50%) hold no “bottled beer”: "
        "1.5 times as often as in all baskets."
    )
    assert (
        rule_sentence({"baskets": 1, "confidence": 0.5}, BEER, three, "en", "lacks")
        == "Of the 2 baskets with “bottled beer”, 1 (50%) holds not all of “tea”, “milk” and “cups”."
    )
    assert (
        rule_sentence({"baskets": 3, "confidence": 0.5}, three, WINE, "zh", "lacks")
        == "在6个有“tea”、“milk”和“cups”的购物篮中，3个（50%）没有同时具备“liquor”和“red/blush wine”。"
    )
    follows = {"customers": 40, "confidence": 0.2, "lift": 3.0, "baskets": 55}
    assert (
        rule_sentence(follows, ("phone",), ("case",), "en", "follows")
        == "Of the 200 customers who bought “phone”, 40 (20%) later bought “case”: 3 times as often as among all customers."
    )
    assert (
        rule_sentence(follows, ("phone",), ("case",), "zh", "follows")
        == "在200位买过“phone”的顾客中，40位（20%）后来买了“case”：是全部顾客中比例的3倍。"
    )


CONTRIBUTIONS = [
    (
        (Contribution("liquor", 4.4632, 0.6184), Contribution("red/blush wine", 2.51729, 0.3816)),
        "Of that lift, “liquor” explains 61.8% (factor 4.46) and “red/blush wine” 38.2% (factor 2.52).",
        "这一提升中，“liquor”占61.8%（因子4.46），“red/blush wine”占38.2%（因子2.52）。",
    ),
    (
        (Contribution("a", 2.0), Contribution("b", 0.5), Contribution("c", 3.0)),
        "That lift is the product of 2 from “a”, 0.5 from “b” and 3 from “c”.",
        "这一提升度是各部分之积：“a”的2、“b”的0.5和“c”的3。",
    ),
]


@pytest.mark.parametrize(("told", "english", "chinese"), CONTRIBUTIONS)
def test_contributions_word_for_word(told, english, chinese):
    assert contribution_sentence(told, "en") == english
    assert contribution_sentence(told, "zh") == chinese


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Of the 21 baskets with “a”, 19 (90.5%) also hold “b”",
        "Of the 21 baskets with “a”, 19 (90.5%) also holds “b”.",
        "Of the 21 baskets with “a” and “b” and “c”, 19 (90.5%) also hold “d”.",
        "Of the 21 baskets with “a”, “b”, 19 (90.5%) also hold “d”.",
        "Of the 21 baskets with , 19 (90.5%) also hold “d”.",
        "Of the 021 baskets with “a”, 19 (90.5%) also hold “b”.",
        "Of that lift, .",
        "Of that lift, “a” explains 62% (factor 4) and “b” explains 38% (factor 2).",
    ],
)
def test_what_nobody_said_is_refused(text):
    for read in (parse_rule, parse_contributions, parse):
        with pytest.raises(RequestError):
            read(text, "en")


def test_a_rule_of_one_product_is_not_taken_for_an_edge():
    said = rule_sentence(ROW, ("Milk",), ("Bread",), "en")
    with pytest.raises(RequestError):
        parse(said, "en")
    with pytest.raises(RequestError):
        parse_rule("Of 21 baskets with “Milk”, 19 also hold “Bread” (90.5%).", "en")


def test_refusals_name_what_is_wrong():
    with pytest.raises(RequestError, match="consequent of the rule is empty"):
        rule_sentence(ROW, WINE, (), "en")
    with pytest.raises(RequestError, match="'fr'"):
        rule_sentence(ROW, WINE, BEER, "fr")
    with pytest.raises(RequestError, match="'causes'"):
        rule_sentence(ROW, WINE, BEER, "en", "causes")
    with pytest.raises(RequestError, match="no contribution"):
        contribution_sentence((), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_frame_gets_the_sentence_of_each_rule(language):
    rules = pl.DataFrame(
        {
            "antecedent": [["1", "2"], ["3"]],
            "consequent": [["3"], ["9"]],
            "baskets": [19, 3],
            "confidence": [19 / 21, 0.5],
            "lift": [11.2353, None],
            "conviction": [math.inf, 1.0],
        }
    )
    told = with_rule_sentences(rules, {"1": "Milk", "2": "Milk", "3": "Bread"}, language)
    assert told.drop("sentence").equals(rules)
    assert told["sentence"].to_list() == [
        rule_sentence({"baskets": 19, "confidence": 19 / 21, "lift": 11.2353}, ("Milk #1", "Milk #2"), ("Bread",), language),
        rule_sentence({"baskets": 3, "confidence": 0.5}, ("Bread",), ("9",), language),
    ]
    assert re.search(r"\D21\D", told["sentence"][0])
    assert with_rule_sentences(rules.clear(), {}, language).height == 0
