"""The laws every Encoder obeys. Run them on a new one: `check_encoder(my_encoder)`; a broken law is an AssertionError."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Encoder

DOCUMENTS: Final = (
    "whole milk 1 l",
    "bread",
    "a long line about a tin of tomatoes, peeled, in their own juice, from the south of Italy, four hundred grams",
    "牛奶",
    "新鲜全脂牛奶 1升",
    "crème fraîche 30%",
    "bread",
    "dog food 15 kg",
)
EMPTY: Final = ("", "   ", "\n\t", "\u200b", "\ud800")
TOLERANCE: Final = 1e-5


def check_shape(encoder: Encoder, documents: Sequence[str]) -> None:
    """A named encoder gives float32 [n, dim], finite, of unit norm; of no documents, [0, dim]."""
    assert isinstance(encoder, Encoder), f"{type(encoder).__name__} is not an Encoder"
    assert encoder.name, "an encoder has a name"
    vectors = encoder.encode(documents)
    assert vectors.dtype == np.float32, f"vectors are {vectors.dtype}, not float32"
    assert vectors.shape == (len(documents), encoder.dim), f"{vectors.shape} for {len(documents)} documents of {encoder.dim}"
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert np.allclose(norms, 1, rtol=0, atol=TOLERANCE), f"norms from {norms.min()} to {norms.max()}"
    assert encoder.encode([]).shape == (0, encoder.dim), "no documents, no vectors"


def check_batch(encoder: Encoder, documents: Sequence[str]) -> None:
    """A document's vector does not depend on what is encoded beside it, by more than 1e-5 in any component."""
    together = encoder.encode(documents)
    alone = np.concatenate([encoder.encode([text]) for text in documents])
    worst = float(np.abs(together - alone).max())
    assert worst <= TOLERANCE, f"the batch changes a component by {worst}"


def check_order(encoder: Encoder, documents: Sequence[str]) -> None:
    """Vectors come in the order of the documents: reversing these reverses those; equal texts have equal vectors."""
    forward, backward = encoder.encode(documents), encoder.encode(list(reversed(documents)))
    worst = float(np.abs(forward - backward[::-1]).max())
    assert worst <= TOLERANCE, f"the order changes a component by {worst}"
    twice = encoder.encode([documents[0], *documents, documents[0]])
    assert np.array_equal(twice[0], twice[-1]), "equal texts have different vectors"


def check_repeatable(encoder: Encoder, documents: Sequence[str]) -> None:
    """The same call gives the same bytes."""
    assert np.array_equal(encoder.encode(documents), encoder.encode(documents)), "two equal calls differ"


def check_different(encoder: Encoder, documents: Sequence[str]) -> None:
    """Different texts do not all fall on one vector."""
    vectors = encoder.encode(sorted(set(documents)))
    assert float((vectors @ vectors[0]).min()) < 1 - TOLERANCE, "all texts have the same vector"


def check_refusal(encoder: Encoder, documents: Sequence[str]) -> None:
    """A document without text is refused with EncoderError, wherever it stands; so is one text in place of a list."""
    for empty in EMPTY:
        for batch in ([empty], [*documents, empty]):
            _refuses(encoder, batch, f"the empty document {empty!r}")
    _refuses(encoder, documents[0], "one text in place of a list")


def _refuses(encoder: Encoder, documents: Sequence[str], what: str) -> None:
    try:
        encoder.encode(documents)
    except EncoderError:
        return
    raise AssertionError(f"the encoder accepts {what}")


LAWS: Final[tuple[Callable[[Encoder, Sequence[str]], None], ...]] = (
    check_shape,
    check_batch,
    check_order,
    check_repeatable,
    check_different,
    check_refusal,
)


def check_encoder(encoder: Encoder, documents: Sequence[str] = DOCUMENTS) -> None:
    """All laws at once, on documents it can tell apart."""
    for law in LAWS:
        law(encoder, documents)
