"""Reasons read back as the facts they were made of, whatever the titles hold; and they read as agreed, word for word."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.figures import rounded
from basketry.recommendation.wording import Part, Statement, parse, say, stated
from basketry.recommendation.wording.english import ACCOUNTS, SENTENCES

LANGUAGES = ("en", "zh")
untimed = settings(deadline=None)


def day(year: int, month: int, number: int) -> int:
    return (dt.date(year, month, number) - dt.date(1970, 1, 1)).days


MILK = Part("milk", {"times": 2, "last": day(2026, 5, 3)})
BREAD = Part("bread", {"times": 1, "last": day(2026, 4, 28)})
TEA = Part("tea", {"times": 11})
GOLDEN = [
    (
        Statement("bought", "butter", (), {"share": 0.8149}, (MILK, BREAD)),
        "“butter” is here because you bought “milk” twice (last on 3 May 2026) and “bread” once (last on 28 April 2026): "
        "81.5% of what speaks for it.",
        "推荐“butter”，因为您买过“milk”2次（最近一次在2026年5月3日）和“bread”1次（最近一次在2026年4月28日），占推荐依据的81.5%。",
    ),
    (
        Statement("viewed", "butter", (), {}, (Part("milk"), TEA, Part("jam"))),
        "“butter” is here because you viewed “milk”, “tea” 11 times and “jam”.",
        "推荐“butter”，因为您看过“milk”、“tea”11次和“jam”。",
    ),
    (
        Statement("popular_in", "brie", ("Dairy",), {"baskets": 1204, "window": 7}),
        "“brie” is popular in “Dairy”: 1,204 baskets in the last 7 days.",
        "“brie”在“Dairy”中很受欢迎：最近7天有1204单购买。",
    ),
    (
        Statement("popular", "brie", (), {"baskets": 1}),
        "“brie” is popular: 1 basket so far.",
        "“brie”很受欢迎：至今有1单购买。",
    ),
    (
        Statement("goes_with", "jam", ("bread",), {"antecedents": 90, "baskets": 31}),
        "“jam” goes with “bread” in your basket: of 90 baskets with “bread”, 31 also hold “jam”.",
        "“jam”与您购物篮中的“bread”相配：在90个有“bread”的购物篮中，31个同时有“jam”。",
    ),
    (
        Statement("similar", "jam", ("honey",), {"similarity": 0.71}),
        "“jam” is like “honey”, which you bought (similarity 0.71).",
        "“jam”与您买过的“honey”相近（相似度0.71）。",
    ),
    (
        Statement("without", "jam", ("bread", "tea", "milk"), {"first": 10}),
        "Without “bread”, “tea” and “milk”, “jam” would not be among your first 10.",
        "如果没有“bread”、“tea”和“milk”，“jam”就不会排进前10名。",
    ),
    (
        Statement("tastes", "", (), {"events": 120}, (Part("Dairy", {"share": 0.4}), Part("Bread", {"share": 0.25}))),
        "Buys mostly from “Dairy” (40%) and “Bread” (25%), over 120 purchases.",
        "多买“Dairy”（40%）和“Bread”（25%），共120次购买。",
    ),
    (
        Statement("price", "", (), {"quarter": 4, "events": 1}),
        "Buys mostly in the dearest quarter of a category's prices (4 of 4), over 1 purchase.",
        "多选同类商品中最贵的四分之一价位（4档中的第4档），共1次购买。",
    ),
    (
        Statement("rhythm", "", (), {"gap": 6.5, "regularity": 0.75, "due": day(2026, 6, 1)}),
        "Comes about every 6.5 days; 75% of the times between visits are within half of that; next around 1 June 2026.",
        "大约每6.5天来一次；75%的来访间隔与此相差不超过一半；下次约在2026年6月1日。",
    ),
    (
        Statement(
            "need",
            "milk",
            (),
            {
                "due": day(2026, 5, 10),
                "due_low": day(2026, 5, 8),
                "due_high": day(2026, 5, 13),
                "times": 5,
                "gap": 7,
                "last": day(2026, 5, 3),
            },
        ),
        "“milk” will be needed again around 10 May 2026 (between 8 May 2026 and 13 May 2026): bought 5 times, "
        "about every 7 days, last on 3 May 2026.",
        "大约在2026年5月10日会再次需要“milk”（2026年5月8日至2026年5月13日之间）：买过5次，大约每7天一次，最近一次在2026年5月3日。",
    ),
    (
        Statement("listed", "jam", (), {"place": 3, "first": 10, "rank": 5}),
        "“jam” is at place 3 of your first 10; by its score alone it would be at 5.",
        "“jam”排在前10名中的第3位；仅按得分则在第5位。",
    ),
    (
        Statement("unlisted", "jam", (), {"first": 10, "rank": 1037, "ranked": 20000}),
        "“jam” is not among your first 10: by its score it is at 1,037 of 20,000.",
        "“jam”没有排进前10名：按得分在20000个商品中排第1037位。",
    ),
    (Statement("sold_out", "jam"), "“jam” is sold out.", "“jam”已售罄。"),
    (
        Statement("in_history", "jam"),
        "“jam” is in your history, and this scene shows what is not.",
        "“jam”已在您的记录中，此场景只显示记录之外的商品。",
    ),
]


@pytest.mark.parametrize(("statement", "english", "chinese"), GOLDEN, ids=[each[0].claim for each in GOLDEN])
def test_words(statement, english, chinese):
    assert say(statement, "en") == english
    assert say(statement, "zh") == chinese


FRAGMENTS = (
    "“",
    "”",
    "\\",
    "\n",
    "\\u{41}",
    "{A}",
    "” and “",
    "”和“",
    "” twice (last on 3 May 2026), “x",
    "\u202e",
    "\ud800",
    *(say(statement, language) for statement, *_ in GOLDEN[:7] for language in LANGUAGES),
)
titles = st.one_of(
    st.text(st.characters(), max_size=12),
    st.lists(st.sampled_from(FRAGMENTS) | st.text(st.characters(), max_size=3), max_size=4).map("".join),
)
counts = st.integers(0, 3) | st.integers(0, 10**12) | st.none()
days = st.integers(day(1, 1, 1), day(9999, 12, 31)) | st.integers(-(2**31), 2**31 - 1) | st.none()
shares = st.floats(0, 1) | st.sampled_from((0.0, 0.9996, 1.0)) | st.none() | st.just(math.nan)
numbers = st.floats(0, 1e6) | st.sampled_from((1.0, 0.9996)) | st.none()
FIGURES = {
    **dict.fromkeys(("times", "events", "baskets", "antecedents", "window", "first", "rank", "ranked"), counts),
    **dict.fromkeys(("last", "due", "due_low", "due_high"), days),
    **dict.fromkeys(("share", "regularity"), shares),
    **dict.fromkeys(("gap", "similarity"), numbers),
    "quarter": st.integers(1, 4),
}
figures = st.fixed_dictionaries(FIGURES)
parts = st.lists(st.builds(Part, titles, figures), min_size=1, max_size=4).map(tuple)


@st.composite
def statements(draw) -> Statement:
    claim = draw(st.sampled_from((*ACCOUNTS, *SENTENCES)))
    known = draw(figures)
    if claim in ("rhythm", "need"):
        known |= {"gap": 7.25, "due": draw(st.integers(0, 30000))}
    if claim in ("listed", "unlisted"):
        known |= {"place": draw(st.integers(1, 200)), "first": draw(st.integers(1, 200))}
    title = "" if claim in ("tastes", "price", "rhythm") else draw(titles)
    others = ()
    if claim in ("popular_in", "goes_with", "similar"):
        others = (draw(titles),)
    elif claim == "without":
        others = tuple(draw(st.lists(titles, min_size=1, max_size=4)))
    return Statement(claim, title, others, known, draw(parts) if claim in ACCOUNTS else ())


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=300)
@given(statement=statements())
def test_every_statement_reads_back(language, statement):
    told = parse(say(statement, language), language)
    assert told == stated(statement)
    for name, value in told.figures.items():
        assert value == rounded(name, statement.figures[name])
    for part, whole in zip(told.parts, statement.parts, strict=True):
        assert part.title == whole.title
        assert all(value == rounded(name, whole.figures[name]) for name, value in part.figures.items())


@pytest.mark.parametrize("language", LANGUAGES)
@untimed
@given(text=st.text(max_size=40) | st.sampled_from(FRAGMENTS))
def test_what_was_never_said_is_refused(language, text):
    try:
        told = parse(text, language)
    except RequestError:
        return
    assert say(told, language) == text


@pytest.mark.parametrize(("statement", "english", "chinese"), GOLDEN, ids=[each[0].claim for each in GOLDEN])
def test_a_changed_sentence_is_refused(statement, english, chinese):
    for text, language in ((english, "en"), (chinese, "zh")):
        for broken in (text[:-1], f"{text} ", text.replace("“", "「", 1), text.replace("2026", "2026 ", 1)):
            if broken != text:
                with pytest.raises(RequestError, match="not a sentence of a reason"):
                    parse(broken, language)


@pytest.mark.parametrize(
    "text", [".", "", "“a” and “b” is popular: 1 basket so far.", "“x” goes with “y” and “z” in your basket."]
)
def test_what_a_grammar_could_say_but_say_would_not_is_refused(text):
    with pytest.raises(RequestError, match="not a sentence of a reason"):
        parse(text, "en")


def test_days_that_no_calendar_has():
    wrong = say(GOLDEN[0][0], "en").replace("3 May", "31 June")
    with pytest.raises(RequestError):
        parse(wrong, "en")


@pytest.mark.parametrize(
    "statement",
    [
        Statement("bought", "x"),
        Statement("popular", "x", ("y",)),
        Statement("goes_with", "x"),
        Statement("goes_with", "x", ("y", "z")),
        Statement("price", "", (), {}),
        Statement("price", "", (), {"quarter": 5}),
        Statement("rhythm", "x", (), {"gap": 3}),
        Statement("need", "x", (), {}),
        Statement("listed", "x", (), {"first": 3}),
        Statement("sold_out", "x", ("y",)),
        Statement("loved", "x"),
    ],
)
def test_what_cannot_be_said(statement):
    with pytest.raises(RequestError):
        say(statement, "en")


def test_another_language():
    with pytest.raises(RequestError, match="language 'fr'"):
        say(GOLDEN[0][0], "fr")
