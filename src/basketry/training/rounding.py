"""Rounding felt in training: layers that compute, forwards, what whole numbers will, and pass gradients as if they did not.

Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference (2018);
Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons (2013), for the straight-through gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.transformer.numbers import steps_of

if TYPE_CHECKING:
    from basketry.encoders.transformer.torch_network import TransformerNetwork


class RoundedLinear(nn.Linear):
    """A linear layer whose input is rounded to 256 steps between two fixed ends, and whose weights are of `bits` a channel."""

    def __init__(self, layer: nn.Linear, span: tuple[float, float], bits: int) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        step, zero = steps_of(np.array(span, dtype=np.float32))
        self._step, self._zero, self._most = float(step), int(zero), 2 ** (bits - 1) - 1

    def forward(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out]. The input's gradient is 0 where it is clipped."""
        low, high = -self._zero * self._step, (255 - self._zero) * self._step
        clipped = rows.clamp(low, high)
        seen = clipped + (torch.round(clipped / self._step) * self._step - clipped).detach()
        scale = (self.weight.detach().abs().amax(1, keepdim=True) / self._most).clamp_min(1e-12)
        weight = self.weight + (torch.round(self.weight / scale) * scale - self.weight).detach()
        return functional.linear(seen, weight, self.bias)


def feel_rounding(network: TransformerNetwork, spans: Mapping[str, tuple[float, float]], bits: int = 8) -> None:
    """Replace, in place, the layers that `spans` names (`layers.0.feed.inner.weight`) by rounded ones, parameters kept."""
    for name, span in spans.items():
        path, _, last = name.removesuffix(".weight").rpartition(".")
        parent = network.get_submodule(path)
        layer = getattr(parent, last)
        if isinstance(layer, nn.Linear):
            setattr(parent, last, RoundedLinear(layer, span, bits))
