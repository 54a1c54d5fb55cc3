"""Experiment: what customers did with what they were shown, by arm, and what the release that serves would have earned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.data.dataset import Dataset

REWARDS: Final = ("click", "purchase")
FLOOR: Final = 20  # customers below which nothing of an arm is told


@dataclass(frozen=True)
class ExperimentRequest:
    """Which experiment to read from the table Events."""

    name: str = field(
        default="",
        metadata={"help": "Experiment whose hash split the customers; default: the arm is the model that was logged."},
    )
    arms: str = field(
        default="",
        metadata={"help": "Arms and their shares, the control first, as control=1,treatment=1; default: all, equal."},
    )
    scene: str = field(
        default="", metadata={"help": "Only lists of this scene; one about a customer values the release that serves."}
    )
    reward: str = field(default="click", metadata={"help": "What a list is shown for: click or purchase."})
    since: str = field(default="", metadata={"help": "Only events from this instant on, ISO 8601 with zone."})
    until: str = field(default="", metadata={"help": "Only events before this instant."})
    seed: int = field(default=0, metadata={"help": "Seed of the resamples behind intervals."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )


@dataclass(frozen=True)
class ExperimentResult:
    """Arms, their comparison with the control, duels of interleaved lists, and off-policy values.

    `arms`: counts, and the share of lists with a reward with its 95% interval. `comparison`: difference in customers' mean
    share, an interval that holds at all looks at once, its p, and whether it is decided. `duels`: interleaved lists won and
    lost, with a sign test over customers. `values`: reward an impression of what was logged, and of what the release that
    serves would have shown in its place (ips, snips, dr), with 95% intervals.
    """

    arms: pl.DataFrame
    comparison: pl.DataFrame
    duels: pl.DataFrame
    values: pl.DataFrame
    notes: tuple[str, ...]


def experiment(shop: Shop, request: ExperimentRequest) -> ExperimentResult:
    """Tell what each arm of an experiment earned, safely at any time, and what the release that serves would have earned."""
    import polars as pl

    from basketry.core.errors import DataError, RequestError
    from basketry.recommendation.experiments import compared, customers_of, duels, lists_of

    if request.reward not in REWARDS:
        raise RequestError(f"reward {request.reward!r} cannot be counted", f"choose one of {', '.join(REWARDS)}")
    with shop.dataset(engine=request.engine) as dataset:
        events = _events(dataset, request)
        if events.is_empty():
            raise DataError("no event was found of what is asked", "ingest a source of events, or ask of another time or scene")
        lists = lists_of(events, request.reward)
        values, told = _values(shop, dataset, events, request)
    shares = _shares(request, lists)
    armed = _armed(request, lists, shares)
    customers = customers_of(armed)
    clean = customers.filter(pl.col("arms") == 1)
    few = [arm for arm in shares if (clean["arm"] == arm).sum() < FLOOR]
    notes = _notes(customers, clean, shares, few)
    told_of = [arm for arm in shares if arm not in few]
    arms = pl.DataFrame([_arm(arm, armed, clean, request.seed) for arm in told_of])
    clean = clean.filter(pl.col("arm").is_in(told_of))
    found = compared(clean, told_of[0]) if len(told_of) > 1 and told_of[0] == next(iter(shares)) else []
    comparison = pl.DataFrame([vars(each) | {"decided": each.p <= 0.05 / len(found)} for each in found])
    won = [each for each in duels(events, lists, request.reward) if each.lists >= FLOOR]
    return ExperimentResult(arms, comparison, pl.DataFrame([vars(each) for each in won]), values, (*notes, *told))


def _events(dataset: Dataset, request: ExperimentRequest) -> pl.DataFrame:
    import polars as pl

    from basketry.app.instants import instant
    from basketry.core.tables import Events

    events: pl.DataFrame = dataset.table(Events)
    since, until = instant(request.since), instant(request.until)
    events = events.filter(pl.col("scene") == request.scene) if request.scene else events
    events = events.filter(pl.col("ts") >= since) if since else events
    return events.filter(pl.col("ts") < until) if until else events


def _shares(request: ExperimentRequest, lists: pl.DataFrame) -> dict[str, float]:
    """The arms and how many customers each was meant to have."""
    from basketry.core.errors import RequestError

    if not request.arms:
        if request.name:
            return {"control": 1.0, "treatment": 1.0}
        return dict.fromkeys(sorted({teams[0] for teams in lists["teams"].to_list() if len(teams) == 1}), 1.0)
    found = {}
    for each in request.arms.split(","):
        arm, _, share = each.strip().partition("=")
        try:
            found[arm.strip()] = float(share or 1)
        except ValueError as error:
            raise RequestError(f"arm {each.strip()!r} cannot be read", "write control=1,treatment=1") from error
    return found


def _armed(request: ExperimentRequest, lists: pl.DataFrame, shares: dict[str, float]) -> pl.DataFrame:
    """The lists of customers in one of the arms, with their `arm`."""
    import polars as pl

    from basketry.recommendation.feedback import Experiment

    if request.name:
        known = lists.filter(pl.col("customer_id").is_not_null())
        arms = Experiment(request.name, shares).assigned(known["customer_id"].to_list())
        return known.with_columns(arm=pl.Series(arms, dtype=pl.String))
    alone = lists.filter(pl.col("teams").list.len() == 1).with_columns(arm=pl.col("teams").list.first())
    return alone.filter(pl.col("arm").is_in(list(shares)))


def _arm(arm: str, lists: pl.DataFrame, clean: pl.DataFrame, seed: int) -> dict[str, Any]:
    import polars as pl

    from basketry.recommendation.experiments import rate

    own = lists.filter(pl.col("arm") == arm).join(clean.select("who"), on="who", how="semi")
    earned = rate(own, seed=seed).interval("rate")
    counts = {name: int(own[name].sum()) for name in ("impressions", "clicks", "purchases", "dismissals")}
    figures = {"rate": earned.value, "low": earned.low, "high": earned.high}
    return {"arm": arm, "customers": int((clean["arm"] == arm).sum()), "lists": own.height} | counts | figures


def _notes(customers: pl.DataFrame, clean: pl.DataFrame, shares: dict[str, float], few: list[str]) -> tuple[str, ...]:
    from basketry.recommendation.experiments import MISMATCH, mismatch

    notes = []
    counts = {arm: int((clean["arm"] == arm).sum()) for arm in shares}
    p = mismatch(counts, shares)
    if p < MISMATCH:
        told = ", ".join(arm for arm in shares)
        notes.append(
            f"sample ratio mismatch (p {p:.1g}): customers came to {told} in other shares than planned; find out why before "
            "you believe anything else here"
        )
    if customers.height > clean.height:
        notes.append("customers who saw lists of more than one arm are left out")
    if few:
        notes.append(f"fewer than {FLOOR} customers, so not told: {', '.join(few)}")
    return tuple(notes)


def _values(
    shop: Shop, dataset: Dataset, events: pl.DataFrame, request: ExperimentRequest
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """What the release that serves would have earned, of events that it has not learned from."""
    import polars as pl

    from basketry.app.recommenders import RecommendationReader, shop_policy
    from basketry.app.train import RECOMMENDERS
    from basketry.recommendation.candidate import valued
    from basketry.recommendation.policy import Exploration
    from basketry.recommendation.scenes import SCENES

    able = [name for name, scene in SCENES.items() if scene.about == "customer"]
    if request.scene not in able:
        return pl.DataFrame(), (f"to value the release that serves, name a scene about a customer: {', '.join(able)}",)
    if not shop.releases.published() or RECOMMENDERS not in shop.releases.current().manifest.files:
        return pl.DataFrame(), ("no release with recommenders serves, so none is valued",)
    reader = RecommendationReader(shop.graph())
    release = reader.graph.release
    fresh = events.filter(pl.col("ts") >= release.manifest.as_of)
    shown = fresh.filter((pl.col("action") == "impression") & pl.col("propensity").is_not_null())
    fresh = fresh.join(shown.select("list_id", "product_id"), on=["list_id", "product_id"], how="semi")
    if shown.is_empty() or shown["customer_id"].n_unique() < FLOOR:
        return pl.DataFrame(), (
            f"too few impressions with a propensity since {release.manifest.as_of:%Y-%m-%d %H:%M} to value it",
        )
    stage = reader.stage(request.scene, replace(shop_policy(shop), exploration=Exploration()))
    figures = valued(stage, dataset.before(release.manifest.as_of), fresh, request.reward, request.seed)
    rows = [
        {"policy": release.id if name != "logged" else "as shown", "estimate": name} | each for name, each in figures.items()
    ]
    return pl.DataFrame(rows), ()
