"""One space for all modalities: learned by contrast with torch, served by numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError, RequestError
from basketry.training.fusion.foretelling import Foretelling
from basketry.training.fusion.modality import BEHAVIOUR, Modality, checked, unit

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.protocols import Arrays, Run, Vectors

_MAP: Final = "map."


@dataclass(frozen=True, eq=False)
class FusedSpace:
    """Arrays of `towers.Towers`: `map.NAME` [dim, dim_m], and the gate's four where there is one; names in sorted order."""

    arrays: Arrays

    @property
    def names(self) -> tuple[str, ...]:
        """The modalities it knows."""
        return tuple(sorted(name.removeprefix(_MAP) for name in self.arrays if name.startswith(_MAP)))

    def fuse(self, modalities: Mapping[str, Modality]) -> Vectors:
        """float32 [n, dim], unit norm; a modality not given is unknown of all. A product of which nothing is known is zero."""
        n = checked(modalities)
        known = [name for name in self.names if name in modalities]
        if not known:
            raise RequestError(f"none of {', '.join(self.names)} is given", "give at least one modality it was fitted on")
        shares = self._shares(modalities, n)
        total = np.zeros((n, len(np.asarray(self.arrays[_MAP + known[0]]))), dtype=np.float32)
        for name in known:
            weight = np.asarray(self.arrays[_MAP + name], dtype=np.float32)
            total += shares[:, self.names.index(name), None] * unit(modalities[name].shown @ weight.T)
        return unit(total)

    def _shares(self, modalities: Mapping[str, Modality], n: int) -> npt.NDArray[np.float32]:
        """float32 [n, modalities]: how much each counts, rows adding to 1 (0 where nothing is known)."""
        signals = np.zeros((n, len(self.names), 2), dtype=np.float32)
        for place, name in enumerate(self.names):
            if name in modalities:
                signals[:, place] = modalities[name].signals
        known = signals[:, :, 0] > 0
        logits = np.zeros(known.shape, dtype=np.float32)
        if "gate.hidden.weight" in self.arrays:
            of = {name: np.asarray(array, dtype=np.float32) for name, array in self.arrays.items()}
            hidden = np.maximum(signals.reshape(n, -1) @ of["gate.hidden.weight"].T + of["gate.hidden.bias"], 0)
            logits = hidden @ of["gate.out.weight"].T + of["gate.out.bias"]
        largest = np.max(np.where(known, logits, -np.inf), axis=1, keepdims=True)
        raised = np.where(known, np.exp(logits - np.where(known.any(axis=1, keepdims=True), largest, 0)), 0)
        shares: npt.NDArray[np.float32] = (raised / np.maximum(raised.sum(axis=1, keepdims=True), 1e-30)).astype(np.float32)
        return shares

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        return dict(self.arrays)

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        return cls(dict(state))


@dataclass(frozen=True)
class SharedSpace:
    """Linear maps of each modality into the space of behaviour, learned so that products find their partners in it.

    Begins with what ridge regression gives (`Foretelling` for every modality but behaviour, which begins as it is), then takes
    the steps of `towers.PartnerObjective`. `gates` weighs a product's modalities by what is known of it; `align` pulls its
    modalities together. 1,600 products cost 0.3 s of CPU an epoch; all products are candidates in every step, so time grows
    with their square: to about 20,000.
    """

    gates: bool = field(default=False, metadata={"help": "weigh modalities product by product, not evenly"})
    align: float = field(default=0.0, metadata={"help": "weight of the alignment of a product's own modalities; at least 0"})
    drop: float = field(default=0.5, metadata={"help": "chance that a modality of a product is hidden in a step; in [0, 1)"})
    temperature: float = field(default=0.2, metadata={"help": "of the softmax over cosines; above 0"})
    learning_rate: float = field(default=1e-3, metadata={"help": "highest learning rate; above 0"})
    epochs: int = field(default=5, metadata={"help": "passes over the products; at least 1", "unit": "passes"})
    batch_size: int = field(default=512, metadata={"help": "products in one step", "unit": "products"})
    reg: float = field(default=0.1, metadata={"help": "of the ridge regression it begins with; above 0"})

    def __post_init__(self) -> None:
        if not (0 <= self.drop < 1 and self.align >= 0 and self.temperature > 0):
            asked = f"drop {self.drop}, align {self.align}, temperature {self.temperature}"
            raise RequestError(f"a shared space cannot have {asked}", "drop in [0, 1), align at least 0, temperature above 0")

    def fit(self, modalities: Mapping[str, Modality], partners: csr_array, run: Run) -> FusedSpace:
        """From the products' modalities, `behaviour` among them, and `partners`: float [n, n], symmetric, the weight of a pair.

        Raises EncoderError without torch, RequestError if there is no modality called behaviour.
        """
        try:
            import torch

            from basketry.training.fusion.towers import Anchors, PartnerObjective, Towers
            from basketry.training.loop import train
            from basketry.training.plan import TrainingPlan
        except ImportError as error:
            raise EncoderError(f"a shared space needs package {error.name}", "pip install 'basketry[train]'") from error
        checked(modalities)
        ordered = {name: modalities[name] for name in sorted(modalities)}
        with torch.random.fork_rng():
            torch.manual_seed(run.seed)
            module = Towers(self._beginning(ordered), gates=self.gates)
        objective = PartnerObjective(ordered, partners, temperature=self.temperature, drop=self.drop, align=self.align)
        anchors = Anchors(np.flatnonzero(np.diff(partners.indptr)))
        plan = TrainingPlan(learning_rate=self.learning_rate, epochs=self.epochs, batch_size=self.batch_size, weight_decay=0.1)

        train(module, objective, anchors, plan, run)
        return FusedSpace(module.arrays())

    def _beginning(self, modalities: Mapping[str, Modality]) -> dict[str, Vectors]:
        if BEHAVIOUR not in modalities:
            raise RequestError(
                f"modalities {', '.join(modalities)}", f"give one called {BEHAVIOUR}: the shared space is its own"
            )
        behaviour = modalities[BEHAVIOUR]
        ridge = Foretelling(self.reg)
        maps = {name: ridge.fit(each, behaviour).weight for name, each in modalities.items() if name != BEHAVIOUR}
        return dict(sorted((maps | {BEHAVIOUR: np.eye(behaviour.vectors.shape[1], dtype=np.float32)}).items()))
