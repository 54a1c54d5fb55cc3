"""How long and how fast to train: the hyperparameters of the loop, and its schedule as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.space import within

if TYPE_CHECKING:
    import numpy.typing as npt

Precision = Literal["auto", "float32", "bf16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


def _hyperparameter(default: float | str | bool, meaning: str, unit: str = "") -> Any:
    return field(default=default, metadata={"help": meaning, "unit": unit})


@dataclass(frozen=True)
class TrainingPlan:
    """What the training loop may vary. Raises RequestError, on construction, for a value out of its range."""

    learning_rate: float = within(2e-5, 1e-6, 1e-2, "highest learning rate, reached at the end of the warm-up; > 0", log=True)
    epochs: int = _hyperparameter(1, "passes over the examples; at least 1", "passes")
    batch_size: int = _hyperparameter(64, "examples in one step, over all processes and micro-batches; at least 1", "examples")
    warmup: float = _hyperparameter(0.1, "share of the steps in which the rate rises from 0; 0 to 1", "share")
    weight_decay: float = within(0.01, 1e-4, 0.3, "decay of matrices, apart from the loss; at least 0", log=True)
    max_norm: float = _hyperparameter(1.0, "gradients longer than this are cut to it; 0 = never", "L2 norm")
    accumulate: int = _hyperparameter(1, "micro-batches a step is split into, to save memory; at least 1", "micro-batches")
    patience: int = _hyperparameter(0, "validations without gain before stopping; 0 = never stop early", "validations")
    validate_steps: int = _hyperparameter(0, "validate every so many steps; 0 = after each epoch", "steps")
    precision: str = _hyperparameter("auto", "auto = bf16 on a CUDA device that has it, else float32; float32; bf16")
    checkpoint_steps: int = _hyperparameter(200, "write a checkpoint every so many steps; at least 1", "steps")
    shard: bool = _hyperparameter(False, "under several processes: split the weights (FSDP) instead of copying them (DDP)")

    def __post_init__(self) -> None:
        ranges = {
            "learning_rate": 0 < self.learning_rate < math.inf,
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "warmup": 0 <= self.warmup <= 1,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "max_norm": 0 <= self.max_norm < math.inf,
            "accumulate": 1 <= self.accumulate <= self.batch_size,
            "patience": self.patience >= 0,
            "validate_steps": self.validate_steps >= 0,
            "precision": self.precision in PRECISIONS,
            "checkpoint_steps": self.checkpoint_steps >= 1,
        }
        wrong = [name for name, right in ranges.items() if not right]
        if wrong:
            help_of = {one.name: one.metadata["help"] for one in fields(self)}
            values = ", ".join(f"{name} = {getattr(self, name)!r}" for name in wrong)
            raise RequestError(f"a training plan cannot have {values}", "; ".join(f"{name}: {help_of[name]}" for name in wrong))

    def batches(self, examples: int) -> int:
        """Steps in one epoch of so many examples."""
        return math.ceil(examples / self.batch_size)

    def steps(self, examples: int) -> int:
        """Steps in the whole training."""
        return self.epochs * self.batches(examples)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of `step` (from 0) of `steps`: a linear rise, then half a cosine down towards 0.

        With w = round(warmup * steps): peak * (step + 1) / w below w, then peak / 2 * (1 + cos(pi (step - w) / (steps - w))).
        """
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2

    def order(self, examples: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
        """The rows of each batch of one epoch: a permutation drawn from (seed, epoch), cut into equal batches.

        Every example stands in exactly one batch, and sizes differ by one at most: no batch is a small rest.
        """
        drawn = np.random.default_rng([seed, epoch]).permutation(examples).astype(np.int64)
        return np.array_split(drawn, self.batches(examples))
