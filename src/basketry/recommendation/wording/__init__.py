"""Every reason and every line of a profile in a sentence, English or Chinese, that reads back as the facts it was made of.

`parse` is the exact inverse of `say`: for every statement, whatever its titles hold,

    parse(say(statement, language), language) == stated(statement)

where `stated` keeps the facts that its sentence tells, under the rounding rule published in `core.figures`. What is not known
is left out, never guessed; and `parse` refuses any text that `say` would not have written, to the letter. So a reason can be
checked by whoever reads it: every fact in it is a field of its statement, and a statement is made from the evidence alone.

==============  ===============================  ======================================================================
claim           titles                           figures
==============  ===============================  ======================================================================
bought, viewed  product; parts of the history    share of what speaks for it; of a part times and last, a day
popular         product                          baskets, window in days; without one, all that is known
popular_in      product; category                the same
goes_with       product; product in the basket   antecedents, the baskets with that, and baskets, those with both
similar         product; product bought          similarity
without         product; what must be gone       first, the length of the list it would not be on
tastes          none; parts are categories       events; of a part its share of them
price           none                             quarter of a category's prices, 1 the cheapest; events
rhythm          none                             gap in days, regularity, due
need            product                          due, due_low, due_high, times, gap in days, last
listed          product                          place in the list of first; rank, the place by score alone
unlisted        product                          first, the length of the list; rank by score of the ranked
bars            product                          none: what kept it out, or put it there, each a claim of its own (BARS)
==============  ===============================  ======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from basketry.core.errors import RequestError
from basketry.core.figures import FORMATS, Language, known
from basketry.core.grammar import spoken
from basketry.recommendation.wording import chinese, english

Bar = Literal[
    "excluded",
    "hidden",
    "sold_out",
    "never",
    "scene",
    "filter",
    "dismissed",
    "in_history",
    "apart",
    "unlike",
    "capped",
    "pinned",
    "unfounded",
]
Claim = (
    Literal["bought", "viewed", "popular", "popular_in", "goes_with", "similar", "without", "tastes", "price", "rhythm", "need"]
    | Literal["listed", "unlisted"]
    | Bar
)
Figures = Mapping[str, float]

_ACCOUNTS: Final = {"en": english.ACCOUNTS, "zh": chinese.ACCOUNTS}
_SENTENCES: Final = {"en": english.SENTENCES, "zh": chinese.SENTENCES}
BARS: Final[tuple[Bar, ...]] = get_args(Bar)
_OF_ONE: Final = ("popular", "need", "listed", "unlisted", *BARS)  # claims of one title
_OF_NONE: Final = ("tastes", "price", "rhythm")
_NEEDS: Final = {
    "price": ("quarter",),
    "rhythm": ("gap",),
    "need": ("due",),
    "listed": ("place", "first"),
    "unlisted": ("first",),
}


@dataclass(frozen=True)
class Part:
    """One product of a history, or one category, and what is known of it."""

    title: str
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """What a sentence claims: of `title`, against the `others` or by the `parts`, with `figures` by name."""

    claim: Claim
    title: str = ""
    others: tuple[str, ...] = ()
    figures: Figures = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def say(statement: Statement, language: Language) -> str:
    """The statement in one sentence. Raises RequestError for one without what its claim is about, or another language."""
    _check(statement)
    claim, figures = statement.claim, known(statement.figures, tuple(FORMATS))
    if claim in (accounts := spoken(_ACCOUNTS, language)):
        parts = [(part.title, known(part.figures, tuple(FORMATS))) for part in statement.parts]
        return accounts[claim].say(statement.title, figures, parts)
    return _SENTENCES[language][claim].say((statement.title,), statement.others or ("",), figures)


def stated(statement: Statement) -> Statement:
    """The statement with the figures that its sentence tells, in either language, rounded as it tells them."""
    _check(statement)
    claim, figures = statement.claim, known(statement.figures, tuple(FORMATS))
    if claim not in english.ACCOUNTS:
        return Statement(claim, statement.title, statement.others, english.SENTENCES[claim].stated(figures))
    account = english.ACCOUNTS[claim]
    parts = tuple(Part(each.title, account.part.stated(known(each.figures, tuple(FORMATS)))) for each in statement.parts)
    return Statement(claim, statement.title, (), account.stated(figures), parts)


def parse(text: str, language: Language) -> Statement:
    """Read back a sentence; RequestError for a text that `say` would not have written."""
    for claim, account in spoken(_ACCOUNTS, language).items():
        if (told := account.hear(text)) is not None:
            title, figures, parts = told
            return Statement(claim, title, (), figures, tuple(Part(*part) for part in parts))  # type: ignore[arg-type]
    for claim, grammar in _SENTENCES[language].items():
        if (heard := grammar.hear(text)) is not None and len(heard.titles) == 1:
            others = () if claim in (*_OF_ONE, *_OF_NONE) else heard.other_titles
            statement = Statement(claim, heard.titles[0], others, heard.figures)  # type: ignore[arg-type]
            if _can_be_said(statement):
                return statement
    raise RequestError(f"this is not a sentence of a reason: {text[:120]!r}", "give one that `say` wrote, unchanged")


def _check(statement: Statement) -> None:
    """A sentence that would not read back, or say nothing, is not said."""
    claim = statement.claim
    if claim not in english.ACCOUNTS and claim not in english.SENTENCES:
        raise RequestError(f"nothing claims {claim!r}", f"choose one of {', '.join((*english.ACCOUNTS, *english.SENTENCES))}")
    if not _can_be_said(statement):
        raise RequestError(
            f"{claim!r} cannot be said of {statement.title!r}", "give the titles, parts and figures that the claim is about"
        )


def _can_be_said(statement: Statement) -> bool:
    """Whether all that its claim is about is there, and nothing that it is not about."""
    claim = statement.claim
    accounted = claim in english.ACCOUNTS
    return (
        bool(statement.parts) == accounted
        and bool(statement.others) == (not accounted and claim not in (*_OF_ONE, *_OF_NONE))
        and (claim == "without" or len(statement.others) <= 1)
        and not (claim in _OF_NONE and statement.title)
        and not set(_NEEDS.get(claim, ())) - known(statement.figures, tuple(FORMATS)).keys()
        and (claim != "price" or statement.figures["quarter"] in (1, 2, 3, 4))
    )
