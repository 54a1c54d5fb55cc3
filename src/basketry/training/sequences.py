"""Training a history encoder: what comes next, or what is hidden, among products drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn import functional

from basketry.core.errors import RequestError
from basketry.encoders.history.layout import Layout
from basketry.encoders.history.network import HistoryNetwork
from basketry.training.divergence import pretrain_machines
from basketry.training.histories import Stretches, held_out
from basketry.training.loop import TrainedHistory, train
from basketry.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import nn

    from basketry.core.histories import Histories
    from basketry.core.protocols import Arrays, Run, Vectors
    from basketry.training.tracking import Tracker


@dataclass(frozen=True)
class SampledSoftmax:
    """Cross-entropy of the product that came against `negatives` others, drawn uniformly and shared by the batch.

    The mean over events of -log(exp(s_target) / (exp(s_target) + sum over drawn j other than it of exp(s_j))). `corrected` adds
    log((n - 1) / negatives) to s_j, so that the sum estimates the one over all n products (the log Q correction of Bengio and
    Senecal, 2008): probabilities then mean what they say, at the price of harder negatives. Only products with events are
    drawn. Of a masked layout the products themselves are the targets, each hidden with chance `hidden`, and at least one; in
    half of the histories it is only the last (Sun et al., BERT4Rec, CIKM 2019).
    """

    negatives: int = 256
    corrected: bool = False
    hidden: float = 0.2

    def __call__(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The loss of a batch of `Stretches` on a `HistoryNetwork`."""
        network: HistoryNetwork = module  # type: ignore[assignment]
        ids, mask = batch["ids"], batch["mask"]
        if network.layout.masked:
            asked = self._hide(mask)
            targets, ids = ids[asked], ids.masked_fill(asked, network.n_products)
        else:
            asked, targets = mask, batch["targets"][mask]
        known = torch.from_numpy(np.flatnonzero(network.known)).to(ids.device)
        drawn = known[torch.randint(len(known), (self.negatives,), device=ids.device)]
        read = ids[mask]
        together = network.embed(torch.cat([read, targets, drawn]))  # once: a graph spreads once
        inside, right, wrong = torch.split(together, [len(read), len(targets), len(drawn)])
        vectors = network.read(inside, ids, mask)[asked[mask]]
        positive = (vectors * right).sum(-1) + network.bias[targets]
        negative = vectors @ wrong.T + network.bias[drawn]
        if self.corrected:
            negative = negative + math.log(max(len(known) - 1, 1) / self.negatives)
        negative = negative.masked_fill(drawn == targets[:, None], -torch.inf)
        logits = torch.cat([positive[:, None], negative], 1).float()
        return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=ids.device))

    def _hide(self, mask: Tensor) -> Tensor:
        counts = mask.sum(1)
        one = (torch.rand(len(mask), device=mask.device) * counts).long()
        last = torch.rand(len(mask), device=mask.device) < 0.5
        one = torch.where(last, counts - 1, one)
        more = (torch.rand(mask.shape, device=mask.device) < self.hidden) & mask & ~last[:, None]
        return more.scatter(1, one[:, None], True)


@dataclass(frozen=True)
class Lessons:
    """How a history encoder is trained: its shape, the loss, and the loop's plan.

    `validation` is the share of customers, at most 2,000, whose last visit is kept from training: their nDCG@10 says which
    epoch's weights are kept. `pretraining` is the passes over the histories that a deep belief network's machines take first.
    """

    layout: Layout = field(default_factory=Layout)
    loss: SampledSoftmax = field(default_factory=SampledSoftmax)
    plan: TrainingPlan = field(default_factory=lambda: TrainingPlan(learning_rate=2e-3, epochs=20, batch_size=256, patience=3))
    dropout: float = 0.2
    validation: float = 0.1
    pretraining: int = 5

    def learn(
        self,
        histories: Histories,
        run: Run,
        features: Vectors | None = None,
        folder: Path | None = None,
        tracker: Tracker | None = None,
    ) -> tuple[Arrays, TrainedHistory]:
        """The arrays of the encoder, and how training went. With `folder` a run that was stopped goes on from its checkpoint.

        `features` float32 [n_products, f], those of texts or pictures. Raises RequestError if no history has anything to learn
        from, or for a number out of range.
        """
        self._check(histories, features)
        learned, judges = held_out(histories, self.validation, run.seed)
        stretches = Stretches.of(learned, self.layout.length, masked=self.layout.masked)
        if not len(stretches):
            raise RequestError("no history has an event that another came after", "give customers with two or more visits")
        # No place of a history is read that no example filled: its position would be as it was drawn.
        layout = replace(self.layout, length=min(self.layout.length, int(stretches.count.max())))
        plan = replace(self.plan, batch_size=min(self.plan.batch_size, len(stretches)))
        known = np.bincount(learned.products, minlength=histories.n_products) > 0
        with torch.random.fork_rng():
            torch.manual_seed(run.seed)
            network = HistoryNetwork(layout, known, self.dropout, features, _held(learned))
        if self.layout.body == "dbn" and self.pretraining:
            pretrain_machines(network, learned, replace(plan, epochs=self.pretraining, patience=0), run, folder)
        validate = None if judges is None else judges.ndcg
        history = train(network, self.loss, stretches, plan, run, validate=validate, folder=folder, tracker=tracker)
        return network.arrays(), history

    def _check(self, histories: Histories, features: Vectors | None) -> None:
        if features is not None and len(features) != histories.n_products:
            raise RequestError(
                f"features of {len(features)} products for a catalogue of {histories.n_products}", "give a row a product"
            )
        ranges = {
            "dropout": 0 <= self.dropout < 1,
            "validation": 0 <= self.validation < 1,
            "negatives": self.loss.negatives >= 1,
            "hidden": 0 <= self.loss.hidden < 1,
            "pretraining": self.pretraining >= 0,
        }
        wrong = [name for name, right in ranges.items() if not right]
        if wrong:
            raise RequestError(
                f"{', '.join(wrong)} out of range", "shares lie in [0, 1), negatives start at 1, pretraining at 0"
            )


def _held(histories: Histories) -> csr_array:
    held = csr_array(
        (np.ones(len(histories.products), dtype=np.float32), histories.products, histories.indptr),
        shape=(len(histories), histories.n_products),
    )
    held.sum_duplicates()
    held.data[:] = 1
    return held
