from __future__ import annotations

import hashlib
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from basketry.core.errors import EncoderError, StorageError
from basketry.core.telemetry import Span, attached
from basketry.encoders.cache import CHUNK, FILES, CachedEncoder

TEXTS = [f"text {number}" for number in range(2 * CHUNK + 500)]


class Counting:
    """An encoder whose vectors follow from the text alone, that writes down what it is asked and can die on demand."""

    dim = 4

    def __init__(self, name: str = "counting", die_at: int | None = None) -> None:
        self.name, self.die_at, self.asked = name, die_at, list[int]()

    def encode(self, documents: Sequence[str]) -> np.ndarray:
        if len(self.asked) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.asked.append(len(documents))
        rows = np.array([np.frombuffer(hashlib.sha256(t.encode()).digest()[:4], dtype=np.uint8) for t in documents]) + 1.0
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _killed(folder: Path, dying: str) -> None:
    """Encode TEXTS in a process that kills itself where `dying` says."""
    program = f"""
import hashlib, os, signal
from collections.abc import Sequence
from pathlib import Path
import numpy as np
from basketry.encoders.cache import CHUNK, CachedEncoder
{inspect.getsource(Counting)}
die_at = None
{dying}
CachedEncoder(Counting(die_at=die_at), Path({str(folder)!r})).encode([f"text {{n}}" for n in range(2 * CHUNK + 500)])
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def test_the_second_time_nothing_is_encoded(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    expected = Counting().encode(TEXTS)
    assert np.array_equal(CachedEncoder(first, tmp_path).encode(TEXTS), expected)
    assert first.asked == [CHUNK, CHUNK, 500]
    assert np.array_equal(CachedEncoder(second, tmp_path).encode(TEXTS[::-1]), expected[::-1])
    assert second.asked == []


def test_equal_texts_are_encoded_once(tmp_path: Path) -> None:
    inner = Counting()
    vectors = CachedEncoder(inner, tmp_path).encode(["milk", "bread", "milk", "milk"])
    assert inner.asked == [2]
    assert np.array_equal(vectors[0], vectors[2])


def test_only_what_is_new_is_encoded(tmp_path: Path) -> None:
    inner = Counting()
    cached = CachedEncoder(inner, tmp_path)
    cached.encode(["milk", "bread"])
    cached.encode(["bread", "butter", "milk"])
    assert inner.asked == [2, 1]


def test_another_encoder_shares_nothing(tmp_path: Path) -> None:
    CachedEncoder(Counting("one"), tmp_path).encode(["milk"])
    other = Counting("other")
    CachedEncoder(other, tmp_path).encode(["milk"])
    assert other.asked == [1]


def test_a_run_killed_while_encoding_goes_on_at_the_last_chunk(tmp_path: Path) -> None:
    _killed(tmp_path, "die_at = 2")
    assert len(_files(tmp_path)) == 2
    inner = Counting()
    assert np.array_equal(CachedEncoder(inner, tmp_path).encode(TEXTS), Counting().encode(TEXTS))
    assert inner.asked == [500]


@pytest.mark.parametrize(("call", "kept"), [("fsync", 0), ("replace", 0), ("second fsync", 1)])
def test_a_run_killed_while_writing_leaves_no_half_chunk(tmp_path: Path, call: str, kept: int) -> None:
    die = "os.kill(os.getpid(), signal.SIGKILL)"
    dying = {
        "fsync": f"os.fsync = lambda _: {die}",
        "replace": f"Path.replace = lambda *_: {die}",
        "second fsync": f"real = os.fsync\ndef die(_): {die}\ndef live(n): os.fsync = die; real(n)\nos.fsync = live",
    }
    _killed(tmp_path, dying[call])
    assert len(_files(tmp_path)) == kept
    inner = Counting()
    assert np.array_equal(CachedEncoder(inner, tmp_path).encode(TEXTS), Counting().encode(TEXTS))
    assert sum(inner.asked) == len(TEXTS) - kept * CHUNK


def test_a_leftover_of_a_killed_run_is_swept_when_it_is_old(tmp_path: Path) -> None:
    _killed(tmp_path, "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)")
    (partial,) = tmp_path.rglob(".*")
    CachedEncoder(Counting(), tmp_path)
    assert partial.exists(), "it could belong to a run under way"
    os.utime(partial, (0, 0))
    CachedEncoder(Counting(), tmp_path)
    assert not partial.exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_chunk_is_encoded_again(tmp_path: Path, damage: str) -> None:
    CachedEncoder(Counting(), tmp_path).encode(TEXTS)
    file = _files(tmp_path)[0]
    content = bytearray(file.read_bytes())
    content[-7] ^= 64
    file.write_bytes({"flip": bytes(content), "cut": bytes(content[:-100]), "empty": b""}[damage])
    inner = Counting()
    assert np.array_equal(CachedEncoder(inner, tmp_path).encode(TEXTS), Counting().encode(TEXTS))
    assert inner.asked in ([CHUNK], [500])
    assert len(_files(tmp_path)) == 3


def test_refusals_pass_through_and_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="empty"):
        CachedEncoder(Counting(), tmp_path).encode(["milk", ""])
    assert _files(tmp_path) == []
    assert CachedEncoder(Counting(), tmp_path).encode([]).shape == (0, 4)


def test_a_folder_that_cannot_be_one_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use the cache"):
        CachedEncoder(Counting(), tmp_path / "file")


def test_a_chunk_that_vanishes_while_in_use_is_a_storage_error(tmp_path: Path) -> None:
    cached = CachedEncoder(Counting(), tmp_path)
    cached.encode(["milk"])
    _files(tmp_path)[0].unlink()
    with pytest.raises(StorageError, match="changed while in use"):
        cached.encode(["milk"])


def test_files_are_remembered_by_content(tmp_path: Path) -> None:
    class Files(Counting):
        def encode(self, documents: Sequence[bytes]) -> np.ndarray:
            return super().encode([content.hex() for content in documents])

    documents = [bytes([number % 200, 7]) for number in range(300)]
    first, second = Files(), Files()
    vectors = CachedEncoder(first, tmp_path).encode(documents)
    assert first.asked == [200]
    assert np.array_equal(vectors, Files().encode(documents))
    assert np.array_equal(CachedEncoder(second, tmp_path).encode(documents[::-1]), vectors[::-1])
    assert second.asked == []
    many = [number.to_bytes(2) for number in range(1, FILES + 11)]
    third = Files("third")
    CachedEncoder(third, tmp_path).encode(many)
    assert third.asked == [FILES, 10]
    for wrong in ([b""], b"one file"):
        with pytest.raises(EncoderError):
            CachedEncoder(second, tmp_path).encode(wrong)


def test_progress_is_told_chunk_by_chunk(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    class Listener:
        def started(self, span: Span) -> None: ...

        def advanced(self, span: Span) -> None:
            seen.append((span.done, span.total))

        def ended(self, span: Span, error: BaseException | None) -> None: ...

    with attached(Listener()):
        CachedEncoder(Counting(), tmp_path).encode(TEXTS)
    assert seen == [(CHUNK, len(TEXTS)), (2 * CHUNK, len(TEXTS)), (len(TEXTS), len(TEXTS))]


def test_a_file_under_its_own_hash_that_is_no_chunk_is_deleted(tmp_path: Path) -> None:
    CachedEncoder(Counting(), tmp_path).encode(TEXTS[:3])
    (good,) = _files(tmp_path)
    strays = []
    for content in (
        b"no tensors",
        save({"keys": np.zeros((2, 32), dtype=np.uint8)}),
        save({"keys": np.zeros(2), "vectors": np.zeros(2)}),
    ):
        strays.append(good.with_name(f"{hashlib.sha256(content).hexdigest()}.safetensors"))
        strays[-1].write_bytes(content)
    again = Counting()
    CachedEncoder(again, tmp_path).encode(TEXTS[:3])
    assert _files(tmp_path) == [good] and again.asked == []


def test_two_processes_open_and_fill_one_folder(tmp_path: Path) -> None:
    """Each opens the cache again and again while the others write files aside, rename them and delete broken ones."""
    program = f"""
import hashlib, os, sys
from collections.abc import Sequence
from pathlib import Path
import numpy as np, signal
from basketry.encoders.cache import CachedEncoder
{inspect.getsource(Counting)}
folder = Path({str(tmp_path)!r})
for number in range(150):
    cache = CachedEncoder(Counting(), folder)
    cache.encode([f"{{sys.argv[1]}} {{number}}"])
    (next(folder.iterdir()) / f"broken-{{sys.argv[1]}}-{{number}}.safetensors").write_bytes(b"x")
"""
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(number)], stderr=subprocess.PIPE, text=True) for number in range(3)
    ]
    told = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told
