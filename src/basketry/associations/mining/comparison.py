"""Two periods or two segments: which rules emerge, vanish, grow stronger or weaker, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.differences import difference_interval, equal_shares_p, odds_ratio, woolf_p
from basketry.associations.mining.itemsets import Itemsets, min_count
from basketry.associations.mining.rule_counts import ChosenRules, RuleCounts, RuleNodes, RuleSearch, counted
from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.validation import named_rules
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import DataError, RequestError
from basketry.core.tables import Metrics
from basketry.core.telemetry import span
from basketry.kernels.counting import count_groups

if TYPE_CHECKING:
    from basketry.core.protocols import Run

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STATUSES: Final = ("emerging", "vanishing", "stronger", "weaker", "unchanged", "unclear")
CHANGES: Final = STATUSES[:4]
Deal = Literal["customers", "baskets"]
DEALS: Final[tuple[Deal, ...]] = ("customers", "baskets")
_QUESTIONS: Final = ("support", "confidence", "lift")
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Comparison:
    """The estimator. A rule is compared if it passes the floors in at least one of the two."""

    min_support: int | float = field(
        default=0.01, metadata={"doc": "floor in each of the two: a count of its baskets, or a share"}
    )
    min_confidence: float = field(default=0.2, metadata={"doc": "floor on confidence, in each of the two"})
    alpha: float = field(default=0.05, metadata={"doc": "q at which a change is told from chance"})
    margin: float = field(
        default=0.05, metadata={"doc": "difference of confidence too small to matter: what is surely less is unchanged"}
    )

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1 or not 0 < self.alpha < 1 or not 0 < self.margin <= 1:
            raise RequestError(
                f"min_confidence {self.min_confidence}, alpha {self.alpha}, margin {self.margin}", "all three are shares"
            )

    def fit(self, first: Transactions, second: Transactions, rules: RuleSearch, run: Run) -> ComparedRules:
        """Compare them. `rules` says what a rule is; its own floor on confidence applies to both together, so leave it at 0.

        Rules are sought in all baskets together, at the lower of the two floors: whatever passes in one of them is there. The
        tests of a change are conditional on the counts of both together, so having been sought there biases none of them.
        Mining the two apart and testing what was found would: a rule found in the first alone was lucky there, and "weakens".
        Every rule sought counts as three tests (support, confidence, lift), whether or not it passed in the end, and q is
        Benjamini and Hochberg's over them all.

        A household's weekly basket is not fresh evidence each time: for the tests and the interval all counts of a rule are
        divided by its design effect, the baskets that hold X and Y over the customers behind them (Rao and Scott 1981, as in
        `pair_p_values`). Where customers are not known each basket is its own. `ComparedRules.placebo` says what is left.
        Where one side has many times fewer baskets than the other its floor is low for both together: give `min_support` as a
        count. Cost: one mining of all baskets and two counts. Raises RequestError where a side is empty, DataError where the
        items of one are numbers and of the other text.
        """
        first, second = aligned(first, second)
        if len(first) == 0 or len(second) == 0:
            empty = "first" if len(first) == 0 else "second"
            raise RequestError(f"the {empty} of the two holds no basket", "compare two parts that both hold baskets")
        floors = (min_count(self.min_support, len(first)), min_count(self.min_support, len(second)))
        pooled = Transactions(_pooled(first.baskets, second.baskets), first.names)
        found = rules.fit(Itemsets(min(floors)).fit(pooled, run), run)
        one = counted(found, first.baskets, run.threads)
        return self._compared(_Sought(pooled, found, _witnesses(found, pooled.baskets, run), floors), one)

    def _compared(self, sought: _Sought, one: RuleCounts) -> ComparedRules:
        sides = (one, RuleCounts.mined(sought.rules) - one)
        passes = [counts.passing(floor, self.min_confidence) for counts, floor in zip(sides, sought.floors, strict=True)]
        return ComparedRules(self, sought, sides, np.array(passes))


@dataclass(frozen=True, eq=False)
class _Sought:
    """Rules of both sides together, the customers behind each as a share of its baskets, and the floor of each side."""

    pooled: Transactions
    rules: RuleNodes
    witnesses: Floats
    floors: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ComparedRules:
    """Every rule that was sought, its counts on both `sides`, and on which of them it `passes`: bool [2, rules sought].

    `len` is how many pass on a side: those are compared. Their counts are `first` and `second`, their names and nodes `rules`.
    """

    comparison: Comparison
    sought: _Sought
    sides: tuple[RuleCounts, RuleCounts]
    passes: Mask

    @cached_property
    def compared(self) -> Mask:
        """Which of the rules sought pass on a side."""
        return np.asarray(self.passes[0] | self.passes[1])

    @cached_property
    def rules(self) -> ChosenRules:
        """Those rules."""
        return ChosenRules.of(self.sought.rules, self.compared)

    @cached_property
    def first(self) -> RuleCounts:
        """Their counts in the first."""
        return self.sides[0].take(self.compared)

    @cached_property
    def second(self) -> RuleCounts:
        """Their counts in the second."""
        return self.sides[1].take(self.compared)

    def __len__(self) -> int:
        return int(self.compared.sum())

    @property
    def effective(self) -> tuple[RuleCounts, RuleCounts]:
        """The counts of both sides by design effect: n_xy rounded down, all others up, so each against the rule."""
        witnesses = self.sought.witnesses[self.compared]
        one, two = (_deflated(each, witnesses) for each in (self.first, self.second))
        return one, two

    def p_values(self) -> Floats:
        """Of equal support, equal confidence and equal odds ratio of X and Y: float64 [3, m], of the effective counts.

        The first two by Fisher's exact test, two-sided (twice the smaller tail); the third by Woolf (1955), whose p is good
        where expected counts are some five or more.
        """
        one, two = self.effective
        n_one, n_two = (np.ceil(each.n * self.sought.witnesses[self.compared]).astype(np.int64) for each in (one, two))
        return np.array(
            [
                equal_shares_p(one.n_xy, n_one, two.n_xy, n_two),
                equal_shares_p(one.n_xy, one.n_x, two.n_xy, two.n_x),
                woolf_p(one, n_one, two, n_two),
            ]
        )

    def frame(self, shown: pl.Series | None = None) -> pl.DataFrame:
        """One row a rule, surest change first; those where the mask `shown` [len] is true, if one is given.

        `baskets_`, `support_`, `confidence_`, `lift_` first and second; `growth` is support second over first (Dong and Li
        1999), infinite where the first had none; `difference` of confidence, second less first, with its 95% interval `low` to
        `high` (Newcombe 1998, method 10); `odds_ratio` of confidence, second over first; p and q of each question; `status`:

        - emerging, vanishing: passes the floors in the second alone, or the first alone, and support or confidence rose, or
          fell, with q <= alpha;
        - stronger, weaker: passes in both, and confidence rose or fell with q <= alpha;
        - unchanged: none of these, and the interval lies within the margin; unclear: it does not, so more baskets are needed.
        """
        one, two = self.first, self.second
        p = self.p_values()
        q = benjamini_hochberg(p.ravel(), p.shape[0] * len(self.passes[0])).reshape(p.shape)
        share = self.sought.witnesses[self.compared]
        difference, low, high = difference_interval(*(count * share for count in (one.n_xy, one.n_x, two.n_xy, two.n_x)))
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = (two.n_xy / two.n) / (one.n_xy / one.n)
        sides = (("first", one), ("second", two))
        counts = {f"{name}_{side}": _figure(each, name) for name in ("baskets", *_QUESTIONS) for side, each in sides}
        statuses = pl.Series(self._statuses(q, growth, difference, low, high), dtype=pl.Enum(STATUSES))
        frame = (
            named_rules(self.rules)
            .with_columns(status=statuses, **counts)
            .with_columns(
                growth=growth,
                difference=pl.Series(difference).fill_nan(None),
                low=pl.Series(low).fill_nan(None),
                high=pl.Series(high).fill_nan(None),
                odds_ratio=odds_ratio(one.n_xy, one.n_x, two.n_xy, two.n_x),
            )
            .with_columns(**{f"p_{name}": values for name, values in zip(_QUESTIONS, p, strict=True)})
            .with_columns(**{f"q_{name}": values for name, values in zip(_QUESTIONS, q, strict=True)})
        )
        kept = frame if shown is None else frame.filter(shown)
        return kept.sort(pl.min_horizontal("p_support", "p_confidence"), maintain_order=True)

    def _statuses(self, q: Floats, growth: Floats, difference: Floats, low: Floats, high: Floats) -> list[str]:
        support, confidence = (each <= self.comparison.alpha for each in q[:2])
        rose = (support & (growth > 1)) | (confidence & (difference > 0))
        fell = (support & (growth < 1)) | (confidence & (difference < 0))
        before, after = self.passes[:, self.compared]
        margin = self.comparison.margin
        cases = (
            after & ~before & rose,
            before & ~after & fell,
            before & after & confidence & (difference > 0),
            before & after & confidence & (difference < 0),
            (low > -margin) & (high < margin),
        )
        return [STATUSES[i] for i in np.select(cases, range(len(cases)), default=len(cases))]

    def placebo(self, run: Run, repeats: int = 10, deal: Deal = "customers") -> dy.DataFrame[Metrics]:
        """The same comparison between random parts of the same sizes, of the same baskets: changes found where there are none.

        `deal`: what is dealt out at random, whole `customers` (as two segments differ) or single `baskets` (as two periods of
        the same customers do, at the least). Of the real comparison and the placebos (mean, least and greatest), `changes`:
        rules that are called emerging, vanishing, stronger or weaker; `told`: the share of all rules sought whose p of equal
        confidence is at most alpha. About alpha, or less, is what it should be for a placebo; more says that baskets of one
        customer are alike beyond the design effect, and that as much of the real changes is taste. A customer on both sides
        counts as two. Raises RequestError for another `deal`.
        """
        if deal not in DEALS:
            raise RequestError(f"deal {deal!r} is not known", f"choose one of {', '.join(DEALS)}")
        baskets = self.sought.pooled.baskets
        random = np.random.default_rng([run.seed, DEALS.index(deal)])
        shares = {"compared": [self._told()], f"placebo of {deal}": []}
        with span("placebo", total=repeats, unit="count") as progress:
            for _ in range(repeats):
                chosen = _dealt(baskets, self.first.n, deal, random)
                one = counted(self.sought.rules, baskets.select(chosen), run.threads)
                shares[f"placebo of {deal}"].append(self.comparison._compared(self.sought, one)._told())
                progress.advance()
        rows: list[dict[str, Any]] = []
        for model, told in shares.items():
            for position, metric in enumerate(("changes", "told") if told else ()):
                values = [each[position] for each in told]
                ends = (None, None) if model == "compared" else (min(values), max(values))
                row = {"value": float(np.mean(values)), "low": ends[0], "high": ends[1], "n": len(self)}
                rows.append({"metric": metric, "model": model, "slice": "all", **row})
        return Metrics.validate(pl.DataFrame(rows, infer_schema_length=None), cast=True)

    def _told(self) -> tuple[float, float]:
        """Rules called changed, and the share of all sought whose confidence differs at p <= alpha."""
        if len(self.sides[0]) == 0:
            return 0.0, 0.0
        one, two = (_deflated(each, self.sought.witnesses) for each in self.sides)
        told = equal_shares_p(one.n_xy, one.n_x, two.n_xy, two.n_x) <= self.comparison.alpha
        return float(self.frame()["status"].cast(pl.String).is_in(CHANGES).sum()), float(told.mean())


def aligned(first: Transactions, second: Transactions) -> tuple[Transactions, Transactions]:
    """The same two under one set of codes: an item of either has its name's code in both, the first's names standing first.

    Raises DataError where the one's items are called by text and the other's by numbers.
    """
    if first.names.dtype != second.names.dtype:
        raise DataError(
            f"the items of one are {first.names.dtype}, those of the other {second.names.dtype}", "name the items of both alike"
        )
    if first.names.equals(second.names):
        return first, second
    names = pl.concat([first.names.rename("item"), second.names.rename("item")]).unique(maintain_order=True)
    return _recoded(first, names), _recoded(second, names)


def _recoded(transactions: Transactions, names: pl.Series) -> Transactions:
    code = dict(zip(names.to_list(), range(len(names)), strict=True))
    new = np.array([code[name] for name in transactions.names.to_list()], dtype=np.int32)
    old = transactions.baskets
    return Transactions(BasketMatrix(old.indptr, new[old.items], old.customers, old.days, len(names)), names)


def _pooled(first: BasketMatrix, second: BasketMatrix) -> BasketMatrix:
    """All baskets, the customers of the second being others."""
    after = int(first.customers.max()) + 1
    return BasketMatrix(
        np.concatenate([first.indptr, second.indptr[1:] + first.indptr[-1]]),
        np.concatenate([first.items, second.items]),
        np.concatenate([first.customers, second.customers + np.int32(after)]),
        np.concatenate([first.days, second.days]),
        first.n_products,
    )


def _witnesses(rules: RuleNodes, baskets: BasketMatrix, run: Run) -> Floats:
    """Customers behind the baskets that hold X and Y, as a share of those baskets: 1 where each has its own."""
    tree = rules.itemsets.tree
    held, customers = count_groups(baskets.indptr, baskets.items, tree, baskets.customers, threads=run.threads)
    return np.asarray(customers[rules.whole] / np.maximum(held[rules.whole], 1))


def _deflated(counts: RuleCounts, share: Floats) -> RuleCounts:
    """Every count times `share`; that of X and Y rounded down, the others up. The number of baskets is left."""
    up = [np.ceil(each * share - _ROUNDING).astype(np.int64) for each in (counts.n_x, counts.n_y)]
    return RuleCounts(np.floor(counts.n_xy * share + _ROUNDING).astype(np.int64), up[0], up[1], counts.n)


def _dealt(baskets: BasketMatrix, n: int, deal: Deal, random: np.random.Generator) -> Mask:
    """About `n` baskets: drawn one by one, or with all those of their customers."""
    each = np.arange(len(baskets)) if deal == "baskets" else baskets.customers
    starts = np.flatnonzero(np.diff(each, prepend=-1) != 0)
    sizes = np.diff(np.append(starts, len(baskets)))
    order = random.permutation(len(sizes))
    chosen = np.zeros(len(sizes), dtype=np.bool_)
    chosen[order[np.cumsum(sizes[order]) - sizes[order] / 2 <= n]] = True
    return np.repeat(chosen, sizes)


def _figure(counts: RuleCounts, name: str) -> npt.NDArray[np.generic] | pl.Series:
    if name == "baskets":
        return counts.n_xy
    if name == "support":
        return np.asarray(counts.n_xy / counts.n)
    return pl.Series(counts.confidence if name == "confidence" else counts.lift).fill_nan(None)
