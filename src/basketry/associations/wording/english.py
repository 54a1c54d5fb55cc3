"""What the edges and verdicts say in English."""

from __future__ import annotations

from math import inf
from typing import Final

from basketry.core.grammar import Choice, Clause, Grammar, Listing, Parts, Within

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
_RATE: Choice = (
    Clause(f"they share a basket as often as {_EXPLAIN}, {{adjusted_lift}} to 1", (Within("adjusted_lift", 1, 1),)),
    Clause(f"they share a basket {{adjusted_lift}} times as often as {_EXPLAIN}", (Within("adjusted_lift", low=1),)),
    Clause(f"they share a basket only {{adjusted_lift}} times as often as {_EXPLAIN}"),
)
_TRIPS: Choice = (
    Clause("; bought as readily on the same trip as from one trip to the next, {contrast} to 1", (Within("contrast", 1, 1),)),
    Clause("; bought on the same trip {contrast} times as readily as from one trip to the next", (Within("contrast", low=1),)),
    Clause("; bought on the same trip only {contrast} times as readily as from one trip to the next"),
)
_TRIPS_INTERVAL: Choice = (Clause(" (95% interval {contrast_low} to {contrast_high})", (Within("contrast"),)),)
_BESIDES: Final = (_likeness("; their texts"), _STRENGTH, _END)


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, language="en")


KINDS: Final[dict[str, Grammar]] = {
    "bought_together": _say(_TOGETHER, _TIMES, _INTERVAL, *_EVIDENCE),
    "bought_next": _say(_NEXT, _TIMES, _INTERVAL, *_EVIDENCE),
    "similar": _say(_SIMILAR, _END),
}
VERDICTS: Final[dict[str, Grammar]] = {
    "complement": _say(
        (Clause("{A} and {B} go together: "),),
        (*_RATE, Clause("they share a basket more often than was to be expected")),
        _INTERVAL,
        _STABILITY,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
    "substitute": _say(
        (Clause("{A} and {B} stand in for one another"),),
        _likeness(": their texts"),
        _TRIPS,
        _TRIPS_INTERVAL,
        (Clause("; "),),
        (*_RATE, Clause("they share a basket less often than was to be expected")),
        _INTERVAL,
        _STRENGTH,
        _END,
    ),
    "co_trip": _say(
        (Clause("{A} and {B} meet on the same trips, and no more than that is shown"),),
        (
            Clause(
                ": lift {lift} comes to {adjusted_lift} once basket size is counted", (Within("adjusted_lift", low="lift"),)
            ),
            Clause(": lift {lift} falls to {adjusted_lift} once basket size is counted"),
            Clause(": lift {adjusted_lift} once basket size is counted"),
            Clause(": lift {lift} before basket size is counted"),
        ),
        _INTERVAL,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
    "unknown": _say(
        (Clause("The evidence settles nothing about {A} and {B}"),),
        (Clause(": {baskets} {baskets?basket holds|baskets hold} both"),),
        _TIMES,
        _INTERVAL,
        _CUSTOMERS,
        _COINCIDENCE,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
}

LISTING: Final = Listing(", ", " and ")
_BASKETS_WITH: Choice = (
    Clause("Of the {antecedent_baskets} {antecedent_baskets?basket|baskets} with {A}, "),
    Clause("Of the baskets with {A}, "),
)
_CUSTOMERS_WITH: Choice = (
    Clause("Of the {antecedent_customers} {antecedent_customers?customer|customers} who bought {A}, "),
    Clause("Of the customers who bought {A}, "),
)
_CONFIDENT: Choice = (Clause(" (95% interval {confidence_low} to {confidence_high})", (Within("confidence"),)),)
_LIFT_INTERVAL: Choice = (Clause(" (95% interval {lift_low} to {lift_high})", (Within("lift"),)),)
_CHANCE: Choice = (
    Clause("; unlikely to be a coincidence (p {p}; counting all rules tried, q {q})", (Within("q", high=0.05),)),
    Clause("; coincidence is not ruled out (p {p}; counting all rules tried, q {q})"),
    *_COINCIDENCE,
    Clause("; unlikely to be a coincidence if no other rule was tried (p {p})", (Within("p", high=0.05),)),
    Clause("; coincidence is not ruled out (p {p})"),
)


def _rule(whole: Choice, part: Choice, of: str, *evidence: Choice) -> Grammar:
    times = (
        Clause(f": as often as {of}, {{lift}} to 1", (Within("lift", 1, 1),)),
        Clause(f": {{lift}} times as often as {of}", (Within("lift", low=1),)),
        Clause(f": only {{lift}} times as often as {of}"),
    )
    return Grammar((whole, part, _CONFIDENT, times, _LIFT_INTERVAL, *evidence, _CHANCE, _END), language="en", listing=LISTING)


RULES: Final[dict[str, Grammar]] = {
    "holds": _rule(
        _BASKETS_WITH,
        (
            Clause("{baskets} ({confidence}) also {baskets?holds|hold} {B}"),
            Clause("{baskets} also {baskets?holds|hold} {B}"),
            Clause("{confidence} also hold {B}"),
            Clause("it was not counted how many also hold {B}"),
        ),
        "in all baskets",
        _CUSTOMERS,
    ),
    "lacks": _rule(
        _BASKETS_WITH,
        (
            Clause("{baskets} ({confidence}) {baskets?holds|hold} {B?no|not all of} {B}"),
            Clause("{baskets} {baskets?holds|hold} {B?no|not all of} {B}"),
            Clause("{confidence} hold {B?no|not all of} {B}"),
            Clause("it was not counted how many hold {B?no|not all of} {B}"),
        ),
        "in all baskets",
        _CUSTOMERS,
    ),
    "follows": _rule(
        _CUSTOMERS_WITH,
        (
            Clause("{customers} ({confidence}) later bought {B}"),
            Clause("{customers} later bought {B}"),
            Clause("{confidence} later bought {B}"),
            Clause("it was not counted how many later bought {B}"),
        ),
        "among all customers",
    ),
}

# A contribution is a row of parts, each a title under {A}: the first part, every further one, and what goes around them.
SHARES: Final = Parts(
    "Of that lift, ",
    Clause("{A} explains {share} (factor {factor})"),
    Clause("{A} {share} (factor {factor})"),
    ".",
    LISTING,
    "en",
)
FACTORS: Final = Parts(
    "That lift is the product of ", Clause("{factor} from {A}"), Clause("{factor} from {A}"), ".", LISTING, "en"
)
