"""Whether the same rules would be found again: in baskets drawn anew, and in baskets with some items wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.itemsets import min_count
from basketry.associations.mining.resampling import NOISES, bootstrapped, halved, noised
from basketry.associations.mining.rule_counts import RuleCounts, RuleNodes, RuleSearch, counted, rule_keys
from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.validation import named_rules
from basketry.core.errors import RequestError
from basketry.core.tables import Metrics
from basketry.core.telemetry import span

if TYPE_CHECKING:
    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
    from basketry.core.protocols import Run

Floats = npt.NDArray[np.float64]
Resampling = Literal["bootstrap", "half"]
RESAMPLINGS: Final = ("bootstrap", "half")


@dataclass(frozen=True)
class Stability:
    """The estimator: rules counted again in other baskets the shop might have had, drawn by customer where they are known."""

    resampling: Resampling = field(default="bootstrap", metadata={"doc": "bootstrap: as many customers; half: a half of them"})
    resamples: int = field(default=100, metadata={"doc": "how many"})

    def __post_init__(self) -> None:
        if self.resampling not in RESAMPLINGS:
            raise RequestError(f"resampling {self.resampling!r} is not known", f"choose one of {', '.join(RESAMPLINGS)}")
        if self.resamples < 1:
            raise RequestError(f"resamples is {self.resamples}", "one is the least, 100 give intervals")

    def fit(self, transactions: Transactions, itemsets: Itemsets, rules: RuleSearch, run: Run) -> StableRules:
        """Mine the rules, then count them in each resample; the floor on support is the same share of its baskets.

        `passed` is the share of resamples in which a rule passed the floors on support and confidence again. The ends of
        confidence and lift are percentiles: a half drawn without replacement varies as much about the whole as a bootstrap
        sample does, so both give 95% intervals. Cost: a mining, and a selection of rows and a count a resample. Memory: 8
        bytes a rule and resample.
        """
        mined = itemsets.fit(transactions, run)
        found = rules.fit(mined, run)
        counts = RuleCounts.mined(found)
        random = np.random.default_rng(run.seed)
        passed = np.zeros(len(counts))
        confidence, lift = (np.empty((self.resamples, len(counts)), dtype=np.float32) for _ in range(2))
        with span("stability", total=self.resamples, unit="count") as progress:
            for number in range(self.resamples):
                drawn = self._drawn(transactions.baskets, random)
                again = counted(found, drawn, run.threads)
                floor = _floor(itemsets.min_support, mined, again.n)
                passed += again.passing(floor, rules.min_confidence)
                confidence[number], lift[number] = again.confidence, again.lift
                progress.advance()
        return StableRules(found, counts, passed / self.resamples, _ends(confidence), _ends(lift))

    def _drawn(self, baskets: BasketMatrix, random: np.random.Generator) -> BasketMatrix:
        return bootstrapped(baskets, random) if self.resampling == "bootstrap" else halved(baskets, random)[0]


@dataclass(frozen=True, eq=False)
class StableRules:
    """Rules, and for each the share of resamples in which it `passed`, and the ends [2, m] of its confidence and lift."""

    rules: RuleNodes
    counts: RuleCounts
    passed: Floats
    confidence: Floats
    lift: Floats

    def frame(self) -> pl.DataFrame:
        """One row a rule: names, figures, `passed`, and the ends of the middle 95% of resamples."""
        return named_rules(self.rules).with_columns(
            baskets=self.counts.n_xy,
            confidence=self.counts.confidence,
            lift=self.counts.lift,
            passed=self.passed,
            confidence_low=pl.Series(self.confidence[0]).fill_nan(None),
            confidence_high=pl.Series(self.confidence[1]).fill_nan(None),
            lift_low=pl.Series(self.lift[0]).fill_nan(None),
            lift_high=pl.Series(self.lift[1]).fill_nan(None),
        )


@dataclass(frozen=True)
class PlantedNoise:
    """The estimator: rules mined again from baskets in which a share of the occurrences was made wrong."""

    shares: Sequence[float] = field(default=(0.01, 0.05, 0.1), metadata={"doc": "shares of item occurrences"})
    repeats: int = field(default=5, metadata={"doc": "noisy worlds for each kind and share"})

    def __post_init__(self) -> None:
        if self.repeats < 1 or not self.shares:
            raise RequestError(f"repeats {self.repeats}, shares {tuple(self.shares)}", "give one share and one repeat at least")

    def fit(self, transactions: Transactions, itemsets: Itemsets, rules: RuleSearch, run: Run) -> dy.DataFrame[Metrics]:
        """Of the rules of the true baskets the share that `survived`; of those of noisy ones the share that `appeared`.

        Model is the noise (`drop`, `replace`, `add`: see `noised`), slice its share; the value is the mean over repeats, low
        and high the least and the greatest of them; n is the number of true rules. Cost: a mining for each kind, share
        and repeat.
        """
        true = rule_keys(rules.fit(itemsets.fit(transactions, run), run))
        rows: list[dict[str, Any]] = []
        with span("planted noise", total=len(NOISES) * len(self.shares) * self.repeats, unit="count") as progress:
            for kind in NOISES:
                for share in self.shares:
                    shares: dict[str, list[float]] = {"survived": [], "appeared": []}
                    for repeat in range(self.repeats):
                        random = np.random.default_rng([run.seed, NOISES.index(kind), repeat])
                        wrong = replace(transactions, baskets=noised(transactions.baskets, kind, share, random))
                        noisy = rule_keys(rules.fit(itemsets.fit(wrong, run), run))
                        shares["survived"].append(_part(np.isin(true, noisy)))
                        shares["appeared"].append(_part(~np.isin(noisy, true)))
                        progress.advance()
                    rows += [
                        {
                            "metric": name,
                            "model": kind,
                            "slice": f"{share:g}",
                            "value": float(np.mean(values)),
                            "low": min(values),
                            "high": max(values),
                            "n": len(true),
                        }
                        for name, values in shares.items()
                    ]
        return Metrics.validate(pl.DataFrame(rows), cast=True)


def _floor(min_support: int | float, mined: MinedItemsets, n: int) -> int:
    """The floor on support for another number of baskets; a count keeps its share of the baskets it was said of."""
    if isinstance(min_support, int):
        return -(-min_support * n // max(mined.n_baskets, 1))
    return min_count(min_support, n)


def _part(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0


def _ends(values: npt.NDArray[np.float32]) -> Floats:
    """The 2.5th and 97.5th percentile of each column, NaN where it never was known."""
    known = np.isfinite(values).any(axis=0)
    ends = np.full((2, values.shape[1]), np.nan)
    if known.any():
        ends[:, known] = np.nanquantile(values[:, known], [0.025, 0.975], axis=0)
    return ends
