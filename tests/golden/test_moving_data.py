"""Known counts of real data, reached in parts: within a bound of memory, by update, by a window, by fading."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from basketry.associations.mining.fading import FadingItemsets
from basketry.associations.mining.incremental import downdate, update
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.partitioned import count_pairs_partitioned, mine_partitioned
from basketry.associations.mining.sliding import SlidingItemsets
from basketry.associations.mining.transactions import Transactions, plain
from basketry.core.protocols import Run
from basketry.kernels.pairs import Floors
from basketry.store.basket_file import BasketFile, BasketPart, write_baskets

pytestmark = pytest.mark.data

RUN, MIB = Run(), 1 << 20


@pytest.fixture(scope="module")
def retail(datasets: Path) -> Transactions:
    with gzip.open(datasets / "fimi" / "retail.dat.gz", "rt", encoding="ascii") as lines:
        rows = [np.unique(np.array(line.split(), dtype=np.int32)) for line in lines]
    indptr, items = np.cumsum([0, *map(len, rows)], dtype=np.int64), np.concatenate(rows)
    return Transactions(plain(indptr, items, int(items.max()) + 1), pl.Series("item", np.arange(items.max() + 1)))


@pytest.mark.parametrize(("min_count", "memory", "found"), [(88, 2 * MIB, 7_712), (20, 3 * MIB, 57_697), (88, 64 * MIB, 7_712)])
def test_retail_within_a_bound(tmp_path, retail, min_count, memory, found):
    rows = retail.baskets
    write_baskets(tmp_path / "b", [BasketPart(rows.indptr, rows.items, rows.customers, rows.days)], rows.n_products)
    assert len(mine_partitioned(BasketFile.open(tmp_path / "b"), min_count, RUN, memory=memory)) == found


@pytest.mark.parametrize(("kept_at", "min_count", "found"), [(79, 88, 7_712), (60, 88, 7_712), (18, 20, 57_697)])
def test_retail_brought_up_to_date_and_back(retail, kept_at, min_count, found):
    early = np.arange(len(retail)) < 80_000
    old, new = retail.select(early), retail.select(~early)
    before = Itemsets(kept_at).fit(old, RUN)
    after = update(before, new, min_count, RUN, old=old)
    assert (len(after), after.n_baskets) == (found, 88_162)
    back = downdate(after, new, min_count, RUN)
    assert len(back) == len(Itemsets(min_count).fit(old, RUN))


def test_retail_through_a_window_and_faded(retail):
    window = SlidingItemsets(88, 4).begin()
    cut = np.arange(len(retail)) * 4 // len(retail)
    for block in (0, 3, 0, 1, 2, 3):
        window = window.push(retail.select(cut == block), RUN)
    mined = window.result(RUN)
    assert (len(mined), window.n_baskets) == (7_712, 88_162)
    frame = FadingItemsets(half_life=28).fit(mined, retail).frame()  # all on one day: nothing has faded
    assert (frame["weight"] == frame["baskets"]).all() and frame["baskets"].min() == 88


def test_complete_journey_pairs_within_a_bound(tmp_path, complete_journey):
    lines = (
        pl.read_parquet(complete_journey / "transactions.parquet", columns=["household_id", "basket_id", "product_id"])
        .unique()
        .sort("household_id", "basket_id", "product_id")
        .with_columns(pl.col("product_id", "household_id").rank("dense").cast(pl.Int32) - 1, pl.col("basket_id").rle_id())
    )
    indptr = np.append(0, np.cumsum(np.bincount(lines["basket_id"].to_numpy())))
    who = lines["household_id"].to_numpy()[indptr[:-1]]
    part = BasketPart(indptr, lines["product_id"].to_numpy(), who, np.zeros_like(who))
    write_baskets(tmp_path / "b", [part], lines["product_id"].max() + 1)
    passes = list(count_pairs_partitioned(BasketFile.open(tmp_path / "b"), RUN, memory=8 * MIB, floors=Floors(10)))
    assert len(passes) > 5
    assert sum(len(counts.a) for counts in passes) == 101_887
    assert all((counts.groups <= counts.count).all() for counts in passes)
