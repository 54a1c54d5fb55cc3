"""Fewer tokens: texts made of kept ones are as before, and other texts can still be read."""

from dataclasses import replace

import numpy as np
import pytest

import transformer_worlds
from basketry.compression.step import Materials
from basketry.compression.token_vectors import Static
from basketry.compression.vocabulary import Vocab, trimmed
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, load_state, tokeniser_of
from basketry.encoders.state import EncoderState
from basketry.testing.encoders import DOCUMENTS, check_encoder

pytest.importorskip("tokenizers", reason="needs the extra onnx")
from tokenizers import Tokenizer, models

SHOP = ("whole milk 1 l", "bread", "dog food 15 kg")


def test_a_transformer_reads_kept_words_as_before_and_spells_the_others():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    made = Vocab(frequent=0).apply(state, Materials(SHOP, (state,), Run(threads=1)))
    assert len(made.arrays["embeddings.word"]) < len(state.arrays["embeddings.word"])
    before, after = encoder_of(state, Run(threads=1)), encoder_of(made, Run(threads=1))
    texts = [*SHOP, "milk bread", "food food 1"]
    assert np.abs(before.encode(texts) - after.encode(texts)).max() < 1e-6
    check_encoder(after)
    assert len(tokeniser_of(made)(["tomatoes"])[0]) == 2 + len("tomatoes")  # letters, between [CLS] and [SEP]


def test_a_word_that_is_rare_is_spelt():
    state = transformer_worlds.transformer()
    made = Vocab(frequent=0, least=2).apply(state, Materials(("bread milk", "bread food"), (state,), Run(threads=1)))
    read = tokeniser_of(made)(["bread", "milk"])
    assert [len(one) for one in read] == [3, 2 + len("milk")]


def test_the_default_encoder_keeps_its_vectors_on_a_quarter_of_the_bytes():
    state = load_state("universal")
    texts = [*SHOP, "牛奶", "新鲜全脂牛奶 1升"]
    made = Vocab(frequent=0).apply(state, Materials(texts, (state,), Run(threads=1)))
    assert made.bytes < state.bytes / 4
    before, after = encoder_of(state, Run(threads=1)), encoder_of(made, Run(threads=1))
    assert np.abs(before.encode(texts) - after.encode(texts)).max() < 1e-6
    other = ["crème fraîche 30%", "unheard-of gizmo"]
    cosine = (before.encode(other) * after.encode(other)).sum(1)
    assert (cosine > 0.2).all(), "words that fell to pieces still point somewhere near"


def test_static_vectors_are_trimmed_with_their_tokeniser():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    materials = Materials(DOCUMENTS, (state,), Run(threads=1))
    static = Static().apply(state, materials)
    made = Vocab(frequent=0).apply(static, Materials(SHOP, (state,), Run(threads=1)))
    before, after = encoder_of(static, Run()), encoder_of(made, Run())
    assert len(made.arrays["vectors"]) < len(static.arrays["vectors"])
    assert np.abs(before.encode(SHOP) - after.encode(SHOP)).max() < 1e-6


def test_a_token_added_behind_the_vocabulary_is_kept_and_fitted():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    words = Tokenizer.from_buffer(state.files["tokenizer.json"])
    words.add_special_tokens(["<price>"])
    table = state.arrays["embeddings.word"]
    arrays = {**state.arrays, "embeddings.word": np.concatenate([table, table[-1:]])}
    state = replace(state, arrays=arrays, files={"tokenizer.json": words.to_str().encode()})
    texts = [*SHOP, "bread <price>"]
    materials = Materials(texts, (state,), Run(threads=1))
    made = Vocab(frequent=0).apply(state, materials)
    before, after = encoder_of(state, Run(threads=1)), encoder_of(made, Run(threads=1))
    assert np.abs(before.encode(texts) - after.encode(texts)).max() < 1e-6
    static = Static().apply(made, materials)
    assert len(static.arrays["vectors"]) == len(made.arrays["embeddings.word"]) < len(table)
    check_encoder(encoder_of(static, Run()))


def test_the_unknown_piece_of_a_unigram_model_is_kept():
    pieces = [("milk", -1.0), ("bread", -2.0), ("unknown", -9.0)]
    words = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    state = EncoderState("static", {"vectors": np.eye(3)}, {"max_tokens": 8}, {"tokenizer.json": words.to_str().encode()})
    assert tokeniser_of(trimmed(state, {0}))(["milk", "wine"]) == [[0], [1]]


def test_merges_are_refused():
    state = transformer_worlds.transformer()
    import json

    tokeniser = json.loads(state.files["tokenizer.json"])
    tokeniser["model"] = {"type": "BPE", "vocab": tokeniser["model"]["vocab"], "merges": [["a", "b"]], "unk_token": "[UNK]"}
    tokeniser["model"]["vocab"]["ab"] = len(tokeniser["model"]["vocab"])
    table = state.arrays["embeddings.word"]
    arrays = {**state.arrays, "embeddings.word": np.concatenate([table, table[-1:]])}
    merged = replace(state, arrays=arrays, files={"tokenizer.json": json.dumps(tokeniser).encode()})
    with pytest.raises(RequestError, match="merges"):
        Vocab(frequent=0).apply(merged, Materials(SHOP, (state,), Run()))
