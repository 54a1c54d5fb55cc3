"""Texts to vectors through any network that reads padded tokens: equal texts once, like lengths together, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.documents import distinct

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

    Ids = npt.NDArray[np.int64]
    Forward = Callable[[Ids, Ids], Vectors]
    Tokenise = Callable[[Sequence[str]], list[list[int]]]

TEXTS: Final = 32  # in a batch
_CHUNK: Final = 8_192  # texts tokenised at a time: about 10 MB
_TOLERANCE: Final = 1e-5
_PROBE: Final = ("a", "a somewhat longer line of text, so that the first one is padded beside it")


class BatchedEncoder:
    """An encoder made of a tokeniser and a network, `forward(ids, mask) -> [n, dim]` of int64 [n, t] each.

    Texts are tokenised 8,192 at a time, sorted by length and run in batches of up to 32, `threads` batches side by side: small
    matrices gain more from this than from threads inside them. `forward` must stand being called from several threads.

    A network quantised on the fly takes its scales from the whole batch, so that a text's vector would depend on its
    neighbours; making the encoder detects it, and such a network is run text by text.
    """

    def __init__(self, name: str, tokenise: Tokenise, forward: Forward, threads: int = 1) -> None:
        self.name: Final = name
        self._tokenise = tokenise
        self._forward = forward
        self._threads = threads
        self._batch = TEXTS
        together, *alone = (self._vectors(list(texts)) for texts in (_PROBE, _PROBE[:1], _PROBE[1:]))
        self._batch = TEXTS if np.allclose(together, np.concatenate(alone), rtol=0, atol=_TOLERANCE) else 1
        self.dim: Final[int] = together.shape[1]

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once. Raises EncoderError on one without text."""
        texts, place = distinct(documents)
        return self._vectors(texts)[place] if texts else np.empty((0, self.dim), dtype=np.float32)

    def _vectors(self, texts: list[str]) -> Vectors:
        parts = [self._chunk(self._tokenise(texts[start : start + _CHUNK])) for start in range(0, len(texts), _CHUNK)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _chunk(self, tokens: list[list[int]]) -> Vectors:
        order = sorted(range(len(tokens)), key=lambda position: len(tokens[position]))
        batches = [[tokens[position] for position in order[start : start + self._batch]] for start in self._starts(len(tokens))]
        if len(batches) == 1 or self._threads == 1:
            parts = [self._unit(batch) for batch in batches]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                parts = list(pool.map(self._unit, batches))
        ordered = parts[0] if len(parts) == 1 else np.concatenate(parts)
        vectors = np.empty_like(ordered)
        vectors[order] = ordered
        return vectors

    def _starts(self, count: int) -> Iterator[int]:
        return iter(range(0, count, self._batch))

    def _unit(self, batch: list[list[int]]) -> Vectors:
        ids, mask = padded(batch)
        output = np.asarray(self._forward(ids, mask), dtype=np.float32)
        if output.ndim != 2 or len(output) != len(batch):
            raise EncoderError(f"the network gave shape {output.shape} for {len(batch)} texts", "export one vector a text")
        return unit_rows(output)


def unit_rows(output: Vectors) -> Vectors:
    """Each row divided by its norm. Raises EncoderError for a row of norm 0, or one that is not finite."""
    norms = np.linalg.norm(output, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise EncoderError("the model gave a vector without direction", "check the export, and texts of unknown words only")
    unit: Vectors = output / norms
    return unit


def padded(batch: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    """Token ids int64 [n, longest], 0 behind the end of each text, and the mask that is 1 where there is a token."""
    lengths = np.fromiter(map(len, batch), dtype=np.int64, count=len(batch))
    mask = (np.arange(lengths.max())[None, :] < lengths[:, None]).astype(np.int64)
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask.astype(bool)] = np.fromiter((token for tokens in batch for token in tokens), np.int64, int(lengths.sum()))
    return ids, mask
