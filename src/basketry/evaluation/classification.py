"""How well labels are told: precision, recall and F1 of every class, their macro means and accuracy, with bootstrap intervals.

Arrays in, numbers out; knows no model. Of class c, with tp cases rightly called c, fp wrongly, fn of c called otherwise:

    precision = tp / (tp + fp)      recall = tp / (tp + fn)      F1 = 2 tp / (2 tp + fp + fn)

and 0 where the denominator is (scikit-learn's `zero_division=0`). A macro figure is the plain mean over the classes that occur
in the truth, so a class of ten cases counts as much as one of ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import RequestError
from basketry.evaluation.bootstrap import Resampled, case_weights

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Of each class, float64 [classes]: precision, recall, F1; and how many cases are truly of it."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Integers


@dataclass(frozen=True, eq=False)
class Labelled:
    """The true class of each case, int64 [n] from 0 to `classes` - 1; `cluster` int64 [n] are resampled together."""

    truth: Integers
    classes: int
    cluster: Integers

    def scores(self, predicted: Integers) -> ClassScores:
        """Precision, recall and F1 of every class. Raises RequestError if `predicted` is not int64 [n] within the classes."""
        table = self._confusion(predicted, np.ones(len(self.truth)))
        precision, recall, f1 = _scores(table)
        return ClassScores(precision, recall, f1, table.sum(axis=1).astype(np.int64))

    def measure(self, predicted: Integers, resamples: int = 500, seed: int = 0) -> Resampled:
        """`accuracy`, `macro_precision`, `macro_recall`, `macro_f1`, on all cases and on `resamples` draws of the clusters.

        Cases are resampled within their classes: the weights of each are scaled to its size, so that a class of few cases is
        never lost from a macro figure (it would be the hard ones that are, and the interval would lie too high). A class
        whose every cluster was drawn 0 times keeps the weights it has.
        """
        rows = []
        support = np.bincount(self.truth, minlength=self.classes)
        for weight in case_weights(self.cluster, resamples, seed):
            drawn = np.bincount(self.truth, weight, self.classes)
            lost = (drawn == 0)[self.truth]
            scale = np.divide(support, drawn, out=np.ones(self.classes), where=drawn > 0)
            table = self._confusion(predicted, np.where(lost, 1.0, weight * scale[self.truth]))
            occurs = table.sum(axis=1) > 0
            macro = [float(each[occurs].mean()) if occurs.any() else np.nan for each in _scores(table)]
            rows.append([float(np.trace(table) / max(table.sum(), 1.0)), *macro])
        names = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
        return Resampled(dict(zip(names, np.array(rows).T, strict=True)))

    def _confusion(self, predicted: Integers, weight: Floats) -> Floats:
        """float64 [classes, classes]: weight of the cases truly of the row and called the column."""
        within = predicted.shape == self.truth.shape and (
            len(predicted) == 0 or 0 <= predicted.min() <= predicted.max() < self.classes
        )
        if not within:
            raise RequestError(
                f"{len(predicted)} predictions for {len(self.truth)} cases of {self.classes} classes",
                "give one class number, from 0, for each case",
            )
        cells = np.bincount(self.truth * self.classes + predicted, weight, self.classes**2)
        return np.asarray(cells, dtype=np.float64).reshape(self.classes, self.classes)


def _scores(table: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each class of a confusion table."""
    right, called, truly = np.diag(table), table.sum(axis=0), table.sum(axis=1)
    precision = np.divide(right, called, out=np.zeros_like(right), where=called > 0)
    recall = np.divide(right, truly, out=np.zeros_like(right), where=truly > 0)
    f1 = np.divide(2 * right, called + truly, out=np.zeros_like(right), where=called + truly > 0)
    return precision, recall, f1


def best_threshold(score: Floats, happened: npt.NDArray[np.bool_]) -> float:
    """The threshold t at which calling `score >= t` a yes has the largest F1, half-way to the next score below.

    Of equal ones the highest. Choose it on validation cases, never on those it is measured on.
    Raises RequestError if nothing happened.
    """
    if not happened.any():
        raise RequestError("no case happened, so no threshold tells those that did", "give cases of both kinds")
    levels, level = np.unique(score, return_inverse=True)
    hits = np.cumsum(np.bincount(level, happened)[::-1])[::-1]
    called = np.cumsum(np.bincount(level)[::-1])[::-1]
    f1 = 2 * hits / (called + happened.sum())
    best = len(f1) - 1 - int(f1[::-1].argmax())
    return float(levels[best] if best == 0 else (levels[best] + levels[best - 1]) / 2)
