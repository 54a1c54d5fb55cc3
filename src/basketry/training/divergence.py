"""Restricted Boltzmann machines, one upon another, by contrastive divergence over the one training loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from basketry.training.histories import Stretches
from basketry.training.loop import train

if TYPE_CHECKING:
    from torch import nn

    from basketry.core.histories import Histories
    from basketry.core.protocols import Run
    from basketry.encoders.history.belief import Belief
    from basketry.encoders.history.network import HistoryNetwork
    from basketry.training.plan import TrainingPlan


class ContrastiveDivergence:
    """F(v) - F(v'), v' one Gibbs step away, whose gradient is that of CD-1 (Hinton, Training Products of Experts, 2002).

    F(v) = -v . b - sum over hidden units of log(1 + exp(W v + c)). Machine 0 sees a history's products, 0 or 1 each; machine i
    the chances of the hidden units of machine i - 1. Memory: two numbers a history of the batch and product.
    """

    def __init__(self, machine: int) -> None:
        self._machine = machine

    def __call__(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The mean over the histories of a batch of `Stretches`."""
        network: HistoryNetwork = module  # type: ignore[assignment]
        body: Belief = network.body  # type: ignore[assignment]
        table, ids, mask = network.products(), batch["ids"], batch["mask"]
        seen = table.new_zeros(len(ids), network.n_products + 1)
        seen = seen.scatter(1, ids.masked_fill(~mask, network.n_products), 1.0)[:, :-1]
        if not self._machine:
            return _divergence(seen, table.T, network.bias, body.up[0])
        with torch.no_grad():
            layer = body.first(seen @ table)
            for number in range(self._machine - 1):
                layer = torch.sigmoid(layer @ body.matrices[number].T + body.up[number + 1])
        number = self._machine - 1
        return _divergence(layer, body.matrices[number], body.down[number], body.up[self._machine])


def _divergence(seen: Tensor, matrix: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
    """`matrix` [hidden, visible]."""
    with torch.no_grad():
        drawn = torch.bernoulli(torch.sigmoid(seen @ matrix.T + hidden))
        again = torch.bernoulli(torch.sigmoid(drawn @ matrix + visible))

    def energy(units: Tensor) -> Tensor:
        return -(units @ visible) - functional.softplus(units @ matrix.T + hidden).sum(-1)

    return (energy(seen) - energy(again)).mean()


def pretrain_machines(
    network: HistoryNetwork, histories: Histories, plan: TrainingPlan, run: Run, folder: Path | None = None
) -> None:
    """Train the machines of a belief network in place, the lowest first; visible biases start at the log odds of a product.

    With `folder` each machine keeps its checkpoints in a folder of its own inside.
    """
    whole = Stretches.of(histories, network.layout.length, masked=True)
    shown = np.bincount(histories.products, minlength=network.n_products)
    odds = (shown + 0.5) / np.maximum(len(histories) - shown, 1)
    with torch.no_grad():
        network.bias.copy_(torch.from_numpy(np.log(odds).astype(np.float32)))
    for machine in range(network.layout.blocks):
        place = None if folder is None else folder / f"machine{machine}"
        train(network, ContrastiveDivergence(machine), whole, plan, run, folder=place)
