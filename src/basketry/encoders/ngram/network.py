"""The forward pass of USE-multilingual-v3, each distinct window of tokens computed once.

The network looks at a token through windows of 2, 3 and 5 tokens, twice over, so a token's features depend on itself and its
four neighbours on either side and on nothing else; a text's vector is a small dense head over the sum of its tokens' features.
Product texts repeat themselves: the 512,677 tokens of one catalogue hold 166,633 distinct windows of nine, far fewer of the
smaller ones. Computing distinct windows only gives the same vectors (to 2e-7) for a sixth of the arithmetic.

Source: Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval (2019), the convolutional variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Codes = npt.NDArray[np.int64]

PROJECT: Final = "project.weight"  # optional, [dim out, dim in]: applied before the last normalisation
LEARNED: Final = (
    "learned.tokens",
    "learned.vectors",
)  # optional, int32 [m] ascending, [m, 512]: added to these tokens' embeddings
BLOCKS: Final = 17  # token i is row i // 17 of embedding block i % 17
WIDTH: Final = 256  # channels of one branch
BRANCHES: Final = ((2, 0), (3, 1), (5, 2))  # width of the window, tokens of it to the left
GAP: Final = 2  # blanks between texts: as far as any window reaches
ARRAYS: Final = (
    *(f"q{block + 1}" for block in range(BLOCKS)),
    *("lo", "scale", "eps", "ln_g", "ln_b", "cnn_W", "cnn_b", "p1", "p3", "d0", "d1", "d2", "d3"),
    *(f"{part}{order}" for order, _ in BRANCHES for part in ("proj", "proj_b", "ln_g", "ln_b", "w1_", "w2_", "b1_", "b2_")),
)
_LARGEST_KEY: Final = 2**62


class NgramNetwork:
    """Token ids in, unit vectors out. Holds 65 MB of quantised embeddings and 13 MB of weights."""

    def __init__(
        self, embeddings: npt.NDArray[np.uint8], weights: Mapping[str, Floats], learned: tuple[Codes, Floats] | None = None
    ) -> None:
        self._embeddings = embeddings
        self._weights = weights
        self._learned = learned
        orders = [order for order, _ in BRANCHES]
        self._project = np.concatenate([weights[f"proj{order}"] for order in orders], axis=1)
        self._project_bias, self._gain, self._shift = (
            np.concatenate([weights[f"{part}{order}"] for order in orders]) for part in ("proj_b", "ln_g", "ln_b")
        )

    @property
    def dim(self) -> int:
        """Length of a vector."""
        last = self._weights[PROJECT].shape[0] if PROJECT in self._weights else self._weights["p3"].shape[1]
        return int(last)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """From the arrays of the published file: `q1` to `q17` are embedding blocks, the rest weights by name."""
        embeddings = np.stack([np.asarray(arrays[f"q{block + 1}"], dtype=np.uint8) for block in range(BLOCKS)])
        names = [name for name in arrays if name not in LEARNED and not (name.startswith("q") and name[1:].isdigit())]
        tokens, vectors = (arrays.get(name) for name in LEARNED)
        learned = None
        if tokens is not None and vectors is not None:
            learned = np.asarray(tokens, dtype=np.int64), np.asarray(vectors, dtype=np.float32)
        return cls(embeddings, {name: np.asarray(arrays[name], dtype=np.float32) for name in names}, learned)

    def encode(self, tokens: Sequence[Sequence[int]]) -> Floats:
        """float32 [len(tokens), dim], unit norm, of at least one text of at least one token each.

        Memory grows by about 8 KB per token of distinct context; give it some 30,000 tokens at a time.
        """
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=int(lengths.sum()))
        # Texts stand in one row with blanks (code 0) around each, so that no window sees two texts.
        places = np.arange(len(ids)) + np.repeat(np.arange(1, len(lengths) + 1) * GAP, lengths)
        vocabulary, inverse = np.unique(ids, return_inverse=True)
        codes = np.zeros(places[-1] + 1 + GAP, dtype=np.int64)
        codes[places] = inverse + 1
        features, window = self._features(vocabulary, codes, places)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        counts = csr_array((np.ones(len(ids), dtype=np.float32), window, ends), shape=(len(lengths), len(features)))
        return self._head(counts @ features, lengths.astype(np.float32)[:, None])

    def _features(self, vocabulary: Codes, codes: Codes, places: Codes) -> tuple[Floats, Codes]:
        """The features [windows, 1280] of every distinct window, and for each place the window it is the centre of."""
        embedded = self._embedded(vocabulary)
        projected = self._normalised(embedded @ self._project + self._project_bias, self._gain, self._shift)
        columns, seen = [], codes
        for branch, (order, left) in enumerate(BRANCHES):
            level = _blank_first(projected[:, branch * WIDTH : (branch + 1) * WIDTH])
            seen = codes
            for layer in (1, 2):
                seen, members = _windows(seen, places, order, left)
                mixed = level[members].reshape(len(members), -1) @ self._weights[f"w{layer}_{order}"]
                mixed += self._weights[f"b{layer}_{order}"]
                np.maximum(mixed, 0, out=mixed)
                mixed += level[members[:, left]]
                level = _blank_first(mixed)
            columns.append((seen[places], level))
        # The last branch sees furthest: its windows tell apart whatever any branch can.
        widest = columns[-1][0] - 1
        first = np.unique(widest, return_index=True)[1]
        parts = [embedded[codes[places[first]] - 1], *(level[seen_by[first]] for seen_by, level in columns)]
        features = self._normalised(np.concatenate(parts, axis=1), self._weights["ln_g"], self._weights["ln_b"])
        return features, widest

    def _embedded(self, vocabulary: Codes) -> Floats:
        """The embeddings [tokens, 512] of distinct tokens in ascending order."""
        block = vocabulary % BLOCKS
        embedded = self._embeddings[block, vocabulary // BLOCKS].astype(np.float32)
        embedded *= self._weights["scale"][block, None]
        embedded += self._weights["lo"][block, None]
        if self._learned is not None:
            tokens, vectors = self._learned
            _, ours, theirs = np.intersect1d(vocabulary, tokens, assume_unique=True, return_indices=True)
            embedded[ours] += vectors[theirs]
        return embedded

    def _head(self, sums: Floats, lengths: Floats) -> Floats:
        weights = self._weights
        pooled = (sums @ weights["cnn_W"] + lengths * weights["cnn_b"]) / np.sqrt(lengths)
        first = np.maximum(pooled @ weights["p1"] + np.maximum(pooled @ weights["d0"], 0) @ weights["d1"], 0)
        second = np.tanh(first @ weights["p3"] + np.maximum(first @ weights["d2"], 0) @ weights["d3"])
        unit: Floats = second / np.linalg.norm(second, axis=1, keepdims=True)
        if PROJECT in weights:
            unit = unit @ weights[PROJECT].T
            unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        return unit

    def _normalised(self, rows: Floats, gain: Floats, shift: Floats) -> Floats:
        """Layer normalisation of each row, in place."""
        rows -= rows.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
        rows /= np.sqrt(variance + self._weights["eps"])[:, None]
        rows *= gain
        rows += shift
        return rows


def _blank_first(rows: Floats) -> Floats:
    """The rows behind one row of zeros: what a window sees beyond the ends of its text."""
    return np.concatenate([np.zeros((1, rows.shape[1]), dtype=np.float32), rows])


def _windows(codes: Codes, places: Codes, width: int, left: int) -> tuple[Codes, Codes]:
    """Number the distinct windows around `places` from 1: a code per position (0 off `places`), and each window's codes."""
    around = codes[places[:, None] + np.arange(-left, width - left)]
    radix = int(codes.max()) + 1
    key, bound = around[:, 0], radix
    for column in range(1, width):
        if bound * radix > _LARGEST_KEY:
            distinct, key = np.unique(key, return_inverse=True)
            bound = len(distinct)
        key = key * radix + around[:, column]
        bound *= radix
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    numbered = np.zeros_like(codes)
    numbered[places] = inverse + 1
    return numbered, around[first]
