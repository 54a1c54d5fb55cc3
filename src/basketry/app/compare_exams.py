"""What the exams of two releases say, compared only where they are one exam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.compare import CompareRequest
    from basketry.app.shop import Shop
    from basketry.evaluation.significance import Difference
    from basketry.store.releases import Release


def exams(shop: Shop, before: Release, after: Release, request: CompareRequest) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A line for each exam and metric: the blend in both releases, the gain over the best simple rule of each, the change.

    Where the digests of an exam are equal and the recipes are not, both are learned once more and the change is paired.
    """
    import polars as pl

    held: list[Any] = [each.manifest.facts.get("recommender_exams") for each in (before, after)]
    without = [each.id for each, exam in zip((before, after), held, strict=True) if not exam]
    if without:
        return pl.DataFrame(), (f"release {' and '.join(without)} holds no recommenders: only edges are compared",)
    notes, rows = [], []
    for name in [each for each in held[1] if each in held[0]]:
        same = held[0][name] == held[1][name]
        changes: dict[str, Any] = {}
        if not same:
            notes.append(f"{name}: the releases took two exams (other weeks, or other customers): a change is not told")
        elif _recipe(before) == _recipe(after):
            notes.append(f"{name}: both releases are one recipe, learned from the same orders: their figures are one")
        else:
            changes, said = _paired(shop, before, after, name, request)
            notes += said
        rows += _rows(name, before, after, same, changes)
    return pl.DataFrame(rows, infer_schema_length=None), tuple(notes)


def _recipe(release: Release) -> tuple[Any, ...]:
    """What a release's recommenders are made by."""
    manifest = release.manifest
    return manifest.fitted.get("recommenders"), manifest.facts.get("recommender_weights"), manifest.seeds.get("train")


def _rows(name: str, before: Release, after: Release, same: bool, changes: dict[str, Any]) -> list[dict[str, Any]]:
    from basketry.app.compare import METRICS
    from basketry.recommendation.published import PERSONAL

    found = []
    for metric in METRICS:
        sides = [_figure(each, name, metric, PERSONAL) for each in (before, after)]
        change = changes.get(metric)
        found.append(
            {"exam": name, "metric": metric}
            | {"before": sides[0], "after": sides[1], "same_exam": same}
            | {"change": change.gain.value if change else None}
            | {"low": change.gain.low if change else None, "high": change.gain.high if change else None}
        )
    metric = METRICS[-1]
    gains = [_gain(each, name, metric) for each in (before, after)]
    empty = {"change": None, "low": None, "high": None}
    return [
        *found,
        {"exam": name, "metric": f"{metric} over simple", "before": gains[0], "after": gains[1], "same_exam": same, **empty},
    ]


def _figure(release: Release, exam: str, metric: str, model: str) -> str:
    """A published figure with its interval; empty where there is none."""
    for row in release.manifest.metrics:
        if (row["slice"], row["metric"], row["model"]) == (f"exam of {exam}: all", metric, model):
            return _interval(row)
    return ""


def _gain(release: Release, exam: str, metric: str) -> str:
    """The gain over the best simple rule, which is another one perhaps in each release: the least of all gains."""
    from basketry.recommendation.published import PERSONAL

    gains = [
        row
        for row in release.manifest.metrics
        if row["slice"] == f"exam of {exam}: all"
        and row["metric"] == f"{metric} gain"
        and str(row["model"]).startswith(f"{PERSONAL} over ")
    ]
    return _interval(min(gains, key=lambda row: float(str(row["value"])))) if gains else ""


def _interval(row: Any) -> str:
    low, high = row["low"], row["high"]
    return f"{row['value']:.4f}" + ("" if low is None or high is None else f" ({low:.4f} to {high:.4f})")


def _paired(
    shop: Shop, before: Release, after: Release, name: str, request: CompareRequest
) -> tuple[dict[str, Difference], tuple[str, ...]]:
    """Both recipes on the exam they share: the change of each metric by customer, after less before."""
    from basketry.app.compare import METRICS
    from basketry.app.examined import examined
    from basketry.core.errors import BasketryError
    from basketry.evaluation.significance import Significance
    from basketry.recommendation.assess import Described, Exam, answered

    try:
        sides = {each.id: examined(shop, each, request.engine).exams[name] for each in (after, before)}
    except BasketryError as error:
        return {}, (f"{name}: a change is not told: {error.message}",)
    answers = {key: answered(ranker, split, Exam(), Described()).figures for key, (split, ranker) in sides.items()}
    customers = sides[after.id][0].customers
    found, told = {}, []
    for metric in METRICS:
        figures = {key: each["all", metric] for key, each in answers.items()}
        (found[metric],) = Significance(seed=request.seed).compare(figures, customers)
        gain = found[metric].gain
        verb = "better" if gain.low > 0 else "worse" if gain.high < 0 else "not shown to be better or worse"
        told.append(f"{name}: {after.id} is {verb}: {metric} {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})")
    return found, tuple(told)
