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
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

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
    from _typeshed import DataclassInstance

    from basketry.core.histories import Histories, Int32s
    from basketry.core.protocols import Arrays, Ranker, Run
    from basketry.recommendation.protocols import Split
    from basketry.recommendation.rankers import RankerEstimator

T = TypeVar("T", bound="DataclassInstance")
PERSONAL: Final = "personal"
VIEWED, NETWORK = "viewed", "network"  # parts that not every shop has; the exam asks the same without each of them too
WITHOUT: Final = {VIEWED: f"{PERSONAL} without clicks", NETWORK: f"{PERSONAL} without network"}
LEAST: Final = 0.01  # weight of a network that is worth its room and its milliseconds
NEW, AGAIN = "new products", "next basket"  # the two exams: what the customer had not bought yet, and all that was bought
EXAMS: Final = {NEW: False, AGAIN: True}  # whether what the history holds may be an answer
_UNHEARD: Final = ("neighbours", "buyers", *WITHOUT)  # no scene asks these themselves: not served where no blend weighs them
_SILENT: Final = {NEW: ("reorder",), AGAIN: ("buyers",)}  # parts with nothing to say there, or nothing to add


@dataclass(frozen=True)
class Recommending:
    """The parts, and how far ahead weights and exam look. Histories must reach over at least three horizons.

    A `network` is one more part where later purchases give it a weight of .01 or more; it is examined both ways.
    """

    reorder: Reorder = field(default_factory=Reorder)
    next: Transitions = field(default_factory=lambda: Transitions(hop=0, neighbours=200, repeats=True))
    neighbours: ItemNeighbours = field(default_factory=lambda: ItemNeighbours(unit="visit"))
    buyers: ItemNeighbours = field(default_factory=ItemNeighbours)
    recent: Popularity = field(default_factory=lambda: Popularity(window_days=7))
    popular: Popularity = field(default_factory=Popularity)
    viewed: ItemNeighbours = field(default_factory=lambda: ItemNeighbours(unit="visit"))
    network: RankerEstimator | None = None
    horizon_days: int = 28

    @property
    def parts(self) -> dict[str, RankerEstimator]:
        """The estimators by the names that scenes have for them: those of orders, not of clicks."""
        network = {} if self.network is None else {NETWORK: self.network}
        return network | {
            "reorder": self.reorder,
            "next": self.next,
            "neighbours": self.neighbours,
            "buyers": self.buyers,
            "recent": self.recent,
            "popular": self.popular,
        }

    def fit(
        self, histories: Histories, run: Run, described: Described | None = None, clicks: Histories | None = None
    ) -> Recommenders:
        """Weigh, examine, fit on everything. Raises DataError for a history that is too short, RequestError for no horizon.

        Where there are `clicks`, what is looked at on one day is a part too, `viewed`, of what was clicked before each cut.
        Later purchases weigh it and the network as any other part, down to nothing.
        """
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
        clicks = clicks if clicks is not None and len(clicks.products) else None
        with span("recommend", total=3, unit="fits") as progress:
            asked = self.taught(histories, until, run, clicks)
            progress.advance()
            exams = {}
            for name, repeats in EXAMS.items():
                split = time_split(histories, until, self.horizon_days, repeats)
                exams[name] = assess(asked.rivals(name), split, run, described=described, simple=asked.rules())
            progress.advance()
            heard = [part for part in asked.parts if part not in _UNHEARD or _weighs(part, asked.weights)]
            weights = {name: {part: each.get(part, 0.0) for part in heard} for name, each in asked.weights.items()}
            fitted = self._fitted(histories, run, clicks, heard)
            found = Recommenders(fitted, weights, _first_days(histories), exams, asked.rivalries)
            progress.advance()
        return found

    def taught(self, histories: Histories, until: int, run: Run, clicks: Histories | None = None) -> Recommenders:
        """What would be published on the day `until`: weighed on the horizon before it, fitted on all before it, not examined.

        Raises DataError where nothing was bought before that horizon, or nothing relevant within it.
        """
        cut = until - self.horizon_days
        early = self._fitted(histories.where(histories.days < cut), run, _before(clicks, cut))
        rivalries, without = {}, {}
        for name, repeats in EXAMS.items():
            able = {part: early[part] for part in early if part not in _SILENT[name]}
            split = time_split(histories, cut, self.horizon_days, repeats)
            rivalries[name] = rivalry(able, split, run)
            fewer = {part: {each: able[each] for each in able if each != part} for part in WITHOUT if part in able}
            without[name] = {part: rivalry(rest, split, run) for part, rest in fewer.items()}
            if 0 < rivalries[name].weights.get(NETWORK, 0.0) < LEAST:
                rivalries[name] = without[name][NETWORK]
        weights = {name: dict.fromkeys(early, 0.0) | each.weights for name, each in rivalries.items()}
        plain = {
            name: {part: dict.fromkeys(early, 0.0) | each.weights for part, each in some.items()}
            for name, some in without.items()
        }
        before = histories.where(histories.days < until)
        parts = self._fitted(before, run, _before(clicks, until))
        return Recommenders(parts, weights, _first_days(before), rivalries=rivalries, without=plain)

    def examined(
        self, histories: Histories, weights: Mapping[str, Mapping[str, float]], run: Run, clicks: Histories | None = None
    ) -> dict[str, tuple[Split, Blended]]:
        """The last exams once more, each with the blend that took it: parts that know nothing later, under given weights.

        With the histories, clicks, seed and weights of a release these are the split and the ranker of its published figures.
        """
        until = int(histories.days.max(initial=0)) + 1 - self.horizon_days
        heard = [part for part in next(iter(weights.values())) if _weighs(part, weights)]
        parts = self._fitted(histories.where(histories.days < until), run, _before(clicks, until), heard)
        return {
            name: (time_split(histories, until, self.horizon_days, repeats), _blend(parts, weights[name], repeats=repeats))
            for name, repeats in EXAMS.items()
        }

    def _fitted(self, histories: Histories, run: Run, clicks: Histories | None, names: Sequence[str] = ()) -> dict[str, Ranker]:
        """The parts, or some of them; that of clicks, which may be later ones only, where there are any."""
        fitted = {name: part.fit(histories, run) for name, part in self.parts.items() if name in (names or self.parts)}
        if clicks is not None and (not names or VIEWED in names):
            fitted[VIEWED] = self.viewed.fit(clicks, run)
        return fitted


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

    `first_days` int32 [n_products] is the day each product was first sold, since 1970-01-01; -1 for none. `without`: by exam,
    the weights without each part of `WITHOUT`.
    """

    parts: Mapping[str, Ranker]
    weights: Mapping[str, Mapping[str, float]]
    first_days: Int32s
    exams: Mapping[str, Assessment] = field(default_factory=dict)
    rivalries: Mapping[str, Rivalry] = field(default_factory=dict)
    without: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def rivals(self, name: str) -> dict[str, Ranker]:
        """Who takes an exam: what was chosen for it, and the same weighed without each part that not every shop has."""
        weights = {PERSONAL: self.weights[name]} | {WITHOUT[part]: each for part, each in self.without[name].items()}
        return {who: _blend(self.parts, each, repeats=EXAMS[name]) for who, each in weights.items()}

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


def restored(like: T, plain: Mapping[str, Any]) -> T:
    """An estimator such as `like` with the fields that a manifest holds of it, where what is infinite is null.

    Raises DataError for fields that this version has not, and for a network, which would have to be trained again.
    """
    unknown = sorted(set(plain) ^ {each.name for each in fields(like)})
    if unknown:
        raise DataError(f"recommenders were trained by another version: {unknown[0]}", "train again: basketry train")
    values = {}
    for name, value in plain.items():
        inner: Any = getattr(like, name)
        if inner is None:
            if value is not None:
                raise DataError("the recommenders hold a network, which is not trained again for this", "train without one")
            continue
        own = is_dataclass(inner) and not isinstance(inner, type)
        values[name] = restored(inner, value) if own else np.inf if value is None else value
    return replace(like, **values)


def _first_days(histories: Histories) -> Int32s:
    first = np.full(histories.n_products, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first, histories.products, histories.days)
    found: Int32s = np.where(first == np.iinfo(np.int32).max, -1, first).astype(np.int32)
    return found


def _weighs(part: str, weights: Mapping[str, Mapping[str, float]]) -> bool:
    return any(each.get(part, 0.0) > 0 for each in weights.values())


def _before(histories: Histories | None, day: int) -> Histories | None:
    return None if histories is None else histories.where(histories.days < day)


def _blend(parts: Mapping[str, Ranker], weights: Mapping[str, float], *, repeats: bool) -> Blended:
    """Of the parts with a weight: what counts for nothing is not asked."""
    some = [name for name in parts if weights.get(name, 0.0) > 0]
    return blended(tuple(parts[name] for name in some), tuple(weights[name] for name in some), Voicing(repeats=repeats))


def _row(parts: Mapping[str, Ranker], weights: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([weights[name] for name in parts], dtype=np.float64)
