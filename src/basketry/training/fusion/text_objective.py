"""What a text network learns of behaviour: to place a text where the partners of its product stand. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from basketry.encoders.batches import padded

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

_SHUT: Final = -1e9


class ProductTexts:
    """Examples of the loop: the token ids of each text, and the row of its product."""

    def __init__(self, tokens: Sequence[Sequence[int]], rows: npt.NDArray[np.int64]) -> None:
        self._tokens, self._rows = tokens, rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, rows: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """`ids` int64 and `mask` bool [n, longest], `row` int64 [n]."""
        ids, mask = padded([self._tokens[row] for row in rows])
        found = {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask.astype(bool))}
        return found | {"row": torch.from_numpy(self._rows[rows])}


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
            drawn = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
            mask = mask & ((drawn >= self._token_dropout) | (drawn == drawn.max(dim=1, keepdim=True).values))
        scores = module(batch["ids"], mask).float() @ self.behaviour.T / self._temperature
        scores = scores.masked_fill(rows[:, None] == self.candidates[None, :], _SHUT)
        wanted = torch.from_numpy(self._partners[rows.cpu().numpy()].toarray().astype(np.float32)).to(scores.device)
        wanted = wanted / wanted.sum(dim=1, keepdim=True)
        loss: Tensor = -(wanted * torch.log_softmax(scores, dim=1)).sum(dim=1).mean()
        return loss
