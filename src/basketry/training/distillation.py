"""Distillation: a network learns to give its teacher's vectors, and if asked to look inside, its teacher's states.

With unit vectors s of the student and t of the teacher over a batch, and token states h, the loss is the weighted sum of

    vector       mean (1 - s . t)
    similarity   mean over rows of KL(softmax(t_i . t_j / temperature) || softmax(s_i . s_j / temperature)), j other than i
    hidden       mean over tokens of (1 - cosine of the student's state with the teacher's), layer by mapped layer
    attention    mean over tokens of KL(teacher's looks || student's looks), both averaged over heads, layer by mapped layer

Sources: Hinton et al., Distilling the Knowledge in a Neural Network (2015); Sanh et al., DistilBERT (2019), for cosines of
states; Jiao et al., TinyBERT (2020), for attention and mapped layers; Tung and Mori, Similarity-Preserving Distillation (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.core.errors import RequestError
from basketry.encoders.models import encoder_of, network_of, tokeniser_of
from basketry.encoders.transformer.torch_network import TransformerNetwork
from basketry.training.devices import beside
from basketry.training.examples import Texts
from basketry.training.loop import TrainedHistory, train

if TYPE_CHECKING:
    from pathlib import Path

    from basketry.core.protocols import Run, Vectors
    from basketry.encoders.state import EncoderState
    from basketry.training.plan import TrainingPlan

_HELD_OUT: Final = 20  # one text in so many is kept for validation
_MOST_HELD_OUT: Final = 500
_SELF: Final = -1e4  # a text's likeness with itself says nothing


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss counts; at least 0, not all 0."""

    vector: float = 1.0
    similarity: float = 1.0
    hidden: float = 0.0
    attention: float = 0.0
    temperature: float = 0.05


class Distillation:
    """The loss above. Batches hold `ids`, `mask` and `aim`, the teacher's vectors.

    `teacher` is needed for hidden states and attention; student layer i learns from its layer (i + 1) * depth / student depth,
    rounded to the nearest. It reads the same tokens as the student.
    """

    def __init__(self, weights: Weights, teacher: TransformerNetwork | None = None) -> None:
        self.weights: Final = weights
        self._teacher = teacher if weights.hidden or weights.attention else None
        if self._teacher is None and (weights.hidden or weights.attention):
            raise RequestError("hidden states and attention need a transformer as teacher", "set both weights to 0")

    def __call__(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of a batch."""
        ids, mask, aim = batch["ids"], batch["mask"], batch["aim"]
        if self._teacher is None:
            return self.of_vectors(module(ids, mask), aim)
        assert isinstance(module, TransformerNetwork), "hidden states are those of transformers"
        states = module.hidden(ids, mask)
        with torch.no_grad():
            theirs = self._teacher.hidden(ids, mask)
        loss = self.of_vectors(module.pooled(states[-1], mask), aim)
        pairs = mapped(len(states) - 1, len(theirs) - 1)
        if self.weights.hidden:
            apart = [1 - functional.cosine_similarity(states[ours], theirs[them], dim=-1)[mask].mean() for ours, them in pairs]
            loss = loss + self.weights.hidden * torch.stack(apart).mean()
        if self.weights.attention:
            loss = loss + self.weights.attention * self._attention(module, states, theirs, pairs, mask)
        return loss

    def of_vectors(self, vectors: Tensor, aim: Tensor) -> Tensor:
        """The part of the loss that looks at vectors alone, in float32: likenesses over a small temperature need it."""
        with torch.autocast(aim.device.type, enabled=False):
            return self._of_floats(vectors.float(), aim)

    def _of_floats(self, vectors: Tensor, aim: Tensor) -> Tensor:
        loss = self.weights.vector * (1 - (vectors * aim).sum(-1)).mean()
        if self.weights.similarity and len(aim) > 1:
            away = torch.eye(len(aim), device=aim.device) * _SELF
            ours, theirs = (((rows @ rows.T) / self.weights.temperature + away).log_softmax(-1) for rows in (vectors, aim))
            loss = loss + self.weights.similarity * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return loss

    def _attention(
        self, module: TransformerNetwork, states: list[Tensor], theirs: list[Tensor], pairs: list[tuple[int, int]], mask: Tensor
    ) -> Tensor:
        assert self._teacher is not None
        apart = []
        for ours, them in pairs:
            looks = module.layers[ours - 1].attention.probabilities(states[ours - 1], mask).mean(1)[mask]
            with torch.no_grad():
                wanted = self._teacher.layers[them - 1].attention.probabilities(theirs[them - 1], mask).mean(1)[mask]
            apart.append(functional.kl_div(looks.clamp_min(1e-9).log(), wanted, reduction="batchmean"))
        return torch.stack(apart).mean()


def mapped(ours: int, theirs: int) -> list[tuple[int, int]]:
    """Pairs (layer of the student, layer of the teacher), counted from 1: evenly spread, the last on the last."""
    return [(layer, max(1, round(layer * theirs / ours))) for layer in range(1, ours + 1)]


def aims(teachers: Sequence[EncoderState], texts: Sequence[str], dim: int, run: Run) -> Vectors:
    """float32 [n, dim], unit norm: what the student's vectors should be.

    Of one teacher with vectors of length `dim`, its own. Otherwise the teachers' vectors side by side, whose cosine is the mean
    of the teachers' cosines, turned onto their `dim` main directions (zeros behind, if they are fewer).
    """
    parts = [encoder_of(teacher, run).encode(texts) for teacher in teachers]
    if len(parts) == 1 and parts[0].shape[1] == dim:
        return parts[0]
    side = np.concatenate(parts, axis=1)
    values, directions = np.linalg.eigh(side.T.astype(np.float64) @ side)
    turned = side @ directions[:, np.argsort(-values)[:dim]]
    turned = np.pad(turned, ((0, 0), (0, dim - turned.shape[1])))
    unit: Vectors = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
    return unit


def distil(
    student: EncoderState,
    teachers: Sequence[EncoderState],
    texts: Sequence[str],
    weights: Weights,
    plan: TrainingPlan,
    run: Run,
    *,
    module: nn.Module | None = None,
    folder: Path | None = None,
) -> tuple[nn.Module, TrainedHistory]:
    """Train `module` (by default the network of `student`) on `texts` towards the teachers, and give it with what happened.

    One text in twenty, 500 at most, is held out: the weights with the best mean cosine to the aim on those are kept. Raises
    RequestError if there are fewer than 40 texts, or inner states are asked of a teacher that reads other tokens.
    """
    if len(texts) < 2 * _HELD_OUT:
        raise RequestError(f"{len(texts)} texts are too few to distil on", f"give at least {2 * _HELD_OUT}, better thousands")
    inner: TransformerNetwork | None = None
    if weights.hidden or weights.attention:
        if {each.family for each in (student, teachers[0])} != {"transformer"} or student.files != teachers[0].files:
            raise RequestError(
                "hidden states are compared token by token, and the teacher reads others", "put vocab after distil"
            )
        inner = TransformerNetwork(teachers[0])
        inner.eval()
    network = network_of(student) if module is None else module
    tokens = tokeniser_of(student)(texts)
    with torch.no_grad():
        first = beside(network, Texts(tokens[:1]).batch(np.arange(1)))
        dim = network(first["ids"], first["mask"]).shape[1]
    aim = aims(teachers, texts, dim, run)
    drawn = np.random.default_rng(run.seed).permutation(len(texts))
    held = drawn[: min(len(texts) // _HELD_OUT, _MOST_HELD_OUT)]
    learned = np.sort(drawn[len(held) :])
    examples = Texts([tokens[row] for row in learned], {"aim": aim[learned]})
    judged = Texts([tokens[row] for row in held], {"aim": aim[held]})

    def validate(trained: nn.Module) -> float:
        cosines = []
        for start in range(0, len(judged), plan.batch_size):
            batch = beside(trained, judged.batch(np.arange(start, min(start + plan.batch_size, len(judged)))))
            cosines.append((trained(batch["ids"], batch["mask"]) * batch["aim"]).sum(-1))
        return float(torch.cat(cosines).mean())

    history = train(network, Distillation(weights, inner), examples, plan, run, validate=validate, folder=folder)
    return network, history
