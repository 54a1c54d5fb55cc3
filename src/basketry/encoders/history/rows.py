"""Events of a batch as rows of one matrix and as a padded block, back and forth; and the bag of events up to each one.

Most histories are far shorter than the longest: what works event by event works on rows [events, dim] and never on padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def spread(rows: Tensor, mask: Tensor) -> Tensor:
    """[n, t, dim] of rows [events, dim]: those of each history in a line, zero where `mask` bool [n, t] is false."""
    block = rows.new_zeros(*mask.shape, rows.shape[-1])
    block[mask] = rows
    return block


class Bag(nn.Module):
    """b_p = sum_q w_pq x_q / sqrt(sum_q w_pq) over the events q up to p, w = exp(-fading (p - q)), fading learned.

    Masked, w is 1 for every event of the history that is shown, on both sides, and 0 for hidden ones.
    """

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.fading = nn.Parameter(torch.tensor(0.2).log(), requires_grad=not masked)  # its log: it stays above 0

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` and `shown` bool [n, t]."""
        block = spread(rows, mask)
        if self.masked:
            weight = shown.to(rows.dtype)[:, None, :]
            bags = weight @ block / weight.sum(-1, keepdim=True).clamp(min=1e-6).sqrt()
            return bags.expand_as(block)[mask]
        place = torch.arange(mask.shape[1], device=rows.device)
        gap = place[:, None] - place
        weight = torch.exp(-self.fading.exp() * gap.clamp(min=0)) * (gap >= 0)
        bags = weight @ block / weight.sum(-1, keepdim=True).sqrt()
        return bags[mask]
