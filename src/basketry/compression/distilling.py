"""Steps that train: distillation, and training that feels the rounding to come. Both need the extra `train`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.compression.quantising import in_whole_numbers
from basketry.compression.step import Materials, hyperparameter, of_family, with_arrays
from basketry.core.errors import EncoderError, RequestError
from basketry.encoders.state import EncoderState
from basketry.encoders.transformer.calibration import observe
from basketry.encoders.transformer.layout import unscaled
from basketry.training.plan import TrainingPlan

if TYPE_CHECKING:
    from basketry.encoders.transformer.torch_network import TransformerNetwork

_TEXTS: Final = 512


@dataclass(frozen=True)
class Distil:
    """Train the encoder, as the steps before have left it, towards its teachers on the unlabelled texts.

    Several teachers count alike: their vectors are laid side by side. The loss is that of `training/distillation.py`; some 70
    short texts a CPU second for a student of four layers, less with hidden or attention, which run the teacher along.
    """

    epochs: int = hyperparameter(1, "passes over the texts; at least 1")
    learning_rate: float = hyperparameter(2e-4, "peak of the learning rate; above 0")
    batch_size: int = hyperparameter(64, "texts a step; at least 2")
    vector: float = hyperparameter(1.0, "weight of 1 - cosine to the teacher's vector; at least 0")
    similarity: float = hyperparameter(1.0, "weight of the divergence of likenesses within a batch; at least 0")
    hidden: float = hyperparameter(0.0, "weight of the teacher's token states; at least 0")
    attention: float = hyperparameter(0.0, "weight of the teacher's attention; at least 0")
    precision: str = hyperparameter("float32", "float32, or bf16: twice as fast on processors with AVX-512 BF16, else slower")
    texts: int = hyperparameter(20_000, "texts to train on at most; at least 40")

    def __post_init__(self) -> None:
        weights = (self.vector, self.similarity, self.hidden, self.attention)
        if min(weights) < 0 or max(weights) == 0 or self.batch_size < 2 or self.texts < 40:
            raise RequestError(
                f"distil cannot have weights {weights} in batches of {self.batch_size}",
                "weights of at least 0, one above; batches of at least 2",
            )
        self.plan()

    def plan(self) -> TrainingPlan:
        """The hyperparameters of the training loop."""
        return TrainingPlan(
            learning_rate=self.learning_rate, epochs=self.epochs, batch_size=self.batch_size, precision=self.precision
        )

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with trained weights, float32."""
        return trained(self, state, materials, None)


@dataclass(frozen=True)
class Qat(Distil):
    """Distillation that feels the rounding of `int8` to come, and then that rounding: whole numbers, static ranges."""

    bits: int = hyperparameter(8, "8, or 7 for processors whose byte products saturate (x86 without VNNI)")
    keep: str = hyperparameter("none", "layers that stay in float, as 0/5; none")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state in whole numbers, trained to be so."""
        of_family(state, "qat", "transformer")
        plain = with_arrays(state, dict(unscaled(state.arrays)))
        seen = observe(plain, materials.sample(_TEXTS))
        spans = {name: (one.low, one.high) for name, one in seen.items()}
        return in_whole_numbers(trained(self, plain, materials, spans), spans, self.bits, self.keep)


def trained(
    step: Distil, state: EncoderState, materials: Materials, spans: dict[str, tuple[float, float]] | None
) -> EncoderState:
    """The state after the training that `step` asks for, under rounding if `spans` say between which ends."""
    try:
        from basketry.training.distillation import Weights, distil
    except ImportError as error:
        raise EncoderError(f"distillation needs package {error.name}", "pip install 'basketry[train]'") from error
    weights = Weights(step.vector, step.similarity, step.hidden, step.attention)
    module = None if spans is None else _rounded(step, state, spans)
    network, history = distil(
        state,
        materials.teachers,
        materials.sample(step.texts),
        weights,
        step.plan(),
        materials.run,
        module=module,
        folder=materials.folder,
    )
    arrays: dict[str, Any] = dict(network.arrays())  # type: ignore[operator]
    best = max(value for _, value in history.validations)
    told = {"verb": "distil", "steps": history.kept, "held_out_cosine": round(best, 4)}
    return replace(state, arrays={name: np.asarray(array) for name, array in arrays.items()}).with_step(told)


def _rounded(step: Distil, state: EncoderState, spans: dict[str, tuple[float, float]]) -> TransformerNetwork:
    from basketry.encoders.transformer.torch_network import TransformerNetwork
    from basketry.training.rounding import feel_rounding

    network = TransformerNetwork(state)
    kept = getattr(step, "keep", "none").split("/")
    felt = {name: span for name, span in spans.items() if name.split(".")[1] not in kept}
    feel_rounding(network, felt, getattr(step, "bits", 8))
    return network
