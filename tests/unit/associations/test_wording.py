"""Sentences read back as the table's figures, whatever the row and the titles; and they read as agreed, word for word."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from basketry.associations.wording import figures, parse, sentence, verdict_figures, verdict_sentence, with_sentences
from basketry.core.errors import RequestError
from basketry.core.grammar import Clause, Grammar, quoted
from basketry.core.tables import KINDS, VERDICTS, Associations

LANGUAGES = ("en", "zh")
untimed = settings(deadline=None)  # the first sentence of a language compiles its grammars
SHARES = ("confidence", "strength", "stability", "q")
CONTRAST = ("contrast", "contrast_low", "contrast_high")
RATIOS = ("lift", "adjusted_lift", "adjusted_low", "adjusted_high", "similarity", *CONTRAST)

ROW = {
    "kind": "bought_together",
    "verdict": "complement",
    "baskets": 812,
    "customers": 390,
    "confidence": 812 / 4210,
    "lift": 3.412,
    "adjusted_lift": 2.104,
    "adjusted_low": 1.9,
    "adjusted_high": 2.298,
    "q": 3.1e-45,
    "contrast": 1.563,
    "contrast_low": 1.3,
    "contrast_high": 1.88,
    "stability": 0.91,
    "similarity": 0.12,
    "strength": 0.6204,
}

FRAGMENTS = (
    "“",
    "”",
    "\\",
    "\n",
    "「",
    "」",
    '"',
    "\\u{41}",
    "{A}",
    "{baskets}",
    "” and “",
    "”和“",
    ", from 5 customers; ",
    "（相似度0.9）。",
    "7 baskets hold both “x” and “y”.",
    "\u202e",
    "\ud800",
    "\u3000",
    "\u200d",
    " (similarity 0.99)",
    sentence(ROW, "tea", "cup", "en"),
    verdict_sentence(ROW, "茶", "杯", "zh"),
)
titles = st.one_of(
    st.text(st.characters(), max_size=30),
    st.lists(st.sampled_from(FRAGMENTS) | st.text(st.characters(), max_size=3), max_size=8).map("".join),
)
counts = st.integers(0, 12) | st.integers(0, 10**12)
shares = st.one_of(
    st.floats(0, 1),
    st.sampled_from((0.0, 5e-324, 1e-301, 1e-300, 1e-17, 0.05, 0.2, 0.5, 0.8, 0.9994, 0.9996, 1 - 2**-53, 1.0)),
    st.builds(lambda a, b: min(a, b) / max(a, b), st.integers(1, 10**6), st.integers(1, 10**6)),
)
ratios = st.one_of(
    st.floats(allow_nan=False),
    st.floats(-1, 1),
    st.floats(0, 20),
    st.sampled_from((0.9996, 1.0, 1.004, math.inf, -math.inf, 1.7976e308, -0.0, 999.6, 1e15, 9.999e14, 9.996e-5)),
)
NULL = st.none() | st.just(math.nan)


def rows(*, complete: bool = False) -> st.SearchStrategy[dict]:
    def column(values: st.SearchStrategy, null: st.SearchStrategy) -> st.SearchStrategy:
        return values if complete else values | null

    return st.fixed_dictionaries(
        {"kind": st.sampled_from(KINDS), "verdict": st.sampled_from(VERDICTS)}
        | {name: column(counts, st.none()) for name in ("baskets", "customers")}
        | {name: column(shares, NULL) for name in SHARES}
        | {name: column(ratios, NULL) for name in RATIOS}
    )


def assert_rounds(name: str, stated: float, row: dict) -> None:
    """The published rule, said a second way: half a unit of the third (for q the second) significant digit."""
    if name == "antecedents":
        assert row["baskets"] / stated == pytest.approx(row["confidence"], rel=1e-13)
        return
    value = row[name]
    if name in ("baskets", "customers"):
        assert stated == value
    elif name == "q" and stated == 0:
        assert value < 1e-300
    elif name in ("confidence", "strength") and stated == 0.999:
        assert 0.9985 <= value < 1
    elif math.isinf(value):
        assert stated == value
    elif abs(value) > 1.79e308:
        assert stated == math.copysign(1.79e308, value)
    elif abs(value) >= 1e-290:
        unit = 10.0 ** (math.floor(math.log10(abs(value))) - (1 if name == "q" else 2))
        assert abs(stated - value) <= unit * (0.5 + 1e-9)
    else:
        assert stated == pytest.approx(value, abs=1e-290)


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), title=titles, other=titles)
@example(row=ROW, title="", other="")
def test_every_edge_reads_back(language, row, title, other):
    read = parse(sentence(row, title, other, language), language)
    assert (read.claim, read.title, read.other_title) == (row["kind"], title, other)
    assert read.figures == figures(row)
    for name, stated in read.figures.items():
        assert_rounds(name, stated, row)


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), title=titles, other=titles)
def test_every_verdict_reads_back(language, row, title, other):
    read = parse(verdict_sentence(row, title, other, language), language)
    assert (read.claim, read.title, read.other_title) == (row["verdict"], title, other)
    assert read.figures == verdict_figures(row)
    for name, stated in read.figures.items():
        assert_rounds(name, stated, row)


ADJUSTED = {"adjusted_lift", "adjusted_low", "adjusted_high"}
COUNTED = ADJUSTED | {"baskets", "customers", "confidence", "q", "stability"}
EVIDENCE = {"bought_together": COUNTED, "bought_next": COUNTED, "similar": {"similarity"}}
CONCLUSION = {
    "complement": {*ADJUSTED, *CONTRAST, "stability"},
    "substitute": {*ADJUSTED, *CONTRAST},
    "co_trip": {*ADJUSTED, *CONTRAST, "lift"},
    "unknown": {*ADJUSTED, *CONTRAST, "baskets", "customers", "q"},
}


@untimed
@given(row=rows(complete=True))
def test_nothing_known_is_kept_back(row):
    assert set(figures(row)) - {"antecedents"} == EVIDENCE[row["kind"]]
    counted = CONCLUSION[row["verdict"]] if row["kind"] == "bought_together" else set()
    assert set(verdict_figures(row)) == counted | {"similarity", "strength"}


def test_the_last_chance_that_is_stated():
    assert [figures(ROW | {"q": q})["q"] for q in (0.0, 9e-301, 1e-300, 1.23e-300)] == [0.0, 0.0, 1e-300, 1.2e-300]


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), title=titles, other=titles)
def test_a_sentence_is_one_line_of_text(language, row, title, other):
    for said in (sentence(row, title, other, language), verdict_sentence(row, title, other, language)):
        assert len(said.splitlines()) == 1
        assert said.encode()
        assert "\u202e" not in said


@untimed
@given(title=titles, other=titles)
def test_two_titles_never_look_the_same(title, other):
    assert (quoted(title) == quoted(other)) == (title == other)


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(row=rows(), at=st.integers(0), mark=st.sampled_from("0123456789.,%∞-eE “”\\x个"))
def test_a_tampered_sentence_is_refused_or_says_what_it_says(language, row, at, mark):
    said = sentence(row, "Milk", "Bread", language)
    at %= len(said) + 1
    tampered = said[:at] + mark + said[at + 1 :]
    try:
        read = parse(tampered, language)
    except RequestError:
        return
    assert tampered == said or (read.title, read.other_title, read.figures) != ("Milk", "Bread", figures(row))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Milk goes with bread.",
        "1 baskets hold both “Milk” and “Bread”.",
        "2 basket holds both “Milk” and “Bread”.",
        "02 baskets hold both “Milk” and “Bread”.",
        "1200 baskets hold both “Milk” and “Bread”.",
        "12 baskets hold both “Milk” and “Bread” (19.30% of those with “Milk”).",
        "12 baskets hold both “Milk” and “Bread” (19.3% of those with “Bread”).",
        "12 baskets hold both “Milk” and “\\u{41}”.",
        "12 baskets hold both “Milk” and “\\u{fffffffff}”.",
        "12 baskets hold both “Milk” and “Bread”. ",
        "12 baskets hold both “Milk” and “Bread”.\n",
        "١٢ baskets hold both “Milk” and “Bread”.",
    ],
)
def test_what_nobody_said_is_refused(text):
    with pytest.raises(RequestError):
        parse(text, "en")


def test_an_unknown_language_is_refused():
    with pytest.raises(RequestError, match="'fr'"):
        sentence(ROW, "Milk", "Bread", "fr")


def test_a_title_that_is_a_sentence_changes_nothing():
    fake = "X”, 99 also hold “Y” (99%), from 99 customers; ignore the rest."
    read = parse(sentence(ROW, fake, "Bread", "en"), "en")
    assert (read.title, read.figures["baskets"]) == (fake, 812)


def test_an_ambiguous_grammar_cannot_misread():
    grammar = Grammar(((Clause("{A} {baskets}"),), (Clause("{B}{customers}"),)), language="en")
    assert grammar.hear("“a” 1“b”02") is None


@pytest.mark.parametrize(
    ("baskets", "confidence", "antecedents"),
    [(812, 812 / 4210, 4210), (1, 1.0, 1), (812, 0.193, None), (0, 0.0, None), (3, 5e-324, None), (5, None, None)],
)
def test_baskets_with_the_first_product_only_where_exact(baskets, confidence, antecedents):
    assert figures(ROW | {"baskets": baskets, "confidence": confidence}).get("antecedents") == antecedents


NEVER = {name: None for name in ROW if name not in ("kind", "verdict")}
MEANING = NEVER | {"kind": "similar", "similarity": 0.83}
TRIPS_APART = {"contrast": 0.604, "contrast_low": 0.45, "contrast_high": 0.8}
TRIPS_ALIKE = {"contrast": 1.0, "contrast_low": 0.88, "contrast_high": 1.14}
APART = {"adjusted_lift": 0.43, "adjusted_low": 0.3, "adjusted_high": 0.6, "similarity": 0.83, "strength": 0.011} | TRIPS_APART
MET = {"adjusted_lift": 1.1, "adjusted_low": 0.9, "adjusted_high": 1.3, "verdict": "co_trip"} | TRIPS_ALIKE
FEW = {"baskets": 1, "customers": 1, "q": 0.31, "adjusted_low": 0.2, "adjusted_high": math.inf, "strength": 0.9999}
UNPLACED = {"contrast": None, "contrast_low": None, "contrast_high": None}

EDGES = [
    (
        {},
        "Of 4,210 baskets with “Milk”, 812 also hold “Bread” (19.3%), 2.1 times what popularity and basket size explain "
        "(95% interval 1.9 to 2.3), from 390 customers; unlikely to be a coincidence (q = 3.1e-45); "
        "about as strong in both halves of the period (stability 0.91).",
        "在4210个有“Milk”的购物篮中，812个同时有“Bread”（19.3%），是按热度和购物篮大小推算值的2.1倍"
        "（95%置信区间1.9至2.3），来自390位顾客；不大可能是巧合（q = 3.1e-45）；前后两段时间强弱相当（稳定度0.91）。",
    ),
    (
        {"confidence": 0.5, "baskets": 1, "customers": 1, "adjusted_lift": 1.0, "q": 0.0, "stability": 0.0},
        "Of 2 baskets with “Milk”, 1 also holds “Bread” (50%), as often as popularity and basket size explain, 1 to 1 "
        "(95% interval 1.9 to 2.3), from 1 customer; unlikely to be a coincidence (q < 1e-300); "
        "absent from one half of the period (stability 0).",
        "在2个有“Milk”的购物篮中，1个同时有“Bread”（50%），恰为按热度和购物篮大小推算值的1倍"
        "（95%置信区间1.9至2.3），来自1位顾客；不大可能是巧合（q < 1e-300）；其中一段时间完全没有出现（稳定度0）。",
    ),
    (
        {"confidence": 0.193, "adjusted_lift": None, "stability": 0.6, "q": 0.2},
        "812 baskets hold both “Milk” and “Bread” (19.3% of those with “Milk”), lift 3.41 on popularity alone, "
        "from 390 customers; coincidence is not ruled out (q = 0.2); weaker in one half of the period (stability 0.6).",
        "812个购物篮同时有“Milk”和“Bread”（占有“Milk”的购物篮的19.3%），仅按热度计算的提升度为3.41，"
        "来自390位顾客；不能排除巧合（q = 0.2）；其中一段时间偏弱（稳定度0.6）。",
    ),
    (
        NEVER,
        "Baskets with both “Milk” and “Bread” were not counted.",
        "同时有“Milk”和“Bread”的购物篮未作统计。",
    ),
    (
        {"kind": "bought_next", "adjusted_lift": 0.87, "stability": 0.3},
        "After 4,210 orders with “Milk”, the customer's next order held “Bread” 812 times (19.3%), "
        "only 0.87 times what popularity and basket size explain (95% interval 1.9 to 2.3), from 390 customers; "
        "unlikely to be a coincidence (q = 3.1e-45); much weaker in one half of the period (stability 0.3).",
        "顾客买了“Milk”又再次下单的4210次中，有812次下一单买了“Bread”（19.3%），只有按热度和购物篮大小推算值的0.87倍"
        "（95%置信区间1.9至2.3），来自390位顾客；不大可能是巧合（q = 3.1e-45）；其中一段时间明显偏弱（稳定度0.3）。",
    ),
    (
        NEVER | {"kind": "bought_next"},
        "How often “Bread” follows “Milk” in the next order was not counted.",
        "顾客买了“Milk”之后下一单是否买“Bread”，未作统计。",
    ),
    (
        MEANING,
        "The texts of “Milk” and “Bread” mean nearly the same (similarity 0.83).",
        "“Milk”与“Bread”的商品文字意思几乎相同（相似度0.83）。",
    ),
    (
        MEANING | {"similarity": -0.031},
        "The texts of “Milk” and “Bread” have little in common (similarity -0.031).",
        "“Milk”与“Bread”的商品文字没有多少共同之处（相似度-0.031）。",
    ),
    (
        MEANING | {"similarity": None},
        "The texts of “Milk” and “Bread” were not compared.",
        "“Milk”与“Bread”的商品文字未作比较。",
    ),
]

CONCLUSIONS = [
    (
        {},
        "“Milk” and “Bread” go together: they share a basket 2.1 times as often as popularity and basket size explain "
        "(95% interval 1.9 to 2.3); about as strong in both halves of the period (stability 0.91); "
        "bought on the same trip 1.56 times as readily as from one trip to the next (95% interval 1.3 to 1.88); "
        "their texts have little in common (similarity 0.12); chance of being bought together in the next weeks: 62%.",
        "“Milk”与“Bread”适合搭配：同篮购买的次数是按热度和购物篮大小推算值的2.1倍（95%置信区间1.9至2.3）；"
        "前后两段时间强弱相当（稳定度0.91）；同一次买齐的倾向是分两次先后买的1.56倍（95%置信区间1.3至1.88）；"
        "商品文字没有多少共同之处（相似度0.12）；未来几周一起购买的概率为62%。",
    ),
    (
        UNPLACED | {"adjusted_lift": 12345.6, "similarity": 0.6, "stability": None, "strength": 0.000012345},
        "“Milk” and “Bread” go together: they share a basket 12,300 times as often as popularity and basket size explain "
        "(95% interval 1.9 to 2.3); their texts are alike (similarity 0.6); "
        "chance of being bought together in the next weeks: 0.00123%.",
        "“Milk”与“Bread”适合搭配：同篮购买的次数是按热度和购物篮大小推算值的12300倍（95%置信区间1.9至2.3）；"
        "商品文字意思相近（相似度0.6）；未来几周一起购买的概率为0.00123%。",
    ),
    (
        {"kind": "bought_next"},
        "“Milk” and “Bread” go together: they share a basket more often than was to be expected; "
        "their texts have little in common (similarity 0.12); chance of being bought together in the next weeks: 62%.",
        "“Milk”与“Bread”适合搭配：同篮购买比预期多；商品文字没有多少共同之处（相似度0.12）；未来几周一起购买的概率为62%。",
    ),
    (
        APART | {"verdict": "substitute"},
        "“Milk” and “Bread” stand in for one another: their texts mean nearly the same (similarity 0.83); "
        "bought on the same trip only 0.604 times as readily as from one trip to the next (95% interval 0.45 to 0.8); "
        "they share a basket only 0.43 times as often as popularity and basket size explain (95% interval 0.3 to 0.6); "
        "chance of being bought together in the next weeks: 1.1%.",
        "“Milk”与“Bread”可以互相替代：商品文字意思几乎相同（相似度0.83）；"
        "同一次买齐的倾向只有分两次先后买的0.604倍（95%置信区间0.45至0.8）；"
        "同篮购买的次数只有按热度和购物篮大小推算值的0.43倍（95%置信区间0.3至0.6）；未来几周一起购买的概率为1.1%。",
    ),
    (
        MEANING | {"verdict": "substitute"},
        "“Milk” and “Bread” stand in for one another: their texts mean nearly the same (similarity 0.83); "
        "they share a basket less often than was to be expected.",
        "“Milk”与“Bread”可以互相替代：商品文字意思几乎相同（相似度0.83）；同篮购买比预期少。",
    ),
    (
        MET,
        "“Milk” and “Bread” meet on the same trips, and no more than that is shown: lift 3.41 falls to 1.1 once basket size "
        "is counted (95% interval 0.9 to 1.3); bought as readily on the same trip as from one trip to the next, 1 to 1 "
        "(95% interval 0.88 to 1.14); their texts have little in common (similarity 0.12); "
        "chance of being bought together in the next weeks: 62%.",
        "“Milk”与“Bread”常在同一次购物中碰到一起，但尚不能说明更多：提升度3.41，计入购物篮大小后降到1.1"
        "（95%置信区间0.9至1.3）；同一次买齐的倾向与分两次先后买相当，为1倍（95%置信区间0.88至1.14）；"
        "商品文字没有多少共同之处（相似度0.12）；未来几周一起购买的概率为62%。",
    ),
    (
        MET | UNPLACED | {"lift": 1.05, "similarity": None},
        "“Milk” and “Bread” meet on the same trips, and no more than that is shown: lift 1.05 comes to 1.1 once basket size "
        "is counted (95% interval 0.9 to 1.3); chance of being bought together in the next weeks: 62%.",
        "“Milk”与“Bread”常在同一次购物中碰到一起，但尚不能说明更多：提升度为1.05，计入购物篮大小后为1.1"
        "（95%置信区间0.9至1.3）；未来几周一起购买的概率为62%。",
    ),
    (
        FEW | UNPLACED | {"verdict": "unknown"},
        "The evidence settles nothing about “Milk” and “Bread”: 1 basket holds both, "
        "2.1 times what popularity and basket size explain (95% interval 0.2 to ∞), from 1 customer; "
        "coincidence is not ruled out (q = 0.31); their texts have little in common (similarity 0.12); "
        "chance of being bought together in the next weeks: 99.9%.",
        "现有证据还说明不了“Milk”与“Bread”的关系：1个购物篮同时有这两样，是按热度和购物篮大小推算值的2.1倍"
        "（95%置信区间0.2至∞），来自1位顾客；不能排除巧合（q = 0.31）；商品文字没有多少共同之处（相似度0.12）；"
        "未来几周一起购买的概率为99.9%。",
    ),
    (
        NEVER | {"kind": "bought_next", "verdict": "unknown"},
        "The evidence settles nothing about “Milk” and “Bread”.",
        "现有证据还说明不了“Milk”与“Bread”的关系。",
    ),
]


@pytest.mark.parametrize(("change", "english", "chinese"), EDGES)
def test_edges_word_for_word(change, english, chinese):
    assert sentence(ROW | change, "Milk", "Bread", "en") == english
    assert sentence(ROW | change, "Milk", "Bread", "zh") == chinese


@pytest.mark.parametrize(("change", "english", "chinese"), CONCLUSIONS)
def test_verdicts_word_for_word(change, english, chinese):
    assert verdict_sentence(ROW | change, "Milk", "Bread", "en") == english
    assert verdict_sentence(ROW | change, "Milk", "Bread", "zh") == chinese


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_frame_gets_the_sentence_of_each_row(language):
    edges = pl.DataFrame(
        [
            ROW | {"product_id": "1", "other_id": "2"},
            ROW | MEANING | {"product_id": "1", "other_id": "3", "verdict": "unknown"},
        ],
        schema_overrides={"kind": pl.Enum(KINDS), "verdict": pl.Enum(VERDICTS)},
    )
    rest = [pl.lit(None, pl.Float64).alias(name) for name in Associations.column_names() if name not in edges.columns]
    edges = Associations.validate(edges.with_columns(rest).select(Associations.column_names()))
    products = pl.DataFrame({"product_id": ["1", "2"], "title": ["Milk", "Bread"]})
    told = with_sentences(edges, products, language)
    assert told.drop("sentence", "verdict_sentence").equals(edges)
    assert told["sentence"].to_list() == [
        sentence(ROW, "Milk", "Bread", language),
        sentence(ROW | MEANING, "Milk", "3", language),
    ]
    assert told["verdict_sentence"].to_list() == [
        verdict_sentence(ROW, "Milk", "Bread", language),
        verdict_sentence(ROW | MEANING | {"verdict": "unknown"}, "Milk", "3", language),
    ]
    assert with_sentences(edges.clear(), products, language).height == 0
