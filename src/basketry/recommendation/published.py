"""What a shop publishes to recommend by: a handful of simple rankers, and for each exam their blend or the best one of them.

```
history ─────────────▶ cut 1 ── horizon ──▶ cut 2 ── horizon ──▶ end
weights:  parts fitted before cut 1, weighed by what was bought from cut 1 to cut 2; one part takes all of the weight where
          the blend is not shown to beat it there (see `rivals`)
exam:     parts fitted before cut 2 under those weights, asked what was bought from cut 2 to the end   (never seen by either)
serve:    parts fitted on everything, under the same weights
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.telemetry import span
from basketry.recommendation.assess import Assessment, Described, assess
from basketry.recommendation.blending import Blended, blended
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import time_split
from basketry.recommendation.rankers import nested, parts_of
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.rivals import Rivalry, rivalry
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing

if TYPE_CHECKING:
    from basketry.core.histories import Histories, Int32s
    from basketry.core.protocols import Arrays, Ranker, Run
    from basketry.recommendation.rankers import RankerEstimator

PERSONAL: Final = "personal"
NEW, AGAIN = "new products", "next basket"  # the two exams: what the customer had not bought yet, and all that was bought
EXAMS: Final = {NEW: False, AGAIN: True}  # whether what the history holds may be an answer
_UNHEARD: Final = ("neighbours", "buyers")  # parts that no scene asks by themselves: not served where no blend weighs them
_SILENT: Final = {NEW: ("reorder",), AGAIN: ("buyers",)}  # parts with nothing to say there, or nothing to add


@dataclass(frozen=True)
class Recommending:
    """The parts, and how far ahead weights and exam look. Histories must reach over at least three horizons."""

    reorder: Reorder = field(default_factory=Reorder)
    next: Transitions = field(default_factory=lambda: Transitions(hop=0, neighbours=200, repeats=True))
    neighbours: ItemNeighbours = field(default_factory=lambda: ItemNeighbours(unit="visit"))
    buyers: ItemNeighbours = field(default_factory=ItemNeighbours)
    recent: Popularity = field(default_factory=lambda: Popularity(window_days=7))
    popular: Popularity = field(default_factory=Popularity)
    horizon_days: int = 28

    @property
    def parts(self) -> dict[str, RankerEstimator]:
        """The estimators by the names that scenes have for them."""
        return {
            "reorder": self.reorder,
            "next": self.next,
            "neighbours": self.neighbours,
            "buyers": self.buyers,
            "recent": self.recent,
            "popular": self.popular,
        }

    def fit(self, histories: Histories, run: Run, described: Described | None = None) -> Recommenders:
        """Weigh, examine, fit on everything. Raises DataError for a history that is too short, RequestError for no horizon."""
        if self.horizon_days < 1:
            raise RequestError(f"a horizon of {self.horizon_days} days", "give one day or more")
        end = int(histories.days.max(initial=0)) + 1
        until = end - self.horizon_days
        if not len(histories.days) or int(histories.days.min()) > end - 3 * self.horizon_days:
            reach = end - int(histories.days.min()) if len(histories.days) else 0
            raise DataError(
                f"the histories reach over {reach} days, and {3 * self.horizon_days} are needed",
                "choose a smaller horizon, or ingest more order lines",
            )
        with span("recommend", total=3, unit="fits") as progress:
            asked = self.taught(histories, until, run)
            progress.advance()
            exams = {}
            for name, repeats in EXAMS.items():
                split = time_split(histories, until, self.horizon_days, repeats)
                published = {PERSONAL: asked.rankers(repeats=repeats)[PERSONAL]}
                exams[name] = assess(published, split, run, described=described, simple=asked.rules())
            progress.advance()
            served = [name for name in self.parts if name not in _UNHEARD or any(each[name] for each in asked.weights.values())]
            weights = {name: {part: each[part] for part in served} for name, each in asked.weights.items()}
            found = Recommenders(self._fitted(histories, run, served), weights, _first_days(histories), exams, asked.rivalries)
            progress.advance()
        return found

    def taught(self, histories: Histories, until: int, run: Run) -> Recommenders:
        """What would be published on the day `until`: weighed on the horizon before it, fitted on all before it, not examined.

        Raises DataError where nothing was bought before that horizon, or nothing relevant within it.
        """
        rivalries = {}
        cut = until - self.horizon_days
        early = self._fitted(histories.where(histories.days < cut), run)
        for name, repeats in EXAMS.items():
            able = {part: early[part] for part in self.parts if part not in _SILENT[name]}
            split = time_split(histories, cut, self.horizon_days, repeats)
            rivalries[name] = rivalry(able, split, run)
        weights = {name: dict.fromkeys(early, 0.0) | each.weights for name, each in rivalries.items()}
        before = histories.where(histories.days < until)
        return Recommenders(self._fitted(before, run), weights, _first_days(before), rivalries=rivalries)

    def _fitted(self, histories: Histories, run: Run, names: Sequence[str] = ()) -> dict[str, Ranker]:
        return {name: part.fit(histories, run) for name, part in self.parts.items() if name in (names or self.parts)}


@dataclass(frozen=True, eq=False)
class _Known:
    """The estimator of a ranker that is fitted already."""

    ranker: Ranker

    def fit(self, histories: Histories, run: Run) -> Ranker:
        del histories, run
        return self.ranker


@dataclass(frozen=True, eq=False)
class Recommenders:
    """Fitted parts by name, their weights by exam and part, and how weights and exams came about (none when read back).

    `first_days` int32 [n_products] is the day each product was first sold, since 1970-01-01; -1 for none.
    """

    parts: Mapping[str, Ranker]
    weights: Mapping[str, Mapping[str, float]]
    first_days: Int32s
    exams: Mapping[str, Assessment] = field(default_factory=dict)
    rivalries: Mapping[str, Rivalry] = field(default_factory=dict)

    def rankers(self, *, repeats: bool) -> dict[str, Ranker]:
        """The rankers of a scene; `personal` is what was chosen for what is new, or where `repeats` for all that is bought."""
        name = AGAIN if repeats else NEW
        return {**self.parts, PERSONAL: _blend(self.parts, self.weights[name], repeats=repeats)}

    def rules(self) -> dict[str, RankerEstimator]:
        """The baselines of `assess` that are parts, so that the costly ones are fitted once; transitions are of one step."""
        named = {"popularity": "popular", "popularity of 7 days": "recent", "item-item": "buyers", "transitions": "next"}
        return {name: _Known(self.parts[part]) for name, part in named.items() if part in self.parts}

    def state(self) -> Arrays:
        """The parts, their names, and the weights."""
        names = "\n".join(self.parts)
        arrays = {f"weights.{name.replace(' ', '_')}": _row(self.parts, weights) for name, weights in self.weights.items()}
        return {
            **nested(list(self.parts.values())),
            **arrays,
            "names": np.frombuffer(names.encode(), dtype=np.uint8),
            "first_days": self.first_days,
        }

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The rankers back from their arrays."""
        names = np.asarray(state["names"], dtype=np.uint8).tobytes().decode().split("\n")
        parts = dict(zip(names, parts_of(state), strict=True))
        weights = {
            name: dict(
                zip(names, np.asarray(state[f"weights.{name.replace(' ', '_')}"], dtype=np.float64).tolist(), strict=True)
            )
            for name in (NEW, AGAIN)
        }
        return cls(parts, weights, np.asarray(state["first_days"], dtype=np.int32))


def _first_days(histories: Histories) -> Int32s:
    first = np.full(histories.n_products, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first, histories.products, histories.days)
    found: Int32s = np.where(first == np.iinfo(np.int32).max, -1, first).astype(np.int32)
    return found


def _blend(parts: Mapping[str, Ranker], weights: Mapping[str, float], *, repeats: bool) -> Blended:
    return blended(tuple(parts.values()), tuple(weights[name] for name in parts), Voicing(repeats=repeats))


def _row(parts: Mapping[str, Ranker], weights: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([weights[name] for name in parts], dtype=np.float64)
