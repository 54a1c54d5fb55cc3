"""Adapt: an encoder made the shop's own, measured on products it never saw, and kept only if it finds more."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from basketry.app.adapt_checkpoints import checkpoint_folder, forget_checkpoints
from basketry.app.adapt_head import adapt_head
from basketry.app.adapt_masked import adapt_masked
from basketry.app.adapt_request import METHODS, AdaptRequest, AdaptResult, measures_table
from basketry.app.tracking import TRACKERS, tracker_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from basketry.app.adapt_pairs import FoundPairs
    from basketry.app.shop import Shop
    from basketry.core.protocols import Run, Vectors
    from basketry.encoders.state import EncoderState
    from basketry.evaluation.bootstrap import Resampled
    from basketry.training.adaptation.contrastive import ContrastiveAdapter
    from basketry.training.adaptation.pairs import Parts
    from basketry.training.fusion.text_tower import TextTower
    from basketry.training.tracking import Tracker

    Trains = Callable[[EncoderState, Parts, Run, Path, Tracker | None], tuple[EncoderState, dict[str, Any]]]

METRICS: Final = ("hit@1", "recall@10", "mrr@10")
_OF_TEXTS: Final = {"masked": adapt_masked, "head": adapt_head}  # what learns from texts, not from pairs


def adapt(shop: Shop, request: AdaptRequest) -> AdaptResult:
    """Adapt a text encoder to what goes together here; publish it if it finds more of it for products it never saw."""
    import polars as pl

    from basketry.app.encoders import publish_state, shop_state
    from basketry.core.protocols import Run
    from basketry.core.telemetry import span
    from basketry.encoders.models import encoder_of
    from basketry.training.adaptation.pairs import split

    adapter = _checked(shop, request)
    if request.method in _OF_TEXTS:
        return _OF_TEXTS[request.method](shop, request)
    own = (shop.folder / "shop.toml").is_file()
    run = Run(seed=request.seed, threads=shop.settings.threads if own else 2)
    with span("adapt", total=4, unit="steps") as progress:
        found = _pairs(shop, request, run)
        parts = split(found.pairs, run)
        state = shop_state(shop, request.base)
        progress.advance()
        base = _Vectors.of(state, parts, run)
        linear, tried = _linear(state, base, parts)
        progress.advance()
        candidates = {"base": base.test, "linear": _Vectors.of(linear, parts, run).test}
        states, account = {"linear": linear}, {"linear": {"tried": tried}}
        if adapter is not None:
            folder = checkpoint_folder(shop, request, state, found.pairs.texts, found.pairs.rows, found.pairs.weights)
            tracker = tracker_of(shop, request.track, request.name)
            states[request.method], account[request.method] = adapter(state, parts, run, folder, tracker)
            candidates[request.method] = encoder_of(states[request.method], run).encode(parts.test.texts)
        progress.advance()
        measured = _measured(candidates, parts, run)
        better = measured[request.method].gain_over(measured["base"], "recall@10")
        model = ""
        if better.low > 0 or request.keep:
            entry = _entry(request, found, parts, measured, account[request.method])
            model = publish_state(shop, request.name, states[request.method].with_step(entry))
        forget_checkpoints(shop, request)
        progress.advance()
    return AdaptResult(
        model=model or "none",
        base=request.base,
        pairs=len(found.pairs.rows),
        texts=len(found.pairs.texts),
        held_out=len(parts.test.queries),
        measures=measures_table(measured, METRICS),
        classes=pl.DataFrame(),
        notes=_notes(request, measured, model),
    )


def _checked(shop: Shop, request: AdaptRequest) -> Trains | None:
    """What trains as asked, None for the linear adapter; whatever is wrong with the request is said before any work."""
    import dataclasses
    from functools import partial

    from basketry.core.errors import EncoderError, RequestError
    from basketry.training.adaptation.contrastive import ContrastiveAdapter
    from basketry.training.fusion.text_tower import TextTower

    shop.models.refuse_taken(request.name)
    if request.method not in METHODS:
        raise RequestError(f"no method is called {request.method!r}", f"use one of {', '.join(METHODS)}")
    if request.track not in TRACKERS:
        raise RequestError(f"no tracker is called {request.track!r}", f"use one of {', '.join(TRACKERS)}")
    if not 0 <= request.seed < 2**32 or request.min_customers < 1:
        raise RequestError(
            f"seed {request.seed}, min_customers {request.min_customers}", "a seed is from 0 to 4294967295, customers from 1"
        )
    if request.method in ("linear", "head"):
        return None
    if importlib.util.find_spec("torch") is None:
        raise EncoderError(
            f"{request.method} adapting needs package torch", "pip install 'basketry[train]', or use --method linear"
        )
    if request.method == "masked":
        return None
    if request.method == "behaviour":
        if request.track != TRACKERS[0]:
            raise RequestError(f"--track {request.track} follows one training, behaviour is several", "use --track none")
        tower = TextTower(learning_rate=request.learning_rate)
        return partial(_towards_behaviour, dataclasses.replace(tower, epochs=request.epochs or tower.epochs))
    adapter = ContrastiveAdapter(
        learning_rate=request.learning_rate,
        epochs=request.epochs,
        batch_size=request.batch_size,
        temperature=request.temperature,
        alike=min(8, request.batch_size),
        debias=request.debias,
        peft=request.peft,
    )
    return partial(_by_contrast, adapter)


def _pairs(shop: Shop, request: AdaptRequest, run: Run) -> FoundPairs:
    from basketry.app.adapt_pairs import shop_pairs, table_pairs

    if request.source:
        return table_pairs(Path(request.source), run)
    return shop_pairs(shop, request.pairs, request.as_of, request.min_customers, request.engine, run)


@dataclass(frozen=True, eq=False)
class _Vectors:
    """An encoder's vectors of the texts of each part."""

    learn: Vectors
    valid: Vectors
    test: Vectors

    @classmethod
    def of(cls, state: EncoderState, parts: Parts, run: Run) -> _Vectors:
        from basketry.encoders.models import encoder_of

        encoder = encoder_of(state, run)
        return cls(*(encoder.encode(part.texts) for part in (parts.learn, parts.valid, parts.test)))


def _linear(state: EncoderState, base: _Vectors, parts: Parts) -> tuple[EncoderState, list[Any]]:
    """The cheap adapter, and what it tried."""
    from basketry.training.adaptation.linear import LinearAdapter, with_projection

    fit = LinearAdapter().fit(base.learn, parts.learn.rows, parts.learn.weights, parts.valid, base.valid)
    return with_projection(state, fit.matrix), [list(each) for each in fit.tried]


def _towards_behaviour(
    tower: TextTower, state: EncoderState, parts: Parts, run: Run, folder: Path, _: Tracker | None
) -> tuple[EncoderState, dict[str, Any]]:
    """The network after training, and the account of it."""
    import dataclasses

    return tower.of_pairs(state, parts.learn, run, folder=folder), {"plan": dataclasses.asdict(tower)}


def _by_contrast(
    adapter: ContrastiveAdapter, state: EncoderState, parts: Parts, run: Run, folder: Path, tracker: Tracker | None
) -> tuple[EncoderState, dict[str, Any]]:
    """The network after training, and the account of it."""
    import dataclasses

    from basketry.training.adaptation.judging import STEERED_BY

    adapted, history = adapter.fit(state, parts.learn, parts.valid, run, folder=folder, tracker=tracker)
    account = {
        "plan": dataclasses.asdict(adapter),
        "steps": len(history.losses),
        "steps_kept": history.kept,
        "weights_trained": history.trainable,
        "last_loss": history.losses[-1] if history.losses else None,
        STEERED_BY: [list(each) for each in history.validations],
    }
    return adapted, account


def _measured(candidates: dict[str, Vectors], parts: Parts, run: Run) -> dict[str, Resampled]:
    from basketry.training.adaptation.judging import judge

    return {name: judge(parts.test, vectors, seed=run.seed) for name, vectors in candidates.items()}


def _entry(
    request: AdaptRequest, found: FoundPairs, parts: Parts, measured: dict[str, Resampled], account: dict[str, Any]
) -> dict[str, Any]:
    """What the model remembers of how it came to be."""
    rows = measures_table(measured, METRICS).to_dicts()
    return {
        "verb": "adapt",
        "base": request.base,
        "method": request.method,
        "data": found.account | {"pairs_learned": len(parts.learn.rows), "texts_learned": len(parts.learn.texts)},
        "seed": request.seed,
        **account,
        "held_out_products": len(parts.test.queries),
        "measured": [row for row in rows if row["model"] in ("base", request.method)],
    }


def _notes(request: AdaptRequest, measured: dict[str, Resampled], model: str) -> tuple[str, ...]:
    """Whether it was worth it, in words."""
    method, steered = request.method, "recall@10"
    gain = measured[method].gain_over(measured["base"], steered)
    verb = "beats" if gain.low > 0 else "does not surely beat"
    told = f"{steered} {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    notes = [f"{method} {verb} {request.base} on products kept out: {told}"]
    over = measured[method].gain_over(measured["linear"], steered)
    if method != "linear" and over.low <= 0 and measured["linear"].gain_over(measured["base"], steered).low > 0:
        told = f"{steered} {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f})"
        notes.append(
            f"the linear adapter, which costs seconds, is not shown to be worse ({method} over it: {told}): --method linear"
        )
    if model:
        notes.append(f"use it: basketry build --encoder {model}")
    else:
        notes.append("nothing was published; --keep publishes it all the same")
    return tuple(notes)
