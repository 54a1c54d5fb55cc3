from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("tokenizers")
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from basketry.core.errors import EncoderError
from basketry.encoders.state import EncoderState
from basketry.encoders.tokens import pieces_of, tokeniser


def state(rows: int = 4, **settings: object) -> EncoderState:
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "milk": 2, "bread": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    arrays = {"vectors": np.ones((rows, 2), dtype=np.float32)}
    return EncoderState("static", arrays, {"max_tokens": 3} | settings, {"tokenizer.json": words.to_str().encode()}, ())


def test_special_tokens_come_where_asked_for_and_texts_are_cut():
    texts = ["milk bread milk bread", "wine"]
    assert tokeniser(state(), "vectors", special=True)(texts) == [[1, 2, 3], [1, 0]]
    assert tokeniser(state(), "vectors", special=False)(texts) == [[2, 3, 2], [0]]


def test_a_vocabulary_larger_than_its_table_is_refused():
    with pytest.raises(EncoderError, match="ids up to 3, and vectors has 3 rows"):
        tokeniser(state(rows=3), "vectors", special=False)
    assert tokeniser(state(rows=3), "another table", special=False)(["bread"]) == [[3]]


@pytest.mark.parametrize("settings", [{"max_tokens": "many"}, {"max_tokens": -1}])
def test_a_length_that_is_none_is_refused(settings):
    with pytest.raises(EncoderError, match="cannot be read"):
        tokeniser(state(**settings), "vectors", special=False)


@pytest.mark.parametrize("files", [{}, {"tokenizer.json": b"{}"}])
def test_a_file_that_is_no_tokeniser_is_refused(files):
    with pytest.raises(EncoderError, match="cannot be read"):
        tokeniser(dataclasses.replace(state(), files=files), "vectors", special=False)


def test_no_tokens_at_all_cannot_be_read_of_a_text():
    with pytest.raises(EncoderError, match="max_tokens cannot be 0"):
        tokeniser(state(max_tokens=0), "vectors", special=True)


def test_pieces_that_were_added_count():
    words = Tokenizer.from_buffer(state().files["tokenizer.json"])
    words.add_special_tokens(["<mask>", "milk"])
    assert pieces_of(json.loads(words.to_str())) == {0: "[UNK]", 1: "[CLS]", 2: "milk", 3: "bread", 4: "<mask>"}
