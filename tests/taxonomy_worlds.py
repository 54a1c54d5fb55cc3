"""Small forests over a few items, and what is said of them in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import polars as pl
from hypothesis import strategies as st

Above = Mapping[str, str | None]
NAMES = "abcdefghijk"


@st.composite
def forests(draw, items: str = NAMES) -> dict[str, str | None]:
    """Each item below none, or below one of those that come before it in a drawn order."""
    order = draw(st.permutations(items))
    return {name: draw(st.none() | st.sampled_from(order[:at])) if at else None for at, name in enumerate(order)}


def parents(above: Above) -> pl.DataFrame:
    return pl.DataFrame({"item": list(above), "parent": list(above.values())}, schema={"item": pl.String, "parent": pl.String})


def line(above: Above, name: str) -> list[str]:
    """An item and all of its ancestors, nearest first."""
    found = [name]
    while (up := above[found[-1]]) is not None:
        found.append(up)
    return found


def related(above: Above, one: str, other: str) -> bool:
    return one != other and (one in line(above, other) or other in line(above, one))


def generalized(above: Above, rows: list[frozenset[str]], least: int) -> dict[frozenset[str], int]:
    """Every itemset of the extended baskets in `least` of them, without an item and its own ancestor."""
    extended = [{up for name in row for up in line(above, name)} for row in rows]
    names = sorted({name for row in extended for name in row})
    found = {}
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            count = sum(set(chosen) <= row for row in extended)
            if count >= least and not any(related(above, *pair) for pair in combinations(chosen, 2)):
                found[frozenset(chosen)] = count
    return found


def raisings(above: Above, itemset: frozenset[str]) -> list[dict[str, str]]:
    """Every way of replacing items by themselves or by ancestors, but for none replaced, with as many items left."""
    names = sorted(itemset)
    ways = [dict(zip(names, way, strict=True)) for way in product(*(line(above, name) for name in names))]
    return [way for way in ways if frozenset(way.values()) != itemset and len(set(way.values())) == len(names)]
