"""Arrays come back as they were, and what is not a safetensors file is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from basketry.core.errors import ReleaseDamaged, StorageError
from basketry.store.arrays import read_arrays, write_arrays

DTYPES = st.sampled_from(
    ["?", "i1", "u1", "<i2", ">i2", "<u2", "<f2", "<i4", ">i4", "<u4", "<f4", ">f4", "<i8", "<u8", "<f8", ">f8"]
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8), ARRAYS, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    arrays.pop("__metadata__", None)
    path = tmp_path / "arrays.safetensors"
    write_arrays(path, arrays)
    back = read_arrays(path)
    assert back.keys() == arrays.keys()
    reference = load_file(path)
    for name, array in arrays.items():
        assert back[name].shape == array.shape == reference[name].shape
        assert back[name].dtype == array.dtype.newbyteorder("<") == reference[name].dtype
        np.testing.assert_array_equal(back[name], array)
        assert not back[name].flags.writeable or back[name].size == 0


def test_any_memory_order_comes_back(tmp_path: Path) -> None:
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {"transposed": whole.T, "strided": whole[::2, ::-3], "fortran": np.asfortranarray(whole), "column": whole[:, 2]}
    write_arrays(tmp_path / "a", views)
    for name, array in read_arrays(tmp_path / "a").items():
        np.testing.assert_array_equal(array, views[name])


def test_vectors_are_mapped_not_copied(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", {"vectors": np.zeros((1000, 64), np.float32)})
    vectors = read_arrays(tmp_path / "a")["vectors"]
    assert not vectors.flags.owndata
    assert vectors.flags.c_contiguous and vectors.flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        vectors[0, 0] = 1


@pytest.mark.parametrize(
    "array", [np.array(["text"]), np.array([{}], object), np.array(["2025-01-01"], "M8[D]"), np.array([1j])]
)
def test_other_types_are_refused_and_nothing_is_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        write_arrays(tmp_path / "a", {"x": array})
    assert list(tmp_path.iterdir()) == []


def header(text: str, body: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + body


def entry(dtype: str, shape: object, offsets: object) -> str:
    return json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        b"\xff" * 8,
        header("{"),
        header("[]"),
        header("1"),
        header('{"x": 1}'),
        header('{"x": {}}'),
        header(entry("BF16", [1], [0, 2]), b"00"),
        header(entry("F32", [2], [0, 4]), b"0000"),
        header(entry("F32", [1], [0, 4]), b"000"),
        header(entry("F32", [1], [-4, 0]), b"0000"),
        header(entry("F32", [1], [0, 8]), b"00000000"),
        header(entry("F32", [-1, -1], [0, 4]), b"0000"),
        header(entry("F32", [1.5], [0, 6]), b"000000"),
        header(entry("F32", "1", [0, 4]), b"0000"),
        header(entry("F32", [1], [0]), b"0000"),
        header(entry("F32", [1], None), b"0000"),
        header("[" * 100_000),
        header(entry("U8", [0, 2**70], [0, 0])),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ReleaseDamaged):
        read_arrays(tmp_path / "a")


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        read_arrays(tmp_path / "a")
