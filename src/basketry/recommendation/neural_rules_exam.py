"""Ways to tell P(B | A), asked for antecedents of later baskets, by how many earlier baskets held them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.evaluation.bootstrap import Interval, case_weights, interval
from basketry.recommendation.backing_off import log_loss
from basketry.recommendation.neural_rules import counted, likeliest

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_array

    from basketry.core.histories import Bools, Floats, Int64s
    from basketry.training.baskets import Antecedents

    Way = Callable[[Int64s], np.ndarray[Any, Any]]

TOLD: Final = 10
_PART: Final = 500


@dataclass(frozen=True, eq=False)
class Told:
    """Of each antecedent asked: `held` int64 [n] earlier baskets with it, and by way the figures, float64 [n].

    `found` is the share of the way's ten likeliest products that lay in the basket; `loss` the mean log loss over the products
    that any way named. `basket` int64 [n]: questions of one basket are resampled together.
    """

    held: Int64s
    basket: Int64s
    found: Mapping[str, Floats]
    loss: Mapping[str, Floats]

    def gap(self, figures: Mapping[str, Floats], one: str, other: str, asked: Bools) -> Interval:
        """The mean of `one` less `other` over the antecedents `asked` bool [n], with its 95% interval, baskets resampled."""
        weight = case_weights(self.basket, 500, seed=3)[:, asked]
        total = weight.sum(axis=1)
        sums = weight @ (figures[one] - figures[other])[asked]
        return interval(np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0))


def asked_later(ways: Mapping[str, Way], earlier: csr_array, later: csr_array, drawn: Antecedents) -> Told:
    """Ask each way, P(B | A) [n, products] of antecedents, for those `drawn` from the `later` baskets."""
    held, _ = counted(drawn.antecedent, earlier)
    found: dict[str, list[Floats]] = {name: [] for name in ways}
    loss: dict[str, list[Floats]] = {name: [] for name in ways}
    for start in range(0, len(drawn), _PART):
        antecedents = drawn.antecedent[start : start + _PART]
        happened = later[drawn.basket[start : start + _PART]].toarray() > 0
        said = {name: np.asarray(way(antecedents), dtype=np.float64) for name, way in ways.items()}
        told = {name: likeliest(chances, antecedents, TOLD) for name, chances in said.items()}
        named = np.zeros(happened.shape, dtype=np.bool_)
        for places in told.values():
            np.put_along_axis(named, places, True, axis=1)
        for name, chances in said.items():
            found[name].append(np.take_along_axis(happened, told[name], 1).mean(axis=1))
            loss[name].append((log_loss(chances, happened) * named).sum(axis=1) / named.sum(axis=1))
    joined = [{name: np.concatenate(parts) for name, parts in each.items()} for each in (found, loss)]
    return Told(held, drawn.basket, *joined)
