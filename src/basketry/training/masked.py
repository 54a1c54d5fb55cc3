"""Masked-language training: a transformer learns a shop's language by guessing words left out of its product texts.

Devlin et al., BERT (NAACL 2019): 15% of the tokens are chosen; of those 80% are shown as [MASK], 10% as a random token and 10%
as they are; the loss is the cross-entropy of the chosen ones. Whole words may be chosen together (the authors' later variant).
The decoder is the word embeddings themselves behind a small transform, which is trained along and thrown away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.core.errors import EncoderError, RequestError
from basketry.core.telemetry import span
from basketry.encoders.batches import padded
from basketry.evaluation.bootstrap import Resampled, case_weights

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.encoders.state import EncoderState
    from basketry.encoders.transformer.torch_network import TransformerNetwork

PERPLEXITY: Final = "pseudo_perplexity"
_MASKS: Final = ("[MASK]", "<mask>")
_SHOWN_MASKED, _SHOWN_RANDOM = 0.8, 0.1
_ROWS: Final = 64  # masked copies run at a time when perplexity is measured


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What masking must know of a tokeniser: the id of [MASK], which ids are special, and which begin a word; bool [V] each."""

    mask: int
    special: Tensor
    begins: Tensor

    @classmethod
    def of(cls, state: EncoderState) -> Self:
        """Read off tokenizer.json: word pieces go on with ##, SentencePiece words begin with the sign for a space.

        Raises EncoderError if there is no mask token: it was trimmed away, or the tokeniser never had one.
        """
        table = json.loads(state.files["tokenizer.json"])
        names: list[str] = _names(table["model"]["vocab"])
        special = {entry["content"] for entry in table.get("added_tokens", ()) if entry.get("special")}
        special |= {name for name in names if name in _MASKS or (name[:1], name[-1:]) in (("[", "]"), ("<", ">"))}
        names += [""] * (len(state.arrays["embeddings.word"]) - len(names))
        found = [number for number, name in enumerate(names) if name in _MASKS]
        if not found:
            raise EncoderError("the tokeniser has no mask token", "train before the vocabulary is trimmed")
        if any(name.startswith("##") for name in names):
            begins = [not name.startswith("##") for name in names]
        elif any(name.startswith("▁") for name in names):
            begins = [name.startswith("▁") for name in names]
        else:
            begins = [True] * len(names)
        return cls(found[0], torch.tensor([name in special or not name for name in names]), torch.tensor(begins))


def _names(vocabulary: Mapping[str, int] | Sequence[Sequence[Any]]) -> list[str]:
    """Token names by id, whether the file lists them in order with scores or maps them to ids."""
    if not isinstance(vocabulary, Mapping):
        return [str(entry[0]) for entry in vocabulary]
    names = [""] * (max(vocabulary.values()) + 1)
    for name, number in vocabulary.items():
        names[number] = name
    return names


class MaskedLanguage(nn.Module):
    """The objective: the mean over texts of the mean cross-entropy of a text's chosen tokens, at least one in each.

    `share` of a text's tokens are chosen, rounded; with `whole_words` the word of the last one is finished. Which ones is drawn
    from torch's generator, anew each time. Texts of nothing but special tokens are refused by `tokens_of`.
    """

    def __init__(self, state: EncoderState, share: float = 0.15, whole_words: bool = True, seed: int = 0) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise RequestError(f"a share of {share} of the tokens cannot be masked", "share lies between 0 and 1")
        words = Vocabulary.of(state)
        vocabulary, hidden = state.arrays["embeddings.word"].shape
        self.mask, self.share, self.whole_words = words.mask, share, whole_words
        self.special: Tensor
        self.begins: Tensor
        self.register_buffer("special", words.special, persistent=False)
        self.register_buffer("begins", words.begins, persistent=False)
        self.transform = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        drawn = np.random.default_rng(seed).normal(0, 0.02, (hidden, hidden)).astype(np.float32)
        with torch.no_grad():
            self.transform.weight.copy_(torch.from_numpy(drawn))
            self.transform.bias.zero_()

    def forward(self, module: TransformerNetwork, batch: dict[str, Tensor]) -> Tensor:
        """The loss of `batch`: `ids`, `mask`."""
        ids, mask = batch["ids"], batch["mask"].bool()
        chosen = self.chosen(ids, mask)
        losses = -self.log_probabilities(module, self.shown(ids, chosen), mask, chosen, ids)
        row = chosen.nonzero()[:, 0]
        sums = torch.zeros(len(ids), device=ids.device).index_add(0, row, losses)
        return (sums / chosen.sum(1)).mean()

    def chosen(self, ids: Tensor, mask: Tensor) -> Tensor:
        """True where a token is to be guessed, bool [n, t]."""
        open_ = mask & ~self.special[ids]
        # A unit is a token, or a word: each has one random number, and the units of the largest numbers are chosen.
        unit = (self.begins[ids] | ~open_).cumsum(1) if self.whole_words else torch.arange(ids.shape[1], device=ids.device)
        drawn = torch.rand(ids.shape[0], ids.shape[1] + 1, device=ids.device).gather(1, unit.expand_as(ids))
        drawn = drawn.masked_fill(~open_, -1.0)
        count = (open_.sum(1) * self.share).round().long().clamp(min=1)
        least = drawn.sort(1, descending=True).values.gather(1, count[:, None] - 1)
        return open_ & (drawn >= least)

    def shown(self, ids: Tensor, chosen: Tensor) -> Tensor:
        """The ids that the network gets to see."""
        draw = torch.rand(ids.shape, device=ids.device)
        usual = (~self.special).nonzero()[:, 0]
        other = usual[torch.randint(len(usual), ids.shape, device=ids.device)]
        masked = torch.where(chosen & (draw < _SHOWN_MASKED), self.mask, ids)
        return torch.where(chosen & (draw >= _SHOWN_MASKED) & (draw < _SHOWN_MASKED + _SHOWN_RANDOM), other, masked)

    def log_probabilities(self, module: TransformerNetwork, shown: Tensor, mask: Tensor, chosen: Tensor, ids: Tensor) -> Tensor:
        """The log probability of the true token at each chosen place, float32 [chosen.sum()], in row order."""
        states = module.hidden(shown, mask)[-1][chosen]
        guesses = self.norm(functional.gelu(self.transform(states)))
        scores = functional.linear(guesses, module.embeddings.word, self.bias).float()
        return -functional.cross_entropy(scores, ids[chosen], reduction="none")


def tokens_of(state: EncoderState, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """The texts that have a token to guess."""
    special = Vocabulary.of(state).special.numpy()
    return [list(text) for text in tokens if not special[list(text)].all()]


@dataclass(frozen=True, eq=False)
class Guessed:
    """How well the tokens of each text were guessed: `logs` float64 [texts], sums of log P(token); `counts` int64, how many."""

    logs: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def perplexity(self) -> float:
        """Exp of minus the mean of log P over all tokens: k is the doubt of a fair choice among k tokens."""
        return float(self.measure(resamples=0).values[PERPLEXITY][0])

    def measure(self, resamples: int = 500, seed: int = 0) -> Resampled:
        """`pseudo_perplexity`, the lower the better, on all texts and on `resamples` draws of them."""
        weight = case_weights(np.arange(len(self.logs)), resamples, seed)
        return Resampled({PERPLEXITY: np.exp(-(weight @ self.logs) / np.maximum(weight @ self.counts, 1))})


def guessed(module: TransformerNetwork, objective: MaskedLanguage, tokens: Sequence[Sequence[int]]) -> Guessed:
    """Each token masked in its turn, and guessed from the rest of its text.

    One forward pass a token: about 15 s of CPU for 3,000 tokens of MiniLM. Comparable for one tokeniser only. Salazar et al.,
    Masked Language Model Scoring (ACL 2020), equation 4. Raises RequestError if there is nothing to guess.
    """
    special = objective.special.cpu().numpy()
    places = [(text, place) for text, ids in enumerate(tokens) for place, token in enumerate(ids) if not special[token]]
    if not places:
        raise RequestError("no text has a token to guess", "give texts with words")
    places.sort(key=lambda pair: len(tokens[pair[0]]))
    owner = np.array([text for text, _ in places])
    module.eval()
    objective.eval()
    device = objective.bias.device
    logs: list[npt.NDArray[np.float64]] = []
    with torch.no_grad(), span("perplexity", total=len(places), unit="tokens") as progress:
        for start in range(0, len(places), _ROWS):
            some = places[start : start + _ROWS]
            numbers, there = padded([tokens[text] for text, _ in some])
            ids, mask = torch.from_numpy(numbers).to(device), torch.from_numpy(there).bool().to(device)
            chosen = torch.zeros_like(mask)
            chosen[range(len(some)), [place for _, place in some]] = True
            found = objective.log_probabilities(module, torch.where(chosen, objective.mask, ids), mask, chosen, ids)
            logs.append(found.double().cpu().numpy())
            progress.advance(len(some))
    return _by_text(owner, np.concatenate(logs), len(tokens))


def guessed_by_frequency(learned: Sequence[Sequence[int]], tokens: Sequence[Sequence[int]], special: Tensor) -> Guessed:
    """The baseline that reads no context: P(token) from counts in `learned` plus one."""
    usual = ~special.numpy()
    counts = np.bincount(np.concatenate([np.asarray(text) for text in learned]), minlength=len(usual)).astype(np.float64) + 1
    counts[~usual] = 0
    owner = np.repeat(np.arange(len(tokens)), [len(text) for text in tokens])
    seen = np.concatenate([np.asarray(text) for text in tokens])
    return _by_text(owner[usual[seen]], np.log(counts[seen[usual[seen]]] / counts.sum()), len(tokens))


def _by_text(owner: npt.NDArray[np.int64], logs: npt.NDArray[np.float64], texts: int) -> Guessed:
    return Guessed(np.bincount(owner, logs, texts).astype(np.float64), np.bincount(owner, minlength=texts).astype(np.int64))
