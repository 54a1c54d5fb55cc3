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
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

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
    from _typeshed import DataclassInstance

    from basketry.core.histories import Histories, Int32s
    from basketry.core.protocols import Arrays, Ranker, Run
    from basketry.recommendation.rankers import RankerEstimator

T = TypeVar("T", bound="DataclassInstance")
PERSONAL: Final = "personal"
NEW, AGAIN = "new products", "next basket"  # the two exams: what the customer had not bought yet, and all that was bought
EXAMS: Final = {NEW: False, AGAIN: True}  # and whether what was bought before counts


@dataclass(frozen=True)
class Recommending:
    """The parts, and how far ahead weights and exam look. Histories must reach over at least three horizons."""

    reorder: Reorder = field(default_factory=Reorder)
    next: Transitions = field(default_factory=lambda: Transitions(hop=0, neighbours=200, repeats=True))
    neighbours: ItemNeighbours = field(default_factory=lambda: ItemNeighbours(unit="visit"))
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
                for name, repeats in EXAMS.items()
            }
            taught = self._fitted(splits[NEW][0].train, run)
            weights = {name: _weights(taught, split, run) for name, (split, _) in splits.items()}
            progress.advance()
            asked = self._fitted(splits[NEW][1].train, run)
            exams = {}
            for name, (_, split) in splits.items():
                rankers: dict[str, Ranker] = {PERSONAL: _blend(asked, weights[name], repeats=split.repeats)}
                one_step = {"transitions": replace(self.next, repeats=split.repeats)}  # two take minutes on a large catalogue
                exams[name] = assess(rankers, split, run, described=described, simple=one_step)
            progress.advance()
            found = Recommenders(self._fitted(histories, run), weights, _first_days(histories), exams)
            progress.advance()
        return found

    def examined(
        self, histories: Histories, weights: Mapping[str, Mapping[str, float]], run: Run
    ) -> dict[str, tuple[Split, Blended]]:
        """The last exams once more, each with the blend that took it: parts that know nothing later, under given weights.

        With the histories, seed and weights of a release these are the split and the ranker of its published figures.
        """
        cut = int(histories.days.max(initial=0)) + 1 - self.horizon_days
        splits = {name: time_split(histories, cut, self.horizon_days, repeats) for name, repeats in EXAMS.items()}
        parts = self._fitted(splits[NEW].train, run)
        return {name: (split, _blend(parts, weights[name], repeats=split.repeats)) for name, split in splits.items()}

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


def restored(like: T, plain: Mapping[str, Any]) -> T:
    """An estimator such as `like` with the fields that a manifest holds of it, where what is infinite is null.

    Raises DataError for fields that this version has not.
    """
    unknown = sorted(set(plain) ^ {each.name for each in fields(like)})
    if unknown:
        raise DataError(f"recommenders were trained by another version: {unknown[0]}", "train again: basketry train")
    values = {}
    for name, value in plain.items():
        inner: Any = getattr(like, name)
        values[name] = restored(inner, value) if is_dataclass(inner) else np.inf if value is None else value
    return replace(like, **values)


def _first_days(histories: Histories) -> Int32s:
    first = np.full(histories.n_products, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first, histories.products, histories.days)
    found: Int32s = np.where(first == np.iinfo(np.int32).max, -1, first).astype(np.int32)
    return found


def _weights(parts: Mapping[str, Ranker], split: Split, run: Run) -> dict[str, float]:
    """What later purchases make of the parts; reordering has nothing to say of what is new."""
    able = {name: part for name, part in parts.items() if split.repeats or name != "reorder"}
    found = learn_weights(list(able.values()), split, Voicing(repeats=split.repeats), seed=run.seed)
    return dict.fromkeys(parts, 0.0) | dict(zip(able, found.weights, strict=True))


def _blend(parts: Mapping[str, Ranker], weights: Mapping[str, float], *, repeats: bool) -> Blended:
    return blended(tuple(parts.values()), tuple(weights[name] for name in parts), Voicing(repeats=repeats))


def _row(parts: Mapping[str, Ranker], weights: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([weights[name] for name in parts], dtype=np.float64)
