"""The neural rankers that can be asked for by name, and trainings that can be gone on with after a kill, and looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from basketry.core.errors import RequestError
from basketry.core.spelled import spelled
from basketry.recommendation.neural import Neural, NeuralRanker
from basketry.training.plan import TrainingPlan

if TYPE_CHECKING:
    from basketry.core.histories import Histories
    from basketry.core.protocols import Run
    from basketry.training.tracking import Tracker

NETWORKS: Final[dict[str, Neural]] = {
    "esasrec": Neural(gated=True),
    "sasrec": Neural(),
    "bert4rec": Neural(masked=True),
    "gru": Neural(body="gru", blocks=1),
    "cnn": Neural(body="cnn"),
    "mlp": Neural(body="mlp", blocks=1),
    "autoencoder": Neural(body="mlp", blocks=1, masked=True),
    "lightgcn": Neural(body="lightgcn"),
    "dbn": Neural(body="dbn"),
}
EVENTS: Final = 4_000_000  # read in all epochs together: some three minutes of one core at dim 64
_OWN: Final = {one.name: one for one in fields(Neural) if one.name not in ("body", "plan")}
_PLAN: Final = {one.name: one for one in fields(TrainingPlan)}


def network(name: str, settings: str = "") -> Neural:
    """The network of that name with other hyperparameters, of its own or of its plan, written as `dim=96,epochs=10`.

    Raises RequestError for a name or hyperparameter that is not known, or a value out of its range.
    """
    if name not in NETWORKS:
        raise RequestError(f"no network is called {name!r}", f"use one of {', '.join(NETWORKS)}")
    values = spelled(settings, _OWN | _PLAN, f"network {name}")
    plan = {key: value for key, value in values.items() if key in _PLAN}
    own = {key: value for key, value in values.items() if key in _OWN}
    return replace(NETWORKS[name], **own, plan=replace(NETWORKS[name].plan, **plan))


@dataclass(frozen=True)
class Kept:
    """The network `of`, whose every training keeps checkpoints and is told to a tracker: circumstances, not hyperparameters.

    A training has a folder of its own below `folder`, called by all it depends on: the same one goes on where it was, and no
    other ever finds it. `tracker` gives each its own, by that name. Above 0, `events` bounds the events read in all epochs
    together, by fewer epochs than the plan's, and one at least.
    """

    of: Neural
    folder: Path
    tracker: Callable[[str], Tracker | None]
    events: int = 0

    def fit(self, histories: Histories, run: Run) -> NeuralRanker:
        """The model that `of` gives. Raises what it raises."""
        read = len(histories.products)
        most = self.of.plan.epochs if not self.events else min(self.of.plan.epochs, max(1, self.events // max(read, 1)))
        of = replace(self.of, plan=replace(self.of.plan, epochs=most))
        name = f"{read}-events-{_digest(of, histories, run.seed)[:12]}"
        return of.fit(histories, run, folder=self.folder / name, tracker=self.tracker(name))


def _digest(of: Neural, histories: Histories, seed: int) -> str:
    found = hashlib.sha256(f"{of} {seed} {histories.n_products}".encode())
    for array in (histories.indptr, histories.products, histories.days, histories.visits):
        found.update(array.tobytes())
    return found.hexdigest()
