"""Products that spread over the graph of customers and products (He et al., LightGCN, SIGIR 2020).

A customer has no vector of their own here, only the sum of what they hold: so one who came a minute ago is ranked for too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from basketry.encoders.history.rows import Bag

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.encoders.history.layout import Layout


class Graph(nn.Module):
    """The bag of spread products, times a learned scale. `Propagation` does the spreading, before the history is read."""

    def __init__(self, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.bag = Bag(layout.masked)
        self.drop = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.tensor(layout.dim**0.5))

    def forward(self, rows: Tensor, mask: Tensor, shown: Tensor) -> Tensor:
        """Rows [events, dim] of rows [events, dim]; `mask` and `shown` bool [n, t]."""
        bags: Tensor = self.drop(self.bag(rows, mask, shown))
        return bags * self.scale


class Propagation(nn.Module):
    """E' = mean over l = 0..blocks of (A^T A)^l E, A = (customers)^-1/2 held (products)^-1/2: two steps of LightGCN a block.

    `held` is sparse 0/1 [customers, products]. Cost: 4 * dim multiplications an entry of `held` and block.
    """

    def __init__(self, held: csr_array, blocks: int) -> None:
        super().__init__()
        import numpy as np
        from scipy.sparse import csr_array, diags_array

        self.blocks = blocks
        degree = [np.maximum(np.asarray(held.sum(axis=axis), dtype=np.float64).ravel(), 1) ** -0.5 for axis in (1, 0)]
        scaled = csr_array(diags_array(degree[0]) @ held @ diags_array(degree[1]))
        self.down: Tensor
        self.up: Tensor
        self.register_buffer("down", _sparse(scaled), persistent=False)
        self.register_buffer("up", _sparse(csr_array(scaled.T)), persistent=False)

    def forward(self, table: Tensor) -> Tensor:
        """[products, dim] of [products, dim]."""
        total = table
        for _ in range(self.blocks):
            table = _product(self.up, _product(self.down, table, self.up), self.down)
            total = total + table
        return total / (self.blocks + 1)


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one; the way back uses the transpose that stands ready."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, matrix: Tensor, dense: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed  # type: ignore[attr-defined]
        return matrix @ dense

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[None, Tensor, None]:
        return None, ctx.transposed @ grads[0], None  # type: ignore[attr-defined]


def _sparse(matrix: csr_array) -> Tensor:
    import warnings

    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)  # torch says it is in beta
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype("int64")),
            torch.from_numpy(matrix.indices.astype("int64")),
            torch.from_numpy(matrix.data.astype("float32")),
            size=matrix.shape,
        )


def _product(matrix: Tensor, dense: Tensor, transposed: Tensor) -> Tensor:
    made: Tensor = _Product.apply(matrix, dense, transposed)  # type: ignore[no-untyped-call]
    return made
