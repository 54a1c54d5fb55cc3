"""Rules held against the weeks after: which lived on, and whether their confidence was a promise kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.resampling import bootstrapped
from basketry.associations.mining.rule_counts import RuleCounts, RuleNodes, RuleSearch, counted
from basketry.associations.mining.shrinkage import ConfidencePrior
from basketry.associations.significance import benjamini_hochberg, rule_p_values
from basketry.core.errors import RequestError
from basketry.core.tables import Metrics
from basketry.core.telemetry import span
from basketry.evaluation.binary import BINS, EDGE

if TYPE_CHECKING:
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

Floats = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]

MODELS: Final = ("consequent", "mined", "shrunk")
LOSSES: Final = ("log_loss", "brier", "calibration_error")
GAINS: Final = (("mined", "consequent"), ("shrunk", "mined"), ("shrunk", "consequent"))
_EPOCH: Final = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class HoldOut:
    """The estimator: mine before a day, count the same rules from that day on."""

    alpha: float = field(default=0.05, metadata={"doc": "q at which a rule's later lift is told from 1"})
    resamples: int = field(default=200, metadata={"doc": "bootstrap samples of customers behind each interval; 0 for none"})

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or self.resamples < 0:
            raise RequestError(f"alpha {self.alpha}, resamples {self.resamples}", "alpha lies in (0, 1), resamples from 0 up")

    def fit(
        self,
        transactions: Transactions,
        cut: dt.date,
        itemsets: Itemsets,
        rules: RuleSearch,
        run: Run,
        until: dt.date | None = None,
    ) -> HeldOut:
        """Mine the baskets before `cut`, count their rules in those of `cut` and later (before `until`, where given).

        Nothing of the later baskets is used for mining, for the prior, or for the order of strength. Raises RequestError where
        one of the two parts is empty. Cost: one mining, one count, and a count a resample.
        """
        days = transactions.baskets.days
        later = days >= _day(cut) if until is None else (days >= _day(cut)) & (days < _day(until))
        before, after = transactions.select(days < _day(cut)), transactions.select(later)
        if len(before) == 0 or len(after) == 0:
            raise RequestError(
                f"{len(before)} baskets lie before {cut}, {len(after)} after",
                "choose a cut inside the known time; baskets without days cannot be held out",
            )
        mined = itemsets.fit(before, run)
        found = rules.fit(mined, run)
        then = RuleCounts.mined(found)
        prior = ConfidencePrior.fit(then, mined.min_count, rules.min_confidence)
        foretold = Foretold(then, prior.shrunk(then), self.alpha)
        now = counted(found, after.baskets, run.threads)
        random = np.random.default_rng(run.seed)
        samples = []
        with span("hold-out", total=self.resamples, unit="count") as progress:
            for _ in range(self.resamples):
                samples.append(foretold.measured(counted(found, bootstrapped(after.baskets, random), run.threads)))
                progress.advance()
        return HeldOut(found, then, now, prior, foretold, _metrics(foretold, now, samples, cut.isoformat()))

    def rolling(
        self, transactions: Transactions, cuts: Sequence[dt.date], itemsets: Itemsets, rules: RuleSearch, run: Run
    ) -> tuple[tuple[HeldOut, ...], dy.DataFrame[Metrics]]:
        """A hold-out at each of the cuts, each tested until the next; all their metrics in one table, by the day of the cut.

        Raises RequestError unless there is a cut and they rise.
        """
        if not cuts or any(one >= two for one, two in pairwise(cuts)):
            raise RequestError(f"cuts {[each.isoformat() for each in cuts]} do not rise", "give each day once, earliest first")
        ends = [*cuts[1:], None]
        held = tuple(self.fit(transactions, cut, itemsets, rules, run, until) for cut, until in zip(cuts, ends, strict=True))
        return held, Metrics.validate(pl.concat([each.metrics for each in held]))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rules, their counts `before` and `after` the cut, the prior fitted before it, and a Metrics table."""

    rules: RuleNodes
    before: RuleCounts
    after: RuleCounts
    prior: ConfidencePrior
    foretold: Foretold
    metrics: dy.DataFrame[Metrics]

    def frame(self) -> pl.DataFrame:
        """One row a rule: names and figures before, `shrunk`, figures after with their p and q, and whether it `lived_on`."""
        p, q, lived = self.foretold.survival(self.after)
        return named_rules(self.rules).with_columns(
            baskets=self.before.n_xy,
            confidence=self.before.confidence,
            lift=self.before.lift,
            strength=self.foretold.strength,
            shrunk=self.foretold.predictions["shrunk"],
            later_baskets=self.after.n_xy,
            later_confidence=_known(self.after.confidence),
            later_lift=_known(self.after.lift),
            later_p=p,
            later_q=q,
            lived_on=lived,
        )

    def reliability(self) -> pl.DataFrame:
        """Ten bins a model, equally many rules each: mean `predicted` confidence, mean `later` confidence, and `rules`."""
        rows: Rows = []
        known = self.after.n_x > 0
        for model, predicted in self.foretold.predictions.items():
            bins = _bins(predicted[known])
            n = np.bincount(bins, minlength=BINS)
            said, came = (
                np.bincount(bins, values, minlength=BINS) / np.maximum(n, 1)
                for values in (predicted[known], self.after.confidence[known])
            )
            rows += [
                {"model": model, "bin": i + 1, "predicted": said[i], "later": came[i], "rules": int(n[i])}
                for i in range(BINS)
                if n[i]
            ]
        return pl.DataFrame(
            rows, schema={"model": pl.String, "bin": pl.Int64, "predicted": pl.Float64, "later": pl.Float64, "rules": pl.Int64}
        )


def named_rules(rules: RuleNodes) -> pl.DataFrame:
    """`antecedent` and `consequent` of each rule: list columns of names; an itemset is written out once."""
    nodes, place = np.unique(np.concatenate([rules.antecedent, rules.consequent]), return_inverse=True)
    names = rules.itemsets.named(nodes)
    sides = np.split(place, [len(rules.antecedent)])
    return pl.DataFrame({side: names.gather(at) for side, at in zip(("antecedent", "consequent"), sides, strict=True)})


class Foretold:
    """What was foretold of the rules before the cut, and how later counts are measured against it.

    `predictions`, by model, of the confidence: `consequent` is P(Y) alone, `mined` the rule's own confidence, `shrunk` that
    freed of luck. `strength` is (n_xy - e) / sqrt(e) with e = n_x n_y / n, and `decile` its tenth, 0 the weakest.
    """

    def __init__(self, then: RuleCounts, shrunk: Floats, alpha: float) -> None:
        expected = then.n_x * (then.n_y / max(then.n, 1))
        self.alpha = alpha
        self.strength = (then.n_xy - expected) / np.sqrt(np.maximum(expected, 1e-12))
        self.decile = _bins(self.strength)
        self.predictions: dict[str, Floats] = {
            "consequent": then.n_y / max(then.n, 1),
            "mined": then.confidence,
            "shrunk": shrunk,
        }

    def survival(self, now: RuleCounts) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """Of each rule: Fisher's p later, its q among all mined, and whether it lived on (lift above 1, q <= alpha)."""
        p = rule_p_values(now.n_xy, now.n_x, now.n_y, now.n)
        q = benjamini_hochberg(p, len(p))
        with np.errstate(invalid="ignore"):
            return p, q, np.asarray((now.lift > 1) & (q <= self.alpha))

    def measured(self, now: RuleCounts) -> dict[tuple[str, str], float]:
        """(measure, model) to value: means over the rules whose antecedent was met."""
        known = now.n_x > 0
        if not known.any():
            return {}
        came = now.confidence[known]
        values: dict[tuple[str, str], float] = {}
        for model, every in self.predictions.items():
            said = np.clip(every[known], EDGE, 1 - EDGE)
            values["log_loss", model] = float(-(came * np.log(said) + (1 - came) * np.log1p(-said)).mean())
            values["brier", model] = float((came * (1 - came) + (came - said) ** 2).mean())
            bins = _bins(said)
            values["calibration_error", model] = float(np.abs(np.bincount(bins, said - came, BINS)).sum() / len(bins))
            values["optimism", model] = float((said - came).mean())
        for better, base in GAINS:
            for loss in LOSSES:
                values[f"{loss}_gain", f"{better} over {base}"] = values[loss, base] - values[loss, better]
        values["later_lift_above_1", "rules"] = float((np.nan_to_num(now.lift[known]) > 1).mean())
        return values


def _metrics(
    foretold: Foretold, now: RuleCounts, samples: Sequence[dict[tuple[str, str], float]], part: str
) -> dy.DataFrame[Metrics]:
    """Every figure with its interval, and the shares that lived on, by tenths of strength (1: the weakest)."""
    met = int((now.n_x > 0).sum())
    rows: Rows = []
    for (metric, model), value in foretold.measured(now).items():
        drawn = [each[metric, model] for each in samples if each]
        low, high = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn else (None, None)
        rows.append({"metric": metric, "model": model, "slice": part, "value": value, "low": low, "high": high, "n": met})
    if len(now):
        lived = foretold.survival(now)[2]
        for tenth in (None, *range(BINS)):
            chosen = slice(None) if tenth is None else foretold.decile == tenth
            n = len(lived[chosen])
            name = "all rules" if tenth is None else f"strength {tenth + 1} of {BINS}"
            share = float(lived[chosen].mean()) if n else None
            rows.append({"metric": "lived_on", "model": name, "slice": part, "value": share, "low": None, "high": None, "n": n})
    return Metrics.validate(pl.DataFrame(rows), cast=True) if rows else Metrics.create_empty()


def _bins(values: Floats) -> npt.NDArray[np.intp]:
    """Tenths of equal size, by rank, ties in the order given."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(np.minimum(order * BINS // max(len(values), 1), BINS - 1))


def _known(values: Floats) -> pl.Series:
    return pl.Series(values).fill_nan(None)


def _day(date: dt.date) -> int:
    return (date - _EPOCH).days
