"""Training few weights: low-rank updates (LoRA, AdaLoRA, by peft) and bottleneck adapters, in place, on any of our networks.

    module = network_of(state)
    efficient = make_efficient(module, "lora", rank=8)
    train(module, efficient.objective(objective), examples, plan, run)
    arrays = efficient.merged().arrays()

LoRA and AdaLoRA fold back into the matrices they sit on, so serving is unchanged. A bottleneck adapter cannot: a transformer
keeps it as the arrays `layers.I.adapter.*`, which every runtime reads.

Sources: Hu et al., LoRA (ICLR 2022); Zhang et al., AdaLoRA (ICLR 2023); Houlsby et al., Parameter-Efficient Transfer Learning
for NLP (ICML 2019), one adapter a layer as in Pfeiffer et al., AdapterFusion (EACL 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import torch
from torch import nn

from basketry.core.errors import EncoderError, RequestError
from basketry.training.allocation import Allocating

if TYPE_CHECKING:
    from basketry.training.course import Objective

Method = Literal["lora", "adalora", "adapters"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
# Matrices that a network reads past their layer's forward pass, where an update would be ignored.
_READ_PAST: Final = ("linear.cnn_W",)


@dataclass(frozen=True, eq=False)
class Efficient:
    """A module made efficient: `trainable` weights of `total` are trained, the rest is frozen."""

    module: nn.Module
    method: Method
    trainable: int
    total: int
    _allocating: Callable[[Objective], Allocating] | None = field(default=None, repr=False)

    def objective(self, objective: Objective) -> Objective:
        """What to train with: `objective` itself, or under AdaLoRA one that also keeps and moves the ranks."""
        return objective if self._allocating is None else self._allocating(objective)

    def merged(self) -> nn.Module:
        """The module with its low-rank updates folded into plain layers, in place; adapters stay. Equal outputs to 1e-5."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        for parent, name, layer in _children(self.module):
            if isinstance(layer, BaseTunerLayer):
                layer.merge()
                setattr(parent, name, layer.get_base_layer())
        return self.module


def make_efficient(module: nn.Module, method: str, rank: int, seed: int = 0) -> Efficient:
    """Freeze `module` and add, in place, what is trained instead; before training its outputs are the same as they were.

    - `lora`: W x + 2 B A x on every linear layer, A [rank, in] drawn from `seed`, B [out, rank] zero.
    - `adalora`: W x + 2 B diag(E) A x, A and B drawn orthonormal, E zero, from half as many ranks again down to `rank` a layer
      on average, where they matter most. A step moves a singular value by the learning rate, and every entry of LoRA's B by as
      much: take a rate some ten times LoRA's.
    - `adapters`: h + U gelu(D h) after each layer of a transformer, D [rank, H] drawn, U [H, rank] zero.

    Raises RequestError for another method, a rank below 1, or adapters on a network that has no place for them; EncoderError if
    peft is not installed.
    """
    if method not in METHODS or rank < 1:
        raise RequestError(f"no method {method!r} of rank {rank}", f"method is one of {', '.join(METHODS)}; rank at least 1")
    total = sum(one.numel() for one in module.parameters())
    module.requires_grad_(False)
    allocating = None
    if method == "adapters":
        _add_adapters(module, rank, seed)
    else:
        allocating = _inject(module, method, rank, seed)
    trainable = sum(one.numel() for one in module.parameters() if one.requires_grad)
    return Efficient(module, method, trainable, total, allocating)


def _inject(module: nn.Module, method: str, rank: int, seed: int) -> Callable[[Objective], Allocating] | None:
    try:
        from peft import AdaLoraConfig, LoraConfig, inject_adapter_in_model
        from peft.tuners.adalora.layer import RankAllocator
    except ImportError as error:
        raise EncoderError("low-rank updates need package peft", "pip install 'basketry[train]'") from error
    targets = [name for name, one in module.named_modules() if isinstance(one, nn.Linear) and name not in _READ_PAST]
    if not targets:
        raise RequestError("the network has no linear layer to update", "train it whole, or before it was factored")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if method == "lora":
            inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets), module)
            return None
        first = rank + max(1, rank // 2)
        # The schedule (tinit, tfinal, deltaT) is set when the number of steps is known; total_step only has to be there.
        config = AdaLoraConfig(
            init_r=first, target_r=rank, lora_alpha=2 * first, target_modules=targets, tinit=1, tfinal=1, total_step=4
        )
        inject_adapter_in_model(config, module)
        for name, one in module.named_parameters():
            one.requires_grad_(".lora_" in name)
            if ".lora_A." in name or ".lora_B." in name:
                # Where the penalty wants them. As peft draws them, a value of E would move the product hardly at all.
                nn.init.orthogonal_(one)
    allocator: Any = RankAllocator(module, config, "default")  # type: ignore[no-untyped-call]
    return lambda objective: Allocating(objective, module, allocator, config.orth_reg_weight)


def _add_adapters(module: nn.Module, rank: int, seed: int) -> None:
    from basketry.encoders.transformer.torch_network import Adapter, TransformerNetwork

    if not isinstance(module, TransformerNetwork):
        raise RequestError(f"a {type(module).__name__} has no place for adapters", "use lora or adalora")
    random = np.random.default_rng(seed)
    for layer in module.layers:
        hidden = layer.feed.norm.gain.shape[0]
        down, up = nn.Linear(hidden, rank), nn.Linear(rank, hidden)
        with torch.no_grad():
            for one in (down.bias, up.weight, up.bias):
                one.zero_()
            down.weight.copy_(torch.from_numpy(random.normal(0, 0.02, (rank, hidden))))
        layer.adapter = Adapter(down, up)


def _children(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Every layer with its parent and its name there; taken beforehand, so that layers may be replaced on the way."""
    yield from [(parent, name, child) for parent in module.modules() for name, child in parent.named_children()]
