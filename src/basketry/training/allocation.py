"""AdaLoRA's two additions to a training step: singular vectors kept orthogonal, and ranks moved to where they matter.

peft holds the importance of each weight in Python dictionaries, which no checkpoint sees. Here it lies in buffers, so that a
resumed run moves the same ranks at the same steps. Source: Zhang et al., AdaLoRA (ICLR 2023), sections 3.1 to 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from basketry.core.errors import RequestError

if TYPE_CHECKING:
    from basketry.training.course import Objective


class Allocating(nn.Module):
    """`objective` plus `weight` times the mean distance of A A^T and B^T B from the identity (Frobenius).

    After each step the importance of every update is averaged in; from a tenth of the training on, its budget falls by a cubic
    from the first number of ranks to the last; for the last quarter the ranks are settled. No sharding: importance is of whole
    weights.
    """

    def __init__(self, objective: Objective, module: nn.Module, allocator: Any, weight: float) -> None:
        super().__init__()
        self._objective = objective  # registered as a submodule if it is one
        self._allocator, self._weight = allocator, weight
        self._names = [name for name, one in module.named_parameters() if ".lora_" in name and one.requires_grad]
        for number, (_, one) in enumerate(self._updates(module)):
            for kind in ("sensitivity", "uncertainty"):
                self.register_buffer(f"{kind}{number}", torch.zeros_like(one))
            self.register_buffer(f"kept{number}", torch.ones_like(one, dtype=torch.bool))

    def forward(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of the batch, the distance added."""
        apart = []
        for name, one in self._updates(module):
            if ".lora_E." not in name:
                square = one @ one.T if ".lora_A." in name else one.T @ one
                apart.append(torch.linalg.matrix_norm(square - torch.eye(len(square), device=square.device)))
        return self._objective(module, batch) + self._weight * torch.stack(apart).mean()

    def after_step(self, module: nn.Module, step: int, steps: int) -> None:
        """Average in this step's importance, and set to zero the singular values beyond the budget."""
        if any(isinstance(one, DTensor) for _, one in self._updates(module)):
            raise RequestError("adalora weighs whole weights, and these are sharded", "set shard to False, or use lora")
        allocator, config = self._allocator, self._allocator.peft_config
        config.total_step, config.tinit, config.tfinal, config.deltaT = steps, steps // 10, steps // 4, max(1, steps // 100)
        settled = steps - config.tfinal
        if step <= settled:
            self._count(module)
            budget, due = allocator.budget_schedule(step)
            budget = allocator.target_bgt if step == settled else budget
            if (due or step == settled) and budget < allocator.init_bgt:
                pattern = allocator.mask_to_budget(module, budget)
                for number, name in enumerate(self._names):
                    if name in pattern:
                        self.get_buffer(f"kept{number}").copy_(torch.tensor(pattern[name])[:, None])
        else:
            with torch.no_grad():
                for number, (_, one) in enumerate(self._updates(module)):
                    one.mul_(self.get_buffer(f"kept{number}"))

    def _count(self, module: nn.Module) -> None:
        """Let peft's allocator average the importance of each weight, from our buffers into our buffers."""
        allocator = self._allocator
        for number, (name, one) in enumerate(self._updates(module)):
            allocator.ipt.setdefault(name, torch.zeros_like(one))
            allocator.exp_avg_ipt[name] = self.get_buffer(f"sensitivity{number}")
            allocator.exp_avg_unc[name] = self.get_buffer(f"uncertainty{number}")
        allocator.update_ipt(module)
        for number, name in enumerate(self._names):
            self.get_buffer(f"sensitivity{number}").copy_(allocator.exp_avg_ipt[name])
            self.get_buffer(f"uncertainty{number}").copy_(allocator.exp_avg_unc[name])

    def _updates(self, module: nn.Module) -> list[tuple[str, nn.Parameter]]:
        named = dict(module.named_parameters())
        return [(name, named[name]) for name in self._names]
