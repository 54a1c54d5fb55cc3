"""How rows of every table but order lines are told from each other, and what is kept of one: their whole cleaning, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from basketry.core.tables import ACTIONS
from basketry.data.expressions import literal
from basketry.data.shopfile import TABLES


@dataclass(frozen=True)
class Shape:
    """`key`: columns that make two rows the same, `loose` those of them that may be null; `kept`: SQL of what is kept.

    `lineage`: whether source and row are kept beside it.
    """

    key: tuple[str, ...]
    kept: tuple[str, ...]
    loose: tuple[str, ...] = ()
    lineage: bool = True


_TS: Final = "make_timestamptz(epoch_us(ts)) AS ts"
SHAPES: Final = {
    "products": Shape(
        ("product_id",),
        ("product_id", "title", "description", "brand", "department", "category", "subcategory", "size"),
        lineage=False,
    ),
    "promotions": Shape(("product_id", "store_id", "first_day"), ("product_id", "store_id", "first_day", "display", "mailer")),
    "prices": Shape(("product_id", "ts"), ("product_id", _TS, "price_read AS price", "cost_read AS cost")),
    "stock": Shape(
        ("product_id", "store_id", "ts"), ("product_id", "store_id", _TS, "units_read AS units"), loose=("store_id",)
    ),
    "events": Shape(
        ("list_id", "product_id", "action"),
        (
            *("list_id", "product_id", "action", "known.customer_id", _TS, "day", "CAST(place_read AS INTEGER) AS place"),
            *("scene", "model", "CAST(propensity_read AS DOUBLE) AS propensity"),
        ),
    ),
}
JUDGED: Final = frozenset({"order_lines", "prices", "stock", "events"})  # whose products the catalogue must hold
ACTION_LIST: Final = ", ".join(map(literal, ACTIONS))


def timed(table: str) -> bool:
    """Whether rows of a table carry an instant."""
    return "ts" in TABLES[table]


def personal(table: str) -> bool:
    """Whether they name a customer."""
    return "customer_id" in TABLES[table]
