"""Whether what is said to follow really follows: the same count in reversed time as the placebo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from basketry.associations.significance import benjamini_hochberg

if TYPE_CHECKING:
    from basketry.kernels.sequence_rows import Twins

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OrderEffects:
    """Sequences that hold each of m claims forwards, backwards and both ways, int64 [m], out of `tested` claims.

    Two tastes of one customer give A before B as often as B before A: only what stands forwards more often than backwards is an
    order. Of the sequences that hold a claim one way only, half would hold it forwards if time had no direction; p is the exact
    chance of at least so many, P(Bin(only forwards + only backwards, 1/2) >= only forwards): the sign test. That holds whatever
    else the sequences are like, for the null hypothesis is no more than that each could as well have run backwards.

    `tested` must not depend on the direction found: it counts the claims that reach the floor of support either way.
    """

    forward: Int64s
    backward: Int64s
    both: Int64s
    tested: int

    @classmethod
    def of(cls, ways: Twins, claims: npt.NDArray[np.integer], tested: int) -> Self:
        """Those of the nodes `claims` of what a kernel counted."""
        forward, backward, both = (each[claims].astype(np.int64) for each in (ways.forward, ways.backward, ways.both))
        return cls(forward, backward, both, tested)

    @property
    def ratio(self) -> Floats:
        """Forward over backward; infinite where it never stands backwards."""
        with np.errstate(divide="ignore"):
            return np.divide(self.forward, self.backward, dtype=np.float64)

    @cached_property
    def p(self) -> Floats:
        """Of the sign test, one-sided: small where forwards beats backwards."""
        from scipy.stats import binom

        ahead, behind = self.forward - self.both, self.backward - self.both
        return np.asarray(binom.sf(ahead - 1, ahead + behind, 0.5), dtype=np.float64)

    @cached_property
    def q(self) -> Floats:
        """False discovery rate among `tested` (Benjamini and Hochberg 1995); claims that fell away stand as p = 1."""
        return benjamini_hochberg(self.p, max(self.tested, len(self.p)))

    def take(self, chosen: npt.NDArray[np.generic]) -> OrderEffects:
        """The claims `chosen`, by index or mask, still among `tested`."""
        return OrderEffects(self.forward[chosen], self.backward[chosen], self.both[chosen], self.tested)
