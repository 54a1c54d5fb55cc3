"""What `similar` means: cosine, Euclidean distance, or a product weighted by what the shop's own customers buy together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from basketry.core.errors import RequestError
from basketry.core.protocols import Run

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors

    Pairs = npt.NDArray[np.int32]
    Doubles = npt.NDArray[np.float64]

Metric = Literal["cosine", "euclidean", "weighted"]
METRICS: Final[tuple[Metric, ...]] = ("cosine", "euclidean", "weighted")
FEWEST_PAIRS: Final = 50  # of each kind, on either side of the split
_RESAMPLES: Final = 200


def weighted_unit(vectors: Vectors, weights: Vectors) -> Vectors:
    """sqrt(w_k) v_k, divided by its norm: the cosine of two such rows is sum_k w_k v_ik v_jk / (|v_i|_w |v_j|_w).

    Dividing by the norms |v|_w = sqrt(sum_k w_k v_k^2) keeps the weighted product in [-1, 1] and a text at 1 to itself.
    """
    scaled = vectors * np.sqrt(weights)
    unit: Vectors = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def from_cosine(cosine: Vectors, metric: Metric) -> Vectors:
    """A cosine of unit vectors on the scale of `metric`: itself, or 1 / (1 + sqrt(2 - 2 cosine)), Euclidean distance in (0, 1].

    Both rise with the cosine, so a metric never changes an order of unit vectors; it changes what a threshold means.
    """
    if metric != "euclidean":
        return cosine
    distance = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return (1 / (1 + distance)).astype(np.float32)


@dataclass(frozen=True)
class LearnedWeights:
    """Weights of the dimensions, and how they fared on pairs they had not seen.

    `weights` is float32 [dim], at least 0, with mean 1. `auc` is the area under the ROC curve of the weighted similarity on
    held-out pairs, `auc_cosine` that of the plain cosine; `gain` is their difference, from `gain_low` to `gain_high` in 95% of
    resamples of the documents that the `held_out` pairs begin with (pairs of one document are no independent evidence).
    """

    weights: Vectors
    auc: float
    auc_cosine: float
    gain_low: float
    gain_high: float
    held_out: int

    @property
    def gain(self) -> float:
        """What the weights add to the cosine's area under the curve."""
        return self.auc - self.auc_cosine

    @property
    def wins(self) -> bool:
        """Whether the weights are worth using: the whole interval of the gain lies above 0."""
        return self.gain_low > 0

    def state(self) -> Arrays:
        """The arrays that hold all of it."""
        figures = (self.auc, self.auc_cosine, self.gain_low, self.gain_high, float(self.held_out))
        return {"weights": self.weights, "figures": np.array(figures)}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The weights back from their arrays."""
        auc, auc_cosine, low, high, held_out = (float(figure) for figure in np.asarray(state["figures"], dtype=np.float64))
        return cls(np.asarray(state["weights"], dtype=np.float32), auc, auc_cosine, low, high, int(held_out))


def learn_weights(vectors: Vectors, positive: Pairs, negative: Pairs, run: Run, reg: float = 0.1) -> LearnedWeights:
    """Weights w >= 0 of the product sum_k w_k v_ik v_jk, by logistic regression of bought-together against not.

    Minimises over b and w >= 0 the mean logistic loss of b + sum_k w_k v_ik v_jk plus reg / (2 n) |w - mean(w)|^2, so that
    without evidence it stays the plain cosine. `vectors` float32 [documents, dim] of unit norm; `positive` and `negative` int32
    [n, 2], rows of `vectors`. A quarter of the documents, drawn by `run.seed`, is kept out: the loss sees pairs of the others
    only, the figures come from pairs whose first document was kept out. The positives are weighted to count as much as the
    negatives. 40,000 pairs of 512 dimensions cost 1 s of CPU and 300 MB.

    Raises RequestError if either side of the split has fewer than 50 pairs of either kind.
    """
    pairs = np.concatenate([positive, negative])
    label = np.concatenate([np.ones(len(positive), dtype=np.bool_), np.zeros(len(negative), dtype=np.bool_)])
    kept_out = np.random.default_rng(run.seed).random(len(vectors)) < 0.25
    test = kept_out[pairs[:, 0]]
    train = ~kept_out[pairs].any(axis=1)
    for side, name in ((train, "learn from"), (test, "measure on")):
        fewest = min(int(label[side].sum()), int((~label[side]).sum()))
        if fewest < FEWEST_PAIRS:
            raise RequestError(f"only {fewest} pairs of a kind to {name}; {FEWEST_PAIRS} are needed", "use metric 'cosine'")
    with threadpool_limits(1):  # the work is matrix times vector: a second thread only waits for memory
        weights = _fit(vectors[pairs[train, 0]] * vectors[pairs[train, 1]], label[train], reg)
    unit = weighted_unit(vectors, weights)
    left, right = pairs[test].T
    ours = np.einsum("ij,ij->i", unit[left], unit[right])
    plain = np.einsum("ij,ij->i", vectors[left], vectors[right])
    return _measured(weights, ours, plain, label[test], left, run)


def _fit(products: Vectors, label: npt.NDArray[np.bool_], reg: float) -> Vectors:
    share = np.where(label, 0.5 / label.sum(), 0.5 / (~label).sum())
    sign = np.where(label, 1.0, -1.0)
    rows, dim = products.shape

    def loss(theta: Doubles) -> tuple[float, Doubles]:
        bias, weights = theta[0], theta[1:]
        margin = sign * (products @ weights.astype(np.float32) + bias)
        spread = weights - weights.mean()
        pull = -share * sign * expit(-margin)
        value = float(share @ np.logaddexp(0, -margin) + reg / (2 * rows) * spread @ spread)
        slope = products.T @ pull.astype(np.float32) + reg / rows * spread
        return value, np.concatenate([[pull.sum()], slope]).astype(np.float64)

    start = np.concatenate([[0.0], np.ones(dim)])
    bounds = [(None, None), *[(0.0, None)] * dim]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    weights = found.x[1:]
    if weights.sum() <= 0:
        return np.ones(dim, dtype=np.float32)
    scaled: Vectors = (weights / weights.mean()).astype(np.float32)
    return scaled


def _measured(
    weights: Vectors, ours: Vectors, plain: Vectors, label: npt.NDArray[np.bool_], first: Pairs, run: Run
) -> LearnedWeights:
    """Areas under the curves, and the interval of their difference over resamples of the pairs' first documents."""
    documents, owner = np.unique(first, return_inverse=True)
    levels = [np.unique(score, return_inverse=True)[1] for score in (ours, plain)]
    auc, auc_cosine = (_area(level, label, np.ones(len(label))) for level in levels)
    random = np.random.default_rng([run.seed, 1])
    even = np.full(len(documents), 1 / len(documents))
    gains = []
    for _ in range(_RESAMPLES):
        times = random.multinomial(len(documents), even)[owner].astype(np.float64)
        gains.append(_area(levels[0], label, times) - _area(levels[1], label, times))
    low, high = (float(end) for end in np.nanquantile(gains, (0.025, 0.975)))
    return LearnedWeights(weights, auc, auc_cosine, low, high, held_out=len(label))


def _area(level: npt.NDArray[np.int64], label: npt.NDArray[np.bool_], times: Doubles) -> float:
    """P(a positive scores above a negative) + P(they tie) / 2, each case counted `times`; `level` ranks scores, ties alike."""
    positive, negative = (np.bincount(level, times * kind) for kind in (label, ~label))
    pairs = positive.sum() * negative.sum()
    return float(positive @ (np.cumsum(negative) - negative / 2) / pairs) if pairs else np.nan
