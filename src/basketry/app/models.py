"""Models: which encoders there are, what they are made of and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from basketry.app.shop import Shop

SHIPPED: Final = {"universal": ("ngram", 512), "minilm": ("transformer", 384)}  # family and dimensions


@dataclass(frozen=True)
class ModelsRequest:
    """Which models to show, remove or export."""

    model: str = field(default="", metadata={"help": "One model of this shop: tell its whole history.", "argument": True})
    remove: str = field(
        default="", metadata={"role": "operator", "help": "Remove this model of the shop. Releases built with it hold a copy."}
    )
    export: str = field(
        default="", metadata={"local": True, "help": "Write the model to this folder: as ONNX where it is a transformer."}
    )


@dataclass(frozen=True)
class ModelsResult:
    """One row a model; or of one model, one row for each step of its history."""

    models: pl.DataFrame
    notes: tuple[str, ...]


def models(shop: Shop, request: ModelsRequest) -> ModelsResult:
    """List the encoders that can be named here: those that came with the install, and those adapted or compressed."""
    import polars as pl

    if request.remove:
        shop.models.remove(_own_name(request.remove))
        return ModelsResult(_table(shop), (f"removed {request.remove}",))
    if request.export:
        return ModelsResult(_table(shop), (_exported(shop, request),))
    if request.model:
        return ModelsResult(pl.DataFrame(list(_history(shop, _own_name(request.model)))), ())
    notes: tuple[str, ...] = (
        "bytes: of the packed file for those that came with the install, of the arrays for the shop's own",
    )
    if not shop.models.published():
        notes = (*notes, "no model of the shop's own yet: basketry adapt, or basketry compress")
    return ModelsResult(_table(shop), notes)


def _own_name(given: str) -> str:
    """The name of a model of the shop's own, `model:` before it or not. Raises RequestError for one that was installed."""
    from basketry.core.errors import RequestError

    if given in SHIPPED:
        raise RequestError(
            f"{given} came with the install: it has no history here, and stays", "name a model of the shop's own"
        )
    return given.removeprefix("model:")


def _table(shop: Shop) -> pl.DataFrame:
    import polars as pl

    columns = {
        "encoder": pl.String,
        "family": pl.String,
        "dim": pl.Int64,
        "bytes": pl.Int64,
        "state": pl.String,
        "made": pl.String,
    }
    return pl.DataFrame([*_shipped(), *_own(shop)], schema=columns)


def _shipped() -> Iterator[dict[str, Any]]:
    """The encoders whose weights come in a package."""
    from basketry.encoders.weights import check_weights

    for weights, state in check_weights():
        if weights.name in SHIPPED:
            family, dim = SHIPPED[weights.name]
            made = f"{weights.origin}; {weights.licence}"
            size = weights.size if state == "ok" else None
            yield {"encoder": weights.name, "family": family, "dim": dim, "bytes": size, "state": state, "made": made}


def _own(shop: Shop) -> Iterator[dict[str, Any]]:
    """The models of the shop; one that is damaged is shown as such."""
    from basketry.core.errors import EncoderError
    from basketry.encoders.models import dim_of
    from basketry.encoders.state import read_state

    for name in shop.models.published():
        row: dict[str, Any] = {"encoder": f"model:{name}", "family": None, "dim": None, "bytes": None}
        try:
            state = read_state(shop.models.path(name))
        except EncoderError as error:
            yield row | {"state": "damaged", "made": error.message}
            continue
        made = ", ".join(str(step.get("verb", "?")) for step in state.history)
        yield row | {"family": state.family, "dim": dim_of(state), "bytes": state.bytes, "state": "ok", "made": made}


def _history(shop: Shop, name: str) -> Iterator[dict[str, Any]]:
    import json

    from basketry.encoders.state import read_state

    for number, step in enumerate(read_state(shop.models.path(name)).history, start=1):
        facts = {key: value for key, value in step.items() if key != "verb"}
        yield {"step": number, "verb": step.get("verb"), "facts": json.dumps(facts, ensure_ascii=False)}


def _exported(shop: Shop, request: ModelsRequest) -> str:
    """Write a model out; a sentence of what was written."""
    from pathlib import Path

    from basketry.app.encoders import shop_state
    from basketry.core.errors import RequestError
    from basketry.encoders.models import export_state

    if not request.model:
        raise RequestError("no model is named to export", "basketry models model:NAME --export FOLDER, or minilm or universal")
    folder = Path(request.export)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise RequestError(f"{folder} is no empty folder", "name a folder that is new or empty")
    name = request.model
    state = shop_state(shop, f"model:{name}" if name in shop.models.published() else name)
    return f"wrote {', '.join(export_state(state, folder))} to {folder}"
