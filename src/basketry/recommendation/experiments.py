"""What an experiment says: customers by arm, whether the arms came out as planned, and which arm or team earns more.

The unit is the customer: an arm is of a customer, and so is what it earned: the share of their lists that were rewarded (had a
click, or whatever is asked). A customer who saw lists of two arms belongs to none and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from basketry.evaluation.bootstrap import Draws, Resampled
from basketry.evaluation.interleaving import Drafted, drafted_wins
from basketry.evaluation.sequential import SequentialTest
from basketry.recommendation.feedback import impressions

if TYPE_CHECKING:
    from basketry.evaluation.off_policy import Floats, Integers

LOOKS: Final = 20  # at which the always-valid p is followed
MISMATCH: Final = 0.001  # a share so unlikely is a fault of the logging, not chance
SHRINK: Final = 20.0  # impressions' worth of the mean that a product's own rate is drawn to


@dataclass(frozen=True)
class Compared:
    """Arm `arm` against `control`: `difference` of the mean rates of their customers, always-valid interval and p."""

    arm: str
    control: str
    difference: float
    low: float
    high: float
    p: float


def lists_of(events: pl.DataFrame, reward: str) -> pl.DataFrame:
    """One row a list with an impression, by its first instant.

    Columns: list_id, customer_id, who (the customer, or the list of somebody unknown), ts, `teams` (the models that put
    something there, sorted), the counts of each action, and `rewarded`, whether any product was met by `reward`.
    """
    named = pl.coalesce(pl.lit("c:") + pl.col("customer_id"), pl.lit("l:") + pl.col("list_id"))
    shown = pl.col("action") == "impression"
    counts = [
        (pl.col("action") == action).sum().alias(f"{action}s") for action in ("impression", "click", "purchase", "dismissal")
    ]
    lists = (
        events.sort("ts", "product_id", "action")
        .group_by("list_id", maintain_order=True)
        .agg(
            pl.col("customer_id").drop_nulls().first(),
            pl.col("ts").min(),
            pl.col("model").filter(shown).drop_nulls().unique().sort().alias("teams"),
            *counts,
            (pl.col("action") == reward).any().alias("rewarded"),
        )
    )
    return lists.filter(pl.col("impressions") > 0).with_columns(who=named).sort("ts", "list_id")


def customers_of(lists: pl.DataFrame) -> pl.DataFrame:
    """One row a customer of lists with an `arm`, by first instant: who, ts, arms (how many), arm, rate of rewarded lists."""
    grouped = lists.group_by("who", maintain_order=True).agg(
        pl.col("ts").min(),
        pl.col("arm").n_unique().alias("arms"),
        pl.col("arm").first(),
        pl.col("rewarded").cast(pl.Float64).mean().alias("rate"),
    )
    return grouped.sort("ts", "who")


def rate(lists: pl.DataFrame, resamples: int = 500, seed: int = 0) -> Resampled:
    """The share of lists that were rewarded, its interval resampled by customer."""
    cluster = lists["who"].rank("dense").cast(pl.Int64).to_numpy()
    return Draws.of(cluster, resamples, seed).means({"rate": lists["rewarded"].cast(pl.Float64).to_numpy()})


def compared(customers: pl.DataFrame, control: str, alpha: float = 0.05) -> list[Compared]:
    """Every other arm against the control, each at alpha over their number (Bonferroni), in the order customers came."""
    found = []
    others = [arm for arm in customers["arm"].unique().sort().to_list() if arm != control]
    test = SequentialTest(alpha=alpha / max(len(others), 1))
    for arm in others:
        both = customers.filter(pl.col("arm").is_in([control, arm]))
        at = np.unique(np.linspace(0, both.height, LOOKS + 1)[1:].astype(np.int64))
        looks = test.looks(both["rate"].to_numpy(), (both["arm"] == arm).cast(pl.Int64).to_numpy(), at)
        last = [float(each[-1]) for each in (looks.difference, looks.low, looks.high, looks.p)]
        found.append(Compared(arm, control, *last))
    return found


def mismatch(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """The p of a chi-square test that customers came to the arms in these shares; below MISMATCH nothing else is to be read."""
    from scipy.stats import chisquare

    used = [arm for arm in shares if shares[arm] > 0]
    seen = np.array([counts.get(arm, 0) for arm in used], dtype=np.float64)
    planned = np.array([shares[arm] for arm in used], dtype=np.float64)
    return float(chisquare(seen, planned / planned.sum() * seen.sum()).pvalue) if len(used) > 1 and seen.sum() else 1.0


@dataclass(frozen=True)
class Duel:
    """Lists that two models drafted together: lists that `other` won and lost against `one`, and a sign test over customers.

    `preference` in [-1, 1] is above 0 where `other` is liked better, with the ends of its interval.
    """

    one: str
    other: str
    lists: int
    won: int
    lost: int
    preference: float
    low: float
    high: float
    p: float


def duels(events: pl.DataFrame, lists: pl.DataFrame, reward: str) -> list[Duel]:
    """Every pair of models that shared lists. The sign test counts a customer once, by the lists they gave to either."""
    found = []
    for teams in sorted({tuple(each) for each in lists["teams"].to_list() if len(each) == 2}):
        own = lists.filter(pl.col("teams") == pl.lit(list(teams)))
        found.append(_duel(events.join(own.select("list_id", "who"), on="list_id"), teams, reward))
    return found


def _duel(events: pl.DataFrame, teams: tuple[str, ...], reward: str) -> Duel:
    from scipy.stats import binomtest

    shown = impressions(events)
    met = events.filter(action=reward).select("list_id", "product_id", met=pl.lit(value=True))
    shown = shown.join(met, on=["list_id", "product_id"], how="left", maintain_order="left")
    row = shown["list_id"].rle_id().to_numpy()
    place = np.arange(len(row)) - np.searchsorted(row, row)
    n, k = int(row[-1]) + 1, int(place.max()) + 1
    team, clicked = np.full((n, k), -1, dtype=np.int8), np.zeros((n, k), dtype=np.bool_)
    team[row, place] = (shown["model"] == teams[1]).cast(pl.Int8).to_numpy()
    clicked[row, place] = shown["met"].fill_null(value=False).to_numpy()
    who = shown["who"].rank("dense").cast(pl.Int64).to_numpy()[np.searchsorted(row, np.arange(n))]
    drafted = Drafted(np.zeros((n, k), dtype=np.int64), team)
    won = np.sign((clicked & (team == 1)).sum(axis=1) - (clicked & (team == 0)).sum(axis=1))
    by_customer = np.sign(np.bincount(who, weights=won))
    wins, losses = int((by_customer > 0).sum()), int((by_customer < 0).sum())
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    liked = drafted_wins(drafted, clicked, who).interval("preference")
    return Duel(teams[0], teams[1], n, int((won > 0).sum()), int((won < 0).sum()), liked.value, liked.low, liked.high, p)


def expectations(
    reward: Floats, product: Integers, other: Integers, place: Integers, cluster: Integers
) -> tuple[Floats, Floats]:
    """What a simple model expects of each thing shown and of what another policy would show there, for doubly robust estimates.

    q(j, place) = mean reward at the place, times how product j does against the means of the places it was shown at, shrunk to
    1 by SHRINK impressions. Each half of the clusters is told by the other half. `other` -1: the policy shows nothing there.
    """
    of_shown, of_other = np.zeros(len(reward)), np.zeros(len(reward))
    for half in (0, 1):
        taught, asked = cluster % 2 != half, cluster % 2 == half
        mean = float(reward[taught].mean()) if taught.any() else 0.0
        seen = np.bincount(place[taught], minlength=int(place.max()) + 1)
        earned = np.bincount(place[taught], weights=reward[taught], minlength=len(seen))
        at = np.divide(earned, seen, out=np.full(len(seen), mean), where=seen > 0)
        size = int(max(product.max(), other.max())) + 1
        did = np.bincount(product[taught], weights=reward[taught], minlength=size) + SHRINK * mean
        due = np.bincount(product[taught], weights=at[place[taught]], minlength=size) + SHRINK * mean
        lift = np.divide(did, due, out=np.ones(size), where=due > 0)
        of_shown[asked] = at[place[asked]] * lift[product[asked]]
        of_other[asked] = np.where(other[asked] >= 0, at[place[asked]] * lift[np.maximum(other[asked], 0)], 0.0)
    return of_shown, of_other
