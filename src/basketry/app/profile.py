"""Profile: one customer in words, from their own orders alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from basketry.app.engines import HELP

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.recommendation.profile import Profile


@dataclass(frozen=True)
class ProfileRequest:
    """Whose profile, and how much of it."""

    customer: str = field(metadata={"help": "The shop's own id of the customer.", "argument": True})
    tastes: int = field(default=3, metadata={"help": "How many categories at most."})
    needs: int = field(default=5, metadata={"help": "How many products to be needed again at most, the soonest first."})
    as_of: str = field(default="", metadata={"help": "Only what was known at this instant, ISO 8601; default: everything."})
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})
    engine: str = field(default="", metadata={"local": True, "help": HELP})


@dataclass(frozen=True)
class ProfileResult:
    """Tastes, price band (`price_quarter`, 1 the cheapest of 4), rhythm and needs; null where too little is known to say.

    A need falls between `low` and `high` with probability `certainty`, if the gaps between purchases are alike.
    """

    orders: int
    purchases: int
    first: dt.date
    last: dt.date
    price_quarter: int | None
    days_between_visits: float | None
    next_visit: dt.date | None
    tastes: pl.DataFrame
    needs: pl.DataFrame
    notes: tuple[str, ...]


def profile(shop: Shop, request: ProfileRequest) -> ProfileResult:
    """Tell what a customer's own orders say: tastes, price band, rhythm, and what they will need next.

    Nothing of another customer enters but prices. It is personal data: show it to the customer, or to those who may see it.
    """
    import numpy as np

    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.instants import instant
    from basketry.core.errors import NotFound, RequestError
    from basketry.core.histories import Queries
    from basketry.core.tables import Products
    from basketry.data.pseudonyms import pseudonym
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.profile import Catalogue, Profiles
    from basketry.recommendation.reading import read_customer, read_prices
    from basketry.recommendation.wording import say
    from basketry.store.key import load_or_create_key

    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    if request.tastes < 1 or request.needs < 0:
        raise RequestError(f"tastes {request.tastes}, needs {request.needs}", "tastes start at 1, needs at 0")
    with shop.dataset(instant(request.as_of), engine=request.engine) as dataset:
        products = dataset.table(Products).sort("product_id")
        history = read_customer(dataset, pseudonym(load_or_create_key(shop.folder), request.customer), len(products))
        if not len(history.products):
            raise NotFound("no order of this customer is known", "give the id as the source file writes it")
        prices = read_prices(dataset, products["product_id"])
    category, categories = Facts(products).groups("category")
    catalogue = Catalogue(products["title"].to_list(), category, categories, prices)
    queries = Queries(history, np.array([int(history.days.max())], dtype=np.int32))
    (found,) = Profiles(tastes=request.tastes, needs=request.needs).of(queries, catalogue)
    told = tuple(say(each, language) for each in found.statements())
    return ProfileResult(
        orders=len(np.unique(history.visits)),
        purchases=found.events,
        first=_day(int(history.days.min())),
        last=_day(int(history.days.max())),
        price_quarter=found.quarter,
        days_between_visits=found.rhythm.gap if found.rhythm else None,
        next_visit=_day(found.rhythm.due) if found.rhythm else None,
        tastes=_frame([{"category": each.category, "share": each.share} for each in found.tastes]),
        needs=_frame(_needs(found)),
        notes=told or ("too little is known of this customer to tell",),
    )


def _needs(found: Profile) -> list[dict[str, Any]]:
    return [
        {
            "product": each.title,
            "due": _day(each.due),
            "low": _day(each.low),
            "high": _day(each.high),
            "certainty": each.certainty,
            "times": each.times,
            "gap_days": each.gap,
            "last": _day(each.last),
        }
        for each in found.needs
    ]


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(rows)


def _day(number: int) -> dt.date:
    import datetime as dt

    return dt.date(1970, 1, 1) + dt.timedelta(days=number)
