"""How a scene is answered: links of a chain fill one list, a policy shapes it, and the answer says which link gave what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import NotFound, RequestError
from basketry.core.histories import Candidates, Queries, Rankings
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.filters import EVERYTHING, passing
from basketry.recommendation.links import linked
from basketry.recommendation.popularity import Popular
from basketry.recommendation.rerank import rerank
from basketry.recommendation.scenes import SCENES
from basketry.recommendation.shelf import shelf_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketry.core.histories import Bools, Evidence, Int32s, Int64s
    from basketry.core.protocols import Ranker
    from basketry.recommendation.facts import Facts
    from basketry.recommendation.filters import Filter
    from basketry.recommendation.policy import Policy
    from basketry.recommendation.rerank import Shaped
    from basketry.recommendation.scenes import Scene
    from basketry.recommendation.shelf import Shelf

CATALOGUE: Final = "catalogue"
PINNED: Final = "pinned"


@dataclass(frozen=True, eq=False)
class Answer:
    """Lists as shown. `rankings` [n, k]: the score of each product is that of the link that gave it, 0 for a pin's.

    `link` int32 [n, k] numbers `links`, -1 for no product; the last two of them are the catalogue and pins that nothing ranked.
    `shaped` holds the policy's account; ranks and scores in it are of the whole chain. `missing`: parts that the shop has not.
    """

    rankings: Rankings
    link: Int32s
    links: tuple[str, ...]
    shaped: Shaped
    missing: tuple[str, ...]

    def replaced(self, rows: Int64s, by: Answer) -> Answer:
        """The same with the lists of some queries taken from another answer."""

        def laid(mine: Any, its: Any) -> Any:
            if isinstance(mine, np.ndarray):
                mine = mine.copy()
                mine[rows] = its
                return mine
            return type(mine)(*(laid(getattr(mine, each.name), getattr(its, each.name)) for each in fields(mine)))

        return replace(
            self,
            rankings=laid(self.rankings, by.rankings),
            link=laid(self.link, by.link),
            shaped=laid(self.shaped, by.shaped),
        )

    def linked(self, query: int) -> tuple[str, ...]:
        """Which link gave each product of a list."""
        return tuple(self.links[each] for each in self.link[query] if each >= 0)


@dataclass(frozen=True, eq=False)
class Stage:
    """A scene set in a shop: its rankers by part, and the shelf under scene's and shop's policy. Made once by `stage_of`."""

    scene: Scene
    shelf: Shelf
    where: Bools
    links: Mapping[str, Ranker]
    unlike: tuple[Ranker, ...]
    missing: tuple[str, ...]

    def answer(
        self, queries: Queries, k: int, only: Filter = EVERYTHING, keys: Sequence[str] = (), barred: Bools | None = None
    ) -> Answer:
        """The k best for each query among what passes `only` too. Memory: a byte a query and product, where limits are theirs.

        `barred` bool [n, n_products]: what the customer of each query shall not be shown, as `feedback.resting` says.

        Raises RequestError and NotFound for a filter that does not fit the products.
        """
        return self.within(self.asked(queries), k, self.candidates(queries, only, barred), keys)

    def within(self, queries: Queries, k: int, candidates: Candidates, keys: Sequence[str] = ()) -> Answer:
        """The same for the questions of `asked`, among candidates that are known."""
        depth = min(self.shelf.policy.depth(k), len(self.shelf.facts))
        answer, full = self._at(depth, queries, k, candidates, keys)
        rows = np.arange(len(queries))
        while depth < len(self.shelf.facts):  # caps may leave too few of what was ranked: look further down
            short = full & (answer.rankings.products[rows, -1] < 0)
            if not short.any():
                break
            rows, candidates = rows[short], candidates.select(np.flatnonzero(short))
            depth = min(10 * depth, len(self.shelf.facts))
            some = [keys[row] for row in rows.tolist()] if keys else ()
            deeper, full = self._at(depth, queries.select(rows), k, candidates, some)
            answer = answer.replaced(rows, deeper) if len(rows) < len(queries) else deeper
        return answer

    def asked(self, queries: Queries) -> Queries:
        """The questions with what of their histories the scene looks at."""
        return _latest(queries, self.scene.last) if self.scene.last else queries

    def explain(self, queries: Queries, answer: Answer) -> Evidence:
        """What each event of `asked(queries)` added to each product, by the link that gave it; nothing for a pin."""
        queries = self.asked(queries)
        told: list[Evidence] = []
        for number, ranker in enumerate(self.links.values()):
            own = answer.link == number
            if own.any() or (not told and number == len(self.links) - 1):
                products = np.where(own, answer.rankings.products, np.int32(-1))
                told.append(ranker.explain(queries, Rankings(products, np.where(own, answer.rankings.scores, 0.0))))
        return replace(
            told[0],
            events=np.sum([each.events for each in told], axis=0),
            rest=np.sum([each.rest for each in told], axis=0),
            exact=all(each.exact for each in told),
        )

    def _at(self, depth: int, queries: Queries, k: int, candidates: Candidates, keys: Sequence[str]) -> tuple[Answer, Bools]:
        """The answer from a chain so deep, and of which queries there may be more to rank."""
        chain = linked(self.links, queries, depth, candidates)
        shaped = rerank(self.shelf, queries, chain.rankings, k, candidates, keys)
        there, rows = shaped.before >= 0, np.arange(len(queries))[:, None]
        scores = np.where(there, chain.scores[rows, shaped.before], 0.0)
        link = np.where(there, chain.link[rows, shaped.before], len(self.links))
        link = np.where(shaped.rankings.products >= 0, link, -1).astype(np.int32)
        answer = Answer(Rankings(shaped.rankings.products, scores), link, (*self.links, PINNED), shaped, self.missing)
        return answer, chain.rankings.products[:, -1] >= 0

    def answers(
        self,
        queries: Queries,
        k: int,
        only: Filter = EVERYTHING,
        keys: Sequence[str] = (),
        barred: Bools | None = None,
        *,
        size: int = 1_000,
    ) -> Iterator[Answer]:
        """The same for any number of queries, `size` at a time."""
        for first in range(0, len(queries), size):
            rows = np.arange(first, min(first + size, len(queries)))
            some = None if barred is None else barred[rows]
            yield self.answer(queries.select(rows), k, only, keys[first : first + size], some)

    def candidates(self, queries: Queries, only: Filter = EVERYTHING, barred: Bools | None = None) -> Candidates:
        """What may be ranked for each query: everything that nothing bars."""
        candidates = self.shelf.candidates(only, repeats=self.scene.repeats)
        allowed = self.where if candidates.allowed is None else self.where & candidates.allowed
        for limit in self._limits(queries, bought=bool(self.scene.last)).values():  # elsewhere it asks with all of the history
            allowed = allowed & ~limit
        if barred is not None:
            allowed = allowed & ~barred
        return replace(candidates, allowed=allowed)

    def limits(self, queries: Queries, only: Filter = EVERYTHING, barred: Bools | None = None) -> dict[str, Bools]:
        """What each limit keeps out, by name: bool [n_products], or [n, n_products] where it is of the history.

        Those of the shelf (`excluded`, `hidden`, `sold_out`, `never`); `scene` and `filter`, what does not pass what they ask
        for; `dismissed`, what is `barred` for the customer; `bought`, the history where it is not shown again; `apart`, its
        groups; `unlike`, what would replace it.
        """
        own = {} if only == EVERYTHING else {"filter": ~passing(only, self.shelf.facts)}
        own |= {} if barred is None else {"dismissed": barred}
        return {**self.shelf.forbidden, "scene": ~self.where, **own, **self._limits(queries, bought=True)}

    def _limits(self, queries: Queries, *, bought: bool) -> dict[str, Bools]:
        """Those of the histories; `bought` is left to the ranker where all of the history is asked with."""
        found, asked = {}, self.asked(queries)
        if bought and not self.scene.repeats:
            found["bought"] = _among(queries)
        if self.scene.apart:
            found["apart"] = _held(asked, self.shelf.facts.groups(self.scene.apart)[0])
        if self.unlike:
            found["unlike"] = np.logical_or.reduce([ranker.scores(asked) > 0 for ranker in self.unlike])
        return found


def stage_of(scene: str | Scene, rankers: Mapping[str, Ranker], facts: Facts, policy: Policy) -> Stage:
    """Set a scene, by name or one of your own, with a shop's rankers by part (see `scenes`), its products and its policy.

    Raises NotFound for a scene of no such name, and RequestError where rankers and facts are not of the same products or where
    a column that scene or policy needs is not there.
    """
    if isinstance(scene, str):
        if scene not in SCENES:
            raise NotFound(f"there is no scene {scene!r}", f"choose one of {', '.join(SCENES)}")
        scene = SCENES[scene]
    for name, ranker in rankers.items():
        if ranker.n_products != len(facts):
            raise RequestError(
                f"ranker {name} knows {ranker.n_products} products, and there are {len(facts)}", "fit it on this catalogue"
            )
    links: dict[str, Ranker] = {part: rankers[part] for part in scene.links if part in rankers}
    links[CATALOGUE] = Popular(np.ones(len(facts), dtype=np.float32))
    shelf = shelf_of(facts, scene.policy.under(policy))
    where = passing(parsed(scene.where), facts, strict=False)
    if scene.apart:
        facts.groups(scene.apart)
    missing = tuple(part for part in scene.links + scene.unlike if part not in rankers)
    return Stage(scene, shelf, where, links, tuple(rankers[part] for part in scene.unlike if part in rankers), missing)


def _latest(queries: Queries, last: int) -> Queries:
    """The same questions with the last so many visits."""
    histories = queries.histories
    rows = histories.rows
    new = np.ones(len(rows), dtype=np.int64)
    new[1:] = (np.diff(histories.visits) != 0) | (np.diff(rows) != 0)
    number = np.cumsum(new)
    latest = np.zeros(len(histories), dtype=np.int64)
    latest[rows] = number
    return Queries(histories.where(number > latest[rows] - last), queries.days)


def _among(queries: Queries) -> Bools:
    """Which products the history holds, bool [n, n_products]."""
    held = np.zeros((len(queries), queries.histories.n_products), dtype=np.bool_)
    held[queries.histories.rows, queries.histories.products] = True
    return held


def _held(queries: Queries, groups: Int32s) -> Bools:
    """Which products are of a group that the history holds, bool [n, n_products]."""
    held = np.zeros((len(queries), int(groups.max(initial=-1)) + 2), dtype=np.bool_)
    held[queries.histories.rows, groups[queries.histories.products]] = True
    held[:, -1] = False  # a product without a group
    found: Bools = held[:, groups]
    return found
