"""What a step of a recipe is, and what it may use besides the encoder it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from basketry.core.errors import RequestError
from basketry.encoders.models import encoder_of
from basketry.encoders.state import EncoderState, Family

if TYPE_CHECKING:
    from pathlib import Path

    from basketry.core.protocols import Run, Vectors

_PROBES: Final = 256  # texts by which the effect of leaving something out is judged


@dataclass(frozen=True, eq=False)
class Materials:
    """What steps draw on: unlabelled `texts` of the shop, the `teachers` to stay close to, the circumstances.

    The first teacher is the encoder before compression. `folder`, where given, is where steps that train keep checkpoints.
    """

    texts: Sequence[str]
    teachers: tuple[EncoderState, ...]
    run: Run
    folder: Path | None = None

    def sample(self, count: int = _PROBES) -> list[str]:
        """`count` of the distinct texts, drawn by the run's seed; all of them if there are fewer. RequestError if none."""
        known = sorted(set(self.texts))
        if not known:
            raise RequestError("this recipe needs texts and was given none", "ingest products, or name a file: --texts FILE")
        if len(known) <= count:
            return known
        drawn = np.random.default_rng(self.run.seed).choice(len(known), count, replace=False)
        return [known[number] for number in sorted(drawn)]

    @cached_property
    def aim(self) -> Vectors:
        """The first teacher's vectors of the sample."""
        return encoder_of(self.teachers[0], self.run).encode(self.sample())

    def likeness(self, state: EncoderState) -> float:
        """Mean cosine between the state's vectors and the first teacher's, over the sample."""
        vectors = encoder_of(state, self.run).encode(self.sample())
        return float(np.einsum("ij,ij->i", vectors, self.aim).mean())


class Step(Protocol):
    """A frozen dataclass whose fields are its hyperparameters, each with `metadata["help"]`; the first may be written alone."""

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state after this step. Raises RequestError if it does not fit the state, EncoderError for a missing extra."""
        ...


def hyperparameter(default: Any, meaning: str) -> Any:
    """A field of a step: its default and what it means, with unit and range."""
    return field(default=default, metadata={"help": meaning})


def of_family(state: EncoderState, verb: str, *families: Family) -> None:
    """Raise RequestError unless the state is of one of `families`."""
    if state.family not in families:
        raise RequestError(
            f"step {verb} is for {' and '.join(families)} encoders, and this one is {state.family}",
            "leave the step out; static, dims and align fit every encoder",
        )


def with_arrays(state: EncoderState, arrays: dict[str, Any]) -> EncoderState:
    """The state with other arrays."""
    return replace(state, arrays=arrays)
