"""Baskets as training examples: an antecedent as often as it occurs, and whether each other product lies beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from basketry.core.errors import RequestError
from basketry.encoders.history.layout import asked
from basketry.encoders.history.network import HistoryNetwork
from basketry.training.loop import train

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array
    from torch import nn

    from basketry.core.protocols import Arrays, Run
    from basketry.encoders.history.layout import Layout
    from basketry.training.plan import TrainingPlan
    from basketry.training.tracking import Tracker

    Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Antecedents:
    """Example i: products `antecedent[i]` int64 [n, most], ascending and -1 where fewer, of the basket `basket[i]`."""

    baskets: csr_array
    antecedent: Ids
    basket: Ids

    @classmethod
    def drawn(cls, baskets: csr_array, most: int, examples: int, seed: int) -> Antecedents:
        """`examples` draws for each size from 1 to `most`: a basket by chance in C(size of it, size), then products of it.

        So an antecedent is drawn in proportion to the baskets that hold it, and its examples are a fair sample of those.
        """
        rng = np.random.default_rng([seed, 3])
        counts = np.diff(baskets.indptr).astype(np.float64)
        found, owner = [], []
        for size in range(1, most + 1):
            ways = np.where(counts > size, np.prod([counts - i for i in range(size)], axis=0), 0.0)
            if not ways.sum():
                continue
            rows = rng.choice(len(counts), examples, p=ways / ways.sum())
            chosen = np.full((examples, most), -1, dtype=np.int64)
            taken = np.sort(_places(rng, counts[rows].astype(np.int64), size), axis=1)
            chosen[:, :size] = baskets.indices[baskets.indptr[rows][:, None] + taken]
            found.append(chosen)
            owner.append(rows)
        if not found:
            raise RequestError("no basket holds two products", "give baskets of several products")
        return cls(baskets, np.concatenate(found), np.concatenate(owner))

    def __len__(self) -> int:
        return len(self.basket)

    def batch(self, rows: Ids) -> dict[str, Tensor]:
        """`ids` int64 and `mask` bool [n, most + 1], and `beside` float32 [n, products]: 1, 0, or -1 for its own."""
        ids, lengths = asked(self.antecedent[rows], self.baskets.shape[1])
        beside = self.baskets[self.basket[rows]].toarray().astype(np.float32)
        own = self.antecedent[rows]
        line, place = np.nonzero(own >= 0)
        beside[line, own[line, place]] = -1
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask), "beside": torch.from_numpy(beside)}


def _places(rng: np.random.Generator, counts: Ids, size: int) -> Ids:
    """`size` different places below each of `counts`, int64 [n, size]: place i of those not taken yet, one after another."""
    taken = np.empty((len(counts), 0), dtype=np.int64)
    for already in range(size):
        place = (rng.random(len(counts)) * (counts - already)).astype(np.int64)
        for column in np.sort(taken, axis=1).T:
            place += place >= column
        taken = np.column_stack([taken, place])
    return taken


def beside(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The mean over examples of the summed binary cross-entropy of every other product: P(B | A) is its least."""
    network: HistoryNetwork = module  # type: ignore[assignment]
    logits = network(batch["ids"], batch["mask"]) @ network.products().T + network.bias
    losses = functional.binary_cross_entropy_with_logits(logits, batch["beside"].clamp(min=0), reduction="none")
    return (losses * (batch["beside"] >= 0)).sum(1).mean()


@dataclass(frozen=True)
class BasketLessons:
    """How a masked network learns what lies `beside` an antecedent: its shape, the loop's plan, the share dropped out."""

    layout: Layout
    plan: TrainingPlan
    dropout: float

    def learn(
        self,
        examples: Antecedents,
        judged: Antecedents,
        run: Run,
        folder: Path | None = None,
        tracker: Tracker | None = None,
    ) -> Arrays:
        """The arrays of the network; of its epochs the one is kept that says best what lies beside `judged`."""
        share = (np.asarray(examples.baskets.sum(axis=0)).ravel() + 0.5) / (examples.baskets.shape[0] + 1)
        with torch.random.fork_rng():
            torch.manual_seed(run.seed)
            network = HistoryNetwork(self.layout, np.ones(examples.baskets.shape[1], dtype=np.bool_), self.dropout)
        with torch.no_grad():
            network.bias.copy_(torch.from_numpy(np.log(share / (1 - share)).astype(np.float32)))
        network.bias.requires_grad_(True)
        rows = np.arange(len(judged))

        def validate(module: nn.Module) -> float:
            parts = np.array_split(rows, max(len(rows) // 500, 1))
            return -float(np.mean([float(beside(module, judged.batch(part))) for part in parts]))

        train(network, beside, examples, self.plan, run, validate=validate, folder=folder, tracker=tracker)
        return network.arrays()
