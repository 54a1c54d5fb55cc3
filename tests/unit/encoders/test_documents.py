from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import EncoderError
from basketry.encoders.documents import LONGEST, distinct


@given(st.lists(st.text(alphabet="abc牛奶", min_size=1)))
def test_every_document_is_found_again(documents: list[str]) -> None:
    texts, place = distinct(documents)
    assert [texts[position] for position in place] == documents
    assert texts == sorted(set(documents))


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "\u200b\ufeff", "\x00"])
def test_a_document_without_text_is_refused(text: str) -> None:
    with pytest.raises(EncoderError, match="document 1 is empty"):
        distinct(["milk", text])


def test_other_documents_are_refused_with_their_reason() -> None:
    with pytest.raises(EncoderError, match="surrogate"):
        distinct(["milk \ud800"])
    with pytest.raises(EncoderError, match="100,001 characters; the limit is 100,000"):
        distinct(["m" * (LONGEST + 1)])
    with pytest.raises(EncoderError, match="document 0 is int"):
        distinct([7])  # type: ignore[list-item]
    with pytest.raises(EncoderError, match="one text was given"):
        distinct("milk")
