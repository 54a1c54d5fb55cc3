"""Compress: a smaller, faster encoder by a recipe, measured beside its teacher, and published only within the allowed loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.compression.measure import Costs, Fidelity, Judge, Task
    from basketry.compression.recipe import Recipe
    from basketry.compression.search import Trial
    from basketry.compression.step import Materials
    from basketry.encoders.state import EncoderState

LEAST_TEXTS: Final = 10
_MODELS: Final = "universal, minilm, model:NAME of this shop or model:FOLDER, or sentence:FOLDER."


@dataclass(frozen=True)
class CompressRequest:
    """What to compress, how, and how much it may cost."""

    base: str = field(default="universal", metadata={"local": True, "help": f"The encoder to compress: {_MODELS}"})
    recipe: str = field(
        default="", metadata={"help": "Steps joined by +, as layers:4+align+int8; see the reference of recipes."}
    )
    name: str = field(default="", metadata={"help": "Publish under this name, as model:NAME; default: only measure."})
    max_loss: float = field(
        default=0.01, metadata={"help": "Share of the task metric (without --task: of neighbours) that may be lost, 0 to 1."}
    )
    texts: str = field(
        default="",
        metadata={"local": True, "help": "File of texts to learn from and measure on; default: the shop's products."},
    )
    text: str = field(default="text", metadata={"help": "Column of a table that holds the texts."})
    task: str = field(
        default="", metadata={"help": "Table of texts with a column `group`: a text's nearest should share its group."}
    )
    teachers: str = field(default="", metadata={"local": True, "help": "More encoders to learn from, joined by commas."})
    search: float = field(default=0.0, metadata={"help": "Seconds to search for recipes instead of being given one."})
    chart: str = field(
        default="", metadata={"local": True, "help": "Draw loss against time of what was tried to this .svg file."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of every random draw."})


@dataclass(frozen=True)
class CompressResult:
    """What was made and what it costs: one row a figure, before and after; and after a search, the frontier."""

    recipe: str
    loss: float
    model: str | None
    figures: pl.DataFrame
    frontier: pl.DataFrame
    notes: tuple[str, ...]


def compress(shop: Shop, request: CompressRequest) -> CompressResult:
    """Make an encoder smaller and faster, measure what that loses, and publish it if that is within the allowed loss."""
    from basketry.app.encoders import shop_state
    from basketry.compression.measure import Judge, split
    from basketry.compression.recipe import Recipe
    from basketry.compression.step import Materials
    from basketry.core.protocols import Run
    from basketry.encoders.models import encoder_of

    _check(shop, request)
    recipe = Recipe.parse(request.recipe) if request.recipe else None
    base = shop_state(shop, request.base)
    others = [shop_state(shop, spec.strip()) for spec in request.teachers.split(",") if spec.strip()]
    texts, held_out = split(_texts(shop, request), request.seed)
    task = _task(request)
    run = Run(seed=request.seed, threads=1)
    materials = Materials(texts, (base, *others), run)
    judge = Judge(encoder_of(base, run), held_out, task)
    if recipe is None:
        return _searched(shop, request, base, materials, judge, held_out)
    made = recipe.apply(base, materials)
    return _judged(shop, request, recipe, (base, made), judge.fidelity(encoder_of(made, run)), held_out)


def _check(shop: Shop, request: CompressRequest) -> None:
    """Refuse early what would be refused after the work."""
    from basketry.app.outputs import check_output
    from basketry.core.errors import RequestError

    if bool(request.recipe) == (request.search > 0):
        raise RequestError(
            "neither or both of a recipe and a search were asked for", "give --recipe STEPS, or --search SECONDS"
        )
    if not 0 <= request.max_loss <= 1:
        raise RequestError(f"a loss of {request.max_loss} cannot be allowed", "a share from 0 to 1, as 0.01")
    check_output(request.chart, "draw", ".svg")
    if request.chart and not request.search:
        raise RequestError("there is nothing to draw of one recipe", "use --chart with --search")
    if request.name:
        shop.models.refuse_taken(request.name)


def _texts(shop: Shop, request: CompressRequest) -> list[str]:
    """Every distinct text that can be read."""
    from basketry.app.text_tables import given_texts
    from basketry.core.errors import RequestError
    from basketry.encoders.documents import readable

    given = given_texts(shop, request.texts, request.text)
    texts = sorted({text for text in given["text"].to_list() if readable(text)})
    if len(texts) < LEAST_TEXTS:
        raise RequestError(
            f"{len(texts)} different texts are too few to measure on", f"at least {LEAST_TEXTS}, better thousands: --texts FILE"
        )
    return texts


def _task(request: CompressRequest) -> Task | None:
    """The labelled texts, if there are any."""
    import numpy as np

    from basketry.app.text_tables import file_texts
    from basketry.compression.measure import Task
    from basketry.core.errors import RequestError
    from basketry.encoders.documents import readable

    if not request.task:
        return None
    table = file_texts(Path(request.task), request.text, "group")
    rows = [(text, group) for group, text in table.iter_rows() if text and group and readable(text)]
    groups = np.unique([group for _, group in rows], return_inverse=True)[1].astype(np.int64)
    if not rows or np.bincount(groups).max() < 2:
        raise RequestError(f"no group of {request.task} has two texts", "give texts of which some share their group")
    return Task([text for text, _ in rows], groups)


def _searched(
    shop: Shop, request: CompressRequest, base: EncoderState, materials: Materials, judge: Judge, held_out: list[str]
) -> CompressResult:
    """Search, draw, and publish the fastest encoder within the allowed loss."""
    from dataclasses import replace

    from basketry.app.frontier_chart import frontier_svg
    from basketry.compression.search import frontier, search
    from basketry.core.errors import RequestError
    from basketry.store import durable

    trials = search(base, materials, judge, held_out, request.search)
    if not trials:
        raise RequestError("no recipe could be tried", "allow the search more seconds")
    best = frontier(trials, lambda trial: trial.costs.batched_us)
    if request.chart:
        points = [(str(trial.recipe), trial.costs.batched_us, trial.fidelity.loss, trial in best) for trial in trials]
        durable.write_file(Path(request.chart), frontier_svg(points, request.max_loss).encode())
    allowed = [trial for trial in best if trial.fidelity.loss <= request.max_loss]
    chosen = allowed[0] if allowed else min(trials, key=lambda trial: trial.fidelity.loss)
    result = _judged(shop, request, chosen.recipe, (base, chosen.state), chosen.fidelity, held_out)
    notes = [f"tried {len(trials)} recipes; the table shows those that no other beats in both loss and time"]
    if request.chart:
        notes.append(f"drawn in {request.chart}")
    return replace(result, frontier=_frontier(best), notes=(*notes, *result.notes))


def _judged(
    shop: Shop,
    request: CompressRequest,
    recipe: Recipe,
    states: tuple[EncoderState, EncoderState],
    fidelity: Fidelity,
    held_out: list[str],
) -> CompressResult:
    """Measure the costs of before and after; publish or refuse."""
    import polars as pl

    from basketry.app.encoders import publish_state
    from basketry.core.errors import RequestError

    before, after = _costs(states, held_out)
    entry = {
        "verb": "compress",
        "recipe": str(recipe),
        "base": request.base,
        "before": _told(before),
        "after": {**_told(after), **fidelity.told()},
        "loss": round(fidelity.loss, 4),
    }
    model = None
    if not fidelity.loss <= request.max_loss and request.name:  # a loss that is not known is not allowed either
        raise RequestError(
            f"recipe {recipe} loses {fidelity.loss:.4f} of the {_metric(fidelity)}, and {request.max_loss:g} is allowed; "
            f"not published ({after.bytes:,} bytes instead of {before.bytes:,}, {after.batched_us:,.0f} us a text "
            f"instead of {before.batched_us:,.0f})",
            "take a milder recipe (fewer steps, more layers, distil before int8), or allow more: --max-loss",
        )
    if request.name:
        model = publish_state(shop, request.name, states[1].with_step(entry))
    notes = [] if model else [f"a loss of {fidelity.loss:.4f} of the {_metric(fidelity)}; to publish it give it a --name"]
    if fidelity.kept is not None and not 1 - fidelity.kept.low <= request.max_loss:
        notes.append(f"the interval of the loss reaches {1 - fidelity.kept.low:.4f}: more labelled texts would tell more")
    return CompressResult(
        recipe=str(recipe),
        loss=round(fidelity.loss, 4),
        model=model,
        figures=_figures(before, after, fidelity),
        frontier=pl.DataFrame(),
        notes=tuple(notes),
    )


def _costs(states: tuple[EncoderState, EncoderState], held_out: list[str]) -> list[Costs]:
    """Of the encoder before and after, each also started in a process of its own."""
    import tempfile
    from dataclasses import replace

    from basketry.compression.measure import costs, start_seconds
    from basketry.core.protocols import Run
    from basketry.encoders.models import encoder_of
    from basketry.encoders.state import write_state

    measured = costs([encoder_of(state, Run(threads=1)) for state in states], [state.bytes for state in states], held_out)
    whole = []
    for state, cost in zip(states, measured, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            write_state(Path(folder), state)
            whole.append(replace(cost, start=start_seconds(f"model:{folder}", held_out[0])))
    return whole


def _metric(fidelity: Fidelity) -> str:
    return "neighbours" if fidelity.kept is None else "task metric"


def _told(cost: Costs) -> dict[str, float]:
    from dataclasses import asdict

    return {name: round(value, 4) for name, value in asdict(cost).items()}


def _figures(before: Costs, after: Costs, fidelity: Fidelity) -> pl.DataFrame:
    import math

    import polars as pl

    rows: list[tuple[str, float | None, float | None, float | None]] = [
        ("bytes", before.bytes, after.bytes, before.bytes / after.bytes),
        ("CPU us a text, batched", before.batched_us, after.batched_us, before.batched_us / after.batched_us),
        ("CPU ms of one text", before.alone_ms, after.alone_ms, before.alone_ms / after.alone_ms),
        ("CPU s to start", before.start, after.start, before.start / after.start),
        ("neighbours shared", 1.0, fidelity.agreement, None),
        ("cosine to before", 1.0, None if math.isnan(fidelity.cosine) else fidelity.cosine, None),
    ]
    if fidelity.task is not None and fidelity.kept is not None:
        teacher = fidelity.task.value / fidelity.kept.value if fidelity.kept.value else math.nan
        rows.append(("task: nearest in the group", teacher, fidelity.task.value, None))
        rows.append(("share of it kept", 1.0, fidelity.kept.value, None))
        rows.append(("95% interval, low end", None, fidelity.kept.low, None))
        rows.append(("95% interval, high end", None, fidelity.kept.high, None))
    return pl.DataFrame(rows, schema=["figure", "before", "after", "times better"], orient="row").with_columns(
        pl.col("before", "after").round_sig_figs(5), pl.col("times better").round(2)
    )


def _frontier(trials: list[Trial]) -> pl.DataFrame:
    import polars as pl

    rows: list[dict[str, Any]] = [
        {
            "recipe": str(trial.recipe),
            "loss": round(trial.fidelity.loss, 4),
            "agreement": round(trial.fidelity.agreement, 4),
            "cpu_us": round(trial.costs.batched_us, 1),
            "alone_ms": round(trial.costs.alone_ms, 3),
            "bytes": trial.costs.bytes,
        }
        for trial in trials
    ]
    return pl.DataFrame(rows)
