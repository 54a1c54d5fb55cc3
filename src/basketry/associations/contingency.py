"""The two-by-two table of two sets of items, for many pairs at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Contingency:
    """Of `n` baskets, `xy` hold both X and Y, `x` hold X and `y` hold Y: aligned int64 arrays.

    All other cells follow by differences of whole numbers, so nothing is lost to rounding before the first division. With n
    up to 2**31, every product of two counts fits 63 bits.
    """

    xy: Counts
    x: Counts
    y: Counts
    n: int

    @classmethod
    def of(cls, n_xy: Counts, n_x: Counts, n_y: Counts, n: int) -> Self:
        """From counts. Raises ValueError unless 0 <= n_xy <= min(n_x, n_y), 1 <= n_x, n_y, n_x + n_y - n_xy <= n <= 2**31."""
        xy, x, y = (np.asarray(counts, dtype=np.int64) for counts in (n_xy, n_x, n_y))
        if n > 2**31 or ((xy < 0) | (xy > np.minimum(x, y)) | (np.minimum(x, y) < 1) | (x + y - xy > n)).any():
            raise ValueError("0 <= n_xy <= min(n_x, n_y), 1 <= n_x, n_y and n_x + n_y - n_xy <= n must hold for every pair")
        return cls(xy, x, y, n)

    @cached_property
    def not_x(self) -> Counts:
        """Baskets without X."""
        return self.n - self.x

    @cached_property
    def not_y(self) -> Counts:
        """Baskets without Y."""
        return self.n - self.y

    @cached_property
    def x_alone(self) -> Counts:
        """Baskets with X and without Y: the counterexamples of X => Y."""
        return self.x - self.xy

    @cached_property
    def y_alone(self) -> Counts:
        """Baskets with Y and without X."""
        return self.y - self.xy

    @cached_property
    def either(self) -> Counts:
        """Baskets with X or Y."""
        return self.x + self.y_alone

    @cached_property
    def neither(self) -> Counts:
        """Baskets without X and without Y."""
        return self.n - self.either

    @cached_property
    def surplus(self) -> Counts:
        """By how much n n_xy exceeds n_x n_y, which is also xy neither - x_alone y_alone: above 0 for more than chance."""
        return self.n * self.xy - self.x * self.y

    @cached_property
    def confidence(self) -> Floats:
        """P(Y | X)."""
        return self.xy / self.x
