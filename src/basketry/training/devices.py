"""Where a network is, and how a batch follows it there."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's parameters or buffers; the CPU's, if it has neither."""
    first = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def beside(module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch on the module's device."""
    device = device_of(module)
    return {name: column.to(device) for name, column in batch.items()}
