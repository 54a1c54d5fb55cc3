"""A text encoder as files: it comes back as it was, and what was tampered with is not read."""

import dataclasses
import json

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.encoders.state import ARRAYS, CARD, EncoderState, read_state, write_state


@pytest.fixture
def state():
    arrays = {"vectors": np.arange(6, dtype=np.float32).reshape(3, 2), "scale": np.array([0.5], dtype=np.float16)}
    return EncoderState("static", arrays, {"max_tokens": 8}, {"tokenizer.json": b"{}"}, ({"verb": "draw"},))


def test_what_was_written_is_read(tmp_path, state):
    write_state(tmp_path / "model", state)
    back = read_state(tmp_path / "model")
    assert (back.family, back.settings, back.files, back.history) == ("static", state.settings, state.files, state.history)
    assert {name: array.tolist() for name, array in back.arrays.items()} == {
        "vectors": [[0, 1], [2, 3], [4, 5]],
        "scale": [0.5],
    }
    assert back.digest == state.digest and back.bytes == 24 + 2 + 2


def test_a_head_goes_with_the_very_weights_it_was_trained_on(tmp_path, state):
    headed = state.with_head({"weights": np.eye(2, dtype=np.float32)})
    assert headed.digest == state.digest, "vectors are what they were"
    write_state(tmp_path / "headed", headed)
    back = read_state(tmp_path / "headed")
    assert back.own_head is not None and set(back.own_head) == {"weights"}
    changed = dataclasses.replace(back, arrays={**back.arrays, "vectors": back.arrays["vectors"] + 1})
    assert changed.own_head is None
    write_state(tmp_path / "changed", changed)
    assert read_state(tmp_path / "changed").head is None


def test_the_digest_is_of_all_that_makes_the_vectors_and_of_nothing_else(state):
    arrays = {**state.arrays, "vectors": state.arrays["vectors"].reshape(2, 3)}
    changed = [
        EncoderState("static", arrays, state.settings, state.files),
        EncoderState("static", state.arrays, {"max_tokens": 9}, state.files),
        EncoderState("static", state.arrays, state.settings, {"tokenizer.json": b"[]"}),
        EncoderState("ngram", state.arrays, state.settings, state.files),
    ]
    assert len({state.digest, *(each.digest for each in changed)}) == 5
    told = state.with_step({"verb": "adapt", "gain": 0.1})
    assert told.digest == state.digest and [step["verb"] for step in told.history] == ["draw", "adapt"]


@pytest.mark.parametrize("file", [ARRAYS, "tokenizer.json"])
def test_a_flipped_bit_is_refused(tmp_path, state, file):
    write_state(tmp_path, state)
    content = bytearray((tmp_path / file).read_bytes())
    content[-1] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(EncoderError, match=f"{file} differs from the sha256 on its card"):
        read_state(tmp_path)


def test_a_card_names_no_file_elsewhere(tmp_path, state):
    write_state(tmp_path / "model", state)
    (tmp_path / "secret").write_text("x")
    card = json.loads((tmp_path / "model" / CARD).read_text())
    for name in ("../secret", "/etc/hostname", ".hidden", "products.parquet", CARD):
        card["files"] = {name: "0" * 64}
        (tmp_path / "model" / CARD).write_text(json.dumps(card))
        with pytest.raises(EncoderError, match="names a file"):
            read_state(tmp_path / "model")


def test_no_file_but_a_tokeniser_is_written(tmp_path, state):
    """A release keeps its encoder beside its tables."""
    hostile = EncoderState("static", state.arrays, state.settings, {"associations.parquet": b"x"})
    with pytest.raises(EncoderError, match=r"names a file 'associations\.parquet'"):
        write_state(tmp_path, hostile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        pytest.param("[" * 200_000, "is damaged", id="a nest"),
        ('{"format": 2, "family": "static"}', "of format 2"),
        ('{"format": 1, "family": "magic"}', "family 'magic'"),
        ('{"format": 1, "family": "static", "files": {}}', "is damaged"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(tmp_path, card, said):
    (tmp_path / CARD).write_text(card)
    with pytest.raises(EncoderError, match=said):
        read_state(tmp_path)


def test_a_folder_without_a_card_is_no_model(tmp_path):
    with pytest.raises(EncoderError, match="cannot read the model"):
        read_state(tmp_path / "nothing")


def test_a_head_that_is_bound_to_nothing_is_for_others(state):
    assert dataclasses.replace(state, head={"weights": np.eye(2)}).own_head is None
