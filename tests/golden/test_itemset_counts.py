"""How many itemsets there are in the benchmark data of the field: figures that every correct miner agrees on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import basketry
from basketry.kernels.condense import condensed
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.pairs import Floors, count_pairs

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    ("name", "min_support", "kind", "count"),
    [
        ("retail", 88, "all", 7_712),
        ("retail", 20, "all", 57_697),
        ("retail", 20, "closed", 56_411),
        ("retail", 20, "maximal", 22_144),
        ("T10I4D100K", 100, "all", 27_532),
        ("T10I4D100K", 20, "all", 129_875),
        ("T10I4D100K", 100, "closed", 26_806),
        ("T10I4D100K", 100, "maximal", 4_054),
        ("mushroom", 1000, "all", 123_277),
        ("mushroom", 500, "all", 1_442_503),
        ("mushroom", 500, "closed", 9_864),  # pyfim drops one: an item in every mushroom
        ("mushroom", 500, "maximal", 1_234),
        ("mushroom", 500, "generators", 14_924),
    ],
)
def test_benchmark_data(datasets: Path, name, min_support, kind, count):
    assert len(basketry.mine(datasets / "fimi" / f"{name}.dat.gz", min_support, kind=kind)) == count


def test_groceries(datasets: Path):
    assert len(basketry.mine(datasets / "groceries_arules" / "groceries.csv", 10)) == 13_492
    assert len(basketry.mine(datasets / "groceries_arules" / "groceries.csv", 0.001)) == 13_492


@pytest.fixture(scope="module")
def raw_baskets(complete_journey: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Complete Journey's distinct (basket, product) as they come, before any cleaning."""
    lines = (
        pl.read_parquet(complete_journey / "transactions.parquet", columns=["basket_id", "product_id"])
        .unique()
        .with_columns(pl.all().rank("dense").cast(pl.Int32) - 1)
        .sort("basket_id", "product_id")
    )
    indptr = np.append(0, np.cumsum(np.bincount(lines["basket_id"].to_numpy()))).astype(np.int64)
    items = lines["product_id"].to_numpy()
    return indptr, items, int(items.max()) + 1


def test_pairs_of_complete_journey(raw_baskets):
    everything = count_pairs(*raw_baskets, threads=2)
    assert (len(everything.a), int(everything.count.sum())) == (11_934_372, 17_985_213)
    assert (everything.a < everything.b).all()
    assert len(count_pairs(*raw_baskets, floors=Floors(10)).a) == 101_887


def test_itemsets_of_complete_journey(raw_baskets):
    indptr, items, n_items = raw_baskets
    tree = mine_itemsets(indptr, items, n_items, min_count=20)
    assert len(tree) == 58_689
    np.testing.assert_array_equal(count_itemsets(indptr, items, tree, threads=2), tree.support)
    few = mine_itemsets(indptr, items, n_items, min_count=10, threads=2)
    assert len(few) == 2_108_512
    for kind, count in (("closed", 218_848), ("maximal", 135_927)):
        searched = mine_itemsets(indptr, items, n_items, min_count=10, kind=kind)  # by witnesses
        assert len(searched) == count
        assert len(condensed(few, kind, len(indptr) - 1)) == count  # from among all
