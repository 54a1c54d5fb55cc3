"""A deep belief network: restricted Boltzmann machines one upon another, unrolled into an auto-encoder and fine-tuned.

Sources: Hinton, Osindero and Teh, A Fast Learning Algorithm for Deep Belief Nets (2006); Hinton and Salakhutdinov, Reducing the
Dimensionality of Data with Neural Networks (2006). The first machine's matrix is the table of products itself, its visible
bias their bias. `training/divergence.py` trains the machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from basketry.encoders.history.rows import spread

if TYPE_CHECKING:
    from basketry.encoders.history.layout import Layout


class Belief(nn.Module):
    """Up: a_1 = sigmoid(sum of e + up_0), a_(i+1) = sigmoid(W_i a_i + up_i); down again by the same matrices, transposed."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.masked = layout.masked
        depth = layout.blocks - 1
        self.matrices = nn.ParameterList(torch.randn(layout.dim, layout.dim) * layout.dim**-0.5 for _ in range(depth))
        self.up = nn.ParameterList(torch.zeros(layout.dim) for _ in range(depth + 1))
        self.down = nn.ParameterList(torch.zeros(layout.dim) for _ in range(depth))
        self.drop = nn.Dropout(dropout)

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim], each within (0, 1), of rows [events, dim]; `mask` and `shown` bool [n, t]."""
        block = spread(rows, mask)
        whole = (block * shown[:, :, None]).sum(1, keepdim=True).expand_as(block)
        sums = whole if self.masked else block.cumsum(1)
        return self.again(self.drop(self.first(sums[mask])))

    def first(self, sums: Tensor) -> Tensor:
        """The first hidden layer of the sum of what is visible."""
        return torch.sigmoid(sums + self.up[0])

    def again(self, layer: Tensor) -> Tensor:
        """The first hidden layer as the layers above it make it again."""
        for matrix, up in zip(self.matrices, list(self.up)[1:], strict=True):
            layer = torch.sigmoid(layer @ matrix.T + up)
        for matrix, down in zip(reversed(list(self.matrices)), reversed(list(self.down)), strict=True):
            layer = torch.sigmoid(layer @ matrix + down)
        return layer
