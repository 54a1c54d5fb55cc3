"""Which runtime is fastest for an encoder on this very machine: measured, told, and remembered for the shop."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.app.encoders import CHOSEN
from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.core.telemetry import span
from basketry.store import durable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from basketry.core.protocols import Encoder, Vectors
    from basketry.encoders.state import EncoderState

ROUNDS: Final = 5
ALIKE: Final = 0.999  # least cosine of a text's vectors in two runtimes for these to stand for one another


def measure_runtimes(state: EncoderState, texts: Sequence[str], threads: int) -> list[dict[str, Any]]:
    """One row a runtime that is installed: texts a CPU second in batches, CPU milliseconds of a single text, seconds to load.

    Rounds of all runtimes are interleaved and the medians taken. `alike` is the least cosine between a text's vectors by this
    runtime and by the first; `fastest` marks the best rate among those of 0.999 and more.
    """
    from basketry.encoders.models import encoder_of, runtimes_of

    found: dict[str, tuple[Encoder, float]] = {}
    for runtime in runtimes_of(state):
        begun = time.perf_counter()
        try:
            encoder = encoder_of(state, Run(threads=threads), runtime)
        except EncoderError:  # not installed, or it refuses the model: then it is not among the answers
            continue
        found[runtime] = encoder, time.perf_counter() - begun
    batched: dict[str, list[float]] = {runtime: [] for runtime in found}
    single: dict[str, list[float]] = {runtime: [] for runtime in found}
    vectors: dict[str, Vectors] = {}
    with span("measure", total=ROUNDS * len(found), unit="rounds") as progress:
        for _ in range(ROUNDS):
            for runtime, (encoder, _seconds) in found.items():
                begun = time.process_time()
                vectors[runtime] = encoder.encode(texts)
                batched[runtime].append(time.process_time() - begun)
                single[runtime].append(_single(encoder, texts))
                progress.advance()
    first = next(iter(vectors.values()))
    rows: list[dict[str, Any]] = [
        {
            "runtime": runtime,
            "texts_per_cpu_second": round(len(texts) / float(np.median(batched[runtime])), 1),
            "single_cpu_ms": round(float(np.median(single[runtime])) * 1e3, 3),
            "load_seconds": round(seconds, 3),
            "alike": round(float(np.sum(first * vectors[runtime], axis=1).min()), 5),
        }
        for runtime, (_, seconds) in found.items()
    ]
    sure = [row for row in rows if row["alike"] >= ALIKE]
    best = max(sure, key=lambda row: row["texts_per_cpu_second"])["runtime"]
    return [row | {"fastest": row["runtime"] == best} for row in rows]


def remember_runtime(folder: Path, state: EncoderState, runtime: str) -> None:
    """Keep the choice in the shop's cache, where `chosen_runtime` finds it."""
    path = folder / "cache" / CHOSEN
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):  # none yet
        known = {}
    if not isinstance(known, dict):  # a hand has broken it: begin anew
        known = {}
    durable.make_folder(path.parent)
    durable.write_file(path, json.dumps({**known, state.digest: runtime}, indent=1, sort_keys=True).encode())


def _single(encoder: Encoder, texts: Sequence[str]) -> float:
    begun = time.process_time()
    some = texts[:20]
    for text in some:
        encoder.encode([text])
    return (time.process_time() - begun) / len(some)
