"""Why one product stands where it does in the answer of a scene, or does not stand there.

The place is that in the list as shown; the rank is that in the scene's own ranking, before its policy orders it, and as if
nothing barred this one product. So a product that may not be shown still has a rank, and what bars it is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.histories import Candidates, Rankings
from basketry.recommendation.answers import CATALOGUE
from basketry.recommendation.blending import Blended
from basketry.recommendation.filters import EVERYTHING
from basketry.recommendation.links import linked
from basketry.recommendation.reasons.counterfactuals import counterfactual
from basketry.recommendation.reasons.deletions import ask
from basketry.recommendation.reasons.telling import Answer, Telling
from basketry.recommendation.shelf import Rule
from basketry.recommendation.wording import BARS, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from basketry.core.histories import Bools, Evidence, Int32s, Queries
    from basketry.core.protocols import Ranker
    from basketry.recommendation.answers import Answer as Listed
    from basketry.recommendation.answers import Stage
    from basketry.recommendation.filters import Filter
    from basketry.recommendation.reasons.counterfactuals import Counterfactual
    from basketry.recommendation.reasons.deletions import Asked
    from basketry.recommendation.wording import Claim

_AT_ONCE: Final = 64  # lists asked for together
_BARS: Final[dict[str, Claim]] = {
    **{name: name for name in BARS},
    "bought": "in_history",
    "cap": "capped",
    "pin": "pinned",
}


@dataclass(frozen=True)
class Said:
    """What one ranker says of the product: its `rank` among all that may be ranked, from 1, None for nothing; its own `score`.

    `link` is the part of the scene that it is, or belongs to. Of a blend's `part`, `adds` is what it adds to the blend's score.
    """

    link: str
    part: str
    rank: int | None
    score: float
    adds: float | None = None


@dataclass(frozen=True, eq=False)
class Standing:
    """Of `product` in a list of k: its `place` (from 1; None: not shown), its `rank` among `ranked` products, and who ranks it.

    `score` and `evidence` (of one query and one product) are those of `link`. `bars` names what keeps it out, as
    `Stage.barred`, and `rules` what moved it, as `Rule`. `line` int32 [n_products] is the whole ranking, of which `shown`
    int32 [k] is made. `gone`: the smallest part found without which it would not be shown, in numbers of the distinct products
    of the history, ascending; None where nothing makes it go.
    """

    product: int
    k: int
    place: int | None
    rank: int
    ranked: int
    link: str
    score: float
    evidence: Evidence
    bars: tuple[str, ...]
    rules: tuple[str, ...]
    voices: tuple[Said, ...]
    line: Int32s
    shown: Int32s
    gone: Counterfactual | None


def standing(
    stage: Stage,
    queries: Queries,
    product: int,
    k: int,
    only: Filter = EVERYTHING,
    parts: Sequence[str] = (),
    barred: Bools | None = None,
) -> Standing:
    """The standing of `product` in the answer to one query, from which `barred` products are kept as in `Stage.answer`.

    `parts` names those of the scene's blend, as far as it has one.

    Cost: a ranking of all products by each ranker, and for a product that is shown those of its counterfactual: a few lists a
    distinct product of the history, some 2 ms each on 20,000 products.
    """
    asked = stage.asked(queries)
    answer = stage.within(asked, k, stage.candidates(queries, only, barred))
    limits = stage.limits(queries, only, barred)
    fixed = _fixed(stage, limits)
    open_to = Candidates(fixed.allowed.copy() if fixed.allowed is not None else None, repeats=True)
    if open_to.allowed is not None:
        open_to.allowed[product] = True
    chain = linked(stage.links, asked, len(stage.shelf.facts), open_to)
    line = chain.rankings.products[0]
    at = int(np.flatnonzero(line == product)[0])  # the catalogue ranks whatever nothing else does
    link = list(stage.links)[chain.link[0, at]]
    one = Rankings(line[None, [at]], chain.scores[:, [at]])
    evidence = stage.links[link].explain(asked, one)
    there = np.flatnonzero(answer.rankings.products[0] == product)
    place = int(there[0]) + 1 if len(there) else None
    gone = None
    if place is not None:
        by_product = ask(stage.links[link], asked, 0, fixed, by="product")
        events = evidence.of(0, 0, len(asked.histories.products))
        brought = np.bincount(by_product.part, events, by_product.n_parts).astype(np.float64)
        gone = counterfactual(_SceneAsked(stage, by_product), product, k, brought)
    return Standing(
        product,
        k,
        place,
        at + 1,
        int((line >= 0).sum()),
        link,
        float(chain.scores[0, at]),
        evidence,
        tuple(name for name, bar in limits.items() if (bar if bar.ndim == 1 else bar[0])[product]),
        _rules(stage, answer, product, k),
        _voices(stage, asked, product, open_to, parts),
        line,
        answer.rankings.products[0],
        gone,
    )


@dataclass(frozen=True, eq=False)
class _SceneAsked:
    """The question by the products of its history, answered by the whole scene rather than by one ranker."""

    stage: Stage
    asked: Asked

    @property
    def n_parts(self) -> int:
        return self.asked.n_parts

    def listed(self, kept: Bools, product: int, k: int) -> Bools:
        """What may be shown is what might with the whole history: lists differ by what it said alone."""
        found = np.empty(len(kept), dtype=np.bool_)
        for first in range(0, len(kept), _AT_ONCE):
            place = slice(first, first + _AT_ONCE)
            answer = self.stage.within(self.asked.with_only(kept[place]), k, self.asked.candidates)
            found[place] = (answer.rankings.products == product).any(axis=1)
        return found


def _fixed(stage: Stage, limits: Mapping[str, Bools]) -> Candidates:
    """What may be ranked for the query as one row of flags, its history among what they bar."""
    allowed = np.ones(len(stage.shelf.facts), dtype=np.bool_)
    for bar in limits.values():
        allowed &= ~(bar if bar.ndim == 1 else bar[0])
    return Candidates(allowed, repeats=True)


def _rules(stage: Stage, answer: Listed, product: int, k: int) -> tuple[str, ...]:
    """The rules that moved the product, or kept it out of the list though its rank is within; a full cap wherever it ranks."""
    shown, found = answer.rankings.products[0], 0
    for at, rules in ((shown, answer.shaped.rules[0]), (answer.shaped.first[0], answer.shaped.fate[0])):
        found |= int(np.bitwise_or.reduce(rules[at == product], initial=np.uint16(0)))
    if product not in shown and len(shown) == k:
        of = shown[shown >= 0]
        if any(groups[product] >= 0 and (groups[of] == groups[product]).sum() >= most for groups, most in stage.shelf.capped):
            found |= Rule.CAP
    return tuple(str(rule.name).lower() for rule in Rule if found & rule and rule != Rule.FORBIDDEN)


def _voices(stage: Stage, asked: Queries, product: int, open_to: Candidates, parts: Sequence[str]) -> tuple[Said, ...]:
    """What each link says, and of a blend each of its parts."""
    one = Rankings(np.array([[product]], dtype=np.int32), np.zeros((1, 1)))
    told = []
    for link, ranker in list(stage.links.items())[:-1]:  # but for the catalogue, which says nothing
        if isinstance(ranker, Blended) and len(parts) == len(ranker.parts):
            added = ranker.said(asked, one)[0, 0].tolist()
            for name, part, adds in zip(parts, ranker.parts, added, strict=True):
                told.append(Said(link, name, *_ranked(part, asked, product, open_to), adds))
        else:
            told.append(Said(link, "", *_ranked(ranker, asked, product, open_to)))
    return tuple(told)


def _ranked(ranker: Ranker, asked: Queries, product: int, open_to: Candidates) -> tuple[int | None, float]:
    found = ranker.rank(asked, ranker.n_products, open_to)
    at = np.flatnonzero(found.products[0] == product)
    return (int(at[0]) + 1, float(found.scores[0, at[0]])) if len(at) else (None, 0.0)


def statements(found: Standing, asked: Queries, titles: Sequence[str], telling: Telling | None = None) -> tuple[Statement, ...]:
    """The standing in statements: the place or the rank, what bars or moves it; and if shown, what speaks for it.

    `asked` is the question as `Stage.asked` gives it.
    """
    title = titles[found.product]
    answer = Answer(
        asked, Rankings(np.array([[found.product]], dtype=np.int32), np.array([[found.score]])), found.evidence, titles
    )
    if found.place is not None:
        rank = {} if found.rank == found.place else {"rank": found.rank}
        told = [Statement("listed", title, (), {"place": found.place, "first": found.k, **rank})]
    else:
        told = [Statement("unlisted", title, (), {"first": found.k, "rank": found.rank, "ranked": found.ranked})]
    told += [Statement(_BARS[name], title) for name in (*found.bars, *found.rules) if name in _BARS]
    because = (telling or Telling()).because(answer, 0, 0)
    if found.link == CATALOGUE:
        told.append(Statement("unfounded", title))
    elif found.place is not None and because is not None:
        told.append(because)
    elif found.place is not None and found.evidence.rest[0, 0] > 0:
        told.append(Statement("popular", title))
    if found.gone is not None:
        products = np.unique(asked.histories.products).astype(np.int64)[found.gone.gone]
        told.append(Statement("without", *_named(answer.names(0, 0, products)), {"first": found.k}))
    return tuple(told)


def _named(names: list[str]) -> tuple[str, tuple[str, ...]]:
    return names[0], tuple(names[1:])
