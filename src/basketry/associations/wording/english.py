"""What the edges and verdicts say in English."""

from __future__ import annotations

from math import inf
from typing import Final

from basketry.associations.wording.grammar import Choice, Clause, Grammar, Within

_EXPLAIN: Final = "popularity and basket size explain"
_INTERVAL: Choice = (Clause(" (95% interval {adjusted_low} to {adjusted_high})", (Within("adjusted_lift"),)),)
_CUSTOMERS: Choice = (Clause(", from {customers} {customers?customer|customers}", (Within("baskets"),)),)
_COINCIDENCE: Choice = (
    Clause("; unlikely to be a coincidence (q {q})", (Within("q", high=0.05),)),
    Clause("; coincidence is not ruled out (q {q})"),
)
_STABILITY: Choice = (
    Clause("; about as strong in both halves of the period (stability {stability})", (Within("stability", low=0.8),)),
    Clause("; weaker in one half of the period (stability {stability})", (Within("stability", low=0.5),)),
    Clause("; absent from one half of the period (stability {stability})", (Within("stability", high=0),)),
    Clause("; much weaker in one half of the period (stability {stability})"),
)
_TIMES: Choice = (
    Clause(f", as often as {_EXPLAIN}, {{adjusted_lift}} to 1", (Within("adjusted_lift", 1, 1),)),
    Clause(f", {{adjusted_lift}} times what {_EXPLAIN}", (Within("adjusted_lift", low=1),)),
    Clause(f", only {{adjusted_lift}} times what {_EXPLAIN}"),
    Clause(", lift {lift} on popularity alone"),
)
_BANDS: Final = (
    (0.8, "mean nearly the same"),
    (0.5, "are alike"),
    (0.2, "are only loosely alike"),
    (-inf, "have little in common"),
)


def _likeness(before: str) -> Choice:
    return tuple(Clause(f"{before} {words} (similarity {{similarity}})", (Within("similarity", low),)) for low, words in _BANDS)


_STRENGTH: Choice = (Clause("; chance of being bought together in the next weeks: {strength}"),)
_END: Choice = (Clause("."),)
_EVIDENCE: Final = (_CUSTOMERS, _COINCIDENCE, _STABILITY, _END)

_TOGETHER: Choice = (
    Clause(
        "Of {antecedents} {antecedents?basket|baskets} with {A}, {baskets} also {baskets?holds|hold} {B} ({confidence})",
    ),
    Clause("{baskets} {baskets?basket holds|baskets hold} both {A} and {B} ({confidence} of those with {A})"),
    Clause("{baskets} {baskets?basket holds|baskets hold} both {A} and {B}"),
    Clause("{confidence} of the baskets with {A} also hold {B}"),
    Clause("Baskets with both {A} and {B} were not counted"),
)
_NEXT: Choice = (
    Clause(
        "After {antecedents} {antecedents?order|orders} with {A}, the customer's next order held {B} "
        "{baskets} {baskets?time|times} ({confidence})",
    ),
    Clause("After an order with {A}, the customer's next order held {B} {baskets} {baskets?time|times} ({confidence})"),
    Clause("After an order with {A}, the customer's next order held {B} {baskets} {baskets?time|times}"),
    Clause("After an order with {A}, the customer's next order held {B} in {confidence} of cases"),
    Clause("How often {B} follows {A} in the next order was not counted"),
)
_SIMILAR: Choice = (*_likeness("The texts of {A} and {B}"), Clause("The texts of {A} and {B} were not compared"))
_SHARED: Choice = (Clause("; {baskets} {baskets?basket holds|baskets hold} both"),)

_MEETING: Final = {
    "bought_together": "they share a basket",
    "bought_next": "the second follows the first in the next order",
    "similar": "they share a basket",
}
_BIG: Final = {
    "bought_together": "meet in big baskets only",
    "bought_next": "follow one another in big orders only",
    "similar": "meet in big baskets only",
}
_SEEN: Final[dict[str, Choice]] = {
    "bought_together": (
        Clause("{baskets} {baskets?basket holds|baskets hold} both"),
        Clause("baskets with both were not counted"),
    ),
    "bought_next": (
        Clause("the second followed the first in {baskets} next {baskets?order|orders}"),
        Clause("how often one follows the other was not counted"),
    ),
    "similar": (
        Clause("{baskets} {baskets?basket holds|baskets hold} both"),
        Clause("baskets with both were not counted"),
    ),
}


def _rate(meeting: str) -> Choice:
    return (
        Clause(f"{meeting} as often as {_EXPLAIN}, {{adjusted_lift}} to 1", (Within("adjusted_lift", 1, 1),)),
        Clause(f"{meeting} {{adjusted_lift}} times as often as {_EXPLAIN}", (Within("adjusted_lift", low=1),)),
        Clause(f"{meeting} only {{adjusted_lift}} times as often as {_EXPLAIN}"),
        Clause(f"{meeting} {{lift}} times as often as popularity alone explains"),
        Clause("how often they meet was not counted"),
    )


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, grouped=True)


def _complement(kind: str) -> Grammar:
    lead = Clause("{A} and {B} go together: ")
    return _say((lead,), _rate(_MEETING[kind]), _INTERVAL, _STABILITY, _likeness("; their texts"), _STRENGTH, _END)


def _substitute(kind: str) -> Grammar:
    lead = "{A} and {B} stand in for one another: "
    texts = (*_likeness(f"{lead}their texts"), Clause(f"{lead}their texts were not compared"))
    contrast = (Clause(", yet ", (Within("similarity"), Within("adjusted_lift", high=0.999))), Clause("; "))
    return _say(texts, contrast, _rate(_MEETING[kind]), _INTERVAL, _STRENGTH, _END)


def _co_trip(kind: str) -> Grammar:
    fall = (
        Clause("lift {lift} comes to {adjusted_lift} once basket size is counted", (Within("adjusted_lift", low="lift"),)),
        Clause("lift {lift} falls to {adjusted_lift} once basket size is counted"),
        Clause("lift {adjusted_lift} once basket size is counted"),
        Clause("lift {lift} before basket size is counted"),
        Clause("no lift was worked out"),
    )
    return _say((Clause(f"{{A}} and {{B}} {_BIG[kind]}: "),), fall, _INTERVAL, _STRENGTH, _END)


def _unknown(kind: str) -> Grammar:
    lead = (Clause("Not enough evidence to say how {A} and {B} belong together: "),)
    return _say(lead, _SEEN[kind], _TIMES, _INTERVAL, _CUSTOMERS, _COINCIDENCE, _likeness("; their texts"), _STRENGTH, _END)


KINDS: Final[dict[str, Grammar]] = {
    "bought_together": _say(_TOGETHER, _TIMES, _INTERVAL, *_EVIDENCE),
    "bought_next": _say(_NEXT, _TIMES, _INTERVAL, *_EVIDENCE),
    "similar": _say(_SIMILAR, _SHARED, _TIMES, _INTERVAL, *_EVIDENCE),
}
VERDICTS: Final[dict[str, dict[str, Grammar]]] = {
    "complement": {kind: _complement(kind) for kind in KINDS},
    "substitute": {kind: _substitute(kind) for kind in KINDS},
    "co_trip": {kind: _co_trip(kind) for kind in KINDS},
    "unknown": {kind: _unknown(kind) for kind in KINDS},
}
