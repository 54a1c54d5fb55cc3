"""The training loop: examples in, the same module with better weights out. Its twin on several processes takes the same steps.

AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019) under a cosine with warm-up, gradients cut to a
norm, bf16 where the device has it, early stopping, checkpoints. All randomness comes from the run's seed: the order of the
examples from (seed, epoch), and torch's own generator is set from (seed, step, micro-batch, process) before each forward pass.
So a run that was killed and resumed ends, on the same machine with as many threads, in the same bits as one that was not.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from basketry.core.errors import RequestError
from basketry.core.telemetry import Span, span
from basketry.training.checkpoints import Checkpoint, CheckpointFolder, digest
from basketry.training.distributed import Ranks, Spread, alone, joined, laid_out_as, whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Run
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


def train(
    module: nn.Module,
    objective: Objective,
    examples: Examples,
    plan: TrainingPlan,
    run: Run,
    *,
    validate: Callable[[nn.Module], float] | None = None,
    folder: Path | None = None,
    tracker: Tracker | None = None,
) -> TrainedHistory:
    """Train `module` in place, float32, and leave it in eval mode on the CPU.

    `objective(module, batch)` is the mean loss over the batch's examples, a scalar; an objective that is itself a module (a
    classification head) trains its own parameters too. Parameters with `requires_grad=False` stay as they are.
    `validate(module)`, higher is better, is asked before the first step and then after each epoch or every
    `plan.validate_steps`; the best weights are put back at the end, so training that does not help changes nothing.

    With `folder`, the run goes on from the checkpoint in it, if there is one, and writes its own. A finished run is not run
    again. Ctrl-C waits for the step under way, writes a checkpoint, and raises KeyboardInterrupt; a second one does not wait.

    Under torchrun every process calls this with equal arguments and `folder` on a shared disk; the first one alone validates,
    writes and tracks. With accumulation the loss is the mean over micro-batches, so an in-batch loss sees the negatives of its
    micro-batch (over all processes) only.

    Raises RequestError if there are fewer examples in a batch than processes times micro-batches, if the folder holds another
    run's checkpoint, or if the loss is no longer finite.
    """
    with joined() as ranks, _circumstances(run.threads), _deferred_interrupt() as interrupted:
        steps = plan.steps(len(examples))
        smallest = len(examples) // max(plan.batches(len(examples)), 1)
        if smallest < ranks.world * plan.accumulate:
            raise RequestError(
                f"{len(examples)} examples in batches of {plan.batch_size} make batches of {smallest}, "
                f"too few for {ranks.world} processes times {plan.accumulate} micro-batches",
                "take more examples, a larger batch_size, or a smaller accumulate",
            )
        course = _Course(_Step(module, objective), examples, plan, run.seed, ranks, folder)
        teller = tracker if ranks.first else None
        try:
            if teller:
                teller.begins({**asdict(plan), "seed": run.seed, "examples": len(examples), "processes": ranks.world})
            with span("train", total=steps, unit="steps") as progress:
                course.run(progress, validate, teller, interrupted)
        except BaseException:
            if teller:
                teller.ends("failed")
            raise
        if teller:
            teller.ends("stopped early" if course.stopped_early else "finished")
        module.cpu().eval()
        return course.history()


class _Step(nn.Module):
    """Module and objective as one, whose forward pass is the loss: DDP and FSDP wrap it, so it may call the module twice."""

    def __init__(self, module: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.module = module
        self.objective = objective  # registered as a submodule if it is one

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.objective(self.module, batch)


class _Course:
    """A run under way."""

    def __init__(
        self, step: _Step, examples: Examples, plan: TrainingPlan, seed: int, ranks: Ranks, folder: Path | None
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
        half = wanted == "bf16" or (wanted == "auto" and self._ranks.device.type == "cuda")
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


@contextmanager
def _circumstances(threads: int) -> Iterator[None]:
    """`threads` threads, and torch's random state as it was before when the block ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Inside the block, the first Ctrl-C only sets a flag, which the given function reads; the second acts as usual."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def note(*_: object) -> None:
        came.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, before)
