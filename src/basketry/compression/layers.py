"""Structured pruning, coarse: whole layers of a transformer."""

from __future__ import annotations

from dataclasses import dataclass

from basketry.compression.step import Materials, hyperparameter, of_family, with_arrays
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.encoders.state import EncoderState
from basketry.encoders.transformer.layout import Shape


@dataclass(frozen=True)
class Layers:
    """Keep some layers, in their order.

    Named by their numbers they are taken as they are. Of a mere count, layers are left out one at a time, each time the one
    whose absence leaves the vectors of 256 sample texts closest (mean cosine) to the teacher's.
    """

    keep: str = hyperparameter("4", "how many layers to keep, or which: 0/1/3/5")

    def __post_init__(self) -> None:
        if not all(part.isdecimal() for part in self.keep.split("/")) or ("/" not in self.keep and int(self.keep) == 0):
            raise RequestError(f"layers cannot keep {self.keep!r}", "write a count from 1, as 4, or numbers from 0, as 0/1/3/5")

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state without the other layers. Raises RequestError if it does not have the ones asked for."""
        of_family(state, "layers", "transformer")
        depth = len(Shape.of(state).heads)
        if "/" in self.keep:
            kept = sorted({int(part) for part in self.keep.split("/")})
        else:
            kept = list(range(depth))
            if int(self.keep) > depth:
                raise RequestError(f"{self.keep} layers are to be kept of {depth}", f"keep at most {depth}")
            self._narrow(kept, state, materials)
        if kept[-1] >= depth:
            raise RequestError(f"there is no layer {kept[-1]}", f"the encoder has layers 0 to {depth - 1}")
        return with_layers(state, kept)

    def _narrow(self, kept: list[int], state: EncoderState, materials: Materials) -> None:
        with span("choose layers", total=len(kept) - int(self.keep), unit="layers") as progress:
            while len(kept) > int(self.keep):
                likeness = {out: materials.likeness(with_layers(state, [one for one in kept if one != out])) for out in kept}
                kept.remove(max(kept, key=lambda layer: likeness[layer]))
                progress.advance()


def with_layers(state: EncoderState, kept: list[int]) -> EncoderState:
    """Only the layers `kept`, numbered anew."""
    arrays = {name: array for name, array in state.arrays.items() if not name.startswith("layers.")}
    for new, old in enumerate(kept):
        prefix = f"layers.{old}."
        arrays |= {
            f"layers.{new}.{name.removeprefix(prefix)}": state.arrays[name] for name in state.arrays if name.startswith(prefix)
        }
    return with_arrays(state, arrays)
