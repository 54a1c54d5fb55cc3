"""Baskets in every form are the same baskets, and what is no basket is refused by name and place."""

import datetime as dt
import random
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.inputs import transactions
from basketry.core.errors import DataError, RequestError, SourceColumns

TEXT = st.text(min_size=1, max_size=3)
WORLDS = st.one_of(
    st.lists(st.sets(st.sampled_from(["tea", "jam", "bun", "007", "7", " 7", "", "蛋糕", "=1+1"]), max_size=6), max_size=12),
    st.lists(st.sets(st.sampled_from([0, 1, 7, 10**12, -5]), max_size=5), max_size=12),
)


def listed(found):
    names, items = found.names.to_list(), found.baskets.items.tolist()
    return [{names[code] for code in items[a:b]} for a, b in pairwise(found.baskets.indptr.tolist())]


def sound(found):
    """What every kernel relies on."""
    baskets = found.baskets
    assert baskets.indptr.dtype == np.int64 and baskets.items.dtype == np.int32
    assert baskets.customers.dtype == np.int32 and baskets.days.dtype == np.int32
    assert len(baskets.indptr) == len(baskets) + 1 and baskets.indptr[-1] == len(baskets.items)
    assert (np.diff(baskets.customers) >= 0).all()
    assert found.names.n_unique() == len(found.names) == baskets.n_products
    for a, b in pairwise(baskets.indptr.tolist()):
        assert (np.diff(baskets.items[a:b]) > 0).all()
    return found


@given(WORLDS)
def test_lists_sets_tuples_arrays_and_generators_are_the_same_baskets(world):
    for form in (
        [list(basket) for basket in world],
        world,
        tuple(tuple(basket) for basket in world),
        [list(basket) * 2 for basket in world],
        [iter(list(basket)) for basket in world],
        pl.Series([list(basket) for basket in world]),
        pd.Series([list(basket) for basket in world], dtype=object),
        pl.DataFrame({"names": [list(basket) for basket in world]}) if world else [],
        pd.DataFrame({"names": [list(basket) for basket in world]}) if world else [],
    ):
        found = sound(transactions(form))
        assert listed(found) == world
        assert found.names.to_list() == sorted(set().union(*world))


@given(WORLDS, st.randoms(use_true_random=False))
def test_a_long_table_in_any_library_and_any_order_is_the_same_baskets(world, order: random.Random):
    world = [basket for basket in world if basket]
    rows = [(f"b{place}", name) for place, basket in enumerate(world) for name in basket for _ in range(order.choice([1, 2]))]
    order.shuffle(rows)
    shown = list(dict.fromkeys(basket for basket, _ in rows))
    wanted = [world[int(basket[1:])] for basket in shown]
    kind = {"item": pl.Int64 if world and isinstance(next(iter(world[0])), int) else pl.String}
    frame = pl.DataFrame(
        {"order_id": [b for b, _ in rows], "item": [i for _, i in rows]}, schema_overrides=kind | {"order_id": pl.String}
    )
    for form in (
        frame,
        frame.lazy(),
        frame.to_arrow(),
        frame.to_pandas(),
        frame.with_columns(pl.col("order_id").cast(pl.Categorical)),
        frame.with_columns(pl.col("order_id").str.slice(1).cast(pl.Int64)),
        frame.rename({"order_id": "a", "item": "b"}),
        frame.with_columns(price=pl.lit(1.5)),
        pa.Table.from_pandas(frame.to_pandas()),
    ):
        assert listed(sound(transactions(form))) == wanted
    if kind["item"] == pl.String and rows:
        frame = pd.DataFrame(rows, columns=["order_id", "item"])
        for dtype in ("category", "object", "string"):
            assert listed(sound(transactions(frame.astype({"item": dtype})))) == wanted


@given(WORLDS)
def test_a_one_hot_table_in_any_library_is_the_same_baskets_with_empty_ones_counted(world):
    names = sorted(set().union(*world))
    marks = np.array([[name in basket for name in names] for basket in world], dtype=bool).reshape(len(world), len(names))
    text = [str(name) for name in names]
    of_text = [{str(name) for name in basket} for basket in world]
    forms = [
        (marks, {"names": names}, world),
        (marks.astype(np.float32), {"names": names}, world),
        (sp.csr_matrix(marks), {"names": names}, world),
        (sp.coo_array(marks.astype(float)), {"names": names}, world),
        (sp.csc_array(marks.astype(np.int8)), {"names": names}, world),
        (marks, {}, [{names.index(name) for name in basket} for basket in world]),
    ]
    if len(set(text)) == len(names) and names and world:
        forms += [
            (pd.DataFrame(marks, columns=names), {}, world),
            (pd.DataFrame(marks, columns=names).astype("boolean"), {}, world),
            (pd.DataFrame(marks, columns=names).astype(pd.SparseDtype(bool, fill_value=False)), {}, world),
        ]
    if len(set(text)) == len(names) and names and world and "" not in text:  # Polars calls a column without a name column_0
        forms += [
            (pl.DataFrame(marks, schema=text), {}, of_text),
            (pl.DataFrame(marks, schema=text).to_arrow(), {}, of_text),
        ]
        if len(names) != 2:
            forms += [
                (pd.DataFrame(marks.astype(int), columns=names), {}, world),
                (pd.DataFrame(marks.astype(float), columns=names).astype("Float64"), {}, world),
                (pd.DataFrame(marks.astype(int), columns=names).astype(pd.SparseDtype(int, 0)), {}, world),
            ]
    for form, asked, wanted in forms:
        found = sound(transactions(form, **asked))
        assert listed(found) == wanted
        assert len(found.names) == len(names)


def test_customers_and_times_order_the_baskets_and_stay_with_them():
    rows = [
        ("x", "tea", "ann", "2024-03-02"),
        ("y", "jam", "ann", "2024-03-01"),
        ("z", "bun", None, "2024-01-01"),
        ("x", "bun", "ann", "2024-03-02"),
    ]
    frame = pl.DataFrame(rows, schema=["order", "item", "who", "when"], orient="row")
    found = sound(transactions(frame, customer="who", time="when"))
    assert listed(found) == [{"jam"}, {"tea", "bun"}, {"bun"}]
    assert found.baskets.customers.tolist() == [0, 0, 1]
    assert found.baskets.days.tolist() == [19783, 19784, 19723]
    for kind in (pl.Date, pl.Datetime("ns"), pl.Datetime("ms")):
        typed = frame.with_columns(pl.col("when").str.to_date().cast(kind))
        for form in (typed, typed.to_pandas()):
            again = transactions(form, customer="who", time="when")
            assert listed(again) == listed(found)
            assert again.baskets.days.tolist() == found.baskets.days.tolist()


def test_the_day_is_the_local_one_and_the_hour_orders_within_it():
    at = [dt.datetime(2024, 1, 1, 23, 30, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 22, 30, tzinfo=dt.UTC)]
    frame = pl.DataFrame({"order": [1, 2], "item": ["tea", "jam"], "who": [1, 1], "at": at}).with_columns(
        pl.col("at").dt.convert_time_zone("Europe/Berlin")
    )
    for form in (frame, frame.to_pandas()):
        found = transactions(form, customer="who", time="at")
        assert listed(found) == [{"jam"}, {"tea"}]
        assert found.baskets.days.tolist() == [19723, 19724]


def test_every_anonymous_basket_is_a_customer_of_its_own():
    frame = pl.DataFrame({"order": [1, 2, 3, 4], "item": list("abcd"), "who": ["z", None, None, "z"]})
    found = sound(transactions(frame, customer="who"))
    assert found.baskets.customers.tolist() == [0, 0, 1, 2]
    gaps = pd.DataFrame({"order": [1, 2, 3], "item": list("abc"), "who": [17850.0, np.nan, np.nan]})
    assert sound(transactions(gaps, customer="who")).baskets.customers.tolist() == [0, 1, 2]


def test_explicit_zeros_and_entries_stored_twice_are_what_scipy_says():
    stored = sp.csr_matrix((np.array([1, 0, 3]), np.array([0, 1, 2]), np.array([0, 2, 3])), shape=(2, 3))
    assert listed(sound(transactions(stored))) == [{0}, {2}]
    twice = sp.coo_matrix(([1, -1, 2], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert listed(sound(transactions(twice))) == [set(), {0}]
    unsorted = sp.csr_matrix((np.ones(3), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    before = unsorted.indices.copy()
    assert listed(sound(transactions(unsorted))) == [{0, 2}, {1}]
    assert (unsorted.indices == before).all(), "the caller's matrix must stay as it is"


def test_a_sparse_table_that_would_take_terabytes_dense_is_read():
    rows = np.arange(1_000_000)
    wide = sp.coo_matrix((np.ones(len(rows), dtype=bool), (rows, rows)), shape=(1_000_000, 1_000_000))
    found = transactions(wide)
    assert len(found) == 1_000_000 and len(found.baskets.items) == 1_000_000
    frame = pd.DataFrame({f"p{n}": pd.arrays.SparseArray([], dtype=pd.SparseDtype(bool, False)) for n in range(3)})
    long = pd.DataFrame(
        {name: pd.arrays.SparseArray(np.zeros(0, dtype=bool), dtype=pd.SparseDtype(bool, False)) for name in frame.columns}
    )
    assert len(transactions(long)) == 0


REFUSED = [
    (pl.DataFrame({"a": [0, 1, 2], "b": [1, 1, 7], "c": [0, 0, 0]}), DataError, r"column 'a' has 1 .*: 2 in row 3"),
    (pd.DataFrame({"a": [0, 1, 2], "b": [1, 1, 7], "c": [0, 0, 0]}), DataError, r"column 'a' has 1 .*: 2 in row 3"),
    (pd.DataFrame({"a": [0, np.nan, 1], "b": 0.0, "c": 0.0}), DataError, r"column 'a' .* nan in row 2"),
    (pl.DataFrame({"a": [True, None], "b": [True, True]}), DataError, "column 'a' has 1 nulls, such as in row 2"),
    (pd.DataFrame({"a": pd.arrays.SparseArray([1.0, np.nan, 1.0]), "b": 0, "c": 1}), DataError, "filled with nan"),
    (np.array([[0, 1], [5, 0]]), DataError, "column 0 has 1 .*: 5 in row 2"),
    (np.zeros((2, 2, 2)), DataError, "3 dimensions"),
    (np.array([["a"]]), DataError, "the array holds"),
    (sp.csr_matrix([[np.nan, 1.0]]), DataError, "NaN"),
    (pl.DataFrame({"order": [1, None], "item": ["a", "b"]}), DataError, "1 of 2 rows have no basket in 'order', such as row 2"),
    (pl.DataFrame({"order": [1, 2], "item": ["a", None]}), DataError, "no item in 'item'"),
    (pd.DataFrame({"order": [1, 2], "item": ["a", np.nan]}), DataError, "no item in 'item'"),
    (pl.DataFrame({"order": [1, 2], "item": [1.5, 2.0]}), DataError, "items in 'item' are Float64, such as 1.5"),
    (pd.DataFrame({"order": [1, 2], "item": ["a", 2]}), DataError, "holds int, str"),
    (pl.DataFrame({"x": ["1"], "y": ["2"], "z": ["3"]}), SourceColumns, "basket and item; the columns are 'x', 'y', 'z'"),
    (pl.DataFrame({"order": ["1"], "y": ["2"], "z": ["3"]}), SourceColumns, "known as item"),
    (pl.DataFrame({"a": [0, 1], "b": [1, 1]}), RequestError, "could be baskets and items, or two items"),
    (["tea", "jam"], DataError, "basket 1 is str 'tea'"),
    ([["tea"], None], DataError, "basket 2 is NoneType"),
    ([["tea"], [None]], DataError, "None in basket 2"),
    ([["tea", float("nan")], ["jam"]], DataError, "nan in basket 1"),
    ([["tea"], ["jam", 3]], DataError, "3 in basket 2"),
    ([[1], [True]], DataError, "True in basket 2"),
    ([[1.5]], DataError, "1.5 in basket 1"),
    ([[2**70]], DataError, "64 bits"),
    ([[("a", 1)]], DataError, "in basket 1"),
    (pl.Series([["a"], None]), DataError, "1 baskets of .* are null"),
    (pl.Series(["a"]), DataError, "not lists"),
    (pd.DataFrame([[True, False]], columns=["a", "a"]), DataError, "share a name"),
    (3, RequestError, "cannot be read from int"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "error", "told"), REFUSED)
def test_what_is_no_basket_is_refused_by_name_and_place(data, error, told):
    with pytest.raises(error, match=told):
        transactions(data)


def test_a_basket_with_two_customers_or_two_days_is_refused():
    frame = pl.DataFrame({"order": [1, 1, 2], "item": ["a", "b", "a"], "who": ["x", "y", "x"], "day": [1, 2, 3]})
    with pytest.raises(DataError, match="1 baskets have more than one who, such as 1"):
        transactions(frame, customer="who")
    with pytest.raises(DataError, match="more than one day"):
        transactions(frame, time="day")
    with pytest.raises(SourceColumns, match="no column 'nobody'"):
        transactions(frame, customer="nobody")


def test_neither_pandas_nor_scipy_nor_pyarrow_is_imported_for_other_data():
    import subprocess
    import sys

    code = (
        "import sys, basketry; assert 'numpy' not in sys.modules and 'polars' not in sys.modules;"
        "assert len(basketry.mine([['a', 'b'], ['a']], 1)) == 3;"
        "assert not {'pandas', 'scipy', 'pyarrow', 'sklearn', 'duckdb'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
