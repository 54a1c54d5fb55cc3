"""A bag of events through a perceptron; masked, a denoising auto-encoder with one matrix for what goes in and what comes out.

Source: Wu et al., Collaborative Denoising Auto-Encoders for Top-N Recommender Systems (WSDM 2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.history.rows import Bag

if TYPE_CHECKING:
    from basketry.encoders.history.layout import Layout


class Perceptron(nn.Module):
    """norm(x + outer(gelu(inner(x)))) of the bag x, scaled by sqrt(dim), in `blocks` blocks 4 times as wide inside."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.scale = layout.dim**0.5
        self.bag = Bag(layout.masked)
        self.drop = nn.Dropout(dropout)
        self.inner = nn.ModuleList(nn.Linear(layout.dim, 4 * layout.dim) for _ in range(layout.blocks))
        self.outer = nn.ModuleList(nn.Linear(4 * layout.dim, layout.dim) for _ in range(layout.blocks))
        self.norm = nn.LayerNorm(layout.dim)

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` and `shown` bool [n, t]."""
        rows = self.drop(self.bag(rows * self.scale, mask, shown))
        for inner, outer in zip(self.inner, self.outer, strict=True):
            rows = rows + self.drop(outer(functional.gelu(inner(rows))))
        ended: Tensor = self.norm(rows)
        return ended
