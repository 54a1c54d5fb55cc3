"""What can be asked of adapting, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.adapt_pairs import SOURCES
from basketry.app.tracking import TRACK_HELP

if TYPE_CHECKING:
    import polars as pl

    from basketry.evaluation.bootstrap import Resampled

METHODS: Final = ("contrastive", "behaviour", "linear", "masked", "head")


@dataclass(frozen=True)
class AdaptRequest:
    """What to adapt, on what, and under which name."""

    source: str = field(
        default="",
        metadata={
            "local": True,
            "help": "A table (.parquet, .csv, .jsonl) of text, label or text_a, text_b, weight; default: the shop's own pairs. "
            "For head: text, label. For masked: text, or a .txt file of one a line; default: the shop's products.",
            "argument": True,
        },
    )
    name: str = field(default="adapted", metadata={"help": "Name of the new model: SHOP/models/NAME, used as model:NAME."})
    base: str = field(
        default="universal",
        metadata={"local": True, "help": "What to start from: universal, minilm, model:NAME, sentence:FOLDER."},
    )
    method: str = field(
        default="contrastive",
        metadata={
            "help": "contrastive (trains the network on pairs), behaviour (trains it towards the partners of each text; reads "
            "--epochs and --learning-rate only), linear (one matrix, seconds, no torch), masked (a transformer guesses words "
            "left out of texts), or head (tells the label of a text, from vectors of the base as it is; no torch)."
        },
    )
    pairs: str = field(
        default="bought_together", metadata={"local": True, "help": f"What goes together in the shop: {', '.join(SOURCES)}."}
    )
    as_of: str = field(default="", metadata={"help": "Only what was known before this instant, ISO 8601 with zone."})
    min_customers: int = field(default=20, metadata={"help": "Distinct customers behind every pair."})
    epochs: int = field(default=0, metadata={"help": "Rounds over the texts; 0: as many as make 150 steps, 20 at most."})
    batch_size: int = field(default=128, metadata={"help": "Pairs in one step of training."})
    learning_rate: float = field(default=0.0, metadata={"help": "Highest learning rate; 0: the one that suits the network."})
    temperature: float = field(
        default=0.05, metadata={"help": "Of the softmax over cosines: smaller looks at near misses more."}
    )
    debias: float = field(default=1.0, metadata={"help": "Correction for products that stand in many pairs: 0 none, 1 whole."})
    peft: str = field(
        default="none", metadata={"help": "Train few weights: none, lora, adalora, or adapters (in a transformer)."}
    )
    track: str = field(default="none", metadata={"local": True, "help": TRACK_HELP})
    keep: bool = field(default=False, metadata={"help": "Publish the model even if it does not beat its base."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of every random draw."})


@dataclass(frozen=True)
class AdaptResult:
    """How the base, a simple baseline and what was trained fare on what was kept out; `model` is what was published.

    `measures`: one row a model and metric, with its 95% interval, and `ratio` to the first model with that of the paired
    resamples. `classes`, of a head: precision, recall and F1 of every label. `pairs` were learned from; without pairs, texts.
    """

    model: str
    base: str
    pairs: int
    texts: int
    held_out: int
    measures: pl.DataFrame
    classes: pl.DataFrame
    notes: tuple[str, ...]


def measures_table(measured: Mapping[str, Resampled], metrics: tuple[str, ...]) -> pl.DataFrame:
    """One row a model and metric; the first model is what the others are compared with."""
    import polars as pl

    first = next(iter(measured))
    rows = []
    for metric in metrics:
        for model, figures in measured.items():
            value, ratio = figures.interval(metric), figures.ratio_to(measured[first], metric)
            ends = {"value": value.value, "low": value.low, "high": value.high}
            against = {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
            rows.append({"metric": metric, "model": model, **ends, **(against if model != first else dict.fromkeys(against))})
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("ratio", "ratio_low", "ratio_high"), pl.Float64))
