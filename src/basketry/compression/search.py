"""A search over recipes: which trade size and speed for loss best, within a budget of seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from basketry.compression.measure import Costs, Fidelity, Judge, costs
from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.core.errors import EncoderError, RequestError
from basketry.core.telemetry import span
from basketry.encoders.models import encoder_of
from basketry.encoders.state import EncoderState, Family
from basketry.encoders.transformer.layout import Shape

if TYPE_CHECKING:
    from basketry.core.protocols import Encoder

# Tried first, whatever the budget: the mildest of each kind.
FIRST: Final[dict[Family, tuple[str, ...]]] = {
    "transformer": ("int8", "vocab+int8", "static", "static+int8", "float16"),
    "ngram": ("vocab", "static", "static+int8", "vocab+static+int8", "dims:256"),
    "static": ("int8", "float16", "dims:128", "vocab+int8"),
}
_REPEATS: Final = 100  # draws of known recipes in a row after which there is nothing more to try
_QUANTISED: Final = ("int8", "int8:keep=0", "int8:dynamic", "int4", "float16")


@dataclass(frozen=True)
class Trial:
    """A recipe that was tried, the encoder it made, and what was measured of it."""

    recipe: Recipe
    state: EncoderState
    fidelity: Fidelity
    costs: Costs


def search(
    state: EncoderState,
    materials: Materials,
    judge: Judge,
    held_out: Sequence[str],
    budget: float,
    *,
    most: int = 0,
    training: bool = False,
) -> list[Trial]:
    """Every trial made before `budget` seconds were over, or `most` recipes were tried; the one under way is finished.

    First the recipes of `FIRST`; then, for a transformer, recipes drawn by optuna's tree-structured Parzen estimator (Bergstra
    et al., 2011) with two aims, less loss and less time: how many layers, how many heads and neurons in each, aligned or not
    (or, with `training`, distilled), the vocabulary trimmed or not, and a form of the numbers. Seeded; only the clock decides
    how many. Raises EncoderError if optuna is missing and drawn recipes are called for.
    """
    begun = time.monotonic()
    tried: dict[str, Trial | None] = {}
    repeated = 0

    def over() -> bool:
        return time.monotonic() - begun >= budget or 0 < most <= len(tried) or repeated >= _REPEATS

    with span("search recipes", unit="recipes") as progress:

        def attempt(text: str) -> Trial | None:
            nonlocal repeated
            repeated = repeated + 1 if text in tried else 0
            if text not in tried:
                tried[text] = _tried(Recipe.parse(text), state, materials, judge, held_out)
                progress.advance()
            return tried[text]

        for text in FIRST[state.family]:
            if not over():
                attempt(text)
        if state.family == "transformer" and not over():
            _drawn(state, materials.run.seed, attempt, over, training=training)
    return [trial for trial in tried.values() if trial is not None]


def frontier(trials: Iterable[Trial], cost: Callable[[Trial], float]) -> list[Trial]:
    """The trials that no other beats in loss and in `cost` at once, cheapest first."""
    best: list[Trial] = []
    for trial in sorted(trials, key=lambda one: (cost(one), one.fidelity.loss)):
        if not best or trial.fidelity.loss < best[-1].fidelity.loss:
            best.append(trial)
    return best


def _tried(recipe: Recipe, state: EncoderState, materials: Materials, judge: Judge, held_out: Sequence[str]) -> Trial | None:
    """None if the recipe does not fit this encoder."""
    try:
        made = recipe.apply(state, materials)
        encoder: Encoder = encoder_of(made, materials.run)
    except RequestError:
        return None
    return Trial(recipe, made, judge.fidelity(encoder), costs([encoder], [made.bytes], held_out)[0])


def _drawn(
    state: EncoderState, seed: int, attempt: Callable[[str], Trial | None], over: Callable[[], bool], *, training: bool
) -> None:
    try:
        import optuna
    except ImportError as error:
        raise EncoderError("a search over recipes needs package optuna", "pip install 'basketry[train]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed))
    shape = Shape.of(state)
    while not over():
        trial = study.ask()
        made = attempt(_spelt(trial, shape, training=training))
        if made is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, [made.fidelity.loss, made.costs.batched_us])


def _spelt(trial: Any, shape: Shape, *, training: bool) -> str:
    """The recipe that a draw stands for."""
    depth, heads, feed = len(shape.heads), max(shape.heads), max(shape.feed)
    steps = []
    layers = trial.suggest_int("layers", max(1, depth // 3), depth)
    if layers < depth:
        steps.append(f"layers:{layers}")
    kept = trial.suggest_int("heads", max(1, heads // 2), heads)
    if kept < heads:
        steps.append(f"heads:{kept}")
    eighths = trial.suggest_int("feed", 3, 8)
    if eighths < 8:
        steps.append(f"feed:{max(1, feed * eighths // 8)}")
    if trial.suggest_categorical("mend", [False, True]) and steps:
        steps.append("distil" if training else "align")
    if trial.suggest_categorical("vocab", [False, True]):
        steps.append("vocab")
    steps.append(trial.suggest_categorical("numbers", _QUANTISED))
    return "+".join(steps)
