"""Rules against worlds of chance: family-wise p by the least p of many null worlds (Westfall and Young 1993)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.rule_counts import RuleCounts, RuleNodes, RuleSearch
from basketry.associations.mining.transactions import Transactions
from basketry.associations.significance import rule_p_values
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.randomize import ascending, redraw_items, rounds_to_forget, trade_items

if TYPE_CHECKING:
    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.core.protocols import Run

Floats = npt.NDArray[np.float64]
_Chance = tuple[float, npt.NDArray[np.int64]]
Null = Literal["items", "baskets"]
NULLS: Final = ("items", "baskets")
_SAME: Final = 1e-9  # two p-values nearer than this (relative) are one


@dataclass(frozen=True)
class Permutation:
    """The estimator: how many null worlds, and what they keep.

    `items`: each item stands in as many baskets as it does, drawn independently of all others; basket sizes come out nearly
    equal. `baskets`: every basket keeps its size as well. Where some baskets hold thirty things and most hold two, items meet
    in the large ones for no reason of their own, and the first null calls that an association: `baskets` is the honest one.
    """

    null: Null = field(default="baskets", metadata={"doc": "what null worlds keep besides item frequencies: items or baskets"})
    worlds: int = field(default=199, metadata={"doc": "null worlds; the least adjusted p is 1 / (worlds + 1)"})

    def __post_init__(self) -> None:
        if self.null not in NULLS:
            raise RequestError(f"null {self.null!r} is not known", f"choose one of {', '.join(NULLS)}")
        if self.worlds < 1:
            raise RequestError(f"worlds is {self.worlds}", "one null world is the least; 199 can tell p = 0.05 from chance")

    def fit(self, transactions: Transactions, itemsets: Itemsets, rules: RuleSearch, run: Run) -> PermutedRules:
        """Mine the rules, then mine `worlds` null worlds with the same floors and limits.

        Every world is mined afresh, so a choice among all rules is paid for, however many were tried and however they depend.
        World i is drawn from (run.seed, i): `run.threads` changes nothing but the time. Cost: worlds times (mining + drawing;
        drawing takes 10 ns an occurrence for `items`, some 0.2 us for `baskets`).
        """
        alone = replace(run, threads=1)
        baskets = transactions.baskets
        tidy = replace(baskets, items=ascending(baskets.indptr, baskets.items))
        null = _NullWorld(tidy, self.null, rounds_to_forget(baskets.sizes))
        found = rules.fit(itemsets.fit(transactions, run), run)
        p = null.p_values(found)

        def world(number: int) -> _Chance:
            drawn = Transactions(null.draw((run.seed, number)), transactions.names)
            chance = np.sort(null.p_values(rules.fit(itemsets.fit(drawn, alone), alone)))
            return float(chance[0]) if len(chance) else 1.0, np.searchsorted(chance, p * (1 + _SAME), side="right")

        least, expected = [], np.zeros(len(p))
        with span("null worlds", total=self.worlds, unit="count") as progress:
            for lowest, as_low in _in_threads(world, self.worlds, run.threads):
                least.append(lowest)
                expected += as_low
                progress.advance()
        return PermutedRules(found, p, np.sort(least), expected / self.worlds)


@dataclass(frozen=True, eq=False)
class PermutedRules:
    """Rules with p (float64 [m]) against one null, and what the null worlds said of it.

    `least` float64 [worlds]: the least p of any rule of each world, ascending. `expected` float64 [m]: rules of a null world
    with a p at most this one's, on average.
    """

    rules: RuleNodes
    p: Floats
    least: Floats
    expected: Floats

    @property
    def adjusted(self) -> Floats:
        """Family-wise p: (1 + worlds whose least p is at most this) / (worlds + 1)."""
        return self.adjust(self.p)

    def adjust(self, p: Floats) -> Floats:
        """The same for other p-values of data with the same margins."""
        as_low = np.searchsorted(self.least, np.asarray(p) * (1 + _SAME), side="right")
        return np.asarray((1.0 + as_low) / (len(self.least) + 1))

    @property
    def q(self) -> Floats:
        """Share of false calls expected if this rule is the last one called: `expected` over the rules with so low a p.

        Made to rise with p, and at most 1. An estimate (of the false discovery rate when no rule is true, so it errs on the
        safe side), not a bound: for that take `adjusted`, or `benjamini_yekutieli`.
        """
        order = np.argsort(self.p, kind="stable")
        called = np.searchsorted(self.p[order], self.p[order] * (1 + _SAME), side="right")
        stepped = np.minimum.accumulate((self.expected[order] / np.maximum(called, 1))[::-1])[::-1]
        q = np.empty(len(order))
        q[order] = np.minimum(stepped, 1.0)
        return q


def size_lift(sizes: npt.NDArray[np.int64], lengths_x: npt.NDArray[np.int32], lengths_y: npt.NDArray[np.int32]) -> Floats:
    """Lift that X -> Y has because baskets differ in size, with items scattered over places without regard to each other.

    An item stands in basket t with chance proportional to its size s_t, so k items do with chance proportional to
    s_t (s_t - 1) ... (s_t - k + 1), whose sum over baskets is M_k: the lift is n M_(a+c) / (M_a M_c) for X of a items and Y of
    c. It is 1 - 1/s where all baskets are of size s. Above what is true for items in most of the large baskets.
    """
    longest = int((lengths_x + lengths_y).max(initial=2))
    falling = np.ones(len(sizes))
    moments = [float(len(sizes))]
    for k in range(longest):
        falling = falling * np.maximum(sizes - k, 0)
        moments.append(float(falling.sum()))
    moment = np.array(moments)
    return np.asarray(len(sizes) * moment[lengths_x + lengths_y] / (moment[lengths_x] * moment[lengths_y]))


@dataclass(frozen=True, eq=False)
class _NullWorld:
    """One null: how its worlds are drawn and how surprising a rule is under it."""

    baskets: BasketMatrix
    null: Null
    rounds: int

    def draw(self, seed: tuple[int, ...]) -> BasketMatrix:
        """A world of chance; who filled its baskets, and when, has no meaning in it."""
        real = self.baskets
        if self.null == "items":
            indptr, items = redraw_items(real.indptr, real.items, real.n_products, seed=seed)
            return replace(real, indptr=indptr, items=items)
        return replace(real, items=trade_items(real.indptr, real.items, real.n_products, seed=seed, rounds=self.rounds))

    def p_values(self, rules: RuleNodes) -> Floats:
        """By Fisher's exact test; under `baskets` by the Poisson tail above the count that sizes alone would give.

        Any p would do, since null worlds are judged by the same; one that expects of each rule what the null gives it spends
        the power evenly.
        """
        counts = RuleCounts.mined(rules)
        if self.null == "items":
            return rule_p_values(counts.n_xy, counts.n_x, counts.n_y, counts.n)
        from scipy.special import gammainc

        lengths = rules.itemsets.tree.lengths
        lift = size_lift(self.baskets.sizes, lengths[rules.antecedent], lengths[rules.consequent])
        expected = counts.n_x * (counts.n_y / max(counts.n, 1)) * lift
        return np.asarray(gammainc(np.maximum(counts.n_xy, 1), expected))


def _in_threads(world: Callable[[int], _Chance], worlds: int, threads: int) -> Iterator[_Chance]:
    """Results in order; an interrupt takes effect when the worlds under way are done."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(world, range(worlds))
    finally:
        pool.shutdown(cancel_futures=True)
