"""Gated recurrent units over a history (Hidasi et al., Session-based Recommendations with Recurrent Neural Networks, 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from basketry.encoders.history.rows import spread

if TYPE_CHECKING:
    from basketry.encoders.history.layout import Layout


class Recurrent(nn.Module):
    """`blocks` layers of GRU, each `dim` wide, then one normalisation."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.scale = layout.dim**0.5
        self.drop = nn.Dropout(dropout)
        self.units = nn.GRU(layout.dim, layout.dim, layout.blocks, batch_first=True)
        self.norm = nn.LayerNorm(layout.dim)

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` bool [n, t]."""
        del shown
        states, _ = self.units(spread(self.drop(rows * self.scale), mask))
        ended: Tensor = self.norm(self.drop(states[mask]))
        return ended
