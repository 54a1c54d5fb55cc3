"""Recipes: which steps, in which order, with which hyperparameters; as data, written and read as one line of text.

```
layers:4+feed:768+distil:epochs=2,hidden=0.5+int8
```

Steps are joined by `+`. After a step's name and a colon come its hyperparameters as `name=value`, joined by commas; the first
of the step's fields may be given by its value alone. What is not named keeps its default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Self

from basketry.compression.distilling import Distil, Qat
from basketry.compression.layers import Layers
from basketry.compression.low_rank import LowRank
from basketry.compression.projecting import Align, Dims
from basketry.compression.pruning import Feed, Heads
from basketry.compression.quantising import Float16, Int4, Int8
from basketry.compression.step import Materials, Step
from basketry.compression.token_vectors import Static
from basketry.compression.vocabulary import Vocab
from basketry.core.errors import RequestError
from basketry.core.spelled import read_value
from basketry.core.telemetry import span
from basketry.encoders.state import EncoderState

STEPS: Final[dict[str, type[Step]]] = {
    "layers": Layers,
    "heads": Heads,
    "feed": Feed,
    "lowrank": LowRank,
    "vocab": Vocab,
    "align": Align,
    "dims": Dims,
    "distil": Distil,
    "qat": Qat,
    "int8": Int8,
    "int4": Int4,
    "float16": Float16,
    "static": Static,
}
_NAMES: Final = {step: name for name, step in STEPS.items()}


@dataclass(frozen=True)
class Recipe:
    """Steps, applied one after the other."""

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The recipe that `text` spells. Raises RequestError naming the step or value that is wrong."""
        return cls(tuple(_step(part.strip()) for part in text.split("+")))

    def __str__(self) -> str:
        """The shortest text that spells it: `parse(str(recipe)) == recipe`."""
        return "+".join(_spelt(step) for step in self.steps)

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state after every step."""
        with span("compress", total=len(self.steps), unit="steps") as progress:
            for step in self.steps:
                progress.note(step=_spelt(step))
                state = step.apply(state, materials)
                progress.advance()
        return state


def _step(text: str) -> Step:
    name, _, rest = text.partition(":")
    if name not in STEPS:
        raise RequestError(f"no step is called {name!r}", f"join by + some of {', '.join(STEPS)}")
    known = {each.name: each for each in fields(STEPS[name])}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for place, part in enumerate(rest.split(",") if rest else ()):
        key, equals, value = part.partition("=")
        if not equals and place == 0 and known:
            key, value = next(iter(known)), part
        if key not in known or key in values:
            raise RequestError(
                f"step {name} cannot read {part!r}", f"it knows {', '.join(known) or 'no hyperparameters'}, each once"
            )
        values[key] = read_value(known[key], value, f"step {name}")
    return STEPS[name](**values)


def _spelt(step: Step) -> str:
    name = _NAMES[type(step)]
    changed = [
        f"{each.name}={_word(getattr(step, each.name))}"
        for each in fields(step)  # type: ignore[arg-type]
        if getattr(step, each.name) != each.default
    ]
    return name if not changed else f"{name}:{','.join(changed)}"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
