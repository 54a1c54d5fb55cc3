from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.core.errors import DataError
from basketry.core.tables import Baskets

DAY = dt.date(2017, 1, 2)
TYPES = (pl.Int32, pl.Int32, pl.Int32, pl.Date)
ROWS = [(0, 3, 0, DAY), (0, 1, 0, DAY), (1, 2, 0, DAY), (2, 0, 1, DAY), (2, 3, 1, DAY), (2, 1, 1, DAY)]


def frame(rows):
    columns = ("basket", "product", "customer", "day")
    return Baskets.validate(pl.DataFrame(rows, schema=dict(zip(columns, TYPES, strict=True)), orient="row"))


@given(st.lists(st.integers(0, len(ROWS)), max_size=4).map(sorted))
def test_frames_may_be_cut_anywhere(cuts):
    edges = [0, *cuts, len(ROWS)]
    matrix = BasketMatrix.from_frames((frame(ROWS[i:j]) for i, j in pairwise(edges)), 4)
    assert matrix.indptr.tolist() == [0, 2, 3, 6]
    assert matrix.items.tolist() == [3, 1, 2, 0, 3, 1]
    assert matrix.customers.tolist() == [0, 0, 1]
    assert matrix.days.tolist() == [17168] * 3
    assert (matrix.indptr.dtype, matrix.items.dtype, matrix.days.dtype) == (np.int64, np.int32, np.int32)


def test_no_frames_and_empty_frames_are_no_baskets():
    for frames in ([], [frame([])]):
        matrix = BasketMatrix.from_frames(iter(frames), 4)
        assert (len(matrix), matrix.indptr.tolist()) == (0, [0])


@pytest.mark.parametrize(
    "rows",
    [
        [ROWS[2], ROWS[0]],
        [(0, 1, 1, DAY), (1, 1, 0, DAY)],
        [(0, 1, 0, DAY), (0, 2, 1, DAY)],
        [(0, 1, 0, DAY), (0, 2, 0, dt.date(2017, 1, 3))],
    ],
)
def test_rows_out_of_order_are_refused(rows):
    with pytest.raises(DataError, match="order of customer"):
        BasketMatrix.from_frames(iter([frame(rows)]), 4)


def test_products_outside_the_catalogue_are_refused():
    with pytest.raises(DataError, match=r"outside \[0, 3\)"):
        BasketMatrix.from_frames(iter([frame(ROWS)]), 3)


def test_select_keeps_order_and_content():
    matrix = BasketMatrix.from_frames(iter([frame(ROWS)]), 4)
    chosen = matrix.select(np.array([True, False, True]))
    assert chosen.indptr.tolist() == [0, 2, 5]
    assert chosen.items.tolist() == [3, 1, 0, 3, 1]
    assert chosen.customers.tolist() == [0, 1]
