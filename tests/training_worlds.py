"""Small worlds to train in: a line to be found, and points whose partners are known. Needs torch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from basketry.core.protocols import Run
from basketry.training.efficient import make_efficient
from basketry.training.examples import TextPairs
from basketry.training.loop import TrainedHistory, train
from basketry.training.objectives import Contrastive
from basketry.training.plan import TrainingPlan


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


class Blocks(nn.Module):
    """A small encoder in blocks, as transformers are: token vectors, two residual layers, the unit mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.word = nn.Parameter(torch.randn(30, 8))
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8), nn.Tanh()) for _ in range(2))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        rows = self.word[ids]
        for layer in self.layers:
            rows = rows + layer(rows)
        summed = (rows * mask[:, :, None]).sum(1)
        return nn.functional.normalize(summed, dim=-1)


def partners(pairs: int = 45) -> TextPairs:
    """Pairs that share a token, some partners repeated, some anchors popular, each with a hard negative."""
    rng = np.random.default_rng(9)
    tokens = [[int(number) % 7, *rng.integers(7, 30, size=rng.integers(1, 5)).tolist()] for number in range(60)]
    chosen = np.stack([rng.integers(0, 60, pairs), rng.integers(0, 60, pairs)], axis=1)
    keys, log_q = np.arange(60) % 50, rng.normal(size=60).astype(np.float32)
    return TextPairs(tokens, chosen, rng.integers(0, 60, (pairs, 1)), keys, log_q)


@dataclass(frozen=True)
class Case:
    """One training, the same in one process and in two."""

    plan: TrainingPlan
    chunk: int = 0
    rank: int = 0

    def run(self, folder: Path | None = None, interrupt: int = 0) -> tuple[TrainedHistory, dict[str, np.ndarray]]:
        module, calls = Blocks(), 0
        if self.rank:
            make_efficient(module, "lora", self.rank)
        contrast = Contrastive(0.1, chunk=self.chunk)

        def objective(called: nn.Module, batch: dict[str, Tensor]) -> Tensor:
            nonlocal calls
            calls += 1
            if calls == interrupt:
                os.kill(os.getpid(), signal.SIGINT)
            return contrast(called, batch)

        def validate(called: nn.Module) -> float:
            batch = partners().batch(np.arange(20))
            return -float(contrast(called, {name: batch[name] for name in batch}))

        history = train(module, objective, partners(), self.plan, Run(seed=2, threads=1), validate=validate, folder=folder)
        return history, weights_of(module)


# 45 pairs in batches of 20 make three of 15: two processes hold 8 and 7, and of micro-batches of 5 they hold 3 and 2.
_PLAN = TrainingPlan(learning_rate=0.02, epochs=3, batch_size=20, checkpoint_steps=2)
CASES = {
    "copies": Case(_PLAN),
    "copies, accumulated": Case(replace(_PLAN, accumulate=3)),
    "copies, in chunks": Case(_PLAN, chunk=4),
    "shards": Case(replace(_PLAN, shard=True)),
    "shards, accumulated, in chunks": Case(replace(_PLAN, shard=True, accumulate=3), chunk=2),
    "shards, few weights": Case(replace(_PLAN, shard=True), rank=2),
    "bf16 copies": Case(replace(_PLAN, precision="bf16")),
}


def train_dropping(folder: Path | None, before: Callable[[], None] = lambda: None) -> tuple[TrainedHistory, nn.Module]:
    """24 steps with dropout, validation and checkpoints every 3 steps; `before` is called in each step's forward pass."""
    module = small_network(dropout=0.3)

    def objective(called: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        before()
        return squared(called, batch)

    def validate(called: nn.Module) -> float:
        return -float(squared(called, Line().batch(np.arange(64))))

    plan = TrainingPlan(learning_rate=0.02, epochs=6, batch_size=16, checkpoint_steps=3)
    history = train(module, objective, Line(), plan, Run(seed=4, threads=1), validate=validate, folder=folder)
    return history, module
