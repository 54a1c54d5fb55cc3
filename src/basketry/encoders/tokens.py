"""The tokeniser of a state that carries a `tokenizer.json`, run by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

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
        reader.enable_truncation(int(state.settings["max_tokens"]))  # type: ignore[arg-type]
        largest = max(reader.get_vocab(with_added_tokens=True).values(), default=-1)
    except Exception as error:  # the library raises Exception itself
        raise EncoderError(f"the tokeniser cannot be read: {error!r}", _AGAIN) from error
    rows = len(state.arrays[table]) if table in state.arrays else largest + 1
    if largest >= rows:
        raise EncoderError(f"the tokeniser gives ids up to {largest}, and {table} has {rows} rows", _AGAIN)

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in reader.encode_batch_fast(list(texts), add_special_tokens=special)]

    return tokenise
