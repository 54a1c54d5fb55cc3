"""From evidence to statements: which products of a history are named as reasons, and nothing that the evidence does not hold.

A reason of a model whose fidelity is not trusted is not shown: whoever serves asks `Trust.earned` of the release first, and
shows none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.recommendation.reasons.attribution import Attribution
from basketry.recommendation.reasons.counterfactuals import counterfactual
from basketry.recommendation.reasons.deletions import ask
from basketry.recommendation.wording import Part, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketry.core.histories import Evidence, Floats, Int64s, Queries, Rankings
    from basketry.core.protocols import Ranker, Run
    from basketry.recommendation.reasons.deletions import Asked


@dataclass(frozen=True, eq=False)
class Answer:
    """A ranking, the question it answers, its evidence, and the `titles` of all products."""

    queries: Queries
    rankings: Rankings
    evidence: Evidence
    titles: Sequence[str]

    def brought(self, row: int, rank: int) -> tuple[Int64s, Floats]:
        """The distinct products of the history, ascending, and what the events of each brought together."""
        histories = self.queries.histories
        products = histories.products[histories.indptr[row] : histories.indptr[row + 1]]
        distinct, place = np.unique(products, return_inverse=True)
        events = self.evidence.of(row, rank, len(products))
        return distinct.astype(np.int64), np.bincount(place, events, len(distinct)).astype(np.float64)

    def names(self, row: int, rank: int, products: Int64s) -> list[str]:
        """The titles of the listed product and of `products`, told apart: namesakes are followed by `#` and their code."""
        codes = [int(self.rankings.products[row, rank]), *products.tolist()]
        titles = [self.titles[code] for code in codes]
        alike = Counter({code: self.titles[code] for code in codes}.values())
        return [f"{title} #{code}" if alike[title] > 1 else title for code, title in zip(codes, titles, strict=True)]


@dataclass(frozen=True)
class Telling:
    """How reasons are told: at most `most` products are named, none that brought less than `least` of what spoke for it.

    `dated`: whether the days of histories are days of a calendar, and may be told. `without`: whether to look for what would
    have to be gone as well, which costs rankings (see `reasons.counterfactuals`). `verb`: what the events are.
    """

    most: int = 3
    least: float = 0.1
    dated: bool = True
    without: bool = True
    verb: Literal["bought", "viewed"] = "bought"

    def __post_init__(self) -> None:
        if self.most < 1 or not 0 <= self.least <= 1:
            raise RequestError(f"{self} tells nothing", "most starts at 1, least lies in [0, 1]")

    def reasons(
        self,
        ranker: Ranker,
        queries: Queries,
        rankings: Rankings,
        titles: Sequence[str],
        run: Run,
        attribution: Attribution | None = None,
        candidates: Candidates | None = None,
    ) -> list[list[tuple[Statement, ...]]]:
        """The statements on every place of `rankings`, one list a query; none where nothing of the history spoke for a product.

        `rankings` are of `ranker` for `candidates` (everything new, unless given). Counterfactuals are of the whole list.
        """
        attribution, candidates = attribution or Attribution(), candidates or Candidates()
        answer = Answer(queries, rankings, attribution.evidence(ranker, queries, rankings, run), titles)
        told: list[list[tuple[Statement, ...]]] = []
        for row in range(len(queries)):
            asked = ask(ranker, queries, row, candidates, by="product")
            said = [self._told(answer, row, rank, asked) for rank in range(rankings.products.shape[1])]
            told.append(said)
        return told

    def because(self, answer: Answer, row: int, rank: int) -> Statement | None:
        """The products of the history that brought most, with how often and when last, or None where none brought anything.

        Their share is of all that spoke for the product, popularity included, and is told of exact evidence only.
        """
        history = answer.queries.histories.select(np.array([row], dtype=np.int64))
        products, brought = answer.brought(row, rank)
        rest = float(answer.evidence.rest[row, rank])
        for_it = float(brought[brought > 0].sum()) + max(rest, 0.0)
        order = np.argsort(-brought, kind="stable")[: self.most]
        named = [i for i in order.tolist() if brought[i] > 0 and brought[i] >= self.least * for_it]
        if not named:
            return None
        title, *names = answer.names(row, rank, products[named])
        parts = []
        for i, name in zip(named, names, strict=True):
            its = history.products == products[i]
            last = {"last": int(history.days[its].max())} if self.dated else {}
            parts.append(Part(name, {"times": int(its.sum()), **last}))
        part = float(brought[named].sum()) / for_it
        whole = part > 1 - 1e-9  # else all of it, but for the last bit of a sum, would be told as 99.9%
        share = {"share": 1.0 if whole else part} if answer.evidence.exact else {}
        return Statement(self.verb, title, (), share, tuple(parts))

    def without_it(self, answer: Answer, row: int, rank: int, asked: Asked) -> Statement | None:
        """What would have to be gone for the product not to be listed; `asked` is the row's question by product."""
        product, k = int(answer.rankings.products[row, rank]), answer.rankings.products.shape[1]
        products, brought = answer.brought(row, rank)
        found = counterfactual(asked, product, k, brought)
        if found is None:
            return None
        title, *others = answer.names(row, rank, products[found.gone])
        return Statement("without", title, tuple(others), {"first": k})

    def _told(self, answer: Answer, row: int, rank: int, asked: Asked) -> tuple[Statement, ...]:
        if answer.rankings.products[row, rank] < 0 or (said := self.because(answer, row, rank)) is None:
            return ()
        more = self.without_it(answer, row, rank, asked) if self.without else None
        return (said,) if more is None else (said, more)
