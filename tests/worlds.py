"""Small shops with a known answer, as the tables that tests read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl

from basketry.core import tables
from basketry.core.protocols import Parquet
from basketry.data.dataset import Dataset
from basketry.engines.duck import DuckEngine

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
Line = tuple[str, str | None, str, float]


def order_lines(rows: Sequence[Line]) -> dy.DataFrame[tables.OrderLines]:
    """Lines of (order, customer, product, hours after START), two units of each for 3.34 with 0.36 off."""
    ts = [START + dt.timedelta(hours=hours) for *_, hours in rows]
    frame = pl.DataFrame(
        {
            "source": ["s"] * len(rows),
            "row": list(range(1, len(rows) + 1)),
            "order_id": [order for order, *_ in rows],
            "customer_id": [customer for _, customer, *_ in rows],
            "product_id": [product for _, _, product, _ in rows],
            "ts": ts,
            "day": [each.date() for each in ts],
            "store_id": [None] * len(rows),
            "units": [Decimal(2)] * len(rows),
            "amount": [Decimal("3.34")] * len(rows),
            "loyalty_discount": [Decimal("0.36")] * len(rows),
            "coupon_discount": [Decimal(0)] * len(rows),
            "coupon_match_discount": [Decimal(0)] * len(rows),
        },
        schema_overrides={"store_id": pl.String, "customer_id": pl.String},
    )
    return tables.OrderLines.validate(frame, cast=True)


def products(titles: Mapping[str, str], categories: Mapping[str, str] | None = None) -> dy.DataFrame[tables.Products]:
    """A catalogue of id to title."""
    rows = {"product_id": list(titles), "title": list(titles.values())}
    known = {"category": [(categories or {}).get(each) for each in titles]}
    frame = pl.DataFrame(rows | known, schema_overrides={"category": pl.String})
    missing = [name for name in tables.Products.column_names() if name not in frame.columns]
    return tables.Products.validate(frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing), cast=True)


def dataset(folder: Path, frames: Mapping[str, pl.DataFrame], as_of: dt.datetime) -> Dataset:
    """The frames as stored tables, those not given empty, cut at `as_of`; close its engine after use."""
    frames = {name: contract.create_empty() for name, contract in tables.INPUTS.items()} | dict(frames)
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    engine = DuckEngine({name: Parquet((folder / f"{name}.parquet",)) for name in frames}, threads=1)
    return Dataset(engine, as_of, "digest")


def trips(seed: int = 5, customers: int = 900, weeks: int = 26) -> Iterable[Line]:
    """Half a year of a grocer: each customer comes every other week.

    `bun` and `patty` are bought together on one trip in eight, by anyone: complements. `milk1` and `milk2` stand for one
    another: each trip takes one or the other. `wine` and `cheese` are liked by the same third of customers, who take each on
    three trips in ten, independently: taste, no more. Twenty staples `s0` to `s19` fall into baskets at random, and big baskets
    hold more of them.
    """
    random = np.random.default_rng(seed)
    order = 0
    for customer in range(customers):
        fond = customer % 3 == 0
        for week in range(0, weeks, 2):
            order += 1
            big = random.random() < 0.3
            chance = 0.5 if big else 0.08
            basket = [f"s{each}" for each in np.flatnonzero(random.random(20) < chance)]
            basket += ["milk1" if random.random() < 0.5 else "milk2"]
            basket += ["bun", "patty"] if random.random() < 0.125 else []
            basket += [each for each in ("wine", "cheese") if fond and random.random() < 0.3]
            hours = week * 168 + float(random.integers(0, 320))
            yield from ((str(order), f"c{customer}", product, hours) for product in basket)
