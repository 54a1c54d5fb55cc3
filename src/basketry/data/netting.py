"""Cancellations matched to what they cancel: same customer, same product, at or before, latest first, as far as units reach."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

import dataframely as dy
import polars as pl

from basketry.core.tables import MONEY_SCALE, UNITS_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable

_CENT: Final = Decimal(1).scaleb(-MONEY_SCALE)


class Candidates(dy.Schema):
    """Cancelling lines and all that they may cancel, ordered by customer and product, then time, then row."""

    customer = dy.String()
    product_id = dy.String()
    ts = dy.Datetime(time_unit="us")
    row = dy.Int64(primary_key=True)
    units = dy.Decimal(18, UNITS_SCALE)
    amount = dy.Decimal(18, MONEY_SCALE)
    cancelling = dy.Bool()


@dataclass
class _Line:
    ts: dt.datetime
    row: int
    units: Decimal
    amount: Decimal
    left: Decimal


def net(candidates: dy.DataFrame[Candidates]) -> pl.DataFrame:
    """What becomes of each line touched: (row, units_off, amount_off, outcome).

    Of a line given back, `units_off` units are taken and amount_off = amount * units_off / units, to the ten-thousandth. A
    cancelling line has outcome `matched` if all its units were found, `part` or `none` otherwise. Takes time in proportion to
    cancellations times the lines of the same customer and product.
    """
    off: list[tuple[int, Decimal | None, Decimal | None, str | None]] = []
    rows = candidates.iter_rows(named=True)
    for _, group in groupby(rows, key=lambda row: (row["customer"], row["product_id"])):
        off.extend(_net_pair(group))
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "row": pl.Int64,
        "units_off": pl.Decimal(18, UNITS_SCALE),
        "amount_off": pl.Decimal(18, MONEY_SCALE),
        "outcome": pl.String,
    }
    return pl.DataFrame(off, schema=schema, orient="row")


def _net_pair(group: Iterable[dict[str, object]]) -> list[tuple[int, Decimal | None, Decimal | None, str | None]]:
    """One customer and one product, in time."""
    outcomes: list[tuple[int, Decimal | None, Decimal | None, str | None]] = []
    lines = [_Line(row["ts"], row["row"], row["units"], row["amount"], row["units"]) for row in group]  # type: ignore[arg-type]
    purchases = [line for line in lines if line.units > 0]
    for cancelling in (line for line in lines if line.units < 0):
        wanted = asked = -cancelling.units
        for line in reversed([line for line in purchases if line.ts <= cancelling.ts]):
            taken = min(wanted, line.left)
            line.left -= taken
            wanted -= taken
            if not wanted:
                break
        outcome = "matched" if not wanted else "none" if wanted == asked else "part"
        outcomes.append((cancelling.row, None, None, outcome))
    for line in (line for line in purchases if line.left < line.units):
        units = line.units - line.left
        amount = (line.amount * units / line.units).quantize(_CENT, ROUND_HALF_EVEN)
        outcomes.append((line.row, units, amount, None))
    return outcomes
