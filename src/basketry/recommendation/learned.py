"""The learned ranker: several rankers propose, boosted trees order what they propose by all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Candidates, Evidence, Rankings
from basketry.core.telemetry import span
from basketry.kernels.ranking import Seen, rank_dense
from basketry.recommendation.boosting import Boosting, read_forest
from basketry.recommendation.events import laid_out
from basketry.recommendation.features import ProductFacts, Sales, features, names_of
from basketry.recommendation.held_out import hold_out
from basketry.recommendation.pool import Pool, pool_of
from basketry.recommendation.rankers import RankerEstimator, nested, parts_of
from basketry.recommendation.voices import Voicing, chunks, own_scores

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Floats, Histories, Queries
    from basketry.core.protocols import Arrays, Ranker, Run, Vectors
    from basketry.kernels.forest import Forest
    from basketry.recommendation.protocols import Split
    from basketry.recommendation.voices import Singles

_ABOVE = 1e-3  # what the least proposal scores, as 0 says that nothing is known


@dataclass(frozen=True)
class LearnedRanker:
    """Fit the parts on all but the last visits (or the last `horizon_days`), learn trees on these, fit the parts on everything.

    Each part proposes its best `depth`; of more than `most` customers as many teach. With `voicing.repeats` what the history
    holds is proposed too. The trees never see a purchase that their features were counted from.
    """

    parts: tuple[RankerEstimator, ...]
    boosting: Boosting = field(default_factory=Boosting)
    voicing: Voicing = field(default_factory=Voicing)
    depth: int = 100
    horizon_days: int = 0
    most: int = 20_000

    def fit(self, histories: Histories, run: Run, facts: ProductFacts | None = None) -> Learned:
        """Learn. Raises RequestError without lightgbm, DataError where too little was held out that the parts propose."""
        if not self.parts or self.depth < 1 or self.horizon_days < 0 or self.most < 1:
            raise RequestError(f"{self} cannot be fitted", "give parts; depth and most start at 1, horizon_days at 0")
        facts = facts or ProductFacts.unknown(histories.n_products)
        with span("learned ranker", total=3, unit="steps") as progress:
            held = hold_out(histories, self.horizon_days, self.voicing.repeats)
            early = self._around(tuple(part.fit(held.train, run) for part in self.parts), held.train, facts, run)
            progress.advance()
            trees = self._trees(early, held, run)
            progress.advance()
            late = self._around(tuple(part.fit(histories, run) for part in self.parts), histories, facts, run)
        return replace(late, text=trees, forest=read_forest(trees))

    def _around(self, parts: tuple[Ranker, ...], histories: Histories, facts: ProductFacts, run: Run) -> Learned:
        """A model without its trees."""
        empty = np.empty(0, dtype=np.uint8)
        return Learned(parts, empty, None, Sales.of(histories, run), facts, self.voicing, self.depth)

    def _trees(self, early: Learned, held: Split, run: Run) -> npt.NDArray[np.uint8]:
        chosen = np.arange(len(held.queries))
        if len(chosen) > self.most:
            chosen = np.sort(np.random.default_rng(run.seed).choice(chosen, self.most, replace=False))
        queries = held.queries.select(chosen)
        pool = early.pool(queries, Candidates(repeats=self.voicing.repeats))
        relevant = pool.relevant(held.relevant[chosen])
        return self.boosting.fit(features(pool, queries, early.sales, early.facts), relevant, pool.indptr, run)


@dataclass(frozen=True, eq=False)
class Learned:
    """score(q, j) = sum of the trees' leaves for the features of j, less the least sum there is; 0 for what nobody proposes.

    `text` is LightGBM's own form of the trees, `forest` the same as arrays; LightGBM is not needed to rank.
    """

    parts: tuple[Ranker, ...]
    text: npt.NDArray[np.uint8]
    forest: Forest | None
    sales: Sales
    facts: ProductFacts
    voicing: Voicing
    depth: int

    @property
    def n_products(self) -> int:
        """How many products its parts know."""
        return self.parts[0].n_products

    def pool(self, queries: Queries, candidates: Candidates) -> Pool:
        """What the parts propose."""
        return pool_of(self.parts, queries, self.depth, candidates, self.voicing)

    def scores(self, queries: Queries) -> Vectors:
        """float32 [n, n_products], 0 for what no part ranks among its best, products of the history included."""
        return self._dense(queries, Candidates(repeats=True))

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> Rankings:
        """The k best of the candidates that the parts propose. 256 queries at a time."""
        products = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.zeros((len(queries), k), dtype=np.float64)
        for rows in chunks(len(queries)):
            some, allowed = queries.select(rows), candidates.select(rows)
            dense = self._dense(some, allowed)
            dense[dense <= 0] = -np.inf
            seen = Seen(some.histories.indptr, some.histories.products, self.n_products, allowed.allowed, allowed.repeats)
            products[rows], scores[rows] = rank_dense(dense, seen, k)
        return Rankings(products, scores)

    def explain(self, queries: Queries, rankings: Rankings) -> Evidence:
        """An attribution: the Shapley values of each part's features are shared over the events by what they did for that part.

        Only where a part's features raised or lowered the score do its events take part; everything else (sales, price, the
        customer, the context) is `rest`. It adds up to the score, yet trees are not sums over events, so it is not exact.
        """
        laid = laid_out(queries, rankings)
        shape = rankings.products.shape
        events = np.zeros(len(laid.query))
        rest = np.where(rankings.products >= 0, rankings.scores, 0.0)
        did = self.shapley(queries, rankings)
        flat = laid.query * shape[1] + laid.rank
        for number, part in enumerate(self.parts):
            own = did[:, :, 3 * number : 3 * number + 3].sum(axis=2)
            found = part.explain(queries, Rankings(rankings.products, own_scores(part, queries, rankings)))
            added = np.abs(laid.of(found))
            total = np.bincount(flat, added, minlength=own.size).reshape(shape) + np.abs(found.rest)
            scale = np.divide(own, total, out=np.zeros(shape), where=total > 0)
            shared = scale[laid.query, laid.rank] * added
            events += shared
            rest -= np.bincount(flat, shared, minlength=own.size).reshape(shape)
        return Evidence(laid.start, events, rest, exact=False)

    def shapley(self, queries: Queries, rankings: Rankings) -> Floats:
        """The Shapley value of each of `names_of(len(parts))` for each ranked product, float64 [n, k, features + 1].

        The last is what the trees expect of a product that is not known; together they are the sum of the trees' leaves, which
        is the score plus `forest.lowest` less a thousandth. Zeros for no product. See `Forest.shapley`.
        """
        forest = self._forest()
        did = np.zeros((*rankings.products.shape, forest.n_features + 1))
        for rows in chunks(len(queries)):
            products = rankings.products[rows]
            allowed = np.zeros((len(rows), self.n_products), dtype=np.bool_)
            row, place = np.nonzero(products >= 0)
            allowed[row, products[row, place]] = True
            some = queries.select(rows)
            pool = self.pool(some, Candidates(allowed, repeats=True))
            found = forest.shapley(features(pool, some, self.sales, self.facts))
            keys = pool.queries * self.n_products + pool.products
            at = np.searchsorted(keys, row * np.int64(self.n_products) + products[row, place])
            did[rows[row], place] = found[at]
        return did

    def _dense(self, queries: Queries, candidates: Candidates) -> Singles:
        forest = self._forest()
        dense = np.zeros((len(queries), self.n_products), dtype=np.float32)
        for rows in chunks(len(queries)):
            some = queries.select(rows)
            pool = self.pool(some, candidates.select(rows))
            found = forest.predict(features(pool, some, self.sales, self.facts))
            dense[rows[pool.queries], pool.products] = found - forest.lowest + _ABOVE
        return dense

    def _forest(self) -> Forest:
        if self.forest is None:
            raise RequestError("this learned ranker has no trees", "fit it with LearnedRanker")
        return self.forest

    def state(self) -> Arrays:
        """The states of the parts, the trees as text, what is known of products, and the hyperparameters of ranking."""
        settings = np.array([self.voicing.depth, self.voicing.low, self.voicing.repeats, self.depth], dtype=np.float64)
        sales = {"ever": self.sales.ever, "week": self.sales.week}
        return {**nested(self.parts), **sales, **self.facts.state(), "trees": self.text, "settings": settings}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays. Raises DataError for trees that cannot be read."""
        depth, low, repeats, proposals = state["settings"].tolist()
        text = state["trees"].astype(np.uint8)
        sales = Sales(state["ever"].astype(np.float32), state["week"].astype(np.float32))
        voicing = Voicing(int(depth), low, bool(repeats))
        facts = ProductFacts.from_state(state, len(sales.ever))
        parts, forest = parts_of(state), read_forest(text)
        if forest.n_features != len(names_of(len(parts))):
            raise DataError(
                f"trees over {forest.n_features} features of {len(parts)} parts", "train and publish the ranker again"
            )
        return cls(parts, text, forest, sales, facts, voicing, int(proposals))
