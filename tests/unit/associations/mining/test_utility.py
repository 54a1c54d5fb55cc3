from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.utility import HighUtility, least_amount
from basketry.associations.mining.values import ValuedTransactions, Values, shop_values
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from worlds import START, dataset, order_lines, products

# The running example of Zida and others (2017), quantity times profit, a 5, b 2, c 1, d 2, e 3, f 1, g 1.
EXAMPLE = [
    {"a": 5, "c": 1, "d": 2},
    {"a": 10, "c": 6, "e": 6, "g": 5},
    {"a": 5, "b": 4, "c": 1, "d": 12, "e": 3, "f": 5},
    {"b": 8, "c": 3, "d": 6, "e": 3},
    {"b": 4, "c": 2, "e": 3, "g": 2},
]
# All its itemsets of utility 30 or more.
KNOWN = {"bd": 30, "ace": 31, "bcd": 34, "bce": 31, "bde": 36, "bcde": 40, "abcdef": 30}


def valued(world, dtype=pl.Int64):
    amounts = pl.Series([worth for basket in world for worth in basket.values()], dtype=dtype)
    return ValuedTransactions(Transactions.from_lists(world), Values.of(amounts))


def utilities(mined):
    return {"".join(itemset): utility for itemset, utility in mined.frame().select("itemset", "utility").rows()}


def test_the_example_of_the_paper():
    assert utilities(HighUtility(30).fit(valued(EXAMPLE), Run())) == KNOWN


def test_frame_of_the_example():
    frame = HighUtility(34).fit(valued(EXAMPLE), Run()).frame()
    assert frame.columns == ["itemset", "length", "baskets", "support", "utility", "utility_share"]
    assert frame.row(0) == (["b", "c", "d", "e"], 4, 2, 0.4, 40, pytest.approx(40 / 96))
    assert frame["utility"].to_list() == [40, 36, 34]


@pytest.mark.parametrize(("k", "names"), [(1, ["bcde"]), (2, ["bcde", "bde"]), (5, ["bcde", "bde", "bcd", "ace", "bce"])])
def test_the_k_best_in_a_known_order(k, names):
    assert list(utilities(HighUtility(k=k).fit(valued(EXAMPLE), Run()))) == names


def test_of_equal_utility_the_shorter_is_the_better():
    mined = HighUtility(k=6).fit(valued(EXAMPLE), Run())
    assert list(utilities(mined))[-1] == "bd"
    assert len(mined) == 6


def test_more_than_there_are_gives_all():
    world = [{"a": 3, "b": -1}, {"b": 0, "c": 2}]
    assert utilities(HighUtility(k=50).fit(valued(world), Run())) == {"a": 3, "ab": 2, "c": 2, "bc": 2}


def test_decimals_stay_exact():
    world = [{"a": Decimal("0.1"), "b": Decimal("0.2")}, {"a": Decimal("0.1")}]
    mined = HighUtility(Decimal("0.2")).fit(valued(world, pl.Decimal(10, 4)), Run())
    frame = mined.frame()
    assert frame["utility"].to_list() == [Decimal("0.3000"), Decimal("0.2000"), Decimal("0.2000")]
    assert frame["utility"].dtype == pl.Decimal(38, 4)


def test_a_share_is_of_all_value_and_taken_as_written():
    ten = Values(np.array([3, 7], dtype=np.int64), 0)
    assert [least_amount(share, ten) for share in (0.1, 0.3, 0.31, 1.0)] == [1, 3, 4, 10]
    cents = Values(np.array([1], dtype=np.int64), 2)
    assert [least_amount(amount, cents) for amount in (5, Decimal("0.011"))] == [500, 2]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "5", float("nan"), Decimal("Infinity"), 2**70])
def test_wrong_thresholds_are_refused(wrong):
    with pytest.raises(RequestError):
        least_amount(wrong, Values(np.array([1], dtype=np.int64)))


def test_a_share_of_a_loss_is_refused():
    with pytest.raises(RequestError, match="asked for"):
        HighUtility(0.5).fit(valued([{"a": -3, "b": 1}]), Run())


@pytest.mark.parametrize("fields", [{"k": -1}, {"max_length": -1}, {"max_itemsets": 0}, {"k": 5, "max_itemsets": 4}])
def test_wrong_fields_are_refused(fields):
    with pytest.raises(RequestError):
        HighUtility(30, **fields)


def test_too_many_itemsets_end_with_a_threshold_to_try():
    with pytest.raises(RequestError, match="more than 3 itemsets") as error:
        HighUtility(1, max_itemsets=3).fit(valued(EXAMPLE), Run())
    assert "raise min_utility, to" in error.value.hint


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="floats do not"):
        Values.of(pl.Series([1.5]))
    with pytest.raises(DataError, match="null"):
        Values.of(pl.Series([1, None]))
    with pytest.raises(DataError, match="2 values for 3"):
        ValuedTransactions(Transactions.from_lists([["a", "b"], ["a"]]), Values.of(pl.Series([1, 2])))


@pytest.fixture
def shop(tmp_path):
    lines = order_lines([("1", "x", "a", 1), ("1", "x", "a", 1), ("1", "x", "b", 1), ("2", None, "b", 2)])
    catalogue = products({"a": "Apple", "b": "Bread", "c": "never sold"})
    opened = dataset(tmp_path, {"order_lines": lines, "products": catalogue}, START + dt.timedelta(days=9))
    yield opened
    opened.engine.close()


def named(mined):
    return dict(zip(map(tuple, mined.frame()["itemset"].to_list()), mined.frame()["utility"].to_list(), strict=True))


def test_a_shop_by_revenue(shop):
    """Each line sold for 3.34; order 1 has two lines of a."""
    assert named(HighUtility(1).fit(shop_values(shop), Run())) == {
        ("a",): Decimal("6.68"),
        ("b",): Decimal("6.68"),
        ("a", "b"): Decimal("10.02"),
    }


def test_a_shop_by_margin(shop):
    """Two units a line: a costs 1 (6.68 - 4 = 2.68), b costs 1.9 (3.34 - 3.80 = -0.46, twice)."""
    costs = pl.DataFrame({"product_id": ["a", "b"], "unit_cost": [Decimal("1"), Decimal("1.9")]})
    assert named(HighUtility(1).fit(shop_values(shop, costs), Run())) == {
        ("a",): Decimal("2.68"),
        ("a", "b"): Decimal("2.22"),
    }


def test_costs_that_do_not_fit_are_refused(shop):
    with pytest.raises(DataError, match="no column unit_cost"):
        shop_values(shop, pl.DataFrame({"product_id": ["a"]}))
    with pytest.raises(DataError, match="1 products that were sold have no unit_cost, such as 'b'"):
        shop_values(shop, pl.DataFrame({"product_id": ["a"], "unit_cost": [1]}))
    with pytest.raises(DataError, match="has 2 costs"):
        shop_values(shop, pl.DataFrame({"product_id": ["a", "a", "b"], "unit_cost": [1, 2, 3]}))
