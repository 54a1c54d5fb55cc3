"""Confidence freed of the luck by which a rule was found: an empirical Bayes estimate that knows of the floors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaincc, betaln, expit, gammaln, logit, logsumexp

if TYPE_CHECKING:
    from basketry.associations.mining.rule_counts import RuleCounts

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

_FITTED_ON: Final = 500  # rules, evenly spaced; more change the five numbers little
_SUMMED: Final = 50  # terms of a tail summed one by one; of a longer one the Beta of the same mean and variance is near enough
_START: Final = np.array([0.5, 1.0, np.log(10.0), 0.0, np.log(300.0)])
_SPREAD: Final = np.array([2.0, 1.0, 2.0, 2.0, 2.0])  # of the weak normal prior around _START
_BOUNDS: Final = ((-15, 15), (-3, 5), (np.log(0.05), np.log(1e7)), (-12, 12), (np.log(5.0), np.log(1e7)))


@dataclass(frozen=True)
class ConfidencePrior:
    """What the confidence of X -> Y was likely to be before its baskets were counted: one of two Beta distributions.

    With chance `null_share` the rule is of no account: Beta of mean P(Y), worth `null_weight` baskets. Else it is of the other
    kind: Beta worth `weight` baskets of mean m, logit m = shift + slope logit P(Y).
    """

    shift: float
    slope: float
    weight: float
    null_share: float
    null_weight: float

    @classmethod
    def fit(cls, counts: RuleCounts, min_count: int, min_confidence: float) -> ConfidencePrior:
        """By the likelihood of the counts, given that each rule passed its floors.

        A rule was seen because n_xy >= t = max(min_count, min_confidence n_x), so n_xy is a mixture of two beta-binomials BB
        cut off at t: the likelihood is BB(n_xy | n_x) / P(BB >= t). Forgetting the divisor would take the lucky for the usual.
        Five numbers, maximised with a weak normal prior, over at most 500 rules. Cost: some seconds.
        """
        known = counts.take(np.unique(np.linspace(0, max(len(counts) - 1, 0), min(len(counts), _FITTED_ON)).astype(np.intp)))
        if len(known) == 0:
            return cls._at(_START)
        floor = np.maximum(min_count, np.ceil(min_confidence * known.n_x - 1e-9)).astype(np.int64)
        floor = np.minimum(floor, known.n_xy)

        def badness(point: Floats) -> float:
            prior = cls._at(point)
            kinds = prior._kinds(known)
            seen = logsumexp([share + _log_mass(known.n_xy, known.n_x, a, b) for share, a, b in kinds], axis=0)
            reached = sum(np.exp(share) * _reached(floor, known.n_x, a, b) for share, a, b in kinds)
            doubt = 0.5 * (((point - _START) / _SPREAD) ** 2).sum()
            return float(doubt - (seen - np.log(np.maximum(reached, 1e-300))).sum())

        around = np.vstack([_START, _START + np.diag(_SPREAD / 2)])
        options = {"xatol": 0.01, "fatol": 0.01, "maxfev": 500, "initial_simplex": around}
        return cls._at(minimize(badness, _START, method="Nelder-Mead", bounds=_BOUNDS, options=options).x)

    @classmethod
    def _at(cls, point: Floats) -> ConfidencePrior:
        shift, slope, weight, null, null_weight = point.tolist()
        return cls(shift, slope, float(np.exp(weight)), float(expit(null)), float(np.exp(null_weight)))

    def _kinds(self, counts: RuleCounts) -> tuple[tuple[float, Floats, Floats], ...]:
        """The two kinds of rule: log of the chance, and the two shapes of the Beta of each rule."""
        base = logit((counts.n_y + 0.5) / (counts.n + 1))
        mean = np.clip(expit(self.shift + self.slope * base), 1e-9, 1 - 1e-9)
        null = expit(base)
        return (
            (float(np.log(self.null_share)), self.null_weight * null, self.null_weight * (1 - null)),
            (float(np.log1p(-self.null_share)), self.weight * mean, self.weight * (1 - mean)),
        )

    def shrunk(self, counts: RuleCounts) -> Floats:
        """The confidence to be expected of the next baskets with X: the mean of (n_xy + a) / (n_x + a + b) over the two kinds.

        Each kind counts by how likely it makes n_xy. A posterior mean needs no further correction for selection, given the
        prior of all rules, found or not.
        """
        kinds = self._kinds(counts)
        logs = np.array([share + _log_mass(counts.n_xy, counts.n_x, a, b) for share, a, b in kinds])
        chances = np.exp(logs - logsumexp(logs, axis=0))
        means = np.array([(counts.n_xy + a) / (counts.n_x + a + b) for _, a, b in kinds])
        return np.asarray((chances * means).sum(axis=0))


def _log_mass(k: Int64s, n: Int64s, a: Floats, b: Floats) -> Floats:
    """Log of the beta-binomial chance of k in n."""
    ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return np.asarray(ways + betaln(k + a, n - k + b) - betaln(a, b))


def _reached(floor: Int64s, n: Int64s, a: Floats, b: Floats) -> Floats:
    """P(K >= floor) for K beta-binomial, over the shorter tail."""
    below = floor <= n - floor + 1
    terms = np.where(below, floor, n - floor + 1)
    few = np.flatnonzero((terms <= _SUMMED) & (terms > 0))
    rule = np.repeat(few, terms[few])
    place = np.arange(len(rule)) - np.repeat(np.cumsum(terms[few]) - terms[few], terms[few])
    k = np.where(below[rule], place, floor[rule] + place)
    tail = np.bincount(rule, np.exp(_log_mass(k, n[rule], a[rule], b[rule])), minlength=len(n))
    reached = np.where(below, 1.0 - tail, tail).astype(np.float64)
    many = terms > _SUMMED
    weight = a[many] + b[many]
    scale = (n[many] * (weight + 1) / (weight + n[many]) - 1) / weight
    reached[many] = betaincc(a[many] * scale, b[many] * scale, (floor[many] - 0.5) / n[many])
    return np.asarray(np.clip(reached, 0, 1))
