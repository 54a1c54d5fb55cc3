"""What a shop publishes to recommend by: a handful of simple rankers, and two blends whose weights later purchases taught.

```
history ─────────────▶ cut 1 ── horizon ──▶ cut 2 ── horizon ──▶ end
weights:  parts fitted before cut 1, weighed by what was bought from cut 1 to cut 2
exam:     parts fitted before cut 2 under those weights, asked what was bought from cut 2 to the end   (never seen by either)
serve:    parts fitted on everything, under the same weights
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.telemetry import span
from basketry.recommendation.assess import Assessment, Described, assess
from basketry.recommendation.blending import Blended, blended
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import Split, time_split
from basketry.recommendation.rankers import nested, parts_of
from basketry.recommendation.reorder import Reorder
from basketry.recommendation.transitions import Transitions
from basketry.recommendation.voices import Voicing
from basketry.recommendation.weights import learn_weights

if TYPE_CHECKING:
    from basketry.core.histories import Histories, Int32s
    from basketry.core.protocols import Arrays, Ranker, Run
    from basketry.evaluation.bootstrap import Interval
    from basketry.recommendation.rankers import RankerEstimator

PERSONAL: Final = "personal"
PLAIN: Final = "personal without network"
NETWORK: Final = "network"
LEAST: Final = 0.01  # weight of a network that is worth its room and its milliseconds
NEW, AGAIN = "new products", "next basket"  # the two exams: what the customer had not bought yet, and all that was bought


@dataclass(frozen=True)
class Recommending:
    """The parts, and how far ahead weights and exam look. Histories must reach over at least three horizons.

    A `network` is one more part where later purchases give it a weight of .01 and the exam does not show that the blend is
    better without it: it is examined both ways.
    """

    reorder: Reorder = field(default_factory=Reorder)
    next: Transitions = field(default_factory=lambda: Transitions(hop=0, neighbours=200, repeats=True))
    neighbours: ItemNeighbours = field(default_factory=lambda: ItemNeighbours(unit="visit"))
    recent: Popularity = field(default_factory=lambda: Popularity(window_days=7))
    popular: Popularity = field(default_factory=Popularity)
    network: RankerEstimator | None = None
    horizon_days: int = 28

    @property
    def parts(self) -> dict[str, RankerEstimator]:
        """The estimators by the names that scenes have for them."""
        network = {} if self.network is None else {NETWORK: self.network}
        return network | {
            "reorder": self.reorder,
            "next": self.next,
            "neighbours": self.neighbours,
            "recent": self.recent,
            "popular": self.popular,
        }

    def fit(self, histories: Histories, run: Run, described: Described | None = None) -> Recommenders:
        """Weigh, examine, fit on everything. Raises DataError for a history that is too short, RequestError for no horizon."""
        if self.horizon_days < 1:
            raise RequestError(f"a horizon of {self.horizon_days} days", "give one day or more")
        end = int(histories.days.max(initial=0)) + 1
        cuts = [end - back * self.horizon_days for back in (2, 1)]
        if not len(histories.days) or int(histories.days.min()) > cuts[0] - self.horizon_days:
            reach = end - int(histories.days.min()) if len(histories.days) else 0
            raise DataError(
                f"the histories reach over {reach} days, and {3 * self.horizon_days} are needed",
                "choose a smaller horizon, or ingest more order lines",
            )
        with span("recommend", total=3, unit="fits") as progress:
            splits = {
                name: [time_split(histories, cut, self.horizon_days, repeats) for cut in cuts]
                for name, repeats in ((NEW, False), (AGAIN, True))
            }
            taught = self._fitted(splits[NEW][0].train, run)
            weights = {name: _weights(taught, split, run) for name, (split, _) in splits.items()}
            plain = {name: _weights(taught, split, run, NETWORK) for name, (split, _) in splits.items() if self.network}
            progress.advance()
            asked = self._fitted(splits[NEW][1].train, run)
            exams = {}
            for name, (_, split) in splits.items():
                rankers: dict[str, Ranker] = {PERSONAL: _blend(asked, weights[name], repeats=split.repeats)}
                if plain:
                    rankers[PLAIN] = _blend(asked, plain[name], repeats=split.repeats)
                one_step = {"transitions": replace(self.next, repeats=split.repeats)}  # two take minutes on a large catalogue
                exams[name] = assess(rankers, split, run, described=described, simple=one_step)
            progress.advance()
            weights |= {name: each for name, each in plain.items() if not _earned(weights[name], exams[name])}
            serving = replace(self, network=None) if plain and not any(each[NETWORK] for each in weights.values()) else self
            parts = serving._fitted(histories, run)
            weights = {name: {part: each[part] for part in parts} for name, each in weights.items()}
            found = Recommenders(parts, weights, _first_days(histories), exams)
            progress.advance()
        return found

    def _fitted(self, histories: Histories, run: Run) -> dict[str, Ranker]:
        return {name: part.fit(histories, run) for name, part in self.parts.items()}


@dataclass(frozen=True, eq=False)
class Recommenders:
    """Fitted parts by name, the weights of both blends by exam and part, and how the exams went (none when read back).

    `first_days` int32 [n_products] is the day each product was first sold, since 1970-01-01; -1 for none.
    """

    parts: Mapping[str, Ranker]
    weights: Mapping[str, Mapping[str, float]]
    first_days: Int32s
    exams: Mapping[str, Assessment] = field(default_factory=dict)

    def rankers(self, *, repeats: bool) -> dict[str, Ranker]:
        """The rankers of a scene; `personal` is the blend for what is new, or where `repeats` for all that is bought."""
        name = AGAIN if repeats else NEW
        return {**self.parts, PERSONAL: _blend(self.parts, self.weights[name], repeats=repeats)}

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


def _weights(parts: Mapping[str, Ranker], split: Split, run: Run, without: str = "") -> dict[str, float]:
    """What later purchases make of the parts but one; reordering has nothing to say of what is new."""
    barred = {without} if split.repeats else {without, "reorder"}
    able = {name: part for name, part in parts.items() if name not in barred}
    found = learn_weights(list(able.values()), split, Voicing(repeats=split.repeats), seed=run.seed)
    return dict.fromkeys(parts, 0.0) | dict(zip(able, found.weights, strict=True))


def _earned(weights: Mapping[str, float], exam: Assessment) -> bool:
    """Whether the network stays in a blend."""
    return weights[NETWORK] >= LEAST and network_gain(exam).high >= 0


def network_gain(exam: Assessment) -> Interval:
    """What the blend gained by its network in an exam that asked it both ways."""
    return next(each.gain for each in exam.differences if (each.first, each.second) == (PERSONAL, PLAIN))


def _blend(parts: Mapping[str, Ranker], weights: Mapping[str, float], *, repeats: bool) -> Blended:
    """Of the parts with a weight: what counts for nothing is not asked."""
    some = [name for name in parts if weights[name] > 0]
    return blended(tuple(parts[name] for name in some), tuple(weights[name] for name in some), Voicing(repeats=repeats))


def _row(parts: Mapping[str, Ranker], weights: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([weights[name] for name in parts], dtype=np.float64)
