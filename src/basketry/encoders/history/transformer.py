"""Attention over a history, in blocks that normalise first.

Causal, with a softmax over products, it is SASRec (Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018);
masked, BERT4Rec (Sun et al., BERT4Rec, CIKM 2019); causal and gated, the LiGR blocks of Borisyuk et al., From Features to
Transformers: Redefining Ranking for Scalable Impact (2025), which eSASRec takes up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.history.rows import spread

if TYPE_CHECKING:
    from basketry.encoders.history.layout import Layout


class Transformer(nn.Module):
    """x = sqrt(dim) e + position, then blocks of attention and feed-forward, then one normalisation."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.scale = layout.dim**0.5
        self.position = nn.Parameter(torch.randn(layout.length, layout.dim) * 0.02)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(layout, dropout) for _ in range(layout.blocks))
        self.norm = nn.LayerNorm(layout.dim)

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` bool [n, t]."""
        del shown
        place = torch.arange(mask.shape[1], device=rows.device).expand_as(mask)[mask]
        rows = self.drop(rows * self.scale + self.position[place])
        for block in self.blocks:
            rows = block(rows, mask)
        ended: Tensor = self.norm(rows)
        return ended


class _Block(nn.Module):
    """x + f(norm(x)) for attention, then for the feed-forward; gated, each f is multiplied by sigmoid(gate(norm(x)))."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        dim, self.heads, self.masked, self.gated = layout.dim, layout.heads, layout.masked, layout.gated
        wide = 4 * dim
        self.attend_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attend, self.attended = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.inner, self.outer = nn.Linear(dim, wide * (2 if self.gated else 1)), nn.Linear(wide, dim)
        if self.gated:
            self.attend_gate, self.feed_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        near = self.attend_norm(rows)
        change = self.drop(self.attended(self._attention(near, mask)))
        rows = rows + (change * torch.sigmoid(self.attend_gate(near)) if self.gated else change)
        near = self.feed_norm(rows)
        inner = self.inner(near)
        if self.gated:
            one, other = inner.chunk(2, -1)
            inner = functional.silu(one) * other
        else:
            inner = functional.gelu(inner)
        change = self.drop(self.outer(self.drop(inner)))
        added: Tensor = change * torch.sigmoid(self.feed_gate(near)) if self.gated else change
        return rows + added

    def _attention(self, rows: Tensor, mask: Tensor) -> Tensor:
        block = spread(self.attend(rows), mask)
        query, key, value = block.view(*mask.shape, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # Padding stands on the right, where a causal look never falls; only a look both ways must be told of it.
        both = mask[:, None, None, :] if self.masked else None
        seen = functional.scaled_dot_product_attention(query, key, value, both, is_causal=not self.masked)
        return seen.transpose(1, 2).flatten(2)[mask]
