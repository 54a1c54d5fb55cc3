"""The weights of a blend, learned on queries that come after what its parts were fitted on, and before any test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import DataError
from basketry.core.histories import Candidates
from basketry.recommendation.pool import Pool, pool_of
from basketry.recommendation.voices import Voicing

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Int64s
    from basketry.core.protocols import Ranker
    from basketry.recommendation.protocols import Split

DEPTH: Final = 100  # proposals of each part that its rivals are drawn from
_RIDGE: Final = 1e-3  # keeps weights finite where one part is never wrong


@dataclass(frozen=True)
class Weighed:
    """Weights from 0 that sum to 1, one a part, and from how many relevant proposals they were learned.

    `loss` is the mean negative log-likelihood, in nats, of what was relevant; `alone` that of each part by itself.
    """

    weights: tuple[float, ...]
    relevant: int
    loss: float
    alone: tuple[float, ...]


def learn_weights(
    parts: Sequence[Ranker], split: Split, voicing: Voicing | None = None, most: int = 5_000, seed: int = 0
) -> Weighed:
    """The b >= 0 under which what was relevant is likeliest, scaled to sum to 1: the conditional logit.

    Of a query with voices x_j of its proposals j, P(j) = exp(b x_j) / sum over proposals i of exp(b x_i); proposals are the
    best 100 of each part that the history does not hold (unless the voicing `repeats`). The likelihood is concave, so there is
    one answer whatever the start; a search for most nDCG@10 over a grid of weights found no better one on other halves of the
    questions. `parts` are fitted on `split.train`. Of more than `most` queries as many are drawn by `seed`. Raises DataError
    where no part proposes anything relevant. Source: McFadden, Conditional logit analysis (1974).
    """
    asked, pool = teaching(parts, split, voicing or Voicing(), most, seed)
    return weigh(pool, pool.relevant(split.relevant[asked]))


def teaching(parts: Sequence[Ranker], split: Split, voicing: Voicing, most: int = 5_000, seed: int = 0) -> tuple[Int64s, Pool]:
    """At most `most` queries of the split that have an answer, int64 and rising, and what the parts propose for them."""
    asked = np.flatnonzero(np.diff(split.relevant.indptr) > 0)
    if len(asked) > most:
        asked = np.sort(np.random.default_rng(seed).choice(asked, most, replace=False))
    return asked, pool_of(parts, split.queries.select(asked), DEPTH, Candidates(repeats=voicing.repeats), voicing)


def weigh(pool: Pool, relevant: Bools) -> Weighed:
    """The same for a pool whose `relevant` proposals are known."""
    from scipy.optimize import minimize

    found = np.add.reduceat(relevant, pool.indptr[:-1][np.diff(pool.indptr) > 0]) if len(relevant) else relevant
    if not found.any():
        raise DataError("no part proposes anything relevant", "ask what customers bought later, by the same product codes")
    choices = Choices.of(pool, relevant)
    n = pool.voices.shape[1]

    def fit(columns: Int64s) -> tuple[Floats, float]:
        done = minimize(
            choices.loss, np.ones(len(columns)), args=(columns,), jac=True, bounds=[(0, None)] * len(columns), method="L-BFGS-B"
        )
        return done.x, float(choices.loss(done.x, columns)[0])

    weights, loss = fit(np.arange(n))
    alone = tuple(fit(np.array([column]))[1] for column in range(n))
    shared = weights / weights.sum() if weights.sum() > 0 else np.full(n, 1 / n)
    return Weighed(tuple(shared.tolist()), int(relevant.sum()), loss, alone)


@dataclass(frozen=True, eq=False)
class Choices:
    """The proposals of queries that have something relevant among them; `starts` of each query, `query` of each proposal."""

    voices: Floats
    relevant: Bools
    query: Int64s
    starts: Int64s

    @classmethod
    def of(cls, pool: Pool, relevant: Bools) -> Choices:
        """Leave out the queries that teach nothing."""
        query = pool.queries
        kept = np.isin(query, query[relevant])
        starts = np.flatnonzero(np.diff(query[kept], prepend=-1))
        lengths = np.diff(np.append(starts, kept.sum()))
        return cls(pool.voices[kept].astype(np.float64), relevant[kept], np.repeat(np.arange(len(starts)), lengths), starts)

    def loss(self, weights: Floats, columns: Int64s) -> tuple[float, Floats]:
        """Mean over relevant proposals of -log P, with its gradient."""
        voices = self.voices[:, columns]
        said = voices @ weights
        said -= np.maximum.reduceat(said, self.starts)[self.query]
        likely = np.exp(said)
        total = np.add.reduceat(likely, self.starts)[self.query]
        count = np.add.reduceat(self.relevant.astype(np.float64), self.starts)[self.query]
        n = self.relevant.sum()
        loss = -(said - np.log(total))[self.relevant].sum() / n + _RIDGE * (weights @ weights)
        slope = (count * likely / total - self.relevant) @ voices / n + 2 * _RIDGE * weights
        return float(loss), slope
