"""Vocabulary trimming: only the tokens that the shop's texts use, and the small ones that any other word can be spelt with.

A text whose tokens are all kept has the tokens it had, so its vector is unchanged: WordPiece takes the longest piece that fits
at each place, a unigram model the likeliest way to cut, and what was longest or likeliest among all pieces is so among fewer.
Other words fall apart into smaller pieces that are kept; every single character of the old vocabulary is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.compression.step import Materials, hyperparameter, of_family
from basketry.core.errors import RequestError
from basketry.encoders.models import tokeniser_of
from basketry.encoders.ngram.encoder import SENTENCE_PIECES
from basketry.encoders.ngram.network import BLOCKS
from basketry.encoders.ngram.sentence_pieces import SentencePieces
from basketry.encoders.state import EncoderState
from basketry.encoders.tokens import pieces_of

if TYPE_CHECKING:
    import numpy.typing as npt

_TOKENISER: Final = "tokenizer.json"
_ROWS: Final = ("embeddings.word", "embeddings.word.scale", "vectors", "vectors.scale")
_SPECIAL: Final = 3  # unknown, beginning and end: the first three sentence pieces


@dataclass(frozen=True)
class Vocab:
    """Keep the tokens of the shop's texts, the most frequent ones, those of one character and the special ones.

    The old vocabulary's first tokens are its most frequent ones, as WordPiece and SentencePiece write them: they serve texts
    that are still to come.
    """

    frequent: int = hyperparameter(5_000, "tokens from the head of the old vocabulary that are kept in any case; at least 0")
    least: int = hyperparameter(1, "times any other token must occur in the texts to be kept; at least 1")

    def __post_init__(self) -> None:
        if self.least < 1 or self.frequent < 0:
            raise RequestError(f"vocab cannot have frequent={self.frequent}, least={self.least}", "at least 0, and at least 1")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with a shorter table of tokens. Raises RequestError for a tokeniser of merges (BPE)."""
        of_family(state, "vocab", "transformer", "static", "ngram")
        texts = materials.sample(len(materials.texts))
        ids = np.fromiter(chain.from_iterable(tokeniser_of(state)(texts)), dtype=np.int64)
        used = {int(token) for token in np.flatnonzero(np.bincount(ids) >= self.least)} | set(range(self.frequent))
        return trimmed_pieces(state, used) if state.family == "ngram" else trimmed(state, used)


def trimmed(state: EncoderState, used: Iterable[int]) -> EncoderState:
    """A state with a tokenizer.json (WordPiece, WordLevel or Unigram) cut down to `used` and what any word needs."""
    tokeniser = json.loads(state.files[_TOKENISER])
    model = tokeniser["model"]
    if model.get("merges"):
        raise RequestError("a vocabulary with merges (BPE) cannot be trimmed", "leave the step vocab out")
    pieces = pieces_of(tokeniser)
    special = {entry["content"] for entry in tokeniser.get("added_tokens", ())} | {model.get("unk_token")}
    prefix = model.get("continuing_subword_prefix") or ""
    known = {*used, *_named(tokeniser.get("post_processor")), model.get("unk_id")}
    kept = [
        number
        for number, piece in sorted(pieces.items())
        if number in known or piece in special or len(piece) == 1 or (prefix and len(piece.removeprefix(prefix)) == 1)
    ]
    new = {old: place for place, old in enumerate(kept)}
    if isinstance(model["vocab"], dict):
        model["vocab"] = {piece: new[old] for piece, old in model["vocab"].items() if old in new}
    else:
        model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
        model["unk_id"] = new.get(model.get("unk_id"))
    for entry in tokeniser.get("added_tokens", ()):
        entry["id"] = new[entry["id"]]
    _renumber(tokeniser.get("post_processor"), new)
    if tokeniser.get("padding"):
        tokeniser["padding"]["pad_id"] = new.get(tokeniser["padding"]["pad_id"], 0)
    rows = np.array(kept, dtype=np.int64)
    arrays = {name: np.ascontiguousarray(array[rows]) if name in _ROWS else array for name, array in state.arrays.items()}
    files = {**state.files, _TOKENISER: json.dumps(tokeniser, ensure_ascii=False).encode()}
    return replace(state, arrays=arrays, files=files)


def _named(processor: Any) -> set[int]:
    """The numbers of the tokens that a post-processor adds."""
    if isinstance(processor, list):
        return set().union(*map(_named, processor))
    if not isinstance(processor, dict):
        return set()
    found: set[int] = set()
    for key, value in processor.items():
        pair = key in ("cls", "sep") and isinstance(value, list)
        found |= set(value) if key == "ids" else {value[1]} if pair else _named(value)
    return found


def _renumber(processor: Any, new: dict[int, int]) -> None:
    """The numbers of special tokens inside a post-processor, whatever its kind: `ids` of templates, pairs of cls and sep."""
    if isinstance(processor, list):
        for part in processor:
            _renumber(part, new)
    if not isinstance(processor, dict):
        return
    for key, value in processor.items():
        if key == "ids":
            processor[key] = [new[number] for number in value]
        elif key in ("cls", "sep") and isinstance(value, list):
            processor[key] = [value[0], new[value[1]]]
        else:
            _renumber(value, new)


def trimmed_pieces(state: EncoderState, used: Iterable[int]) -> EncoderState:
    """An n-gram state cut down to `used`, single characters and special pieces.

    Piece t has its row in block t mod 17, and the blocks have scales of their own; so a kept piece gets a new number that is
    equal to its old one mod 17, and blocks that keep fewer pieces than others are filled up with pieces that no text holds.
    """
    model = SentencePieces.parse(state.files[SENTENCE_PIECES])
    single = {number for number, piece in enumerate(model.pieces) if len(piece.removeprefix("\u2581")) <= 1}
    kept = sorted(number for number in {*used, *single, *range(_SPECIAL)} if number < len(model.pieces))
    by_block: list[list[int]] = [[old for old in kept if old % BLOCKS == block] for block in range(BLOCKS)]
    depth = max(map(len, by_block))
    order: list[int | None] = [
        by_block[place % BLOCKS][place // BLOCKS] if place // BLOCKS < len(by_block[place % BLOCKS]) else None
        for place in range(depth * BLOCKS)
    ]
    arrays = dict(state.arrays)
    for block, olds in enumerate(by_block):
        rows: npt.NDArray[np.int64] = np.array([old // BLOCKS for old in olds], dtype=np.int64)
        table = np.asarray(state.arrays[f"q{block + 1}"])[rows]
        arrays[f"q{block + 1}"] = np.pad(table, ((0, depth - len(olds)), (0, 0)))
    return replace(state, arrays=arrays, files={**state.files, SENTENCE_PIECES: model.reordered(order)})
