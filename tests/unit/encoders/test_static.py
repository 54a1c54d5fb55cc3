from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tokenizers")
from tokenizers import Tokenizer, models, pre_tokenizers

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.state import EncoderState
from basketry.encoders.static.encoder import StaticEncoder


def encoder(**arrays: np.ndarray) -> StaticEncoder:
    words = Tokenizer(models.WordLevel({"milk": 0, "bread": 1}, unk_token="milk"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    plain = {"vectors": np.eye(2, dtype=np.float32), "unknown": np.ones(2, dtype=np.float32)}
    named = {name.replace("__", "."): array.astype(np.float32) for name, array in arrays.items()}
    state = EncoderState("static", plain | named, {"max_tokens": 8}, {"tokenizer.json": words.to_str().encode()})
    return StaticEncoder.from_state(state, Run())


def test_rows_are_added_up():
    assert np.allclose(encoder().encode(["milk", "milk milk bread"]), [[1, 0], [2 / 5**0.5, 1 / 5**0.5]])


@pytest.mark.parametrize(
    "arrays",
    [
        {"vectors": np.full((2, 2), np.nan)},
        {"vectors": np.zeros((2, 2)), "unknown": np.zeros(2)},
        {"project__weight": np.array([[0, 1]])},  # takes all of milk's vector away
    ],
)
def test_a_vector_without_direction_is_refused(arrays):
    with pytest.raises(EncoderError, match="without direction"):
        encoder(**arrays).encode(["milk"])


@pytest.mark.parametrize("arrays", [{"vectors__scale": np.ones(1)}, {"project__weight": np.ones((3, 5))}])
def test_arrays_that_do_not_fit_are_refused_before_any_text_is_read(arrays):
    with pytest.raises(EncoderError, match=r"vectors\.scale is not"):
        encoder(**arrays)
