"""A filter over products, as `department=GROCERY,brand=National`: typed column=value pairs, nothing of which is ever run."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from basketry.core.errors import NotFound, RequestError

if TYPE_CHECKING:
    import polars as pl

COLUMNS: Final = ("department", "category", "subcategory", "brand", "size")
_NEXT: Final = re.compile(r",(?=\s*[a-z_]+\s*=)", re.IGNORECASE)  # a comma that no column follows belongs to the value


def parsed(text: str) -> dict[str, tuple[str, ...]]:
    """Values by column; a column named twice has several. Raises RequestError for what is no pair, or no such column."""
    found: dict[str, tuple[str, ...]] = {}
    for pair in _NEXT.split(text) if text.strip() else ():
        column, equals, value = (part.strip() for part in pair.partition("="))
        column = column.lower()
        if not equals or not value:
            raise RequestError(f"{pair.strip()!r} is no filter", "write column=value, as in department=GROCERY")
        if column not in COLUMNS:
            raise RequestError(f"products cannot be filtered by {column!r}", f"use one of {', '.join(COLUMNS)}")
        found[column] = (*found.get(column, ()), value)
    return found


def kept(products: pl.DataFrame, wanted: dict[str, tuple[str, ...]], known: pl.DataFrame | None = None) -> pl.DataFrame:
    """Products that have, in every column named, one of its values; upper and lower case are the same.

    Raises NotFound if a value is no product's of `known` (all the shop has; by default `products`), or if none has all.
    """
    import polars as pl

    chosen, whole = products, products if known is None else known
    for column, values in wanted.items():
        held = {str(each).lower(): str(each) for each in whole[column].drop_nulls().unique()}
        for value in values:
            if value.lower() not in held:
                near = [held[each] for each in difflib.get_close_matches(value.lower(), held, n=3)]
                some = ", ".join(sorted(held.values())[:5])
                hint = f"did you mean {' or '.join(near)}?" if near else f"there are, for instance, {some}"
                raise NotFound(f"no product has {column} {value!r}", hint if held else f"no product has any {column}")
        chosen = chosen.filter(pl.col(column).str.to_lowercase().is_in([value.lower() for value in values]))
    if chosen.is_empty():
        raise NotFound("no product passes all of the filter", "leave out one of its columns")
    return chosen
