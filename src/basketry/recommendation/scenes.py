"""The scenes of a shop, as data: which rankers answer, which products may, and what a list should be like.

A scene names rankers by their part, which a shop fills as it can:

| Part | Says |
| --- | --- |
| `personal` | the published model, or blend of models |
| `next` | what is bought after what (transitions) |
| `reorder` | what the customer buys again and again |
| `together` | what is in one basket with what (edges `bought_together`) |
| `complements` | the same without substitutes |
| `similar`, `substitutes` | what is like what (edges `similar`; verdict `substitute`) |
| `meaning` | what reads like the history, sold or never sold (vectors of texts) |
| `in_category` | what everybody buys of the categories in the history |
| `recent`, `popular` | what everybody bought lately, and ever |

Parts that a shop has not are passed over. After the last comes the catalogue itself, so that a list is never empty while a
product may be shown. A scene about a product or a basket takes it for the history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from basketry.recommendation.policy import Calibration, Cap, Policy


@dataclass(frozen=True)
class Scene:
    """What is asked (`about` customer, product or basket), and how it is answered.

    `links`: parts, the best first; each fills what those before it left. `where`: the filter of what may be shown. `apart`:
    products of a value of this column that the history holds may not. `unlike`: nor those to which one of these parts leads.
    `last`: how many of the latest visits count, 0 for all. `repeats`: whether the history may be shown again. `policy` gives
    way to that of the shop, as `Policy.under` says.
    """

    about: str
    question: str
    links: tuple[str, ...]
    where: str = ""
    apart: str = ""
    unlike: tuple[str, ...] = ()
    last: int = 0
    repeats: bool = False
    policy: Policy = field(default_factory=Policy)


_VARIED: Final = Policy(caps=(Cap("category", 3),))
_ANYONE: Final = ("in_category", "recent", "popular")

SCENES: Final[dict[str, Scene]] = {
    "home": Scene("customer", "What may this customer like?", ("personal", "next", *_ANYONE), policy=_VARIED),
    "similar": Scene("product", "What is like this product?", ("similar", "substitutes", "meaning", *_ANYONE)),
    "goes_with": Scene(
        "product",
        "What completes this product, rather than replaces it?",
        ("complements", "together", "next", "recent", "popular"),
        apart="subcategory",
        unlike=("substitutes",),
        policy=Policy(caps=(Cap("subcategory", 1),)),
    ),
    "bought_together": Scene("basket", "What else belongs in this basket?", ("together", "next", *_ANYONE), policy=_VARIED),
    "next_basket": Scene(
        "customer",
        "What will this customer buy next time, old and new?",
        ("reorder", "personal", "next", *_ANYONE),
        repeats=True,
    ),
    "new_products": Scene(
        "customer",
        "What is new, and for this customer?",
        ("meaning", "personal", "next", *_ANYONE),  # first, as the others never name what nobody has bought yet
        where="age_days <= 30",
        policy=_VARIED,
    ),
    "on_promotion": Scene(
        "customer",
        "Which offers suit this customer?",
        ("reorder", "personal", "next", *_ANYONE),
        where="promoted = true",
        repeats=True,
        policy=_VARIED,
    ),
    "cross_sell": Scene(
        "customer",
        "What of categories this customer has never bought from?",
        ("complements", "personal", "next", "recent", "popular"),
        apart="category",
        policy=Policy(caps=(Cap("category", 2),)),
    ),
    "because_you_viewed": Scene(
        "product", "Having seen this, what else?", ("next", "similar", "together", *_ANYONE), last=1, policy=_VARIED
    ),
    "email": Scene(
        "customer",
        "A list for every customer's letter: their tastes in their shares.",
        ("personal", "next", *_ANYONE),
        policy=Policy(caps=(Cap("category", 3), Cap("brand", 2)), calibration=Calibration(0.3)),
    ),
}
