"""Strength: the calibrated probability that two products are bought together in the weeks to come.

Behaviour and meaning are fused by a logistic regression on logarithms of rates, so that with enough evidence the count speaks
and with none the text and the categories do. It is fitted by looking ahead inside the data: what was known at an earlier
instant explains what happened in the `horizon_days` after it. Counts enter as rates of the horizon, shrunk towards what
popularity and basket size explain; hence a window of another length, or a larger shop, needs no other weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.associations.verdict import Tally

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Run

    Floats = npt.NDArray[np.float64]

SHRINKAGE: Final = 1.0  # baskets of chance co-purchase added to both sides of a lift
FLOOR: Final = 1e-4  # co-purchases a horizon below which rates are not told apart
FEATURES: Final = {"behaviour": ("behaviour",), "meaning": ("meaning",), "fused": ("behaviour", "meaning", "both")}


@dataclass(frozen=True)
class PairEvidence:
    """What is known of n pairs at one instant; aligned arrays, `days` is the length of the history behind the counts.

    `together` holds no count below the floor of what may be published. `sold`, `other_sold`: baskets with A, with B.
    `similarity` in [-1, 1], NaN where unknown. `same_category`, `same_subcategory`: 1 or 0. `text_lift`, `category_lift`: what
    the other products of the two groups of texts, and of the two subcategories, say of such pairs (`History.group_lift`).
    """

    together: Tally
    sold: Floats
    other_sold: Floats
    similarity: Floats
    same_category: Floats
    same_subcategory: Floats
    text_lift: Floats
    category_lift: Floats
    days: int

    def columns(self, horizon_days: int) -> dict[str, list[Floats]]:
        """Features by what they rest on."""
        horizon = horizon_days / max(self.days, 1)
        counted, expected = self.together.baskets.astype(float), self.together.expected
        lift = np.log((counted + SHRINKAGE) / (expected + SHRINKAGE))
        rate, chance = np.log(FLOOR + counted * horizon), np.log(FLOOR + expected * horizon)
        customers = np.log1p(self.together.customers * horizon)
        unseen = (counted == 0).astype(float)
        alike = np.nan_to_num(self.similarity, nan=0.0)
        rarer = np.log1p(np.minimum(self.sold, self.other_sold) * horizon)
        commoner = np.log1p(np.maximum(self.sold, self.other_sold) * horizon)
        new = (np.minimum(self.sold, self.other_sold) == 0).astype(float)
        behaviour = [rate, np.maximum(rate, 0.0), chance, lift, unseen, unseen * chance, customers, rarer, new, new * commoner]
        meaning = [alike, alike**2, self.same_category, self.same_subcategory]
        borrowed = [self.text_lift, self.category_lift]
        both = [alike * lift, *borrowed, *(each * state for each in (alike, *borrowed) for state in (unseen, new))]
        return {"behaviour": behaviour, "meaning": meaning, "both": both}


@dataclass(frozen=True)
class StrengthModel:
    """Logistic weights over standardised features of one of `FEATURES`."""

    features: str
    horizon_days: int
    centre: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def probability(self, evidence: PairEvidence) -> Floats:
        """P(bought together at least once within the horizon), float64 [n]."""
        standard = (_matrix(evidence, self.features, self.horizon_days) - self.centre) / self.scale
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(standard @ self.weights + self.intercept, -30, 30))))

    def state(self) -> Arrays:
        """Everything as arrays."""
        return {
            "features": np.array([list(FEATURES).index(self.features)]),
            "horizon_days": np.array([self.horizon_days]),
            "centre": self.centre,
            "scale": self.scale,
            "weights": self.weights,
            "intercept": np.array([self.intercept]),
        }

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        return cls(
            features=list(FEATURES)[int(state["features"].item())],
            horizon_days=int(state["horizon_days"].item()),
            centre=np.asarray(state["centre"], dtype=np.float64),
            scale=np.asarray(state["scale"], dtype=np.float64),
            weights=np.asarray(state["weights"], dtype=np.float64),
            intercept=float(state["intercept"].item()),
        )


@dataclass(frozen=True)
class Strength:
    """Fits the probability. `horizon_days`: how far ahead it looks. `reg`: weight of the L2 penalty."""

    horizon_days: int = 42
    reg: float = 0.1

    def fit(self, evidence: PairEvidence, happened: npt.NDArray[np.bool_], run: Run, features: str = "fused") -> StrengthModel:
        """Learn from pairs whose next `horizon_days` are known; `features` is a key of FEATURES."""
        from sklearn.linear_model import LogisticRegression

        matrix = _matrix(evidence, features, self.horizon_days)
        centre, scale = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-9)
        if happened.all() or not happened.any():
            base = (happened.sum() + 0.5) / (len(happened) + 1.0)
            return StrengthModel(
                features, self.horizon_days, centre, scale, np.zeros(matrix.shape[1]), float(np.log(base / (1 - base)))
            )
        fitted = LogisticRegression(C=1 / self.reg, max_iter=1000, random_state=run.seed).fit(
            (matrix - centre) / scale, happened
        )
        return StrengthModel(features, self.horizon_days, centre, scale, fitted.coef_[0], float(fitted.intercept_[0]))


def _matrix(evidence: PairEvidence, features: str, horizon_days: int) -> Floats:
    columns = evidence.columns(horizon_days)
    return np.stack([column for group in FEATURES[features] for column in columns[group]], axis=1)


def poisson_rule(evidence: PairEvidence, horizon_days: int) -> Floats:
    """The simple baseline: past rate goes on, 1 - exp(-rate * horizon); pairs never met are given half their chance rate."""
    counted = np.where(
        evidence.together.baskets > 0, evidence.together.baskets, np.minimum(evidence.together.expected, 1.0) / 2
    )
    return np.asarray(1.0 - np.exp(-counted * horizon_days / max(evidence.days, 1)))
