"""What each item of each basket is worth, in whole numbers: revenue or margin, aligned with the baskets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from basketry.associations.baskets import BasketMatrix, Int64s
from basketry.associations.lookahead import BEGINNING
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError
from basketry.core.tables import MONEY_SCALE, UNITS_SCALE, Baskets, BasketValues, Products

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.data.dataset import Dataset

_LARGEST: Final = 2.0**62


@dataclass(frozen=True, eq=False)
class Values:
    """`amounts` int64 in units of 10**-scale (scale 4: ten-thousandths of the currency), one an occurrence of an item."""

    amounts: Int64s
    scale: int = 0

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """From a column of decimals, or of whole numbers. Raises DataError for anything else, and for nulls."""
        if values.null_count():
            raise DataError(f"{values.null_count()} of {len(values)} values are null", "give every occurrence its value")
        if values.dtype.is_integer():
            return cls(np.ascontiguousarray(values.cast(pl.Int64).to_numpy()))
        if not isinstance(values.dtype, pl.Decimal):
            raise DataError(
                f"values are of type {values.dtype}", "give whole numbers or decimals, which add up exactly; floats do not"
            )
        return cls(np.ascontiguousarray(values.to_physical().cast(pl.Int64).to_numpy()), values.dtype.scale)

    def money(self, amounts: Int64s) -> pl.Series:
        """`amounts` in these units as a column: decimals, or whole numbers where the scale is 0."""
        whole = pl.Series("utility", amounts, dtype=pl.Int64)
        return whole.cast(pl.Decimal(38, self.scale)) / 10**self.scale if self.scale else whole


@dataclass(frozen=True, eq=False)
class ValuedTransactions:
    """Transactions, and the value of each occurrence in the order of `transactions.baskets.items`."""

    transactions: Transactions
    values: Values

    def __post_init__(self) -> None:
        if len(self.values.amounts) != len(self.transactions.baskets.items):
            raise DataError(
                f"{len(self.values.amounts)} values for {len(self.transactions.baskets.items)} occurrences of items",
                "give one value for each item of each basket",
            )


def shop_values(dataset: Dataset, unit_costs: pl.DataFrame | None = None, since: str = BEGINNING) -> ValuedTransactions:
    """Every basket of a shop from the instant `since` on, items named by product id, valued at revenue or at margin.

    Revenue is `amount` of the order lines: what the line was sold for after loyalty discounts and before coupons, which the
    manufacturer pays back. With `unit_costs` (columns `product_id`, `unit_cost`: decimal or whole, of the currency) it is the
    margin amount - units unit_cost, rounded to a ten-thousandth, half away from zero; it may be negative.
    Raises DataError where a product that was sold has no cost, or two.
    """
    names = dataset.table(Products)["product_id"].sort().alias("item")
    amounts: list[Int64s] = []
    units: list[Int64s] = []

    def frames() -> Iterator[dy.DataFrame[Baskets]]:
        for frame in dataset.stream(BasketValues, "basket_values", {"since": since}):
            amounts.append(frame["amount"].to_physical().cast(pl.Int64).to_numpy())
            if unit_costs is not None:
                units.append(frame["units"].to_physical().cast(pl.Int64).to_numpy())
            yield Baskets.validate(frame.select(Baskets.column_names()))

    baskets = BasketMatrix.from_frames(frames(), len(names))
    value = _joined(amounts)
    if unit_costs is not None:
        value = value - _costs(_joined(units), baskets, names, unit_costs)
    return ValuedTransactions(Transactions(baskets, names), Values(value, MONEY_SCALE))


def _costs(units: Int64s, baskets: BasketMatrix, names: pl.Series, unit_costs: pl.DataFrame) -> Int64s:
    """Cost of each occurrence in ten-thousandths."""
    missing = {"product_id", "unit_cost"} - set(unit_costs.columns)
    if missing:
        raise DataError(f"the costs have no column {min(missing)}", "give the columns product_id and unit_cost")
    twice = unit_costs.filter(unit_costs["product_id"].is_duplicated())
    if len(twice):
        raise DataError(f"product {twice['product_id'][0]!r} has {len(twice)} costs", "give each product one unit cost")
    known = names.to_frame("product_id").join(
        unit_costs.select("product_id", pl.col("unit_cost").cast(pl.Decimal(18, MONEY_SCALE))),
        on="product_id",
        how="left",
        maintain_order="left",
    )
    sold = np.bincount(baskets.items, minlength=len(names)) > 0
    lacking = known.filter(pl.Series(sold) & known["unit_cost"].is_null())["product_id"]
    if len(lacking):
        raise DataError(
            f"{len(lacking)} products that were sold have no unit_cost, such as {lacking[0]!r}",
            "give each of them a cost, or mine by revenue",
        )
    cost = known["unit_cost"].fill_null(Decimal(0)).to_physical().cast(pl.Int64).to_numpy()[baskets.items]
    if (np.abs(cost.astype(np.float64)) * units > _LARGEST).any():
        raise DataError("units times unit_cost go beyond 2**62 ten-millionths", "check the units of the costs")
    exact, half = np.abs(cost) * units, 10**UNITS_SCALE // 2
    rounded: Int64s = np.sign(cost) * ((exact + half) // 10**UNITS_SCALE)
    return rounded


def _joined(parts: list[Int64s]) -> Int64s:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
