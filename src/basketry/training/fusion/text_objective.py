"""What a text network learns of behaviour: to place a text where the partners of its product stand. Needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from basketry.training.objectives import thinned

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors

_SHUT: Final = -1e9


class BehaviourObjective(nn.Module):
    """The mean over texts i of -sum_j p_ij log softmax_j(f(text_i) . b_j / temperature), j over products with partners, not i.

    b_j is the behaviour of product j (float32 [n, dim], fixed), p_ij the weight of the pair over the sum of i's. Candidates
    need no encoding, so every product is a negative in every step. `token_dropout` leaves out that share of each text's tokens,
    never the last one.
    """

    def __init__(self, behaviour: Vectors, partners: csr_array, *, temperature: float, token_dropout: float) -> None:
        super().__init__()
        self._temperature, self._token_dropout = temperature, token_dropout
        self.behaviour: Tensor
        self.candidates: Tensor
        candidates = np.flatnonzero(np.diff(partners.indptr))
        self._partners = csr_array(partners[:, candidates])
        self.register_buffer("candidates", torch.from_numpy(candidates), persistent=False)
        self.register_buffer("behaviour", torch.from_numpy(behaviour[candidates]), persistent=False)

    def forward(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of a batch of texts."""
        mask, rows = batch["mask"], batch["row"]
        if self._token_dropout and module.training:
            mask = thinned(mask, self._token_dropout)
        scores = module(batch["ids"], mask).float() @ self.behaviour.T / self._temperature
        scores = scores.masked_fill(rows[:, None] == self.candidates[None, :], _SHUT)
        wanted = torch.from_numpy(self._partners[rows.cpu().numpy()].toarray().astype(np.float32)).to(scores.device)
        wanted = wanted / wanted.sum(dim=1, keepdim=True)
        loss: Tensor = -(wanted * torch.log_softmax(scores, dim=1)).sum(dim=1).mean()
        return loss
