"""A list column out of codes and offsets is what slicing says, and shares no fate with the arrays it came from."""

import gc

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.lists import lists
from basketry.core.errors import DataError

NAMES = st.one_of(
    st.just(pl.Series(["", "tea", "a name of more than twelve signs", "蛋糕", "=1"])), st.just(pl.Series([10**12, -1, 0, 7, 3]))
)


@given(NAMES, st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=8))
def test_rows_are_the_names_behind_the_codes(names, rows):
    codes = np.array([code for row in rows for code in row], dtype=np.int32)
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    found = lists(names, codes, indptr)
    assert found.dtype == pl.List(names.dtype)
    assert found.to_list() == [[names[code] for code in row] for row in rows]
    assert found.null_count() == 0


def test_the_column_outlives_its_arrays():
    names = pl.Series([f"a rather long name of item {n}" for n in range(1000)])
    codes, indptr = np.arange(1000, dtype=np.int32), np.arange(0, 1001, 10)
    found = lists(names, codes, indptr)
    codes[:] = 0
    indptr[:] = 0
    del codes, indptr
    gc.collect()
    junk = [np.full(1000, n) for n in range(100)]
    assert found[7].to_list() == names[70:80].to_list() and len(junk) == 100
    assert found.to_frame("x").to_arrow()["x"][99].as_py() == names[990:].to_list()


@pytest.mark.parametrize(
    ("codes", "indptr"), [([0], [0, 2]), ([0], [1, 1]), ([0, 0], [0, 2, 1, 2]), ([], []), ([5], [0, 1]), ([-1], [0, 1])]
)
def test_what_would_read_beyond_an_array_is_refused(codes, indptr):
    with pytest.raises(DataError):
        lists(pl.Series(["a", "b"]), np.array(codes, dtype=np.int32), np.array(indptr, dtype=np.int64))
