"""Rules whose antecedent is too rare to count: P(B | A) of a network that reads A, with an interval that later baskets set."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError, RequestError
from basketry.encoders.history.layout import Layout, asked
from basketry.training.plan import TrainingPlan

if TYPE_CHECKING:
    from pathlib import Path

    from scipy.sparse import csr_array

    from basketry.core.histories import Floats, Int64s
    from basketry.core.protocols import Arrays, Run, Vectors
    from basketry.encoders.history.runtime import Reader
    from basketry.training.tracking import Tracker

_PART: Final = 512
_TOLD: Final = 10  # consequents of an antecedent by which the spread is set


@dataclass(frozen=True)
class NeuralAssociations:
    """P(B in basket | A in basket) for antecedents A of up to `most` products, of a masked `body` (mlp, transformer or dbn).

    Trained on `examples` draws a size from the earlier baskets, judged on the `validation` share that came last. The network's
    P errs; how far is one number, the precision c of Beta(c P, c (1 - P)), of greatest beta-binomial likelihood on those last
    baskets. Catalogues to some 20,000 products; the cost is 6 dim multiplications an example, product and epoch.
    """

    body: str = "mlp"
    dim: int = 64
    blocks: int = 1
    most: int = 2
    examples: int = 50_000
    dropout: float = 0.1
    validation: float = 0.15
    # Rows of rare products learn baskets by heart; strong decay of the table was worth 3% of validation loss.
    plan: TrainingPlan = field(
        default_factory=lambda: TrainingPlan(learning_rate=3e-3, epochs=6, batch_size=256, patience=2, weight_decay=10.0)
    )

    def fit(self, baskets: csr_array, run: Run, *, folder: Path | None = None, tracker: Tracker | None = None) -> BasketNetwork:
        """Train on `baskets`, sparse 0/1 [n, products], the oldest first. Raises RequestError for too few of them.

        `folder` keeps checkpoints to go on from.
        """
        if not (self.most >= 1 and self.examples >= 1 and 0 < self.validation < 1 and 0 <= self.dropout < 1):
            raise RequestError(f"{self} cannot be fitted", "most and examples start at 1, shares lie between 0 and 1")
        cut = round(baskets.shape[0] * (1 - self.validation))
        if not 0 < cut < baskets.shape[0]:
            raise RequestError(f"{baskets.shape[0]} baskets are too few", "give some hundreds at least")
        try:
            from basketry.training.baskets import Antecedents, BasketLessons
        except ImportError as error:
            raise EncoderError("training neural associations needs package torch", "pip install 'basketry[train]'") from error
        layout = Layout(self.body, self.dim, self.most + 1, self.blocks, heads=1, masked=True)
        before, after = baskets[:cut], baskets[cut:]
        examples = Antecedents.drawn(before, self.most, self.examples, run.seed)
        judged = Antecedents.drawn(after, self.most, min(self.examples, 2_000), run.seed)
        arrays = BasketLessons(layout, self.plan, self.dropout).learn(examples, judged, run, folder, tracker)
        share = np.asarray(before.sum(axis=0), dtype=np.float64).ravel() / cut
        rough = BasketNetwork({**arrays, "share": share, "precision": np.array(1.0)})
        told = np.unique(judged.antecedent, axis=0)
        return BasketNetwork({**rough.arrays, "precision": np.array(_precision(rough, told, after))})


@dataclass(frozen=True, eq=False)
class Rules:
    """Row i: `antecedent` int64 [n, most], -1 where fewer, says `consequent` int64 [n], with the chance `confidence`.

    `support` is P(A and B); `low` and `high` hold the confidence with chance .95; float64 [n] each.
    """

    antecedent: Int64s
    consequent: Int64s
    support: Floats
    confidence: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class BasketNetwork:
    """What `NeuralAssociations` learned: a history encoder, each product's `share` of baskets, and the `precision`."""

    arrays: Arrays

    @cached_property
    def _read(self) -> Reader:
        from basketry.encoders.history.runtime import open_reader

        return open_reader(self.arrays)

    @property
    def precision(self) -> float:
        """How many baskets a told confidence is worth."""
        return float(self.arrays["precision"])

    def confidence(self, antecedents: Int64s) -> Vectors:
        """P(B | A) float32 [n, products] of antecedents int64 [n, most], ascending, -1 where fewer; 1 for A's own."""
        ids, lengths = asked(antecedents, len(self.arrays["products"]))
        vectors = [self._read(ids[s : s + _PART], lengths[s : s + _PART]) for s in range(0, len(ids), _PART)]
        table, bias = (np.asarray(self.arrays[name], dtype=np.float32) for name in ("products", "bias"))
        logits = np.concatenate(vectors) @ table.T + bias
        chances: Vectors = (1 / (1 + np.exp(-logits))).astype(np.float32)
        line, place = np.nonzero(antecedents >= 0)
        chances[line, antecedents[line, place]] = 1
        return chances

    def rules(self, antecedents: Int64s, k: int, least: float = 0.0) -> Rules:
        """The k likeliest consequents of each antecedent, of confidence `least` or more.

        P(A) is the share of baskets of its first product times the chance of each further one given those before it.
        """
        from scipy.stats import beta

        chances = self.confidence(antecedents)
        told = likeliest(chances, antecedents, k)
        row = np.repeat(np.arange(len(told)), told.shape[1])
        sure = np.take_along_axis(chances, told, 1).astype(np.float64).ravel()
        kept = sure >= least
        row, sure, consequent = row[kept], np.clip(sure[kept], 1e-12, 1 - 1e-12), told.ravel()[kept]
        one, other = self.precision * sure, self.precision * (1 - sure)
        support = self._shares(antecedents)[row] * sure
        return Rules(antecedents[row], consequent, support, sure, beta.ppf(0.025, one, other), beta.ppf(0.975, one, other))

    def _shares(self, antecedents: Int64s) -> Floats:
        shares = np.asarray(self.arrays["share"][antecedents[:, 0]], dtype=np.float64)
        for size in range(1, antecedents.shape[1]):
            more = antecedents[:, size] >= 0
            if more.any():
                so_far = np.where(np.arange(antecedents.shape[1]) < size, antecedents[more], -1)
                shares[more] *= self.confidence(so_far)[np.arange(int(more.sum())), antecedents[more, size]]
        return shares

    def state(self) -> Arrays:
        """The arrays."""
        return self.arrays

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises EncoderError for arrays that are no history encoder."""
        Layout.of(state)
        return cls(state)


def counted(antecedents: Int64s, baskets: csr_array) -> tuple[Int64s, csr_array]:
    """n_A int64 [n] and n_AB sparse [n, products]: baskets with each antecedent, and with each product beside it."""
    from scipy.sparse import csc_array, csr_array

    columns = csc_array(baskets).astype(np.int64)
    there = columns[:, antecedents[:, 0]]
    for size in range(1, antecedents.shape[1]):
        more = antecedents[:, size] >= 0
        next_ = csc_array(columns[:, np.maximum(antecedents[:, size], 0)])
        weight = np.repeat(more, np.diff(next_.indptr))
        next_.data = np.where(weight, next_.data, 0)
        alone = csc_array(there.multiply((~more).astype(np.int64)[None]))
        there = csc_array(there.multiply(next_) + alone)
    there.eliminate_zeros()
    return np.asarray(there.sum(axis=0)).ravel().astype(np.int64), csr_array(there.T @ columns)


def likeliest(chances: Vectors | Floats, antecedents: Int64s, k: int) -> Int64s:
    """The k products likeliest beside each antecedent by `chances` [n, products], none of its own: int64 [n, k]."""
    open_ = chances.copy()
    line, place = np.nonzero(antecedents >= 0)
    open_[line, antecedents[line, place]] = -1
    order: Int64s = np.argsort(-open_, axis=1, kind="stable")[:, : min(k, open_.shape[1] - antecedents.shape[1])]
    return order


def _precision(model: BasketNetwork, antecedents: Int64s, baskets: csr_array) -> float:
    """The c of greatest likelihood that n_AB ~ BetaBinomial(n_A, c P, c (1 - P)), over the likeliest B of each antecedent."""
    from scipy.optimize import minimize_scalar
    from scipy.stats import betabinom

    chances = model.confidence(antecedents)
    told = likeliest(chances, antecedents, _TOLD)
    held, both = counted(antecedents, baskets)
    row = np.repeat(np.arange(len(told)), told.shape[1])
    seen = np.asarray(both[row, told.ravel()]).ravel()
    chance = np.clip(chances[row, told.ravel()].astype(np.float64), 1e-9, 1 - 1e-9)

    def unlikely(log: float) -> float:
        c = np.exp(log)
        return -float(betabinom.logpmf(seen, held[row], c * chance, c * (1 - chance)).sum())

    return float(np.exp(minimize_scalar(unlikely, bounds=(np.log(0.5), np.log(1e5)), method="bounded").x))
