"""What it costs in quality to hold a group's share of exposure within bounds, on an exam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.histories import Rankings
from basketry.evaluation.bootstrap import Draws, Interval, interval
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.exposure import bound_exposure

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats
    from basketry.core.protocols import Ranker
    from basketry.recommendation.fairness import Audit
    from basketry.recommendation.protocols import Split

DEPTH: Final = 10  # candidates a place


@dataclass(frozen=True)
class Cost:
    """The group's `share` of exposure once bounded; nDCG `before` and `after`, their paired `change`; the `loss` of score."""

    share: float
    before: float
    after: float
    change: Interval
    loss: float


def deep(ranker: Ranker, split: Split, audit: Audit) -> Rankings:
    """Ten candidates a place for every question of an exam, to choose from. Memory: 12 bytes each."""
    parts = [ranker.rank(split.queries.select(rows), DEPTH * audit.k, split.candidates) for rows in split.parts(audit.chunk)]
    return Rankings(np.concatenate([each.products for each in parts]), np.concatenate([each.scores for each in parts]))


def cost_of_bounds(split: Split, rankings: Rankings, member: Bools, bounds: tuple[float, float], audit: Audit) -> Cost:
    """Hold the share of the products `member` bool [n_products] in `bounds`, by the least bonus, and measure both lists.

    Intervals are resampled by customer. Raises RequestError where the candidates cannot give such a share.
    """
    bounded = bound_exposure(rankings, audit.k, member, *bounds)
    metric = f"ndcg@{audit.k}"
    questions = Questions(split.relevant, split.customers)

    def ndcg(lists: Rankings) -> Floats:
        return questions.per_query(lists.products[:, : audit.k].astype(np.int64), (audit.k,))[metric]

    found = Draws.of(split.customers, audit.resamples, audit.seed).means(
        {"before": ndcg(rankings), "after": ndcg(bounded.rankings)}
    )
    before, after = found.values["before"], found.values["after"]
    return Cost(bounded.share, float(before[0]), float(after[0]), interval(after - before), bounded.loss)
