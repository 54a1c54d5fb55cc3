"""Baskets come back as they were written, wherever the rows were cut, and a flipped bit anywhere is found before use."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from basketry.associations.baskets import BasketMatrix
from basketry.core.errors import DataError, StorageError
from basketry.core.tables import Baskets
from basketry.store import basket_file
from basketry.store.arrays import read_arrays
from basketry.store.basket_file import BasketFile, BasketPart, write_baskets, write_frames

N_PRODUCTS = 6
DAY = dt.date(2024, 1, 1)

worlds = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.sets(st.integers(0, N_PRODUCTS - 1), min_size=1)), max_size=9
).map(lambda rows: sorted(rows, key=lambda row: row[:2]))


def rows(world):
    """The world as rows of the Baskets contract."""
    lines = [
        (basket, product, customer, DAY + dt.timedelta(days=day))
        for basket, (customer, day, products) in enumerate(world)
        for product in sorted(products)
    ]
    return Baskets.validate(
        pl.DataFrame(lines, {"basket": pl.Int32, "product": pl.Int32, "customer": pl.Int32, "day": pl.Date}, orient="row")
    )


def part(*baskets, customers=None):
    indptr = np.cumsum([0, *map(len, baskets)]).astype(np.int64)
    items = np.array([item for basket in baskets for item in basket], dtype=np.int32)
    who = np.arange(len(baskets), dtype=np.int32) if customers is None else np.array(customers, dtype=np.int32)
    return BasketPart(indptr, items, who, np.zeros(len(baskets), np.int32))


@given(worlds, st.lists(st.integers(0, 40), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_frames_cut_anywhere_are_the_matrix_of_the_whole(tmp_path, world, cuts):
    whole = rows(world)
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    frames = [whole[first:last] for first, last in itertools.pairwise(edges)]
    assert write_frames(tmp_path / "b", iter(frames), N_PRODUCTS) == len(world)
    opened = BasketFile.open(tmp_path / "b")
    matrix = BasketMatrix.from_frames(iter([whole]), N_PRODUCTS)
    assert opened.n_products == N_PRODUCTS and len(opened) == len(matrix)
    for name in ("indptr", "items", "customers", "days"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(matrix, name))
    assert [each.name for each in tmp_path.iterdir()] == ["b"]


def test_it_is_a_safetensors_file_with_aligned_arrays(tmp_path):
    write_baskets(tmp_path / "b", [part([0, 1], [2]), part([1, 2, 5], customers=[7])], N_PRODUCTS)
    opened, reference = BasketFile.open(tmp_path / "b"), load_file(tmp_path / "b")
    assert reference.keys() == read_arrays(tmp_path / "b").keys() == {"indptr", "items", "customers", "days"}
    for name, array in reference.items():
        mapped = getattr(opened, name)
        np.testing.assert_array_equal(mapped, array)
        assert mapped.flags.aligned and not mapped.flags.owndata and not mapped.flags.writeable
    assert opened.indptr.tolist() == [0, 2, 3, 6] and opened.items.tolist() == [0, 1, 2, 1, 2, 5]


def test_a_part_starts_at_zero_and_survives_forgetting(tmp_path):
    write_baskets(tmp_path / "b", [part([0, 1], [2], [1, 2, 5])], N_PRODUCTS)
    opened = BasketFile.open(tmp_path / "b")
    second = opened.part(1, 3)
    opened.forget()
    assert second.indptr.tolist() == [0, 1, 4] and second.items.tolist() == [2, 1, 2, 5] and second.customers.tolist() == [1, 2]
    assert len(opened.part(1, 1)) == 0


def test_every_flipped_bit_is_found(tmp_path):
    write_baskets(tmp_path / "b", [part([0, 1], [2])], N_PRODUCTS)
    good = (tmp_path / "b").read_bytes()
    for at in range(len(good)):
        for bit in (0, 5) if at % 16 else range(8):
            (tmp_path / "b").write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
            with pytest.raises(StorageError, match="damaged"):
                BasketFile.open(tmp_path / "b")


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:100], lambda _: b"", lambda b: b[8:]])
def test_cut_and_lengthened_files_are_refused(tmp_path, spoil):
    write_baskets(tmp_path / "b", [part([0, 1], [2])], N_PRODUCTS)
    (tmp_path / "b").write_bytes(spoil((tmp_path / "b").read_bytes()))
    with pytest.raises(StorageError, match="damaged"):
        BasketFile.open(tmp_path / "b")


def test_a_missing_file_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        BasketFile.open(tmp_path / "b")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part([0], customers=[3]), part([0], customers=[2])], "order of customer"),
        ([part([0], [1], customers=[3, 2])], "order of customer"),
        ([part([0], customers=[-1])], "order of customer"),
        ([part([N_PRODUCTS])], r"outside \[0, 6\)"),
        ([part([-1])], r"outside \[0, 6\)"),
        ([BasketPart(np.array([0, 2, 1]), np.zeros(1, np.int32), *[np.zeros(2, np.int32)] * 2)], "order of customer"),
        ([BasketPart(np.array([0, 2]), np.zeros(1, np.int32), *[np.zeros(1, np.int32)] * 2)], "do not fit"),
        ([BasketPart(np.array([1, 1]), np.zeros(1, np.int32), *[np.zeros(1, np.int32)] * 2)], "do not fit"),
        ([BasketPart(np.array([0, 1]), np.zeros(1, np.int32), *[np.zeros(2, np.int32)] * 2)], "do not fit"),
    ],
)
def test_broken_parts_are_refused_and_the_old_file_stays(tmp_path, parts, words):
    write_baskets(tmp_path / "b", [part([0, 1])], N_PRODUCTS)
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(DataError, match=words):
        write_baskets(tmp_path / "b", [part([0], customers=[0]), *parts], N_PRODUCTS)
    assert (tmp_path / "b").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"basket": [1, 0], "customer": [0, 0], "day": [DAY, DAY]},
        {"basket": [0, 0], "customer": [0, 1], "day": [DAY, DAY]},
        {"basket": [0, 0], "customer": [0, 0], "day": [DAY, DAY + dt.timedelta(days=1)]},
    ],
)
@pytest.mark.parametrize("cut", [1, 2])
def test_rows_out_of_order_are_refused_wherever_they_are_cut(tmp_path, columns, cut):
    frame = Baskets.validate(pl.DataFrame({"product": [0, 1], **columns}), cast=True)
    with pytest.raises(DataError, match="order of customer"):
        write_frames(tmp_path / "b", iter([frame[:cut], frame[cut:]]), N_PRODUCTS)
    assert list(tmp_path.iterdir()) == []


def test_many_parts_and_small_chunks_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(basket_file, "_CHUNK", 8)
    parts = (part([0, 1], customers=[i]) for i in range(20))
    assert write_baskets(tmp_path / "b", parts, N_PRODUCTS) == 20
    assert BasketFile.open(tmp_path / "b").items.tolist() == [0, 1] * 20


def test_no_baskets_at_all(tmp_path):
    write_baskets(tmp_path / "b", [], 0)
    assert len(BasketFile.open(tmp_path / "b")) == 0 and BasketFile.open(tmp_path / "b").indptr.tolist() == [0]
