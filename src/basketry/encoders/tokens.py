"""The tokeniser of a state that carries a `tokenizer.json`, run by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    from basketry.encoders.state import EncoderState

_AGAIN: Final = "take the model from its source again"


def tokeniser(state: EncoderState, table: str, *, special: bool) -> Callable[[Sequence[str]], list[list[int]]]:
    """Texts to token ids, cut at the setting `max_tokens`; `special`: those that begin and end a text among them.

    The array `table`, where the state has it, holds a row for every id that may come. Raises EncoderError if it does not, or if
    the file or the setting cannot be read.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EncoderError("this encoder needs package tokenizers", "pip install 'basketry[onnx]'") from error
    try:
        reader = Tokenizer.from_buffer(state.files["tokenizer.json"])
        reader.no_padding()
        most = int(state.settings["max_tokens"])  # type: ignore[arg-type]
        reader.enable_truncation(most)
        largest = max(reader.get_vocab(with_added_tokens=True).values(), default=-1)
    except Exception as error:  # the library raises Exception itself
        raise EncoderError(f"the tokeniser cannot be read: {error!r}", _AGAIN) from error
    if most < 1:  # 0 would not cut at all where special tokens are added
        raise EncoderError(f"max_tokens cannot be {most}", _AGAIN)
    rows = len(state.arrays[table]) if table in state.arrays else largest + 1
    if largest >= rows:
        raise EncoderError(f"the tokeniser gives ids up to {largest}, and {table} has {rows} rows", _AGAIN)

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in reader.encode_batch_fast(list(texts), add_special_tokens=special)]

    return tokenise


def pieces_of(tokeniser: Mapping[str, Any]) -> dict[int, str]:
    """Piece by id, of a parsed tokenizer.json: those of the model, and those added to it, which may lie beyond."""
    vocabulary = tokeniser["model"]["vocab"]
    if isinstance(vocabulary, dict):
        pieces = {int(number): piece for piece, number in vocabulary.items()}
    else:
        pieces = {number: piece for number, (piece, _) in enumerate(vocabulary)}
    return {entry["id"]: entry["content"] for entry in tokeniser.get("added_tokens", ())} | pieces
