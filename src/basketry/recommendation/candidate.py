"""What a scene of a release would have earned with lists that others filled: its lists replayed against Events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from basketry.core.histories import Queries
from basketry.evaluation.off_policy import off_policy
from basketry.recommendation.experiments import expectations
from basketry.recommendation.feedback import Rewards, impressions, logged
from basketry.recommendation.reading import read_named

if TYPE_CHECKING:
    import polars as pl

    from basketry.core.histories import Int32s
    from basketry.data.dataset import Dataset
    from basketry.recommendation.answers import Stage


def valued(stage: Stage, dataset: Dataset, events: pl.DataFrame, reward: str, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Reward an impression: as logged, and by ips, snips and dr had the stage filled the same places.

    `dataset` ends where the stage's models do, `events` begin there, and every impression has a propensity. Histories are those
    of the dataset; somebody unknown has none. The stage must not explore: it shows a product at a place or does not. Each
    figure holds value, low, high (95%, resampled by customer), n impressions, and `effective`, how many of them the weights
    leave. The scene must be about a customer: what others were asked is not logged.
    """
    shown = impressions(events)
    facts = stage.shelf.facts
    product = np.array([facts.code(each) for each in shown["product_id"]], dtype=np.int64)
    place = shown["place"].to_numpy().astype(np.int64) - 1
    other = _replayed(stage, dataset, shown)[np.arange(len(shown)), np.minimum(place, int(place.max()))].astype(np.int64)
    target = (other == product).astype(np.float64)
    worth = Rewards(click=float(reward == "click"), purchase=float(reward == "purchase"))
    plain = logged(events, target, worth)
    known = np.where(product >= 0, product, len(facts))  # what has left the catalogue is one product more
    found = replace(plain, **dict(zip(("expected", "expected_target"), _expected(plain, known, other, place), strict=True)))
    told = off_policy(found, seed=seed)
    figures = {}
    for name in ("logged", "ips", "snips", "dr"):
        each = told.interval(name)
        figures[name] = {"value": each.value, "low": each.low, "high": each.high, "n": len(shown)}
        figures[name]["effective"] = float(len(shown)) if name == "logged" else round(found.effective, 1)
    return figures


def _expected(plain: Any, product: Any, other: Any, place: Any) -> Any:
    return expectations(plain.reward, product, other, place, plain.cluster)


def _replayed(stage: Stage, dataset: Dataset, shown: pl.DataFrame) -> Int32s:
    """What the stage puts at every place of the list of each impression, int32 [impressions, places]."""
    histories, rows = read_named(dataset, len(stage.shelf.facts))
    histories = replace(histories, indptr=np.append(histories.indptr, histories.indptr[-1]))  # the last has done nothing
    nobody = len(histories) - 1
    asked = shown.select("customer_id", "day").unique(maintain_order=True).with_row_index("question")
    row = np.array([rows.get(each, nobody) for each in asked["customer_id"]], dtype=np.int64)
    days = asked["day"].to_physical().to_numpy().astype(np.int32)
    k = int(shown["place"].max())  # type: ignore[arg-type]
    queries = Queries(histories.select(row), days)
    lists = np.concatenate([answer.rankings.products for answer in stage.answers(queries, k)])
    question = shown.join(asked, on=["customer_id", "day"], how="left", nulls_equal=True, maintain_order="left")["question"]
    found: Int32s = lists[question.to_numpy()]
    return found
