"""Classification heads: from vectors of an encoder, frozen or adapted, to a category, an attribute or a sentiment.

The head is a linear layer: p(c | v) = softmax_c(w_c . v + b_c). It is trained without torch and served by one matrix product.
To train the encoder along with it, see `objectives.Classification`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from threadpoolctl import threadpool_limits

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.evaluation.classification import Labelled

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors

    Codes = npt.NDArray[np.int64]
    Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Head:
    """What was learned: `labels` in order, `weights` float32 [classes, dim] and `bias` float32 [classes].

    `reg` is the regularisation that was chosen, `tried` every (reg, macro-F1 on the quarter kept out for choosing).
    """

    labels: tuple[str, ...]
    weights: Vectors
    bias: Vectors
    reg: float
    tried: tuple[tuple[float, float], ...] = ()

    def predict_proba(self, vectors: Vectors) -> Vectors:
        """float32 [n, classes], each row adding to 1. Raises RequestError for vectors of another length."""
        if vectors.ndim != 2 or vectors.shape[1] != self.weights.shape[1]:
            raise RequestError(
                f"vectors of shape {vectors.shape} for a head of {self.weights.shape[1]} dimensions",
                "encode with the encoder the head was trained on",
            )
        scores = vectors @ self.weights.T + self.bias
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def predict(self, vectors: Vectors) -> Codes:
        """The most probable class of each vector, int64 [n], numbers of `labels`."""
        best: Codes = self.predict_proba(vectors).argmax(axis=1).astype(np.int64)
        return best

    def named(self, classes: Codes) -> list[str]:
        """The labels of class numbers."""
        return [self.labels[number] for number in classes]

    def state(self) -> Arrays:
        """The arrays that hold all of it; labels as UTF-8 JSON."""
        labels = np.frombuffer(json.dumps(self.labels, ensure_ascii=False).encode(), dtype=np.uint8)
        tried = np.array(self.tried, dtype=np.float64).reshape(-1, 2)
        return {"labels": labels, "weights": self.weights, "bias": self.bias, "reg": np.array([self.reg]), "tried": tried}

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The head back from its arrays."""
        labels = json.loads(np.asarray(state["labels"], dtype=np.uint8).tobytes())
        tried = np.asarray(state["tried"], dtype=np.float64)
        weights, bias = (np.asarray(state[name], dtype=np.float32) for name in ("weights", "bias"))
        reg = float(np.asarray(state["reg"])[0])
        return cls(tuple(labels), weights, bias, reg, tuple((float(one), float(two)) for one, two in tried))


@dataclass(frozen=True)
class Classifier:
    """Multinomial logistic regression over unit vectors, class balance and regularisation chosen by what is asked of it.

    Minimises the weighted mean of -log p(label | v) plus reg / 2 |W|^2. A case of a class with n cases weighs n^-balance,
    scaled to a mean of 1: 0 counts cases alike, 1 classes alike. Of several `regs` the one with the best macro-F1 on a quarter
    of the cases, drawn by the run's seed within each class, is taken, and fitted again on all.

    Cost: about 1 s of CPU a 10,000 cases of 512 dimensions, ten classes and reg.
    """

    regs: tuple[float, ...] = field(
        default=(1e-6, 1e-5, 1e-4), metadata={"help": "strengths of regularisation to try, above 0"}
    )
    balance: float = field(default=0.5, metadata={"help": "0: every case counts alike; 1: every class does"})
    iterations: int = field(default=200, metadata={"help": "steps of L-BFGS at most"})

    def __post_init__(self) -> None:
        if not (self.regs and all(reg > 0 for reg in self.regs) and 0 <= self.balance <= 1 and self.iterations >= 1):
            asked = f"regs {self.regs}, balance {self.balance}, iterations {self.iterations}"
            raise RequestError(f"a classifier cannot have {asked}", "regs are above 0, balance lies in [0, 1]")

    def fit(self, vectors: Vectors, labels: Sequence[str], run: Run) -> Head:
        """Learn from `vectors` float32 [n, dim] and their labels. Raises RequestError unless there are two classes or more."""
        if len(vectors) != len(labels):
            raise RequestError(f"{len(vectors)} vectors and {len(labels)} labels", "give one label for each vector")
        names, truth = np.unique(np.array(labels, dtype=np.str_), return_inverse=True)
        if len(names) < 2:
            raise RequestError(f"the labels name {len(names)} class", "give cases of two classes or more")
        tried: list[tuple[float, float]] = []
        if len(self.regs) > 1:
            out = kept_out(truth, 4, run)
            held = Labelled(truth[out], len(names), np.arange(int(out.sum())))
            for reg in self.regs:
                weights, bias = self._fitted(vectors[~out], truth[~out], len(names), reg)
                guess = (vectors[out] @ weights.T + bias).argmax(axis=1).astype(np.int64)
                tried.append((reg, float(held.measure(guess, resamples=0).values["macro_f1"][0])))
        reg = max(tried, key=lambda each: each[1])[0] if tried else self.regs[0]
        weights, bias = self._fitted(vectors, truth, len(names), reg)
        return Head(tuple(str(name) for name in names), weights, bias, reg, tuple(tried))

    def _fitted(self, vectors: Vectors, truth: Codes, classes: int, reg: float) -> tuple[Vectors, Vectors]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        count = np.bincount(truth, minlength=classes).astype(np.float64)
        weight = (count[truth] ** -self.balance).astype(np.float64)
        weight *= len(truth) / weight.sum()
        model = LogisticRegression(C=1 / (reg * len(truth)), max_iter=self.iterations, tol=1e-4)
        with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # what matters is measured: macro-F1 on cases kept out
            model.fit(vectors, truth, sample_weight=weight)
        weights = np.zeros((classes, vectors.shape[1]), dtype=np.float32)
        bias = np.full(classes, -np.inf, dtype=np.float32)
        if len(model.classes_) == 2:  # scikit-learn keeps the second class's score alone
            weights[model.classes_], bias[model.classes_] = np.stack([-model.coef_[0], model.coef_[0]]) / 2, 0
            bias[model.classes_] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
        else:
            weights[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
        return weights, bias


def kept_out(truth: Codes, one_of: int, run: Run) -> npt.NDArray[np.bool_]:
    """One case of `one_of` of each class, drawn by the run's seed; never the last one of a class."""
    random = np.random.default_rng([run.seed, 3])
    order = np.lexsort((random.random(len(truth)), truth))
    place = np.arange(len(order)) - np.searchsorted(truth[order], truth[order])
    out = np.zeros(len(truth), dtype=np.bool_)
    out[order] = place % one_of == one_of - 1
    return out


def by_words(texts: Sequence[str], truth: Codes, asked: Sequence[str]) -> Codes:
    """The simple baseline: logistic regression over TF-IDF of 1 to 4 characters, fitted on `texts`; classes of `asked`.

    Characters rather than words, so that Chinese needs no segmentation.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, min_df=2 if len(texts) > 100 else 1)
    model = LogisticRegression(C=10, max_iter=500, class_weight="balanced").fit(words.fit_transform(texts), truth)
    found: Codes = model.predict(words.transform(asked)).astype(np.int64)
    return found
