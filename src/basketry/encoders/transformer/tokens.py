"""The tokeniser of a transformer state: the file tokenizer.json, run by the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    from basketry.encoders.state import EncoderState


def tokeniser(state: EncoderState) -> Callable[[Sequence[str]], list[list[int]]]:
    """Texts to token ids, special tokens among them, cut at `max_tokens`. Raises EncoderError if the file cannot be read."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EncoderError("this encoder needs package tokenizers", "pip install 'basketry[onnx]'") from error
    try:
        reader = Tokenizer.from_buffer(state.files["tokenizer.json"])
    except Exception as error:  # the library raises Exception itself
        raise EncoderError(f"the tokeniser cannot be read: {error}", "take the model from its source again") from error
    reader.no_padding()
    reader.enable_truncation(int(state.settings["max_tokens"]))  # type: ignore[arg-type]

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in reader.encode_batch_fast(list(texts))]

    return tokenise
