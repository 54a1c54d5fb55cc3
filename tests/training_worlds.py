"""Small worlds to train in: a line to be found, and points whose partners are known. Needs torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Line:
    """64 points of y = 2 x0 - 3 x1 + 1, without noise."""

    def __init__(self, size: int = 64) -> None:
        generator = torch.Generator().manual_seed(7)
        self.inputs = torch.randn(size, 2, generator=generator)
        self.outputs = self.inputs @ torch.tensor([2.0, -3.0]) + 1.0

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, rows: np.ndarray) -> dict[str, Tensor]:
        at = torch.from_numpy(rows)
        return {"inputs": self.inputs[at], "outputs": self.outputs[at]}


def squared(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    return ((module(batch["inputs"]).squeeze(-1) - batch["outputs"]) ** 2).mean()


def small_network(inputs: int = 2, outputs: int = 1, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, outputs))


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}
