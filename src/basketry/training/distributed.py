"""Several processes, one training: who I am, how the weights are spread, and how a tensor is gathered with its gradient.

Started by `torchrun`, every process runs the same program. The global batch is split over them, each computes the mean loss of
its part, and the gradients are averaged: the step is the one a single process would take. Only the first process may write
files or print (`core/processes.py`).
"""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel


_ALONE: Final = ContextVar("alone", default=False)


@dataclass(frozen=True)
class Ranks:
    """One process among `world`: its number `rank` from 0, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes, on each of them."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def told(self, value: float) -> float:
        """The first process's `value`, on each of them."""
        if self.world == 1:
            return value
        # Float64 passes any Python float unchanged.
        carried = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(carried, src=0)
        return float(carried.item())


@contextmanager
def joined() -> Iterator[Ranks]:
    """The place of this process among those that torchrun started (gloo on CPU, NCCL on CUDA); alone without torchrun.

    A process group that stands already is used and left standing.
    """
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks(0, 1, device)
        return
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """All processes' rows forwards; backwards the sum of all processes' gradients for the rows that were ours."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int]) -> Tensor:
        """Pad to the longest part, exchange, cut the padding."""
        ctx.sizes = sizes
        longest = max(sizes)
        padded = rows.new_zeros((longest, *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Every process's loss depends on our rows, so their gradients add up."""
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        rank = dist.get_rank()
        begin = sum(ctx.sizes[:rank])
        return total[begin : begin + ctx.sizes[rank]], None


def gathered(rows: Tensor) -> Tensor:
    """`rows` [n, ...] of every process, in the order of their ranks; differentiable where `rows` is. Alone: `rows` itself.

    For losses that compare an example with all others of the global batch: each process takes the mean over its own rows
    against the gathered ones. The gradient that reaches `rows` is the sum over all processes' losses; averaged over
    processes, as DDP and FSDP do, it is that of the global mean. All processes must call it, in the same order; their parts may
    differ in length.
    """
    if not _together():
        return rows
    joint: Tensor = _Gather.apply(rows, lengths(rows))  # type: ignore[no-untyped-call]
    return joint


def offset(rows: Tensor) -> int:
    """Where this process's `rows` begin within `gathered(rows)`."""
    return sum(lengths(rows)[: dist.get_rank()]) if _together() else 0


@contextmanager
def alone() -> Iterator[None]:
    """Inside the block `gathered` waits for nobody: one process does something that the others do not."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def _together() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1 and not _ALONE.get()


def lengths(rows: Tensor) -> list[int]:
    """How many rows each process has, in the order of ranks. All processes must call it."""
    if not _together():
        return [len(rows)]
    mine = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, mine)
    return [int(size.item()) for size in sizes]


class Spread:
    """A module on its device, and on several processes as copies (DDP) or in shards (FSDP2, `fully_shard`).

    `plain` is the module as given; `called` is what computes the loss; `parts` owns the parameters that the optimiser steps.
    Sharding trains a copy, since it changes a module for good: `publish` brings the weights back.
    """

    def __init__(self, plain: nn.Module, ranks: Ranks, shard: bool) -> None:
        self.plain = plain.to(ranks.device)
        self.parts: nn.Module = plain
        self.called: nn.Module = plain
        self._copies: DistributedDataParallel | None = None
        if ranks.world == 1:
            return
        if shard:
            self.parts = self.called = _sharded(copy.deepcopy(plain), ranks)
        else:
            from torch.nn.parallel import DistributedDataParallel

            # Buffers are equal everywhere and change equally, if at all: sending them each step would be in vain.
            # torch 2.13 has a new name for it.
            known = inspect.signature(DistributedDataParallel).parameters
            if "forward_sync_buffers" in known:
                self._copies = DistributedDataParallel(plain, forward_sync_buffers=False)
            else:
                self._copies = DistributedDataParallel(plain, broadcast_buffers=False)
            self.called = self._copies

    def micro(self, last: bool) -> AbstractContextManager[None]:
        """Around one micro-batch: the copies exchange gradients after the last one only."""
        return nullcontext() if last or self._copies is None else self._copies.no_sync()

    def weights(self) -> dict[str, Tensor]:
        """The trained parameters and the persistent buffers, whole, as copies on the CPU. All processes must call it."""
        kept = self.parts.state_dict().keys()
        buffers = {name: buffer for name, buffer in self.parts.named_buffers() if name in kept}
        trained = {name: weight for name, weight in self.parts.named_parameters() if weight.requires_grad}
        return {name: whole(tensor) for name, tensor in (trained | buffers).items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Put what `weights` gave back in its place. All processes must call it, with equal weights."""
        own = dict(self.parts.named_parameters()) | dict(self.parts.named_buffers())
        with torch.no_grad():
            for name, weight in weights.items():
                own[name].copy_(laid_out_as(own[name], weight))

    def publish(self) -> None:
        """Bring the weights into `plain`, where they are not already."""
        if self.parts is self.plain:
            return
        own = dict(self.plain.named_parameters()) | dict(self.plain.named_buffers())
        with torch.no_grad():
            for name, weight in self.weights().items():
                own[name].copy_(weight)


def _sharded(module: nn.Module, ranks: Ranks) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    for inner in module.modules():
        if isinstance(inner, nn.ModuleList):
            for block in inner:
                # A block's weights are gathered when it runs and let go after it: memory for one block at a time.
                if any(True for _ in block.parameters()):
                    fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def whole(tensor: Tensor) -> Tensor:
    """The full tensor, of a shard too, as a copy on the CPU."""
    from torch.distributed.tensor import DTensor

    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu().clone()


def laid_out_as(like: Tensor, full: Tensor) -> Tensor:
    """`full` on the device of `like`, in shards if `like` is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if isinstance(like, DTensor):
        return distribute_tensor(full.to(like.device), like.device_mesh, like.placements)
    return full.to(like.device)
