"""`--engine`: Spark in DuckDB's place, and nothing else changes: rows kept and quarantined, accounts, graph."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from basketry.app.build import BuildRequest, build
from basketry.app.engines import opener
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.shop import Shop
from basketry.core.errors import ConfigError
from basketry.data.shopfile import ShopFile
from basketry.store.key import load_or_create_key

ROOT = Path(__file__).parents[2]
TOML = """name = "Corner shop"
currency = "EUR"
timezone = "Europe/Berlin"

[[source]]
table = "products"
path = "products.csv"

[source.columns]
product_id = "SKU"
title = {join = ["Name", "Variant"]}
department = "Dept"
category = "Category"

[[source]]
table = "order_lines"
path = "2025.csv"
encoding = "utf-8"
delimiter = ";"
decimal = ","
timestamp_format = "%d.%m.%Y %H:%M"

[source.columns]
order_id = "receipt"
product_id = "SKU"
ts = "sold_at"
units = "quantity"
amount = {multiply = ["quantity", "unit_price"]}
customer_id = "card"
"""


@pytest.fixture(scope="module")
def corner(tmp_path_factory) -> Path:
    """The tutorial's shop, not yet read."""
    folder = tmp_path_factory.mktemp("corner")
    subprocess.run([sys.executable, ROOT / "docs/tutorials/corner_shop.py", folder], check=True, stdout=subprocess.DEVNULL)
    (folder / "shop.toml").write_text(TOML, encoding="utf-8")
    load_or_create_key(folder)
    return folder


def copied(folder: Path, target: Path) -> Shop:
    shutil.copytree(folder, target)
    return Shop.open(target)


def table(shop: Shop, name: str) -> pl.DataFrame:
    frames = [pl.read_parquet(path) for path in shop.tables.snapshot().parts(name)]
    keys = ["product_id"] if name == "products" else ["source", "row"]
    return pl.concat(frames).with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)).sort(keys)
