"""What every encoder asks of its documents, asked once and in one way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    import numpy.typing as npt

LONGEST: Final = 100_000


def distinct(documents: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The distinct texts in sorted order, and for each document the position of its text among them.

    Sorting puts texts that begin alike next to each other and makes the work independent of the order asked for.

    Raises EncoderError, naming the position, for a document that is not a string, holds nothing that can be seen (white space
    and control characters do not count), holds half of a surrogate pair, or is longer than 100,000 characters.
    """
    if isinstance(documents, str):
        raise EncoderError("one text was given where a list of texts is needed", "put the text in a list")
    for position, text in enumerate(documents):
        _check(position, text)
    texts = sorted(set(documents))
    place = {text: number for number, text in enumerate(texts)}
    return texts, np.fromiter((place[text] for text in documents), dtype=np.int64, count=len(documents))


def readable(text: str) -> bool:
    """Whether a text holds anything that can be seen; what holds nothing is no document."""
    return any(sign.isprintable() and not sign.isspace() for sign in text)


def _check(position: int, text: object) -> None:
    if not isinstance(text, str):
        raise EncoderError(f"document {position} is {type(text).__name__}, not text", "turn it into text, or leave it out")
    if not readable(text):
        raise EncoderError(f"document {position} is empty: {text[:20]!r}", "leave documents without text out before encoding")
    if len(text) > LONGEST:
        raise EncoderError(f"document {position} has {len(text):,} characters; the limit is {LONGEST:,}", "shorten it")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise EncoderError(f"document {position} holds half of a surrogate pair", "read the source in its true encoding")
