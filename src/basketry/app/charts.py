"""Geometry of the report's charts: from frames to plain numbers that a template can write as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

WIDTH: Final = 480.0
HEIGHT: Final = 300.0
LEFT, RIGHT, TOP, BOTTOM = 14.0, 14.0, 34.0, 44.0
BINS: Final = 48
DOTS: Final = 640


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    """One histogram: its outline, its median and where that lies, and the share of values above 1."""

    path: str
    median: float
    at: float
    above_one: float


@dataclass(frozen=True)
class LiftChart:
    """Raw and adjusted lift over the same pairs, on one logarithmic axis."""

    raw: Curve
    adjusted: Curve | None
    ticks: tuple[Tick, ...]
    one: float
    pairs: int

    @property
    def mostly_size(self) -> bool:
        """Whether adjusting takes more than half of the median's logarithm away."""
        return self.adjusted is not None and self.raw.median > 1 and self.adjusted.median < self.raw.median**0.5


@dataclass(frozen=True)
class Dot:
    """A pair in the scatter."""

    x: float
    y: float
    verdict: str
    product_id: str
    other_id: str
    similarity: float
    adjusted_lift: float


@dataclass(frozen=True)
class Scatter:
    """Similarity of the texts against adjusted lift."""

    dots: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    one: float
    pairs: int


@dataclass(frozen=True)
class Measure:
    """A dot and its whisker, in percent of the panel's width."""

    model: str
    ours: bool
    value: float | None
    low: float | None
    high: float | None
    n: int
    at: float | None
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Panel:
    """One metric on one slice: the models side by side; `better` are the baselines whose value beats ours."""

    metric: str
    slice: str
    lower_is_better: bool
    measures: tuple[Measure, ...]
    least: float
    most: float
    ours: Measure | None
    better: tuple[tuple[Measure, bool], ...]


class LogScale:
    """Positive values onto pixels by logarithm; values beyond the ends are drawn at the ends."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self.low, self.high = log10(least), log10(most)
        if self.high - self.low < 0.3:
            self.low, self.high = self.low - 0.15, self.high + 0.15
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """The pixel of `value`."""
        share = (log10(value) - self.low) / (self.high - self.low)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """At powers of ten, with 2 and 5 between them where the axis spans under two of them, and more where it is short."""
        span = self.high - self.low
        steps = (1, 1.5, 2, 3, 5, 7) if span < 0.8 else (1, 2, 5) if span < 2.2 else (1,)
        values = [step * 10.0**power for power in range(floor(self.low), ceil(self.high) + 1) for step in steps]
        return tuple(Tick(self(v), f"{v:g}") for v in values if self.low - 1e-9 <= log10(v) <= self.high + 1e-9)


def once_a_pair(associations: pl.DataFrame) -> pl.DataFrame:
    """Edges counted in baskets, one direction of each pair (the counts are the same in both)."""
    import polars as pl

    return associations.filter(pl.col("kind") == "bought_together", pl.col("product_id") < pl.col("other_id"))


def lift_chart(associations: pl.DataFrame) -> LiftChart | None:
    """Distribution of lift and adjusted lift over pairs; None where nothing was counted.

    The axis runs from the 0.2% to the 99.8% quantile of both; what lies beyond is in the end bins.
    """
    import polars as pl

    counted = once_a_pair(associations)
    raw = counted.filter(pl.col("lift").is_finite() & (pl.col("lift") > 0))["lift"]
    adjusted = counted.filter(pl.col("adjusted_lift").is_finite() & (pl.col("adjusted_lift") > 0))["adjusted_lift"]
    if raw.is_empty():
        return None
    ends = [float(series.quantile(q) or 1.0) for series in (raw, adjusted) if not series.is_empty() for q in (0.002, 0.998)]
    scale = LogScale(min(*ends, 0.9), max(*ends, 1.1), LEFT, WIDTH - RIGHT)
    binned = [(series, _binned(series, scale)) for series in (raw, adjusted) if not series.is_empty()]
    tallest = max(max(shares) for _, shares in binned)
    curves = [_curve(series, shares, tallest, scale) for series, shares in binned]
    return LiftChart(curves[0], curves[1] if len(curves) > 1 else None, scale.ticks(), scale(1.0), raw.len())


def _binned(values: pl.Series, scale: LogScale) -> list[float]:
    """Share of `values` in each of BINS equal steps of the logarithm."""
    step = (scale.high - scale.low) / BINS
    bins = ((values.log(10) - scale.low) / step).floor().clip(0, BINS - 1).cast(int)
    counts = dict(bins.value_counts().iter_rows())
    return [counts.get(number, 0) / values.len() for number in range(BINS)]


def _curve(values: pl.Series, shares: Sequence[float], tallest: float, scale: LogScale) -> Curve:
    floor_y = HEIGHT - BOTTOM
    wide = (scale.end - scale.start) / BINS
    steps = []
    for number, share in enumerate(shares):
        y = floor_y - share / tallest * (floor_y - TOP - 22)
        steps.append(f"V{y:.1f}H{scale.start + (number + 1) * wide:.1f}")
    middle, above = float(values.median()), float((values > 1).mean())  # type: ignore[arg-type]  # numbers, as the column is
    path = f"M{scale.start:g} {floor_y:g}{''.join(steps)}V{floor_y:g}Z"
    return Curve(path, middle, scale(middle), above)


def scatter(associations: pl.DataFrame) -> Scatter | None:
    """Pairs with a similarity and an adjusted lift, up to DOTS of them, as many of each verdict as there are to share."""
    import polars as pl

    known = once_a_pair(associations).filter(
        pl.col("similarity").is_finite(), pl.col("adjusted_lift").is_finite() & (pl.col("adjusted_lift") > 0)
    )
    if known.is_empty():
        return None
    each = DOTS // max(known["verdict"].n_unique(), 1)
    place, size = pl.int_range(pl.len()).over("verdict"), pl.len().over("verdict")
    evenly = (place * each // size != (place - 1) * each // size) | (size <= each) | (place == 0)
    shown = known.sort("product_id", "other_id").filter(evenly)
    lift = known["adjusted_lift"]
    up = LogScale(
        min(float(lift.quantile(0.005) or 1), 0.5), max(float(lift.quantile(0.995) or 1), 2.0), HEIGHT - BOTTOM, TOP - 10
    )
    least = min(0.0, floor(float(shown["similarity"].min()) * 5) / 5)  # type: ignore[arg-type]
    left = LEFT + 30

    def across(similarity: float) -> float:
        return round(left + (min(similarity, 1.0) - least) / (1.0 - least) * (WIDTH - RIGHT - left), 1)

    dots = tuple(
        Dot(across(row["similarity"]), up(row["adjusted_lift"]), *(row[name] for name in _DOT_COLUMNS))
        for row in shown.select(*_DOT_COLUMNS).iter_rows(named=True)
    )
    marks = [number / 5 for number in range(round(least * 5), 6)]
    return Scatter(dots, tuple(Tick(across(mark), f"{mark:g}") for mark in marks), up.ticks(), up(1.0), known.height)


_DOT_COLUMNS: Final = ("verdict", "product_id", "other_id", "similarity", "adjusted_lift")


def panels(metrics: pl.DataFrame, model: str) -> tuple[Panel, ...]:
    """One panel a metric and slice, in the order of the table; `model` is the release's own.

    Where it was measured at all, only metrics that set it beside another model are shown: the rest compare nothing with it.
    """
    import polars.selectors as cs

    known = metrics.with_columns(cs.float().fill_nan(None))
    parts = known.partition_by("metric", "slice", maintain_order=True) if known.height else []
    found = tuple(_panel(part, model) for part in parts)
    return tuple(panel for panel in found if panel.ours and len(panel.measures) > 1) or found


def _panel(rows: pl.DataFrame, model: str) -> Panel:
    from basketry.evaluation.binary import HIGHER_IS_BETTER

    bounds = [value for name in ("value", "low", "high") for value in rows[name] if value is not None]
    least, most = min(bounds, default=0.0), max(bounds, default=1.0)
    margin = 0.06 * (most - least) or 0.05
    least, most = (0.0 if 0 <= least < margin else least - margin), most + margin

    def at(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - least) / (most - least), 2)

    measures = tuple(
        Measure(
            r["model"],
            r["model"] == model,
            r["value"],
            r["low"],
            r["high"],
            r["n"],
            at(r["value"]),
            at(r["low"]),
            at(r["high"]),
        )
        for r in rows.iter_rows(named=True)
    )
    metric = rows["metric"][0]
    lower = not HIGHER_IS_BETTER.get(metric, True)
    ours = next((measure for measure in measures if measure.ours), None)
    better = tuple((m, _apart(m, ours)) for m in measures if ours is not None and _beats(m, ours, lower))
    return Panel(metric, rows["slice"][0], lower, measures, least, most, ours, better)


def _beats(one: Measure, other: Measure, lower: bool) -> bool:
    if one.value is None or other.value is None:
        return False
    return one.value < other.value if lower else one.value > other.value


def _apart(one: Measure, other: Measure | None) -> bool:
    """Whether the two 95% intervals do not overlap; without intervals nothing is claimed."""
    if other is None or one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or one.high < other.low
