"""An index in files: mapped when read, refused when a bit of it differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import NotFound, ReleaseDamaged
from basketry.core.protocols import Run
from basketry.vectors import VectorIndex, VectorIndexing, read_index, write_index

RUN = Run(threads=1)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(2_000, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture(scope="module", params=["exact", "ivf", "hnsw"])
def index(request, vectors) -> VectorIndex:
    made = VectorIndexing(way=request.param, sample=50, links=8).fit(vectors[:1_900], RUN)
    return made.without([5, 7]).with_added([9_000], vectors[1_900:1_901])


def test_what_is_written_is_read_and_mapped(index, vectors, tmp_path: Path) -> None:
    write_index(tmp_path / "index", index)
    back = read_index(tmp_path / "index")
    assert np.array_equal(back.search(vectors[1_900:], 10).ids, index.search(vectors[1_900:], 10).ids)
    assert not back.vectors.flags.owndata and not back.vectors.flags.writeable
    assert (back.way(), back.recall, len(back)) == (index.way(), index.recall, len(index))
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == [
        "index.json",
        "index.safetensors",
        "vectors.safetensors",
    ]


def test_an_index_that_was_read_outlives_its_files(index, vectors, tmp_path: Path) -> None:
    write_index(tmp_path, index)
    back = read_index(tmp_path)
    write_index(tmp_path, VectorIndexing().fit(vectors[:3], RUN))
    assert np.array_equal(back.search(vectors[1_900:], 10).ids, index.search(vectors[1_900:], 10).ids)
    assert len(read_index(tmp_path)) == 3


@pytest.mark.parametrize("name", ["index.json", "index.safetensors", "vectors.safetensors"])
def test_a_flipped_bit_anywhere_is_refused_before_anything_is_parsed(index, tmp_path: Path, name: str) -> None:
    write_index(tmp_path, index)
    content = bytearray((tmp_path / name).read_bytes())
    for place in np.random.default_rng(1).integers(0, len(content), 5):
        content[place] ^= 4
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReleaseDamaged):
            read_index(tmp_path)
        content[place] ^= 4


def test_what_is_not_there_or_names_other_files_is_refused(index, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no vector index"):
        read_index(tmp_path)
    write_index(tmp_path, index)
    (tmp_path / "vectors.safetensors").unlink()
    with pytest.raises(ReleaseDamaged, match=r"vectors\.safetensors differs"):
        read_index(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"body": {"/etc/passwd": "0"}, "sha256": "0"}))
    with pytest.raises(ReleaseDamaged, match="cannot be believed"):
        read_index(tmp_path)
