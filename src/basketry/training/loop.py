"""The training loop: examples in, the same module with better weights out. Its twin on several processes takes the same steps.

AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019) under a cosine with warm-up, gradients cut to a
norm, bf16 where the device has it, early stopping, checkpoints. All randomness comes from the run's seed: the order of the
examples from (seed, epoch), and torch's own generator is set from (seed, step, micro-batch, process) before each forward pass.
So a run that was killed and resumed ends, on the same machine with as many threads, in the same bits as one that was not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.training.course import Course, Examples, Objective, Step, Stepped, TrainedHistory
from basketry.training.distributed import joined

if TYPE_CHECKING:
    from basketry.core.protocols import Run
    from basketry.training.plan import TrainingPlan
    from basketry.training.tracking import Tracker

__all__ = ["Examples", "Objective", "Stepped", "TrainedHistory", "train"]


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
        course = Course(Step(module, objective), examples, plan, run.seed, ranks, folder)
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
