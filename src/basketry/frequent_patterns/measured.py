"""The measures that mlxtend gives of a rule, as quotients of whole numbers where counts are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.frequent_patterns.marks import Bits, Marks
from basketry.frequent_patterns.splits import Itemsets
from basketry.kernels.trees import Int64s

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

METRICS: Final = (
    "antecedent support",
    "consequent support",
    "support",
    "confidence",
    "lift",
    "representativity",
    "leverage",
    "conviction",
    "zhangs_metric",
    "jaccard",
    "certainty",
    "kulczynski",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """Rules X -> Y by what holds X and Y, X, and Y [m]: counts of `n` rows (int64), or shares (float64) and `n` 1.

    Where rows with nulls are left out of each confidence, the two confidences and the share of rows without a null are given.
    """

    xy: Int64s | Floats
    x: Int64s | Floats
    y: Int64s | Floats
    n: int
    confidence: Floats | None = None
    confidence_back: Floats | None = None
    representativity: Floats | None = None

    def measure(self, name: str) -> Floats:
        """One of METRICS, float64 [m]. Products of counts stay below 2^62, so only the quotients are rounded."""
        n, xy, x, y = self.n, self.xy, self.x, self.y
        confidence = xy / x if self.confidence is None else self.confidence
        match name:
            case "antecedent support":
                return x / n
            case "consequent support":
                return y / n
            case "support":
                return xy / n
            case "confidence":
                return confidence
            case "lift":
                return xy * n / (x * y) if self.confidence is None else confidence * n / y
            case "representativity":
                return np.ones(len(xy)) if self.representativity is None else self.representativity
            case "leverage":
                return (xy * n - x * y) / float(n * n)
            case "conviction":
                return self._conviction(confidence)
            case "zhangs_metric":
                return _quotient(xy * n - x * y, np.maximum(xy * (n - x), x * (y - xy)))
            case "jaccard":
                return xy / (x + y - xy)
            case "certainty":
                if self.confidence is None:
                    return _quotient(xy * n - x * y, x * (n - y))
                return _quotient(confidence * n - y, n - y)
        return (confidence + (xy / y if self.confidence_back is None else self.confidence_back)) / 2

    def _conviction(self, confidence: Floats) -> Floats:
        """(1 - P(Y)) / (1 - P(Y | X)), infinite where Y always follows X."""
        n, xy, x, y = self.n, self.xy, self.x, self.y
        if self.confidence is None:
            return _quotient((n - y) * x, n * (x - xy), np.inf)
        return _quotient(np.where(confidence < 1, n - y, 0), np.where(confidence < 1, n * (1 - confidence), 0), np.inf)


def _quotient(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], otherwise: float = 0.0) -> Floats:
    """Divide `above` by `below`, giving `otherwise` where that is 0."""
    found: Floats = np.divide(above, below, out=np.full(len(above), otherwise), where=below != 0)
    return found


def with_nulls(itemsets: Itemsets, frame: pd.DataFrame, n: int) -> Callable[[Int64s], Measured]:
    """What measures rules over a frame with nulls, as mlxtend defines it.

    With N(.) the rows where something is null: confidence = P(XY) (n - N(XY)) / (P(X) (n - N(X)) - rows with all of X and a
    null in Y), and back likewise; representativity = (n - N(XY)) / n.
    """
    marks = Marks.of(frame)
    one, null = marks.bits
    places = {name: place for place, name in enumerate(frame.columns)}
    by_name = all(isinstance(name, str) for name in itemsets.names)
    try:
        columns = np.array([places[name] if by_name else int(name) for name in itemsets.names], dtype=np.int64)
    except (KeyError, TypeError) as error:
        raise RequestError(f"df_orig has no column {error}", "give the frame that the itemsets came from") from error

    def rows(itemset: int) -> tuple[Bits, Bits]:
        """Rows with all items of an itemset, and rows with a null among them."""
        held = columns[itemsets.codes(itemset)]
        return np.bitwise_and.reduce(one[held]), np.bitwise_or.reduce(null[held])

    def measured(rules: Int64s) -> Measured:
        tallies = np.array([_tally(rows(x), rows(y)) for _, x, y in rules.T.tolist()], dtype=np.int64).reshape(-1, 5)
        null_xy, null_x, null_y, x_only, y_only = tallies.T
        xy, x, y = itemsets.support[rules]
        with np.errstate(divide="ignore", invalid="ignore"):
            return Measured(
                xy,
                x,
                y,
                1,
                confidence=xy * (n - null_xy) / (x * (n - null_x) - x_only),
                confidence_back=xy * (n - null_xy) / (y * (n - null_y) - y_only),
                representativity=(n - null_xy) / n,
            )

    return measured


def _tally(x: tuple[Bits, Bits], y: tuple[Bits, Bits]) -> tuple[int, ...]:
    """Rows with a null in XY, X, Y; with all of X and a null in Y; with all of Y and a null in X."""
    bits = (x[1] | y[1], x[1], y[1], x[0] & y[1], y[0] & x[1])
    return tuple(int(np.bitwise_count(each).sum()) for each in bits)
