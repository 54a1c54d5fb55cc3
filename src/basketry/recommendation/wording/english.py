"""What reasons and profiles say in English."""

from __future__ import annotations

from typing import Final

from basketry.core.grammar import Choice, Clause, Grammar, Listing, Within
from basketry.recommendation.wording.account import Account

LISTING: Final = Listing(", ", " and ")
_END: Choice = (Clause("."),)
_DURING: Choice = (Clause(" in the last {window} {window?day|days}"), Clause(" so far"))
_BASKETS: Choice = (Clause(": {baskets} {baskets?basket|baskets}"),)
_OVER: Choice = (Clause(", over {events} {events?purchase|purchases}"),)


_ONE_REASON: Final = {
    "excluded": "was to be left out",
    "hidden": "is hidden: it is shown to nobody",
    "sold_out": "is sold out",
    "never": "is ruled out by the shop's policy",
    "scene": "is not of what this scene shows",
    "filter": "does not pass the filter",
    "dismissed": "was waved away by you a short while ago",
    "in_history": "is in your history, and this scene shows what is not",
    "apart": "is of a group in your history, and this scene shows others",
    "unlike": "would replace something in your history, which this scene completes",
    "capped": "gives way: your list holds as many of its group as it may",
    "pinned": "is pinned to its place",
    "unfounded": "stands last: nothing in your history, nor in what others buy, speaks for it",
}


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, language="en", listing=LISTING)


def _of(*choices: Choice) -> Grammar:
    """Of one title: a part must not take the next for its own."""
    return Grammar(choices, language="en")


def _quarter(number: int, words: str) -> Clause:
    return Clause(
        f"Buys mostly in the {words} quarter of a category's prices ({{quarter}} of 4)", (Within("quarter", number, number),)
    )


def _because(verb: str) -> Account:
    part = _of((Clause("{A}"),), (Clause(" {times}"),), (Clause(" (last on {last})"),))
    tail = _of((Clause(": {share} of what speaks for it"),), _END)
    return Account(_of((Clause(f"{{A}} is here because you {verb} "),)), part, tail, LISTING)


ACCOUNTS: Final[dict[str, Account]] = {
    "bought": _because("bought"),
    "viewed": _because("viewed"),
    "tastes": Account(
        _of((Clause("Buys mostly from "),)), _of((Clause("{A}"),), (Clause(" ({share})"),)), _of(_OVER, _END), LISTING
    ),
}
SENTENCES: Final[dict[str, Grammar]] = {
    "popular": _say((Clause("{A} is popular"),), _BASKETS, _DURING, _END),
    "popular_in": _say((Clause("{A} is popular in {B}"),), _BASKETS, _DURING, _END),
    "goes_with": _say(
        (Clause("{A} goes with {B} in your basket"),),
        (
            Clause(": of {antecedents} {antecedents?basket|baskets} with {B}, {baskets} also {baskets?holds|hold} {A}"),
            Clause(": {baskets} {baskets?basket holds|baskets hold} both"),
        ),
        _END,
    ),
    "similar": _say((Clause("{A} is like {B}, which you bought"),), (Clause(" (similarity {similarity})"),), _END),
    "without": _say(
        (Clause("Without {B}, {A} would not be among your first {first}"), Clause("Without {B}, {A} would not be listed")),
        _END,
    ),
    "price": _say(
        (_quarter(1, "cheapest"), _quarter(2, "second cheapest"), _quarter(3, "second dearest"), _quarter(4, "dearest")),
        _OVER,
        _END,
    ),
    "rhythm": _say(
        (Clause("Comes about every {gap} {gap?day|days}"),),
        (Clause("; {regularity} of the times between visits are within half of that"),),
        (Clause("; next around {due}"),),
        _END,
    ),
    "need": _say(
        (Clause("{A} will be needed again around {due}"),),
        (Clause(" (between {due_low} and {due_high})"),),
        (Clause(": bought {times}"),),
        (Clause(", about every {gap} {gap?day|days}"),),
        (Clause(", last on {last}"),),
        _END,
    ),
    "listed": _say(
        (Clause("{A} is at place {place} of your first {first}"),),
        (Clause("; by its score alone it would be at {rank}"),),
        _END,
    ),
    "unlisted": _say(
        (Clause("{A} is not among your first {first}"),),
        (Clause(": by its score it is at {rank} of {ranked}"),),
        _END,
    ),
    **{claim: _say((Clause(f"{{A}} {words}."),)) for claim, words in _ONE_REASON.items()},
}
