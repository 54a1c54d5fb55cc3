"""Itemsets kept and brought up to date: always what mining all baskets gives, and never from what was changed or damaged."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from basketry.app.kept_itemsets import basket_digest, mine_updated, refuse_others
from basketry.app.mine import MineRequest
from basketry.app.shop import Shop
from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.core.protocols import Run

RUN = Run(threads=1)
MOST = 1_000_000


def history(seed, days, products=12, customers=40, late=0):
    """Baskets of so many days, in the order of customers; product `new` is sold from day 60 on; `late` baskets come late."""
    random = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for _ in range(10):
            items = set(np.flatnonzero(random.random(products) < 0.25).tolist()) or {0}
            rows.append(
                (int(random.integers(customers)), day, items | ({products} if day >= 60 and random.random() < 0.5 else set()))
            )
    rows += [(customers, 3, {0, 1})] * late
    rows.sort(key=lambda row: row[:2])
    names = [f"p{each:02}" for each in range(products)] + ["new"]
    order = sorted(range(len(names)), key=names.__getitem__) if days > 60 else list(range(products))
    code = {item: at for at, item in enumerate(order)}
    return Transactions(
        BasketMatrix(
            np.cumsum([0, *(len(items) for *_, items in rows)], dtype=np.int64),
            np.array([each for *_, items in rows for each in sorted(code[item] for item in items)], dtype=np.int32),
            np.array([customer for customer, *_ in rows], dtype=np.int32),
            np.array([day for _, day, _ in rows], dtype=np.int32),
            len(order),
        ),
        pl.Series("item", [names[item] for item in order]),
    )


def told(mined):
    return {frozenset(row[0]): row[1] for row in mined.frame().select("itemset", "baskets").iter_rows()}


def asked(folder, transactions, support):
    mined, how = mine_updated(Shop(folder), transactions, support, MOST, RUN)
    scratch = Itemsets(support).fit(transactions, RUN)
    assert told(mined) == told(scratch) and (mined.n_baskets, mined.min_count) == (scratch.n_baskets, scratch.min_count)
    assert mined.names.equals(transactions.names)
    return how


@pytest.mark.parametrize("support", [0.05, 0.1, 40, 5])
@pytest.mark.parametrize("seed", range(3))
def test_new_days_are_added_and_the_answer_is_that_of_mining_all(tmp_path, seed, support):
    """With the days a product comes whose name sorts before all others: every code is another."""
    assert "none had been kept" in asked(tmp_path, history(seed, 58), support)
    assert "0 baskets added to the 580" in asked(tmp_path, history(seed, 58), support)
    assert "20 baskets added to the 580 that were mined up to 1970-02-27" in asked(tmp_path, history(seed, 60), support)
    assert "130 baskets added to the 580" in asked(tmp_path, history(seed, 71), support)
    assert "more are new than a quarter" in asked(tmp_path, history(seed, 80), support)
    assert "10 baskets added to the 800" in asked(tmp_path, history(seed, 81), support)
    assert len(list((tmp_path / "cache" / "itemsets").iterdir())) == 1


def test_a_lower_support_is_mined_and_a_higher_one_taken_from_what_is_kept(tmp_path):
    asked(tmp_path, history(1, 58), 50)
    assert "0 baskets added" in asked(tmp_path, history(1, 58), 40)
    assert "those kept stand in 40 baskets at least" in asked(tmp_path, history(1, 58), 39)
    assert "0 baskets added" in asked(tmp_path, history(1, 58), 300)


def test_a_basket_that_comes_late_is_seen(tmp_path):
    asked(tmp_path, history(2, 58), 0.1)
    assert "those known before have changed" in asked(tmp_path, history(2, 58, late=1), 0.1)
    assert "0 baskets added" in asked(tmp_path, history(2, 58, late=1), 0.1)


def test_a_damaged_file_is_not_believed(tmp_path):
    asked(tmp_path, history(3, 58), 0.1)
    (kept,) = (tmp_path / "cache" / "itemsets").iterdir()
    data = bytearray(kept.read_bytes())
    data[-1] ^= 1
    kept.write_bytes(bytes(data))
    assert "none had been kept" in asked(tmp_path, history(3, 58), 0.1)
    assert "0 baskets added" in asked(tmp_path, history(3, 58), 0.1)


def test_a_digest_is_of_items_by_name_in_their_baskets():
    one = history(4, 10)
    more = Transactions(
        BasketMatrix(one.baskets.indptr, one.baskets.items + 1, one.baskets.customers, one.baskets.days, 14),
        pl.Series("item", ["a", *one.names.to_list(), "z"]),
    )
    assert basket_digest(more) == basket_digest(one)
    moved = one.baskets.indptr.copy()
    moved[1] += 1
    other = BasketMatrix(moved, one.baskets.items, one.baskets.customers, one.baskets.days, 12)
    assert basket_digest(Transactions(other, one.names)) != basket_digest(one)
    assert basket_digest(Transactions(one.baskets, one.names.reverse())) != basket_digest(one)


def test_no_baskets_are_no_itemsets(tmp_path):
    assert "none had been kept" in asked(tmp_path, Transactions.from_lists([]), 1)


@pytest.mark.parametrize("more", [{"source": "a.dat"}, {"kind": "closed"}, {"top": 5}, {"max_length": 2}, {"only": "a"}])
def test_only_all_itemsets_of_the_shop_are_kept(more):
    with pytest.raises(RequestError, match="does not go with update"):
        refuse_others(MineRequest(update=True, **more))
