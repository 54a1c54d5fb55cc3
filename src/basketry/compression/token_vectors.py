"""From any encoder to static token vectors: fitted in closed form to the teacher's vectors of the shop's texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.sparse import csr_array, diags_array

from basketry.compression.step import Materials, hyperparameter
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.encoders.documents import readable
from basketry.encoders.models import encoder_of
from basketry.encoders.ngram.encoder import SENTENCE_PIECES
from basketry.encoders.ngram.sentence_pieces import SentencePieces
from basketry.encoders.state import EncoderState
from basketry.encoders.tokens import pieces_of, tokeniser

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

    Floats = npt.NDArray[np.float32]

_MOST_TOKENS: Final = 512
_ROUNDS: Final = 30  # of conjugate gradients; the residual is then below a thousandth
_CHUNK: Final = 8_192
_FAR: Final = 1e-20


@dataclass(frozen=True)
class Static:
    """Replace the encoder by token vectors E [V, dim] that are added up.

    First each token is encoded by itself and weighted by a / (a + p), p being its share of the texts' tokens (Arora et al.,
    2017); that is E0, scaled as a whole. Then E minimises, over the n texts with token counts X and teacher's vectors T,

        | D X E - T |^2 + reg | E - E0 |^2,     D = 1 / sqrt(tokens of the text),

    by conjugate gradients: tokens seen often move to where the texts want them, rare ones stay, unseen ones keep E0. Several
    teachers are laid side by side. No training extra is needed. About 5 CPU seconds for 20,000 titles, besides the teacher's.
    """

    reg: float = hyperparameter(0.3, "pull towards the vectors of tokens by themselves; above 0")
    a: float = hyperparameter(1e-3, "share of all tokens at which a token counts half; above 0")
    texts: int = hyperparameter(50_000, "texts to fit to at most; at least 1")

    def __post_init__(self) -> None:
        if min(self.reg, self.a) <= 0 or self.texts < 1:
            raise RequestError(f"static cannot have reg={self.reg}, a={self.a}, texts={self.texts}", "all of them above 0")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """A state of family static, with the tokens of the encoder it replaces."""
        texts = materials.sample(self.texts)
        shell = _shell(state)
        counts = token_counts(tokeniser(shell, "vectors", special=False)(texts), vocabulary_size(shell))
        aim = _side_by_side(materials, texts)
        alone = self._alone(shell, materials)
        share = np.asarray(counts.sum(axis=0)).ravel() / max(counts.sum(), 1)
        prior = alone * (self.a / (self.a + share)).astype(np.float32)[:, None]
        vectors = fitted(counts, aim, prior, self.reg)
        unknown = aim.mean(axis=0)
        return EncoderState(
            "static",
            {"vectors": vectors, "unknown": (unknown / np.linalg.norm(unknown)).astype(np.float32)},
            shell.settings,
            shell.files,
            state.history,
        )

    def _alone(self, shell: EncoderState, materials: Materials) -> Floats:
        """float32 [V, dim]: the teachers' vector of each token by itself; 0 for those that show nothing."""
        pieces = pieces_of(json.loads(shell.files["tokenizer.json"]))
        written = [_written(pieces.get(number, "")) for number in range(max(pieces) + 1)]
        known = [number for number, text in enumerate(written) if readable(text)]
        parts = []
        with span("encode tokens", total=len(known), unit="tokens") as progress:
            encoders = [encoder_of(teacher, materials.run) for teacher in materials.teachers]
            for start in range(0, len(known), _CHUNK):
                texts = [written[number] for number in known[start : start + _CHUNK]]
                parts.append(np.concatenate([encoder.encode(texts) for encoder in encoders], axis=1))
                progress.advance(len(texts))
        found = np.concatenate(parts)
        alone = np.zeros((len(written), found.shape[1]), dtype=np.float32)
        alone[known] = found / np.sqrt(len(materials.teachers))
        return alone


def token_counts(tokens: list[list[int]], size: int) -> csr_array:
    """Sparse float32 [texts, size]: how often each token stands in each text."""
    lengths = [len(one) for one in tokens]
    ids = np.fromiter((token for one in tokens for token in one), dtype=np.int64, count=sum(lengths))
    counts = csr_array(
        (np.ones(len(ids), np.float32), ids, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(tokens), size)
    )
    counts.sum_duplicates()
    return counts


def fitted(counts: csr_array, aim: Vectors, prior: Floats, reg: float, rounds: int = _ROUNDS) -> Floats:
    """The E of `Static`: float32 [V, dim], by conjugate gradients on all columns at once; first `prior` is scaled to fit."""
    lengths = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    mean = diags_array((1 / np.sqrt(lengths)).astype(np.float32)) @ counts
    mean, turned = mean.tocsr(), mean.T.tocsr()
    given = mean @ prior
    prior = prior * np.float32((given * aim).sum() / max(float((given * given).sum()), _FAR))
    change = np.zeros_like(prior)
    left: Any = turned @ (aim - mean @ prior)
    direction, size = left.copy(), np.einsum("ij,ij->j", left, left)
    for _ in range(rounds):
        curved = turned @ (mean @ direction) + np.float32(reg) * direction
        step = size / np.maximum(np.einsum("ij,ij->j", direction, curved), _FAR)
        change += direction * step
        left -= curved * step
        new = np.einsum("ij,ij->j", left, left)
        direction *= new / np.maximum(size, _FAR)
        direction += left
        size = new
    whole: Floats = (prior + change).astype(np.float32)
    return whole


def vocabulary_size(state: EncoderState) -> int:
    """How many tokens the tokenizer.json of a state knows."""
    return max(pieces_of(json.loads(state.files["tokenizer.json"]))) + 1


def _shell(state: EncoderState) -> EncoderState:
    """A static state without arrays: its tokeniser and settings."""
    if SENTENCE_PIECES in state.files:
        files = {"tokenizer.json": SentencePieces.parse(state.files[SENTENCE_PIECES]).tokenizer_json()}
    else:
        files = {"tokenizer.json": state.files["tokenizer.json"]}
    return EncoderState("static", {}, {"max_tokens": int(state.settings.get("max_tokens") or _MOST_TOKENS)}, files)


def _side_by_side(materials: Materials, texts: list[str]) -> Vectors:
    parts = [encoder_of(teacher, materials.run).encode(texts) for teacher in materials.teachers]
    whole: Vectors = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    return whole


def _written(piece: str) -> str:
    """A token as a reader would write it: without the marks of beginnings, continuations and white space."""
    return piece.removeprefix("##").replace("\u2581", " ").replace("\u0120", " ").strip()
