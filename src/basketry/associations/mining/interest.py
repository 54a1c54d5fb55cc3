"""Measures of interest of a rule X => Y: each defined once, in one place, over arrays of counts.

Every one is a function of four counts, the baskets that hold both, X, Y, and all; what also needs other rules or thresholds
stands in `context`. In formulas P(.) is a share of the n baskets, not-X means a basket that lacks an item of X, log is natural.

**Division by zero.** A quotient of something by nothing is infinite, as a limit: no counterexample makes conviction infinite.
Where a side is in every basket (P(X) = 1 or P(Y) = 1) nothing can be told of dependence, and a measure that would be 0/0
takes its value at independence: 0 for phi, 1 for an odds ratio. A share of no baskets (how many of those without X ...) is 1:
the rule was never contradicted. 0 log 0 is 0. No measure is ever NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from basketry.associations.contingency import Contingency, Counts, Floats
from basketry.kernels.tails import hypergeometric_upper_tail

INF: Final = np.inf
_HYPER_LIFT_QUANTILE: Final = 0.99


@dataclass(frozen=True)
class Measure:
    """One measure: `of` a table, its formula in words, its range, and where it comes from.

    `neutral` is its value at independence, P(XY) = P(X) P(Y), or None if it has none. A `symmetric` one is the same for Y => X.
    """

    of: Callable[[Contingency], Floats]
    formula: str
    range: tuple[float, float]
    source: str
    neutral: float | None = None
    symmetric: bool = False

    def __call__(self, n_xy: Counts, n_x: Counts, n_y: Counts, n: int) -> Floats:
        """float64 of aligned int64 counts. Raises ValueError for impossible counts, see `Contingency.of`."""
        return self.of(Contingency.of(n_xy, n_x, n_y, n))


def _over(above: Counts | Floats, below: Counts | Floats, neither: float) -> Floats:
    """Above by below: a number over 0 is infinite with its sign, 0 over 0 is `neither`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(above / below, dtype=np.float64)
    if not np.all(below):
        quotient[(below == 0) & (above == 0)] = neither
    return quotient


def _times_log(count: Counts, ratio_above: Counts, ratio_below: Counts) -> Floats:
    """The product count * log(ratio_above / ratio_below), 0 where count is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count == 0, 0.0, count * np.log(ratio_above / ratio_below))


def _entropy(held: Counts, lacked: Counts, n: int) -> Floats:
    """In nats, of a share held / n; aligned with lacked = n - held."""
    whole = np.full_like(held, n)
    return -(_times_log(held, held, whole) + _times_log(lacked, lacked, whole)) / n


def _conviction(t: Contingency) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t.x_alone == 0, INF, (t.x / t.x_alone) * (t.not_y / t.n))


def _zhang(t: Contingency) -> Floats:
    return _over(t.surplus, np.maximum(t.xy * t.not_x, t.x * t.y_alone), 0.0)


def _certainty(t: Contingency) -> Floats:
    return t.surplus / np.where(t.surplus > 0, t.x * t.not_y, t.x * t.y)


def _phi(t: Contingency) -> Floats:
    return _over(t.surplus, np.sqrt(t.x * t.not_x) * np.sqrt(t.y * t.not_y), 0.0)


def _by_chance_apart(t: Contingency) -> Counts:
    """n^2 times the chance that exactly one of X and Y is there, were they independent."""
    return t.x * t.not_y + t.not_x * t.y


def _collective_strength(t: Contingency) -> Floats:
    met, apart = t.xy + t.neither, t.x_alone + t.y_alone
    return _over(met * (_by_chance_apart(t) / (t.x * t.y + t.not_x * t.not_y)), apart, 1.0)


def _j_measure(t: Contingency) -> Floats:
    held = _times_log(t.xy, t.n * t.xy, t.x * t.y)
    return np.maximum(0.0, held + _times_log(t.x_alone, t.n * t.x_alone, t.x * t.not_y)) / t.n


def _mutual_information(t: Contingency) -> Floats:
    with_x = _times_log(t.xy, t.n * t.xy, t.x * t.y) + _times_log(t.x_alone, t.n * t.x_alone, t.x * t.not_y)
    without = _times_log(t.y_alone, t.n * t.y_alone, t.not_x * t.y)
    without = without + _times_log(t.neither, t.n * t.neither, t.not_x * t.not_y)
    least = np.minimum(_entropy(t.x, t.not_x, t.n), _entropy(t.y, t.not_y, t.n))
    return np.clip(_over((with_x + without) / t.n, least, 0.0), 0.0, 1.0)


def _lambda(t: Contingency) -> Floats:
    usual = np.maximum(t.y, t.not_y)
    known = np.maximum(t.xy, t.x_alone) + np.maximum(t.y_alone, t.neither)
    return _over(known - usual, t.n - usual, 0.0)


def _yule_y(t: Contingency) -> Floats:
    roots = np.sqrt(t.xy * t.neither) + np.sqrt(t.x_alone * t.y_alone)
    return np.clip(_over(t.surplus, roots * roots, 0.0), -1.0, 1.0)


def _linkage(t: Contingency) -> Floats:
    surplus = np.abs(t.surplus) / t.n
    most = np.where(t.surplus > 0, np.minimum(t.x_alone, t.y_alone), np.minimum(t.xy, t.neither))
    return _over(surplus, surplus + most, 0.0)


def _log2_lift(t: Contingency) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log2((t.n * t.xy) / (t.x * t.y))


def _weighed_log2_lift(weight: Floats, t: Contingency) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(t.xy == 0, 0.0, weight * _log2_lift(t))


def _p(t: Contingency) -> Floats:
    return hypergeometric_upper_tail(t.xy, t.x, t.y, np.full_like(t.x, t.n))


def _hyper_quantile(t: Contingency) -> Counts:
    """The least q with P(C <= q) >= 0.99, C being the baskets with both if X and Y met by chance.

    Begun at the normal quantile and moved until it is right: the variance is n_x n_y (n - n_x)(n - n_y) / (n^2 (n - 1)).
    """
    least, most = np.maximum(0, t.x + t.y - t.n), np.minimum(t.x, t.y)
    spread = np.sqrt((t.x / t.n) * t.y * (t.not_x / t.n) * (t.not_y / max(t.n - 1, 1)))
    q = np.clip(np.ceil((t.x / t.n) * t.y + 2.326 * spread).astype(np.int64), least, most)
    allowed = 1 - _HYPER_LIFT_QUANTILE

    def exceeds(rows: Counts, values: Counts) -> npt.NDArray[np.bool_]:
        """Whether P(C > values) is more than allowed; nothing lies above `most`."""
        k = np.minimum(values + 1, most[rows])
        tail = hypergeometric_upper_tail(k, t.x[rows], t.y[rows], np.full_like(k, t.n))
        return (values < most[rows]) & (tail > allowed)

    rising = np.arange(len(q))
    while len(rising := rising[exceeds(rising, q[rising])]):
        q[rising] += 1
    falling = np.flatnonzero(q > least)
    while len(falling := falling[~exceeds(falling, q[falling] - 1)]):
        q[falling] -= 1
        falling = falling[q[falling] > least[falling]]
    return q


_E: Final = float(np.e)
_SURPRISE: Final = float(np.log2(_E) / _E)  # the most that -t log2 t can be

INTEREST: Final[dict[str, Measure]] = {
    "baskets": Measure(lambda t: t.xy.astype(np.float64), "n P(XY)", (0, INF), "Agrawal 1993", symmetric=True),
    "support": Measure(lambda t: t.xy / t.n, "P(XY)", (0, 1), "Agrawal 1993", symmetric=True),
    "coverage": Measure(lambda t: t.x / t.n, "P(X)", (0, 1), "Geng 2006"),
    "prevalence": Measure(lambda t: t.y / t.n, "P(Y)", (0, 1), "Geng 2006"),
    "confidence": Measure(lambda t: t.confidence, "P(Y | X)", (0, 1), "Agrawal 1993"),
    "confidence_back": Measure(lambda t: t.xy / t.y, "P(X | Y)", (0, 1), "Geng 2006"),
    "specificity": Measure(lambda t: _over(t.neither, t.not_x, 1.0), "P(not-Y | not-X)", (0, 1), "Geng 2006"),
    "lift": Measure(lambda t: (t.n * t.xy) / (t.x * t.y), "P(XY) / (P(X) P(Y))", (0, INF), "Brin 1997", 1, True),
    "leverage": Measure(lambda t: t.surplus / t.n / t.n, "P(XY) - P(X) P(Y)", (-0.25, 0.25), "Piatetsky-Shapiro 1991", 0, True),
    "conviction": Measure(_conviction, "P(X) P(not-Y) / P(X not-Y)", (0, INF), "Brin 1997", 1),
    "zhang": Measure(_zhang, "(P(XY) - P(X) P(Y)) / max(P(XY) P(not-X), P(X) (P(Y) - P(XY)))", (-1, 1), "Zhang 2000", 0),
    "cosine": Measure(
        lambda t: t.xy / np.sqrt(t.x.astype(np.float64) * t.y), "P(XY) / sqrt(P(X) P(Y))", (0, 1), "Tan 2004", None, True
    ),
    "jaccard": Measure(lambda t: t.xy / t.either, "P(XY) / P(X or Y)", (0, 1), "Tan 2004", None, True),
    "kulczynski": Measure(
        lambda t: (t.confidence + t.xy / t.y) / 2, "(P(Y | X) + P(X | Y)) / 2", (0, 1), "Wu 2010", None, True
    ),
    "imbalance": Measure(lambda t: np.abs(t.x - t.y) / t.either, "|P(X) - P(Y)| / P(X or Y)", (0, 1), "Wu 2010", None, True),
    "joint_ratio": Measure(lambda t: t.xy / (t.x + t.y), "P(XY) / (P(X) + P(Y))", (0, 0.5), "Basketry", None, True),
    "max_confidence": Measure(lambda t: t.xy / np.minimum(t.x, t.y), "max(P(Y | X), P(X | Y))", (0, 1), "Wu 2010", None, True),
    "all_confidence": Measure(
        lambda t: t.xy / np.maximum(t.x, t.y), "min(P(Y | X), P(X | Y))", (0, 1), "Omiecinski 2003", None, True
    ),
    "added_value": Measure(lambda t: t.surplus / t.x / t.n, "P(Y | X) - P(Y)", (-1, 1), "Tan 2004", 0),
    "certainty": Measure(
        _certainty,
        "(P(Y | X) - P(Y)) / P(not-Y) where that is positive, (P(Y | X) - P(Y)) / P(Y) where it is negative",
        (-1, 1),
        "Berzal 2002",
        0,
    ),
    "loevinger": Measure(
        lambda t: _over(t.surplus, t.x * t.not_y, 0.0), "1 - P(X not-Y) / (P(X) P(not-Y))", (-INF, 1), "Geng 2006", 0
    ),
    "confidence_difference": Measure(
        lambda t: _over(t.surplus, t.x * t.not_x, 0.0), "P(Y | X) - P(Y | not-X)", (-1, 1), "Hofmann 2001", 0
    ),
    "confirmed_confidence": Measure(lambda t: (t.xy - t.x_alone) / t.x, "P(Y | X) - P(not-Y | X)", (-1, 1), "Kodratoff 1999"),
    "causal_support": Measure(
        lambda t: (t.xy + t.neither) / t.n, "P(XY) + P(not-X not-Y)", (0, 1), "Kodratoff 1999", None, True
    ),
    "causal_confidence": Measure(
        lambda t: (t.confidence + _over(t.not_y - t.x_alone, t.not_y, 1.0)) / 2,
        "(P(Y | X) + P(not-X | not-Y)) / 2",
        (0, 1),
        "Kodratoff 1999",
    ),
    "counterexample": Measure(lambda t: _over(t.xy - t.x_alone, t.xy, 0.0), "1 - P(X not-Y) / P(XY)", (-INF, 1), "Geng 2006"),
    "least_contradiction": Measure(lambda t: (t.xy - t.x_alone) / t.y, "(P(XY) - P(X not-Y)) / P(Y)", (-INF, 1), "Azé 2002"),
    "ralambondrainy": Measure(lambda t: t.x_alone / t.n, "P(X not-Y); less is better", (0, 1), "Diatta 2007"),
    "sebag": Measure(lambda t: _over(t.xy, t.x_alone, 0.0), "P(XY) / P(X not-Y)", (0, INF), "Sebag 1988"),
    "odd_multiplier": Measure(
        lambda t: _over(t.xy * t.not_y, t.y * t.x_alone, 1.0), "P(XY) P(not-Y) / (P(Y) P(X not-Y))", (0, INF), "Geng 2006", 1
    ),
    "laplace": Measure(lambda t: (t.xy + 1) / (t.x + 2), "(n P(XY) + 1) / (n P(X) + 2)", (0, 1), "Tan 2004"),
    "importance": Measure(
        lambda t: np.log10((t.xy + 1) / (t.x + 2)) - np.log10((t.y_alone + 1) / (t.not_x + 2)),
        "log10 of the quotient of the Laplace corrected P(Y | X) and P(Y | not-X)",
        (-INF, INF),
        "MacLennan 2009",
    ),
    "rule_power_factor": Measure(lambda t: t.confidence * (t.xy / t.n), "P(XY) P(Y | X)", (0, 1), "Ochin 2016"),
    "varying_liaison": Measure(lambda t: t.surplus / (t.x * t.y), "lift - 1", (-1, INF), "Bernard 1996", 0, True),
    "klosgen": Measure(
        lambda t: np.sqrt(t.xy / t.n) * (t.surplus / t.x / t.n), "sqrt(P(XY)) (P(Y | X) - P(Y))", (-1, 1), "Klösgen 1996", 0
    ),
    "odds_ratio": Measure(
        lambda t: _over(t.xy * t.neither, t.x_alone * t.y_alone, 1.0),
        "P(XY) P(not-X not-Y) / (P(X not-Y) P(not-X Y))",
        (0, INF),
        "Tan 2004",
        1,
        True,
    ),
    "yule_q": Measure(
        lambda t: _over(t.surplus, t.xy * t.neither + t.x_alone * t.y_alone, 0.0),
        "(odds ratio - 1) / (odds ratio + 1)",
        (-1, 1),
        "Tan 2004",
        0,
        True,
    ),
    "yule_y": Measure(_yule_y, "(sqrt(odds ratio) - 1) / (sqrt(odds ratio) + 1)", (-1, 1), "Tan 2004", 0, True),
    "relative_risk": Measure(
        lambda t: _over(t.xy * t.not_x, t.y_alone * t.x, 1.0), "P(Y | X) / P(Y | not-X)", (0, INF), "Geng 2006", 1
    ),
    "phi": Measure(_phi, "(P(XY) - P(X) P(Y)) / sqrt(P(X) P(not-X) P(Y) P(not-Y))", (-1, 1), "Tan 2004", 0, True),
    "kappa": Measure(
        lambda t: _over(2 * t.surplus, _by_chance_apart(t), 0.0),
        "(P(XY) + P(not-X not-Y) - e) / (1 - e) with e = P(X) P(Y) + P(not-X) P(not-Y)",
        (-1, 1),
        "Tan 2004",
        0,
        True,
    ),
    "collective_strength": Measure(
        _collective_strength,
        "(P(XY) + P(not-X not-Y)) / e (1 - e) / (P(X not-Y) + P(not-X Y)) with e as for kappa",
        (0, INF),
        "Aggarwal 1998",
        1,
        True,
    ),
    "lambda": Measure(
        _lambda,
        "how much less often Y is guessed wrongly when X is known: "
        "(max(P(XY), P(X not-Y)) + max(P(not-X Y), P(not-X not-Y)) - m) / (1 - m) with m = max(P(Y), P(not-Y))",
        (0, 1),
        "Goodman 1954",
        0,
    ),
    "gini": Measure(
        lambda t: _over(2 * (t.surplus / t.n) ** 2, t.x * t.not_x, 0.0),
        "how much less Y varies when X is known: P(X) (P(Y | X)^2 + P(not-Y | X)^2) + "
        "P(not-X) (P(Y | not-X)^2 + P(not-Y | not-X)^2) - P(Y)^2 - P(not-Y)^2",
        (0, 0.5),
        "Tan 2004",
        0,
    ),
    "j_measure": Measure(
        _j_measure, "P(XY) log(P(Y | X) / P(Y)) + P(X not-Y) log(P(not-Y | X) / P(not-Y))", (0, 1 / _E), "Smyth 1992", 0
    ),
    "mutual_information": Measure(
        _mutual_information,
        "sum over the four cells of P(cell) log(P(cell) / (P(row) P(column))), divided by the lesser entropy of X and Y",
        (0, 1),
        "Tan 2004",
        0,
        True,
    ),
    "information_gain": Measure(_log2_lift, "log2 of lift", (-INF, INF), "Geng 2006", 0, True),
    "one_way_support": Measure(
        lambda t: _weighed_log2_lift(t.confidence, t), "P(Y | X) log2 of lift", (-_SURPRISE, INF), "Yao 1999", 0
    ),
    "two_way_support": Measure(
        lambda t: _weighed_log2_lift(t.xy / t.n, t), "P(XY) log2 of lift", (-_SURPRISE, _SURPRISE), "Yao 1999", 0, True
    ),
    "linkage_disequilibrium": Measure(
        _linkage,
        "|D| / (|D| + m), D = P(XY) - P(X) P(Y), m the lesser of P(X not-Y) and P(not-X Y) where D > 0, "
        "else of P(XY) and P(not-X not-Y)",
        (0, 1),
        "Kenett 2008",
        0,
        True,
    ),
    "lerman": Measure(
        lambda t: t.surplus / t.n / np.sqrt(t.x * (t.y / t.n)),
        "n (P(XY) - P(X) P(Y)) / sqrt(n P(X) P(Y))",
        (-INF, INF),
        "Lerman 1981",
        0,
        True,
    ),
    "implication_index": Measure(
        lambda t: _over(-t.surplus / t.n, np.sqrt(t.x * (t.not_y / t.n)), 0.0),
        "n (P(X not-Y) - P(X) P(not-Y)) / sqrt(n P(X) P(not-Y)); less is better",
        (-INF, INF),
        "Gras 1996",
        0,
    ),
    "chi_squared": Measure(lambda t: t.n * _phi(t) ** 2, "n phi^2", (0, INF), "Brin 1997", 0, True),
    "p": Measure(
        _p,
        "chance of at least n P(XY) baskets with both, were X and Y independent: hypergeometric upper tail",
        (0, 1),
        "Hahsler 2007",
        None,
        True,
    ),
    "hyper_confidence": Measure(lambda t: 1 - _p(t), "1 - p", (0, 1), "Hahsler 2007", None, True),
    "hyper_lift": Measure(
        lambda t: _over(t.xy, _hyper_quantile(t), 0.0),
        "n P(XY) / q, q the 0.99 quantile of the baskets with both, were X and Y independent",
        (0, INF),
        "Hahsler 2007",
        None,
        True,
    ),
}

ALIASES: Final[dict[str, str]] = {
    "accuracy": "causal_support",
    "casual_confidence": "causal_confidence",
    "casual_support": "causal_support",
    "centered_confidence": "added_value",
    "certainty_factor": "certainty",
    "count": "baskets",
    "difference_of_confidence": "confidence_difference",
    "doc": "confidence_difference",
    "fishers_exact_test": "p",
    "interest": "lift",
    "lhs_support": "coverage",
    "lift_increase": "boost",
    "pavillon": "added_value",
    "piatetsky_shapiro": "leverage",
    "recall": "confidence_back",
    "rhs_support": "prevalence",
    "rld": "linkage_disequilibrium",
}
