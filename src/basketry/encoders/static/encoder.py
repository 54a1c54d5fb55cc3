"""The family `static`: token vectors that are added up.

```
vectors    [V, dim]  float32, float16, or int8 with `vectors.scale` [V]: row t for token t, its weight folded in
unknown    [dim]     what a text without any token stands for
project.weight  [dim out, dim]  optional, applied to the sum
```

The vector of a text with tokens t1 ... tn is `vectors[t1] + ... + vectors[tn]`, projected if need be, divided by its norm. The
order of words is lost, and a negation with it; names, sorts and sizes of products are what it is for. Settings: `max_tokens`.
The tokeniser is `tokenizer.json`; no special tokens are added.

Source: Arora et al., A Simple but Tough-to-Beat Baseline for Sentence Embeddings (2017), for weighted sums; van Dongen and
Tulkens, Model2Vec (2024), for vectors taken from a transformer token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.batches import unit_rows
from basketry.encoders.documents import distinct
from basketry.encoders.tokens import tokeniser

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors
    from basketry.encoders.state import EncoderState

    Tokenise = Callable[[Sequence[str]], list[list[int]]]

_CHUNK: Final = 4_096  # texts at a time: the rows they gather are about 150 MB at 24 tokens and 384 dimensions
_LEAST_NORM: Final = 1e-12
_AGAIN: Final = "write the model again"


class StaticEncoder:
    """Token vectors on numpy. A short title takes some 25 microseconds in a batch, most of it the tokeniser's."""

    def __init__(self, name: str, vectors: npt.NDArray[Any], arrays: Arrays, tokenise: Tokenise) -> None:
        self.name: Final = name
        self._vectors = vectors
        scale = arrays.get("vectors.scale")
        self._scale = None if scale is None else np.asarray(scale, dtype=np.float32)
        self._unknown = np.asarray(arrays["unknown"], dtype=np.float32)
        project = arrays.get("project.weight")
        self._project = None if project is None else np.asarray(project, dtype=np.float32).T
        self.dim: Final[int] = vectors.shape[1] if self._project is None else self._project.shape[1]
        self._tokenise = tokenise

    @classmethod
    def from_state(cls, state: EncoderState, run: Run) -> Self:
        """The encoder that a state of family `static` describes. Raises EncoderError if an array is missing or misshapen."""
        del run  # a look-up gains nothing from threads
        vectors, unknown = state.arrays.get("vectors"), state.arrays.get("unknown")
        if vectors is None or unknown is None or vectors.ndim != 2 or unknown.shape != vectors.shape[1:]:
            raise EncoderError("the static model lacks vectors [V, dim] or unknown [dim]", _AGAIN)
        scale, project = state.arrays.get("vectors.scale"), state.arrays.get("project.weight")
        if (scale is not None and scale.shape != vectors.shape[:1]) or (
            project is not None and project.shape[1:] != vectors.shape[1:]
        ):
            raise EncoderError("vectors.scale is not [V], or project.weight not [dim out, dim]", _AGAIN)
        if vectors.dtype == np.float16:  # half the memory on disk, but numpy adds it up slowly
            vectors = vectors.astype(np.float32)
        return cls(f"static@{state.digest[:16]}", vectors, state.arrays, tokeniser(state, "vectors", special=False))

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once. Raises EncoderError on one without text."""
        texts, place = distinct(documents)
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        parts = [self._summed(self._tokenise(texts[start : start + _CHUNK])) for start in range(0, len(texts), _CHUNK)]
        sums = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if self._project is not None:
            sums = sums @ self._project
        return unit_rows(sums)[place]

    def _summed(self, tokens: list[list[int]]) -> Vectors:
        """float32 [n, dim]: each text's rows added up, the unknown vector where that leaves nothing."""
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=int(lengths.sum()))
        sums = np.zeros((len(tokens), self._vectors.shape[1]), dtype=np.float32)
        some = lengths > 0
        if len(ids):
            rows = self._vectors[ids]
            if self._scale is not None:
                rows = rows * self._scale[ids, None]
            starts = np.concatenate([[0], np.cumsum(lengths[some])[:-1]])
            sums[some] = np.add.reduceat(rows, starts, axis=0, dtype=np.float32)
        nothing = np.einsum("ij,ij->i", sums, sums) < _LEAST_NORM
        sums[nothing] = self._unknown
        return sums
