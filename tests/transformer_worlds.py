"""Small transformers with a seed: two layers, a vocabulary of whole words, made in no time."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.encoders.state import EncoderState
from basketry.testing.encoders import DOCUMENTS

WORDS = sorted({word for text in DOCUMENTS for word in text.lower().replace(",", " ,").split()})


def tokeniser() -> bytes:
    """tokenizer.json: lower case, split at white space and signs, [CLS] text [SEP]."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra onnx")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    reader = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix=""))
    reader.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    reader.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    reader.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return reader.to_str().encode()


def vocabulary_size() -> int:
    return 5 + len(dict.fromkeys([*WORDS, *"abcdefghijklmnopqrstuvwxyz"]))


def transformer(
    seed: int = 0,
    heads: tuple[int, ...] = (4, 2),
    feed: tuple[int, ...] = (32, 24),
    hidden: int = 32,
    *,
    rank: int = 0,
    dim: int = 0,
    pooling: str = "mean",
) -> EncoderState:
    """Random weights; `rank` factors every query matrix, `dim` adds a projection."""
    draw = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return draw.normal(0, 0.3, shape).astype(np.float32)

    arrays = {"embeddings.word": matrix(vocabulary_size(), hidden), "embeddings.position": matrix(64, hidden)}
    norms = ["embeddings.norm"]
    for layer, (some, width) in enumerate(zip(heads, feed, strict=True)):
        name = f"layers.{layer}"
        sizes = dict.fromkeys(("query", "key", "value"), (some * 8, hidden)) | {"output": (hidden, some * 8)}
        for part, (out, into) in sizes.items():
            arrays[f"{name}.attention.{part}.weight"] = matrix(out, into)
            arrays[f"{name}.attention.{part}.bias"] = matrix(out)
        for part, (out, into) in {"inner": (width, hidden), "outer": (hidden, width)}.items():
            arrays[f"{name}.feed.{part}.weight"] = matrix(out, into)
            arrays[f"{name}.feed.{part}.bias"] = matrix(out)
        if rank:
            del arrays[f"{name}.attention.query.weight"]
            arrays[f"{name}.attention.query.left"] = matrix(some * 8, rank)
            arrays[f"{name}.attention.query.right"] = matrix(rank, hidden)
        norms += [f"{name}.attention.norm", f"{name}.feed.norm"]
    for name in norms:
        arrays[f"{name}.gain"] = 1 + matrix(hidden)
        arrays[f"{name}.shift"] = matrix(hidden)
    if dim:
        arrays["project.weight"] = matrix(dim, hidden)
    settings = {"head_dim": 8, "pooling": pooling, "max_tokens": 48, "norm_eps": 1e-5, "activation": "gelu"}
    return EncoderState("transformer", arrays, settings, {"tokenizer.json": tokeniser()}, ({"verb": "draw", "seed": seed},))
