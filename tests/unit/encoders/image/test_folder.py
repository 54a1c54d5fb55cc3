from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.encoders import CachedEncoder
from basketry.encoders.folder import SetAside, encode_files
from basketry.encoders.image.folder import read_images
from basketry.testing.encoders import images

PICTURES = images()


class Counting:
    """Vectors from the digest of a file; refuses a file that ends in BROKEN, as a decoder would; counts what it is asked."""

    name, dim = "counting", 4

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        for position, content in enumerate(documents):
            self.asked += 1
            if content.endswith(b"BROKEN"):
                raise EncoderError(f"document {position} cannot be read: torn", "leave it out")
        rows = np.array([np.frombuffer(hashlib.sha256(content).digest()[:4], dtype=np.uint8) for content in documents]) + 1.0
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "fruit").mkdir()
    for number, name in enumerate(["fruit/b.png", "fruit/a.jpg", "c.PNG", "d"]):
        (tmp_path / name).write_bytes(PICTURES[number])
    return tmp_path


def test_images_are_known_by_content_and_named_by_path(shelf: Path) -> None:
    (shelf / "notes.txt").write_text("no image")
    (shelf / ".hidden.png").write_bytes(PICTURES[0])
    found = read_images(shelf)
    assert found.names == ("c.PNG", "d", "fruit/a.jpg", "fruit/b.png")
    assert list(found.contents) == [PICTURES[number] for number in (2, 3, 1, 0)]
    assert list(found.contents[1:3]) == [PICTURES[3], PICTURES[1]]
    assert found.set_aside == ()


def test_what_is_no_image_is_set_aside_with_its_reason(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(PICTURES[0])
    (shelf / "link.png").symlink_to(outside)
    (shelf / "empty.png").write_bytes(b"")
    (shelf / "old.png").write_bytes(b"GIF89a")
    with (shelf / "huge.png").open("wb") as stream:
        stream.truncate(33 * 2**20)
    found = read_images(shelf)
    assert len(found.names) == 4
    assert found.set_aside == (
        SetAside("empty.png", "is empty"),
        SetAside("huge.png", "has 34,603,008 bytes; the limit is 33,554,432"),
        SetAside("link.png", "leads out of the folder"),
        SetAside("old.png", "is GIF, not JPEG, PNG or WebP"),
    )


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no folder at"):
        read_images(tmp_path / "nowhere")


def test_broken_images_are_set_aside_and_the_rest_encoded(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    for number in range(200):
        (shelf / f"many{number:03}.png").write_bytes(PICTURES[0] + str(number).encode())
    for number in (7, 150):
        (shelf / f"many{number:03}.png").write_bytes(PICTURES[0] + b"BROKEN")
    inner = Counting()
    cached = CachedEncoder(inner, tmp_path_factory.mktemp("vectors"))
    found = encode_files(cached, read_images(shelf))
    assert len(found.names) == len(found.vectors) == 202
    assert found.set_aside == tuple(SetAside(f"many{number:03}.png", "cannot be read: torn") for number in (7, 150))
    assert np.array_equal(found.vectors, Counting().encode([(shelf / name).read_bytes() for name in found.names]))
    before = inner.asked
    again = encode_files(cached, read_images(shelf))
    assert again.names == found.names
    assert np.array_equal(again.vectors, found.vectors)
    assert inner.asked - before < 40, "only the broken ones are tried again"


def test_an_encoder_that_fails_altogether_is_not_taken_for_broken_images(shelf: Path) -> None:
    class Failing(Counting):
        def encode(self, documents: Sequence[bytes]) -> np.ndarray:
            raise EncoderError("the model failed on all of it", "export it again")

    with pytest.raises(EncoderError, match="the model failed"):
        encode_files(Failing(), read_images(shelf))


def test_an_empty_folder_gives_no_vectors(tmp_path: Path) -> None:
    found = encode_files(Counting(), read_images(tmp_path))
    assert found.names == ()
    assert found.vectors.shape == (0, 4)


def test_a_file_that_vanishes_is_named(shelf: Path) -> None:
    found = read_images(shelf)
    (shelf / "d").unlink()
    with pytest.raises(EncoderError, match=r"cannot read .*/d"):
        found.contents[1]
