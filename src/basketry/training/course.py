"""A training run under way: its weights, optimiser and history, moved on by one step at a time. What `loop.train` drives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from basketry.core.errors import RequestError
from basketry.training.checkpoints import Checkpoint, CheckpointFolder, digest
from basketry.training.distributed import Ranks, Spread, alone, laid_out_as, whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.telemetry import Span
    from basketry.training.plan import TrainingPlan
    from basketry.training.tracking import Tracker

Objective = Callable[[nn.Module, dict[str, Tensor]], Tensor]
_BETAS: Final = (0.9, 0.999)
_MOMENTS: Final = {"moment1": "exp_avg", "moment2": "exp_avg_sq", "count": "step"}


class Examples(Protocol):
    """What is learned from. `batch` must be a function of the rows alone: it is called again after a resume."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def batch(self, rows: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """The tensors of these examples, on the CPU; the objective knows their names."""
        ...


@runtime_checkable
class Stepped(Protocol):
    """An objective that has something to do after each step, while the gradients are still there (AdaLoRA moves its ranks).

    What it remembers from step to step belongs in persistent buffers: those are in the checkpoints.
    """

    def after_step(self, module: nn.Module, step: int, steps: int) -> None:
        """`step` steps of `steps` are done on `module`."""
        ...


@dataclass(frozen=True)
class TrainedHistory:
    """What happened: per step the global mean loss before it and its learning rate; validations as (steps done, value).

    `kept` is the number of steps behind the weights that the module now has, and `trainable` the number of trained weights.
    """

    losses: tuple[float, ...]
    rates: tuple[float, ...]
    validations: tuple[tuple[int, float], ...]
    kept: int
    trainable: int
    stopped_early: bool


class Step(nn.Module):
    """Module and objective as one, whose forward pass is the loss: DDP and FSDP wrap it, so it may call the module twice."""

    def __init__(self, module: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.module = module
        self.objective = objective  # registered as a submodule if it is one

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean loss over the batch."""
        return self.objective(self.module, batch)


class Course:
    """A run under way: `Step` on this process, and what it has come to."""

    def __init__(
        self, step: Step, examples: Examples, plan: TrainingPlan, seed: int, ranks: Ranks, folder: Path | None
    ) -> None:
        self._examples, self._plan, self._seed, self._ranks = examples, plan, seed, ranks
        self._steps, self._per_epoch = plan.steps(len(examples)), plan.batches(len(examples))
        self._order: tuple[int, list[npt.NDArray[np.int64]]] = -1, []
        self._folder: CheckpointFolder | None = None
        if folder is not None:
            identity = digest(step, (sorted(asdict(plan).items()), seed, len(examples), ranks.world, ranks.device.type))
            self._folder = CheckpointFolder(folder, identity)
        self._module, self._spread = step.module, Spread(step, ranks, plan.shard)
        self._named = {name: one for name, one in self._spread.parts.named_parameters() if one.requires_grad}
        matrices = [one for one in self._named.values() if one.ndim >= 2]
        others = [one for one in self._named.values() if one.ndim < 2]
        groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW([group for group in groups if group["params"]], lr=plan.learning_rate, betas=_BETAS)
        self._trainable = sum(one.numel() for one in self._named.values())
        self._done, self._kept = 0, 0
        self._losses: list[float] = []
        self._rates: list[float] = []
        self._validations: list[tuple[int, float]] = []
        self._best: dict[str, Tensor] | None = None
        self.stopped_early = False

    def history(self) -> TrainedHistory:
        """What happened so far, the steps before a resume included."""
        kept = self._kept if self._best is not None else self._done
        return TrainedHistory(
            tuple(self._losses), tuple(self._rates), tuple(self._validations), kept, self._trainable, self.stopped_early
        )

    def run(
        self,
        progress: Span,
        validate: Callable[[nn.Module], float] | None,
        tracker: Tracker | None,
        interrupted: Callable[[], bool],
    ) -> None:
        """From the start, or from the checkpoint, to the end; raises KeyboardInterrupt once `interrupted` and saved."""
        self._resume()
        progress.advance(self._done)
        if validate and not self._validations:
            self._judge(validate, tracker)
        while not self._over():
            stop = self._step(self._rows(), tracker, interrupted)
            progress.advance()
            if validate and self._done % (self._plan.validate_steps or self._per_epoch) == 0:
                self._judge(validate, tracker)
            if stop or self._over() or self._done % self._plan.checkpoint_steps == 0:
                self._save()
            if stop and not self._over():
                self._spread.publish()
                raise KeyboardInterrupt
        if self._best is not None:
            self._spread.restore(self._best)
        self._spread.publish()

    def _over(self) -> bool:
        return self._done == self._steps or self.stopped_early

    def _rows(self) -> npt.NDArray[np.int64]:
        """The next global batch."""
        epoch, place = divmod(self._done, self._per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, self._plan.order(len(self._examples), self._seed, epoch)
        return self._order[1][place]

    def _step(self, rows: npt.NDArray[np.int64], tracker: Tracker | None, interrupted: Callable[[], bool]) -> bool:
        """One step over the global batch `rows`; says whether any process was interrupted meanwhile."""
        rate = self._plan.rate(self._done, self._steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._spread.called.train()
        mine = self._backward(rows)
        seen = self._ranks.summed(torch.tensor([mine, float(interrupted())], device=self._ranks.device)).tolist()
        loss, stop = float(seen[0]), bool(seen[1] > 0)
        if not math.isfinite(loss):
            raise RequestError(
                f"the loss is {loss} at step {self._done + 1}",
                "lower learning_rate, keep max_norm above 0, and look for texts or labels that should not be there",
            )
        if self._plan.max_norm:
            nn.utils.clip_grad_norm_(self._named.values(), self._plan.max_norm)
        self._optimiser.step()
        self._done += 1
        module, objective = self._spread.parts.get_submodule("module"), self._spread.parts.objective
        if isinstance(objective, Stepped):
            objective.after_step(module, self._done, self._steps)
        self._optimiser.zero_grad(set_to_none=True)
        self._losses.append(loss)
        self._rates.append(rate)
        if tracker:
            tracker.measured(self._done, {"loss": loss, "learning_rate": rate})
        return stop

    def _backward(self, rows: npt.NDArray[np.int64]) -> float:
        """Gradients of the global mean loss, micro-batch by micro-batch; this process's share of that loss."""
        total = 0.0
        micros = np.array_split(rows, self._plan.accumulate)
        for index, micro in enumerate(micros):
            part = np.array_split(micro, self._ranks.world)[self._ranks.rank]
            self._set_generator(index)
            batch = {name: tensor.to(self._ranks.device) for name, tensor in self._examples.batch(part).items()}
            with self._spread.micro(last=index == len(micros) - 1):
                with self._precision():
                    loss = self._spread.called(batch)
                # Averaging over processes divides by their number, so each part weighs as many as its examples.
                share = loss.float() * (len(part) / len(rows))
                (share * self._ranks.world).backward()
            total += float(share.item())
        return total

    def _set_generator(self, micro: int) -> None:
        drawn = np.random.SeedSequence([self._seed, self._done, micro, self._ranks.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(drawn[0] >> np.uint64(1)))

    def _precision(self) -> torch.autocast:
        wanted = self._plan.precision
        able = self._ranks.device.type == "cuda" and torch.cuda.is_bf16_supported()
        half = wanted == "bf16" or (wanted == "auto" and able)
        return torch.autocast(self._ranks.device.type, torch.bfloat16, enabled=half)

    def _judge(self, validate: Callable[[nn.Module], float], tracker: Tracker | None) -> None:
        """Validate, keep the best weights, and decide whether to stop."""
        self._spread.publish()
        value = 0.0
        if self._ranks.first:
            self._spread.plain.eval()
            with alone(), torch.no_grad():
                value = float(validate(self._module))
        value = self._ranks.told(value)
        best = max((old for _, old in self._validations), default=-math.inf)
        self._validations.append((self._done, value))
        if value > best or self._best is None:
            self._best, self._kept = self._spread.weights(), self._done
        without = sum(1 for done, _ in self._validations if done > self._kept)
        self.stopped_early = 0 < self._plan.patience <= without
        if tracker:
            tracker.measured(self._done, {"validation": value})

    def _save(self) -> None:
        if self._folder is None:
            return
        tensors = {f"weight.{name}": weight for name, weight in self._spread.weights().items()}
        tensors |= {f"best.{name}": weight for name, weight in (self._best or {}).items()}
        for name, parameter in self._named.items():
            state = self._optimiser.state.get(parameter, {})
            tensors |= {f"{key}.{name}": whole(state[moment]) for key, moment in _MOMENTS.items() if state}
        if self._ranks.first:
            body = {
                "losses": self._losses,
                "rates": self._rates,
                "validations": self._validations,
                "kept": self._kept,
                "stopped_early": self.stopped_early,
            }
            self._folder.write(Checkpoint(self._done, tensors, body))

    def _resume(self) -> None:
        found = None if self._folder is None else self._folder.read()
        if found is None:
            return
        kinds: dict[str, dict[str, Tensor]] = {kind: {} for kind in ("weight", "best", *_MOMENTS)}
        for name, tensor in found.tensors.items():
            kind, _, inner = name.partition(".")
            kinds[kind][inner] = tensor
        self._spread.restore(kinds["weight"])
        for name in kinds["count"]:
            parameter = self._named[name]
            state = {moment: laid_out_as(parameter, kinds[key][name]) for key, moment in _MOMENTS.items() if key != "count"}
            self._optimiser.state[parameter] = {**state, "step": kinds["count"][name]}
        self._best = kinds["best"] or None
        self._done = found.step
        body = found.body
        self._losses, self._rates, self._kept = list(body["losses"]), list(body["rates"]), body["kept"]
        self._validations = [(int(done), float(value)) for done, value in body["validations"]]
        self.stopped_early = body["stopped_early"]
