"""The file sp.model: its pieces read, cut down, or turned into a tokenizer.json that the `tokenizers` library runs.

The file is a protocol buffer of the older SentencePiece layout: field 1, repeated, a piece (1 text, 2 score, 3 kind);
field 3 the trainer's settings, whose field 2 is the compiled table of normalisation. Everything else is kept byte for byte.

Source: Kudo and Richardson, SentencePiece (2018); Kudo, Subword Regularization (2018), for the unigram model.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from basketry.core.errors import EncoderError

_PIECE: Final = 1
_TRAINER: Final = 3
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
_UNUSED: Final = 5  # kind of a piece that stands for nothing
_AGAIN: Final = "take the model from its source again"


@dataclass(frozen=True)
class SentencePieces:
    """Pieces with their scores (log probabilities), by number; `records` are their bytes, `rest` the other fields in order."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    records: tuple[bytes, ...]
    rest: bytes
    charsmap: bytes

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the bytes of sp.model. Raises EncoderError if they are no such file."""
        pieces, scores, records, rest, charsmap = [], [], [], [], b""
        try:
            for number, kind, value, raw in _fields(content):
                if number != _PIECE or kind != _BYTES:
                    rest.append(raw)
                    if number == _TRAINER and kind == _BYTES:
                        charsmap = next((part for inner, _, part, _ in _fields(value) if inner == 2), b"")
                    continue
                inside = {inner: part for inner, _, part, _ in _fields(value)}
                pieces.append(inside[1].decode("utf-8"))
                scores.append(struct.unpack("<f", inside[2])[0] if 2 in inside else 0.0)
                records.append(raw)
        except (IndexError, KeyError, ValueError, struct.error) as error:
            raise EncoderError(f"the sentence pieces cannot be read: {error!r}", _AGAIN) from error
        if not pieces:
            raise EncoderError("the sentence pieces are none", _AGAIN)
        return cls(tuple(pieces), tuple(scores), tuple(records), b"".join(rest), charsmap)

    def reordered(self, order: Sequence[int | None]) -> bytes:
        """The file with the pieces `order`, numbered anew by their place; None is a piece that no text can hold.

        Such a piece has the lowest score there was, because the score of an unknown sign is reckoned from the lowest.
        """
        lowest = min(self.scores)
        parts = [self.records[old] if old is not None else _filler(place, lowest) for place, old in enumerate(order)]
        return b"".join(parts) + self.rest

    def tokenizer_json(self) -> bytes:
        """The same cutting as a tokenizer.json of a unigram model: normalised, white space made one mark, likeliest pieces."""
        try:
            from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
        except ImportError as error:
            raise EncoderError("this step needs package tokenizers", "pip install 'basketry[onnx]'") from error
        reader = Tokenizer(models.Unigram(list(zip(self.pieces, self.scores, strict=True)), unk_id=0))
        steps = [normalizers.Precompiled(self.charsmap)] if self.charsmap else []
        spaces = [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
        reader.normalizer = normalizers.Sequence([*steps, *spaces])
        reader.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=False)
        return str(reader.to_str()).encode()


def _filler(place: int, score: float) -> bytes:
    text = f" {place}".encode()  # spaces inside a text are turned into marks before it is cut, so this never fits
    inside = b"\x0a" + _varint(len(text)) + text + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([_UNUSED])
    return b"\x0a" + _varint(len(inside)) + inside


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _fields(content: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Number, wire type, value (without its length) and whole bytes of each field."""
    at = 0
    while at < len(content):
        begun = at
        tag, at = _read_varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            start = at
            _, at = _read_varint(content, at)
        elif kind == _BYTES:
            size, start = _read_varint(content, at)
            at = start + size
        elif kind in (_EIGHT, _FOUR):
            start, at = at, at + (8 if kind == _EIGHT else 4)
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(content):
            raise ValueError("the file ends in the middle of a field")
        yield tag >> 3, kind, content[start:at], content[begun:at]


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
