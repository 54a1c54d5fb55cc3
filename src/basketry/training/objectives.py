"""What to make small: losses over a network's unit vectors, each a mean over the batch's examples.

A network is called as `module(ids, mask)`. Batches name their tensors: `ids`, `mask` (and `label`) for texts to classify; for
pairs `ids`, `mask` are the anchors, `positive.ids`, `positive.mask` their partners in the same order, and what is said at
`Contrastive` may be added. `training/examples.py` makes such batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from basketry.core.errors import RequestError
from basketry.training.distributed import gathered, lengths, offset

if TYPE_CHECKING:
    import numpy.typing as npt

BALANCES: Final = ("none", "inverse", "effective")


def class_weights(labels: npt.NDArray[np.int64], classes: int, balance: str, beta: float = 0.999) -> npt.NDArray[np.float32]:
    """A weight per class, float32 [classes], whose mean over the examples is 1; 0 for a class without examples.

    With n_k examples of class k: `none` 1; `inverse` proportional to 1 / n_k; `effective` to (1 - beta) / (1 - beta^n_k), which
    lies between the two (Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019). Raises RequestError
    for another name.
    """
    if balance not in BALANCES:
        raise RequestError(f"no class balance is called {balance!r}", f"use one of {', '.join(BALANCES)}")
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    there = counts > 0
    weights = there.astype(np.float64)
    if balance == "inverse":
        weights[there] = 1 / counts[there]
    elif balance == "effective":
        weights[there] = (1 - beta) / (1 - beta ** counts[there])
    total = (weights * counts).sum()
    scaled: npt.NDArray[np.float32] = (weights * counts.sum() / total if total else weights).astype(np.float32)
    return scaled


class Classification(nn.Module):
    """Cross-entropy of a linear layer over the vector; the layer is trained with the network and kept in `head`.

    `weights` [classes] multiply each example's loss (`class_weights`); `smoothing` in [0, 1) spreads that share of the target
    over all classes; `dropout` falls on the vector. `consistency` > 0 runs each batch twice under different dropout and adds
    that many times the symmetric Kullback-Leibler divergence of the two answers (Liang et al., R-Drop, NeurIPS 2021): twice
    the time, and of no effect unless something drops out.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        weights: npt.NDArray[np.float32] | None = None,
        *,
        smoothing: float = 0.0,
        dropout: float = 0.1,
        consistency: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not (0 <= smoothing < 1 and 0 <= dropout < 1 and consistency >= 0):
            asked = f"smoothing {smoothing}, dropout {dropout}, consistency {consistency}"
            raise RequestError(f"a classification cannot have {asked}", "the first two lie in [0, 1), the third is at least 0")
        self.head = nn.Linear(dim, classes)
        # Unit vectors: rows of norm about 1 start near uniform answers, whatever dim and torch's own random state.
        drawn = np.random.default_rng(seed).normal(scale=dim**-0.5, size=(classes, dim)).astype(np.float32)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(drawn))
            self.head.bias.zero_()
        self.weights: Tensor
        self.register_buffer("weights", torch.from_numpy(np.ones(classes, np.float32) if weights is None else weights.copy()))
        self._drop = nn.Dropout(dropout)
        self._smoothing, self._consistency = smoothing, consistency

    def forward(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of `batch`: `ids`, `mask`, `label` int64 [n]."""
        logits = self.logits(module(batch["ids"], batch["mask"]))
        loss = self._cross_entropy(logits, batch["label"])
        if not self._consistency:
            return loss
        again = self.logits(module(batch["ids"], batch["mask"]))
        one, other = logits.log_softmax(-1), again.log_softmax(-1)
        apart = (one.exp() * (one - other) + other.exp() * (other - one)).sum(-1).mean() / 2
        return (loss + self._cross_entropy(again, batch["label"])) / 2 + self._consistency * apart

    def logits(self, vectors: Tensor) -> Tensor:
        """float32 [n, classes] of unit vectors [n, dim]; in eval mode without dropout."""
        answers: Tensor = self.head(self._drop(vectors))
        return answers

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        # torch's own `weight=` divides by the weights of the batch: no mean over examples, and another when the batch is split.
        losses = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=self._smoothing)
        return (losses * self.weights[labels]).mean()


@dataclass(frozen=True)
class Contrastive:
    """Multiple negatives ranking: each anchor is to find its partner among the partners of all anchors of the global batch.

    The mean over anchors i of -log softmax_j(a_i . c_j / temperature - log q_j) at j = i, candidates c being all partners
    and all hard negatives (Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017; van den Oord
    et al., Representation Learning with Contrastive Predictive Coding, 2018). `symmetric` averages it with the loss of partners
    finding their anchors, where hard negatives play no part.

    A batch may add, each row for row:
    - `negative.ids`, `negative.mask`: hard negatives, any number, for all anchors;
    - `key` and `positive.key` (and `negative.key`), int64: a candidate other than i's own partner is no negative for i if its
      key is that of i's partner or of i itself: repeated products, the same product group;
    - `known`, bool [n, n]: partner j is known to go with anchor i too, so it is no negative for it;
    - `positive.log_q` (and `log_q` for anchors, `negative.log_q`): the log of how often a product stands in the pairs. Products
      are in-batch negatives as often as they are sold; subtracting log q undoes it (Yi et al., Sampling-Bias-Corrected Neural
      Modeling for Large Corpus Item Recommendations, RecSys 2019). Hard negatives without one count as of average frequency.

    `chunk` > 0 encodes so many texts at a time and computes each chunk a second time on the way back: the memory of one chunk,
    all negatives of the whole batch, a third more time (the trade of Gao et al., Scaling Deep Contrastive Learning Batch Size
    under Memory Limited Setup, 2021). `token_dropout` leaves out that share of each text's tokens while training.
    """

    temperature: float = 0.05
    symmetric: bool = True
    chunk: int = 0
    token_dropout: float = 0.0

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and self.chunk >= 0 and 0 <= self.token_dropout < 1):
            asked = f"temperature {self.temperature}, chunk {self.chunk}, token_dropout {self.token_dropout}"
            raise RequestError(
                f"a contrastive loss cannot have {asked}", "temperature > 0, chunk >= 0, token_dropout in [0, 1)"
            )

    def __call__(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The mean loss of this process's anchors against the candidates of all processes."""
        anchors, positives = self._vectors(module, batch, ""), self._vectors(module, batch, "positive.")
        negatives = self._vectors(module, batch, "negative.") if "negative.ids" in batch else None
        rows = torch.arange(len(anchors), device=anchors.device) + offset(anchors)
        candidates = gathered(positives)
        kinds = ["positive."]
        if negatives is not None:
            candidates = torch.cat([candidates, gathered(negatives)])
            kinds.append("negative.")
        sizes = (len(anchors), len(positives), 0 if negatives is None else len(negatives))
        own = _own_keys(batch, *sizes[:2], device=anchors.device)
        shut = None if own is None else _shut(own, _joint(batch, kinds, "key", sizes[1:], anchors.device), rows)
        known = batch.get("known")
        if known is not None:
            shut = _known_too(shut, known, (len(anchors), len(candidates)), rows)
        log_q = None if "positive.log_q" not in batch else _joint(batch, kinds, "log_q", sizes[1:], anchors.device)
        loss = ranking_loss(anchors, candidates, rows, temperature=self.temperature, shut=shut, log_q=log_q)
        if not self.symmetric:
            return loss
        shut = None if own is None else _shut(own, gathered(batch["key"]), rows)
        if known is not None:
            shut = _known_too(shut, known.T, (len(anchors), len(gathered(anchors))), rows)
        log_q = gathered(batch["log_q"]) if "log_q" in batch else None
        back = ranking_loss(positives, gathered(anchors), rows, temperature=self.temperature, shut=shut, log_q=log_q)
        return (loss + back) / 2

    def _vectors(self, module: nn.Module, batch: dict[str, Tensor], kind: str) -> Tensor:
        ids, mask = batch[f"{kind}ids"], batch[f"{kind}mask"].bool()
        if self.token_dropout and module.training:
            mask = thinned(mask, self.token_dropout)
        pieces = _pieces(ids, self.chunk) if self.chunk and torch.is_grad_enabled() else 1
        if pieces == 1:
            vectors: Tensor = module(ids, mask)
            return vectors.float()
        parts = [
            checkpoint(module, *part, use_reentrant=False)
            for part in zip(torch.tensor_split(ids, pieces), torch.tensor_split(mask, pieces), strict=True)
        ]
        return torch.cat(parts).float()


def ranking_loss(
    anchors: Tensor,
    candidates: Tensor,
    rows: Tensor,
    *,
    temperature: float,
    shut: Tensor | None = None,
    log_q: Tensor | None = None,
) -> Tensor:
    """Mean over i of -log softmax_j(anchors_i . candidates_j / temperature - log_q_j) at j = rows_i, over the j not shut.

    anchors [n, d], candidates [m, d], rows int64 [n], shut bool [n, m] (never at rows_i), log_q [m].
    """
    scores = anchors @ candidates.T / temperature
    if log_q is not None:
        scores = scores - log_q
    if shut is not None:
        scores = scores.masked_fill(shut, float("-inf"))
    loss: Tensor = functional.cross_entropy(scores, rows)
    return loss


def _pieces(ids: Tensor, chunk: int) -> int:
    """Into how many chunks to cut: as many on every process, since a sharded block's forward pass is a meeting of all."""
    sizes = lengths(ids)
    return max(1, min(-(-max(sizes) // chunk), *sizes))


def _own_keys(batch: dict[str, Tensor], anchors: int, positives: int, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """The two keys of each of this process's pairs, [n] each, or None where the batch has none."""
    if "positive.key" not in batch:
        return None
    if "key" not in batch or anchors != positives:
        raise RequestError("a batch of pairs has keys of its partners and none of its anchors", "add the tensor `key`")
    return batch["key"].to(device), batch["positive.key"].to(device)


def _shut(own: tuple[Tensor, Tensor], keys: Tensor, rows: Tensor) -> Tensor:
    """True where a candidate is the anchor or its partner once more; false for the partner itself."""
    same = (own[0][:, None] == keys[None, :]) | (own[1][:, None] == keys[None, :])
    return same.scatter(1, rows[:, None], False)


def _known_too(shut: Tensor | None, known: Tensor, shape: tuple[int, int], rows: Tensor) -> Tensor:
    """`shut` and, among this process's own pairs, what is `known` [n, n]; an anchor's partner in the batch stays open.

    Known partners that stand on another process are taken for negatives: to tell them would take every process's table.
    """
    whole = torch.zeros(shape, dtype=torch.bool, device=rows.device) if shut is None else shut.clone()
    own = known.to(rows.device) & ~torch.eye(len(known), dtype=torch.bool, device=rows.device)
    whole[:, rows] |= own
    return whole


def _joint(batch: dict[str, Tensor], kinds: list[str], name: str, sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """`name` of all candidates of all processes; a hard negative without one has a key of no product, or the average log q."""
    found = gathered(batch[f"positive.{name}"])
    parts = [found - found.mean()] if name == "log_q" else [found]
    if "negative." in kinds:
        given = batch.get(f"negative.{name}")
        if given is None:
            filler = torch.full((sizes[1],), -1 if name == "key" else 0, dtype=found.dtype, device=device)
            parts.append(gathered(filler))
        else:
            joint = gathered(given)
            parts.append(joint - found.mean() if name == "log_q" else joint)
    return torch.cat(parts)


def thinned(mask: Tensor, share: float) -> Tensor:
    """`mask` with that share of its true places made false, never the last one of a row."""
    drawn = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
    kept = drawn >= share
    return (kept | (drawn == drawn.max(dim=1, keepdim=True).values)) & mask
