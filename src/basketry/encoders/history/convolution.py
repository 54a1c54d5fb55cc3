"""Dilated causal convolutions over a history.

Source: Yuan et al., A Simple Convolutional Generative Network for Next Item Recommendation (WSDM 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.history.rows import spread

if TYPE_CHECKING:
    from basketry.encoders.history.layout import Layout

WIDTH: Final = 3


class Convolution(nn.Module):
    """x + gelu(convolution(norm(x))) in `blocks` blocks, block i looking at p, p - 2^i and p - 2^(i + 1)."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.scale = layout.dim**0.5
        self.drop = nn.Dropout(dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(layout.dim) for _ in range(layout.blocks))
        self.looks = nn.ModuleList(
            nn.Conv1d(layout.dim, layout.dim, WIDTH, dilation=2**block) for block in range(layout.blocks)
        )
        self.norm = nn.LayerNorm(layout.dim)

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` bool [n, t]."""
        del shown
        rows = self.drop(rows * self.scale)
        for block, (norm, look) in enumerate(zip(self.norms, self.looks, strict=True)):
            line = functional.pad(spread(norm(rows), mask).transpose(1, 2), ((WIDTH - 1) * 2**block, 0))
            rows = rows + self.drop(functional.gelu(look(line).transpose(1, 2)[mask]))
        ended: Tensor = self.norm(rows)
        return ended
