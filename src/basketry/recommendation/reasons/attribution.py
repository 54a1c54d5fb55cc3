"""What each event of a history brought to a product's score, for rankers that are not sums over the history.

Four ways over one game, v(S) = the score with the events S alone, N all of them:

- `explain`: what the ranker says itself; exact for a sum.
- `left_out`: v(N) - v(N without e). One score an event; blind to what two events do only together.
- `shapley`: the mean over all orders of adding the events of v(before and e) - v(before); adds up to v(N) - v(nothing). All
  2^n subsets up to MOST_EXACT events, beyond that the mean over `samples` orders and their reverses.
- `lime`: the weights of a ridge regression of v(S) on which events S holds, over `samples` random S, near ones counting more;
  refused, so that no event brought anything, where its R2 on these S is below `floor`: such a score is no sum even nearby.

Sources: Shapley, A value for n-person games (1953); Castro, Gomez and Tejada, Polynomial calculation of the Shapley value based
on sampling (2009); Ribeiro, Singh and Guestrin, Why should I trust you (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Evidence
from basketry.recommendation.reasons.deletions import ask

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Int32s, Queries, Rankings
    from basketry.core.protocols import Ranker, Run
    from basketry.recommendation.reasons.deletions import Asked

Method = Literal["explain", "left_out", "shapley", "lime"]
METHODS: Final = ("explain", "left_out", "shapley", "lime")
MOST_EXACT: Final = 12  # 4,096 subsets of a history


@dataclass(frozen=True)
class Attribution:
    """How to attribute: the `method`, `samples` random draws where it draws any, and LIME's `width`, `reg` and `floor`.

    LIME weighs S by exp(-(1 - |S| / n) ** 2 / width ** 2) and penalises weights, not the constant,
    by `reg` times their squares.
    """

    method: Method = "explain"
    samples: int = 500
    width: float = 0.75
    reg: float = 1e-3
    floor: float = 0.5

    def __post_init__(self) -> None:
        if self.method not in METHODS or self.samples < 1 or not self.width > 0 or self.reg < 0:
            raise RequestError(
                f"{self} attributes nothing", f"method is one of {METHODS}, samples from 1, width above 0, reg from 0"
            )

    def evidence(self, ranker: Ranker, queries: Queries, rankings: Rankings, run: Run) -> Evidence:
        """What each event did for each product of `rankings`; a method's own, so not `exact`, unless the ranker's `explain`."""
        if self.method == "explain":
            return ranker.explain(queries, rankings)
        lengths, k = queries.histories.lengths, rankings.products.shape[1]
        ends = np.concatenate([[0], np.cumsum(lengths * k)]).astype(np.int64)
        events = np.zeros(int(ends[-1]), dtype=np.float64)
        rest = np.zeros(rankings.products.shape, dtype=np.float64)
        for row in range(len(queries)):
            there = np.flatnonzero(rankings.products[row] >= 0)
            products = rankings.products[row, there]
            values, constant = self.values(ask(ranker, queries, row, Candidates()), products, run.seed + row)
            events[ends[row] : ends[row + 1]].reshape(k, -1)[there] = values.T
            rest[row, there] = constant
        return Evidence(ends[:-1], events, rest, exact=False)

    def values(self, asked: Asked, products: Int32s, seed: int) -> tuple[Floats, Floats]:
        """float64 [parts, products] what each part brought to each product, and [products] what no part accounts for."""
        if not asked.n_parts:
            return np.empty((0, len(products))), asked.scores(np.ones((1, 0), dtype=np.bool_), products)[0]
        if self.method == "left_out":
            return left_out(asked, products)
        if self.method == "shapley":
            return shapley(asked, products, self.samples, seed)
        if self.method == "lime":
            found = lime(asked, products, self, seed)
            refused = found.r2 < self.floor
            return np.where(refused, 0.0, found.values), np.where(refused, found.whole, found.constant)
        raise RequestError("a ranker's own explanation is of whole rankings", "ask `evidence` for it")


def left_out(asked: Asked, products: Int32s) -> tuple[Floats, Floats]:
    """What the score loses with each part alone left out; the rest is what they do not add up to."""
    n = asked.n_parts
    whole = np.ones((1, n), dtype=np.bool_)
    scores = asked.scores(np.concatenate([whole, ~np.eye(n, dtype=np.bool_)]), products)
    values = scores[0] - scores[1:]
    return values, scores[0] - values.sum(axis=0)


def shapley(asked: Asked, products: Int32s, samples: int, seed: int) -> tuple[Floats, Floats]:
    """Shapley values, exact up to MOST_EXACT parts; either way they and v(nothing) add up to the score, to 1e-9 of it."""
    if asked.n_parts <= MOST_EXACT:
        held = _subsets(asked.n_parts)
        scores = asked.scores(held, products)
        return _orders(held) @ scores, scores[0]
    return _sampled(asked, products, samples, seed)


def _subsets(n: int) -> Bools:
    """Rows, bool [2^n, n]: the bits of 0, 1, 2, ..."""
    held: Bools = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    return held


def _orders(held: Bools) -> Floats:
    """[n, 2^n]: by how much each subset's score counts for each part, for those it holds and against the others."""
    n = held.shape[1]
    size = held.sum(axis=1)
    share = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])  # of orders with s before
    weights: Floats = np.where(held, share[np.maximum(size - 1, 0)][:, None], -share[np.minimum(size, n - 1)][:, None])
    return weights.T


def _sampled(asked: Asked, products: Int32s, samples: int, seed: int) -> tuple[Floats, Floats]:
    """Each order is followed by its reverse, which cancels much of the chance in where a part happened to come."""
    random, n = np.random.default_rng(seed), asked.n_parts
    values = np.zeros((n, len(products)))
    constant = np.zeros(len(products))
    for _ in range(samples):
        order = random.permutation(n)
        for way in (order, order[::-1]):
            scores = asked.scores(prefixes(way), products)
            values[way] += np.diff(scores, axis=0)
            constant = scores[0]
    return values / (2 * samples), constant


def prefixes(order: np.ndarray) -> Bools:
    """Rows, bool [n + 1, n]: row m holds the first m of `order`."""
    held = np.zeros((len(order) + 1, len(order)), dtype=np.bool_)
    held[:, order] = np.arange(len(order) + 1)[:, None] > np.arange(len(order))
    return held


@dataclass(frozen=True, eq=False)
class Surrogate:
    """LIME's regressions, one a product: `values` [parts, products], `constant`, `r2` on the weighed draws, `whole`: v(N)."""

    values: Floats
    constant: Floats
    r2: Floats
    whole: Floats


def lime(asked: Asked, products: Int32s, how: Attribution, seed: int) -> Surrogate:
    """The weighted ridge regressions; the whole history and the empty one are always among the draws.

    R2 = 1 - sum of w (v - told)^2 / sum of w (v - mean v)^2, 1 where v never changes.
    """
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    random, n = np.random.default_rng(seed), asked.n_parts
    some = random.integers(0, n + 1, how.samples)
    place = random.random((how.samples, n)).argsort(axis=1).argsort(axis=1)
    held = np.concatenate([np.ones((1, n), np.bool_), np.zeros((1, n), np.bool_), place < some[:, None]])
    weight = np.exp(-((1 - held.mean(axis=1)) ** 2) / how.width**2)
    scores = asked.scores(held, products)
    ridge = Ridge(alpha=how.reg).fit(held.astype(np.float64), scores, sample_weight=weight)
    told = ridge.predict(held.astype(np.float64))
    r2 = r2_score(scores, told, sample_weight=weight, multioutput="raw_values")
    return Surrogate(ridge.coef_.reshape(len(products), n).T, ridge.intercept_, r2, scores[0])
