"""Itemsets over several levels: products mixed with the categories, departments or anything else that they belong to.

Each basket is taken to hold all ancestors of its items besides (Cumulate: Srikant and Agrawal, Mining generalized association
rules, 1995), so an ancestor stands in as many baskets as have something of it. An itemset with an item and its own ancestor
would say the same as without the ancestor: such ones are never searched (`ItemFacts.relatives`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.coding import SHOWN, assembled, rows_of
from basketry.associations.mining.constraints import ItemFacts
from basketry.associations.mining.forest import Forest, cycle_of
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.kernels.trees import Int32s, Int64s

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.core.tables import Products

Mask = npt.NDArray[np.bool_]

CATEGORIES: Final = ("department", "category", "subcategory")
LEVELS: Final = (*CATEGORIES, "product")
_APART: Final = " > "


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """`names` [n], text or whole numbers, each once; `parent` int32 [n], the number of the name right above each, -1 for none.

    Where `mined` [n] is false, an item is not mined itself and only leads to its ancestors. Raises DataError for a name that
    stands here twice, and for items that are above themselves.
    """

    names: pl.Series
    parent: Int32s
    mined: Mask

    def __post_init__(self) -> None:
        twice = self.names.filter(self.names.is_duplicated()).unique(maintain_order=True)
        if len(twice):
            raise DataError(f"{len(twice)} names stand for two things, such as {_some(twice)}", "give each its own name")
        circle = self.names.gather(cycle_of(self.parent)).to_list()
        if circle:
            told = " < ".join(repr(name) for name in [*circle[:SHOWN], *(["..."] if len(circle) > SHOWN else []), circle[0]])
            raise DataError(f"an item is above itself: {told}", "let every item end at one that has no parent")

    @classmethod
    def from_parents(cls, parents: pl.DataFrame) -> Self:
        """From a frame with the columns `item` and `parent`; a parent of null or "" is none, and one that is no item has none.

        Names are text or whole numbers. A row twice counts once. Raises DataError for missing columns, a null item, an item
        with two parents, and for circles, naming offenders.
        """
        missing = [name for name in ("item", "parent") if name not in parents.columns]
        if missing:
            raise DataError(f"the taxonomy has no column {missing[0]!r}", "give the columns item and parent")
        table = _alike(parents.select("item", "parent"))
        if table["item"].null_count():
            place = int(table["item"].is_null().arg_true()[0]) + 1
            raise DataError(f"{table['item'].null_count()} items of the taxonomy are null, such as row {place}", "name them")
        table = table.unique(maintain_order=True)
        twice = table.filter(pl.col("item").is_duplicated())
        if len(twice):
            name = twice["item"][0]
            told = f"{name!r} below {_some(twice.filter(pl.col('item') == name)['parent'])}"
            raise DataError(
                f"{twice['item'].n_unique()} items have two parents, such as {told}",
                "keep one parent an item, or mine one taxonomy at a time",
            )
        names = pl.concat([table["item"], table["parent"].drop_nulls()]).unique().sort().alias("item")
        code = pl.DataFrame({"item": names, "code": np.arange(len(names), dtype=np.int32)})
        above = (
            code.join(table, on="item", how="left", maintain_order="left")
            .join(code.rename({"item": "parent", "code": "above"}), on="parent", how="left", maintain_order="left")["above"]
            .fill_null(-1)
        )
        return cls(names, above.to_numpy().astype(np.int32), np.ones(len(names), dtype=np.bool_))

    @classmethod
    def from_products(cls, products: dy.DataFrame[Products] | pl.DataFrame, levels: Sequence[str] = LEVELS) -> Self:
        """From a catalogue: its products below their subcategory, category and department, as far as `levels` names these.

        A category is called by its level, "category: DAIRY"; where two of a level are called alike, below different ones of the
        chosen levels, they are two, and called by all of their way: "category: FROZEN > MEAT". A level that is null or "" is
        passed over. Without "product" in `levels`, baskets are mined by categories alone. Raises RequestError for a level that
        is none, DataError for a product id that is also the name of a category.
        """
        wrong = [level for level in levels if level not in LEVELS]
        if wrong or not levels:
            told = f"no level is called {wrong[0]!r}" if wrong else "no level is named"
            raise RequestError(told, f"name some of {', '.join(LEVELS)}")
        categories, above = _categories(products, [level for level in CATEGORIES if level in levels])
        whole = np.full(len(products), "product" in levels)
        return cls(
            pl.concat([_called(categories), products["product_id"].alias("item")]),
            np.concatenate([categories["above"].to_numpy(), above.to_numpy()]).astype(np.int32),
            np.concatenate([np.ones(len(categories), dtype=np.bool_), whole]),
        )

    @cached_property
    def _forest(self) -> Forest:
        return Forest(self.parent)

    def forest(self, names: pl.Series) -> Forest:
        """The same order among `names` alone: each item right below the nearest of its ancestors that has a name here.

        Raises DataError for names that the taxonomy does not have.
        """
        return self._among(self._numbers(names))

    def _among(self, numbers: Int32s) -> Forest:
        """The order among some of the items, by their places in `numbers`."""
        code = np.full(len(self.names) + 1, -1, dtype=np.int32)  # the last is the parent of those that have none
        code[numbers] = np.arange(len(numbers), dtype=np.int32)
        return Forest(code[self._forest.within(code[:-1] >= 0).parent[numbers]])

    def extended(self, transactions: Transactions) -> tuple[Transactions, ItemFacts]:
        """The baskets with all ancestors of their items besides, each once; and who is related to whom, for `Itemsets.fit`.

        The items are those of `transactions` and what is above them. Codes run through the taxonomy depth first, so an
        ancestor's code is below those of its descendants; whole numbers become text where the taxonomy's names are text.
        Customers and days stay. Memory: some 40 bytes an occurrence and ancestor; a million lines under three levels take some
        tenths of a second. Raises DataError for items that the taxonomy does not have, naming some.
        """
        numbers = self._numbers(transactions.names)
        inside = self._forest.within(self.mined)
        start, line = inside.lines(numbers, self.mined)
        used = np.unique(line)
        used = used[np.argsort(self._forest.place[used])]
        code = np.zeros(len(self.names), dtype=np.int32)
        code[used] = np.arange(len(used), dtype=np.int32)
        baskets = transactions.baskets
        rows, codes = _spread(rows_of(baskets.indptr), baskets.items, start, code[line])
        whole = assembled(rows, codes, len(baskets), self.names.gather(used).alias("item"), baskets.customers, baskets.days)
        related = self._among(used.astype(np.int32)).relatives()
        return whole, ItemFacts(relatives=related if len(related[1]) else None)

    def _numbers(self, names: pl.Series) -> Int32s:
        """The number of each name. Raises DataError for those that are none."""
        known = pl.DataFrame({"name": self.names, "number": np.arange(len(self.names), dtype=np.int32)})
        sought = pl.DataFrame({"name": names})
        if known.schema["name"] != sought.schema["name"]:
            known, sought = (each.with_columns(pl.col("name").cast(pl.String)) for each in (known, sought))
        found = sought.join(known, on="name", how="left", maintain_order="left")["number"]
        if found.null_count():
            unknown = names.filter(found.is_null())
            raise DataError(
                f"{len(unknown)} of {len(names)} items are not in the taxonomy, such as {_some(unknown)}",
                "add them to it; an item that belongs to nothing has no parent",
            )
        return found.to_numpy().astype(np.int32)


def _categories(products: pl.DataFrame, levels: Sequence[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Categories numbered level by level, by `above` (a number, -1 for none), `label` and `level`; and each product's lowest.

    What is called alike below the same category is the same.
    """
    table = products.with_columns(pl.col(levels).replace("", None), above=pl.lit(-1, dtype=pl.Int32))
    found = pl.DataFrame(schema={"above": pl.Int32, "label": pl.String, "level": pl.String})
    for level in levels:
        new = table.select("above", label=level).drop_nulls().unique().sort("label", "above")
        numbers = pl.Series("number", np.arange(len(found), len(found) + len(new), dtype=np.int32))
        number = new.rename({"label": level}).with_columns(numbers)
        joined = table.join(number, on=["above", level], how="left", maintain_order="left")
        table = joined.with_columns(above=pl.coalesce("number", "above")).drop("number")
        found = pl.concat([found, new.with_columns(level=pl.lit(level))])
    return found, table["above"]


def _called(categories: pl.DataFrame) -> pl.Series:
    """What each category is called: by its level and its label, or by all of its way where the label is not enough."""
    ways: list[str] = []
    for above, label in categories.select("above", "label").iter_rows():
        ways.append(label if above < 0 else f"{ways[above]}{_APART}{label}")
    shared = pl.struct("level", "label").is_duplicated()
    told = pl.when(shared).then(pl.Series("way", ways, pl.String)).otherwise("label")
    return categories.select(pl.format("{}: {}", "level", told).alias("item")).to_series()


def _spread(rows: Int64s, items: Int32s, start: Int64s, line: Int32s) -> tuple[Int64s, Int32s]:
    """In place of each item of a row, all of its line."""
    sizes = np.diff(start)[items]
    first = np.cumsum(sizes) - sizes
    places = np.arange(int(sizes.sum()), dtype=np.int64) + np.repeat(start[items] - first, sizes)
    return np.repeat(rows, sizes), line[places]


def _alike(table: pl.DataFrame) -> pl.DataFrame:
    """Both columns as whole numbers, or both as text without empty names."""
    if all(kind.is_integer() or kind == pl.Null for kind in table.dtypes):
        return table.cast(pl.Int64)
    strange = [kind for kind in table.dtypes if not (kind.is_integer() or kind in (pl.String, pl.Null, pl.Categorical))]
    if strange:
        raise DataError(f"names in the taxonomy are {strange[0]}", "name items by text or by whole numbers")
    return table.cast(pl.String).with_columns(pl.all().replace("", None))


def _some(names: pl.Series) -> str:
    """A few of them, to name in an error."""
    return ", ".join(repr(name) for name in names.head(SHOWN).to_list())
