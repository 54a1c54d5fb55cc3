"""The data sets as they are read, split and cleaned, and the models measured on them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, load_state
from basketry.encoders.state import EncoderState, read_state, write_state
from basketry.training.adaptation.contrastive import ContrastiveAdapter
from basketry.training.adaptation.pairs import HeldOut, Pairs

RUN = Run(seed=0, threads=1)
ER = ("Amazon-Google", "Walmart-Amazon", "Abt-Buy", "WDC small")
FIELDS = ("title", "name", "manufacturer", "brand", "modelno")  # prices and descriptions are left out: figures weigh much


@dataclass
class Bench:
    """Where data lie, where adapted models are kept, what else is measured; models and CPU seconds as they come."""

    datasets: Path
    folder: Path
    also: dict[str, str]
    states: dict[str, EncoderState] = field(default_factory=dict)
    learning: dict[str, float] = field(default_factory=dict)
    encoded: dict[tuple[str, str], tuple[np.ndarray, float]] = field(default_factory=dict)

    def state(self, name: str) -> EncoderState:
        """`universal`, `minilm`, a model of `--also`, or one adapted here."""
        if name not in self.states:
            self.states[name] = load_state(f"model:{self.also[name]}" if name in self.also else name)
        return self.states[name]

    def encode(self, name: str, texts: list[str]) -> tuple[np.ndarray, float]:
        """Vectors by the model, and the CPU seconds they took, now or when the same texts were first asked for."""
        key = (name, hashlib.sha256("\0".join(texts).encode()).hexdigest())
        if key not in self.encoded:
            encoder = encoder_of(self.state(name), RUN)
            begun = time.process_time()
            vectors = encoder.encode(texts)
            self.encoded[key] = vectors, time.process_time() - begun
        return self.encoded[key]

    def adapted(self, name: str, base: str, pairs: Pairs, valid: HeldOut, adapter: ContrastiveAdapter | None = None) -> str:
        """Fine-tune `base` and keep it under `name`; returns the name."""
        kept = self.folder / "models" / name
        if name not in self.states and (kept / "encoder.json").is_file():
            self.states[name] = read_state(kept)  # of an earlier run with --keep
            self.learning[name] = float(self.states[name].history[-1]["cpu_seconds"])
        if name not in self.states:
            begun = time.process_time()
            found, history = (adapter or ContrastiveAdapter()).fit(self.state(base), pairs, valid, RUN)
            self.learning[name] = time.process_time() - begun
            self.states[name] = found.with_step({"verb": "adapt", "cpu_seconds": self.learning[name]})
            write_state(kept, self.states[name])
            print(f"  {name}: {len(history.losses)} steps, {history.validations}", flush=True)
        return name

    def compressed(self, base: str, recipe: str, texts: list[str]) -> str:
        """The model `base` after a recipe that learns from `texts`; returns its name, and counts base's learning as its own."""
        name = f"{base}, {recipe}"
        if name not in self.states:
            begun = time.process_time()
            teacher = self.state(base)
            self.states[name] = Recipe.parse(recipe).apply(teacher, Materials(texts, (teacher,), RUN))
            self.learning[name] = time.process_time() - begun + self.learning.get(base, 0.0)
        return name


def bucket(text: object) -> int:
    """0 to 9, by sha256: the same part in every run, whatever else is read."""
    return int(hashlib.sha256(str(text).encode()).hexdigest()[:8], 16) % 10


def part(text: object) -> str:
    """test 10%, valid 10%, train 80%."""
    return {0: "test", 1: "valid"}.get(bucket(text), "train")


@dataclass(frozen=True)
class Grouped:
    """Distinct titles of one part with their group."""

    texts: list[str]
    groups: np.ndarray


def shopee(folder: Path) -> tuple[dict[str, Grouped], str]:
    """The three parts by label_group, and what was done about titles that stand in more than one."""
    with zipfile.ZipFile(folder / "shopee_matching" / "train.csv.zip") as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".csv"))
        table = pl.read_csv(io.BytesIO(archive.read(name)))
    table = table.with_columns(
        pl.col("title").map_elements(_unescaped, return_dtype=pl.String),
        part=pl.col("label_group").map_elements(part, return_dtype=pl.String),
    )
    distinct = table.unique(["title", "label_group"], maintain_order=True)
    ambiguous = distinct.group_by("title").len().filter(pl.col("len") > 1)["title"].to_list()
    kept = distinct.filter(~pl.col("title").is_in(ambiguous))
    told = (
        f"Of {len(table):,} listings {len(table) - len(distinct):,} repeat a title within their group and {len(ambiguous)}\n"
        "titles stand in several groups; repeats are dropped, and so are ambiguous titles, so no title is in two parts."
    )
    parts = {}
    for name in ("train", "valid", "test"):
        rows = kept.filter(pl.col("part") == name)
        parts[name] = Grouped(rows["title"].to_list(), rows["label_group"].to_numpy())
    return parts, told


def _unescaped(title: str) -> str:
    """The file spells what is not ASCII as \\xHH."""
    return re.sub(
        r"(?:\\x[0-9a-f]{2})+", lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "ignore"), title
    )


@dataclass(frozen=True)
class Compared:
    """Pairs of texts and whether they are one product; `price` ratio where both are known, else 0."""

    one: list[str]
    two: list[str]
    same: np.ndarray
    price: np.ndarray


def er(folder: Path, name: str) -> dict[str, Compared]:
    """The published parts of one set of product pairs."""
    where = folder / "er_product_matching"
    files = {each: where / name / f"{each}.txt.gz" for each in ("train", "valid", "test")}
    if name == "WDC small":
        small = {"train": "train.txt.small.gz", "valid": "valid.txt.small.gz", "test": "test.txt.gz"}
        files = {each: where / "wdc_all" / file for each, file in small.items()}
    return {each: _compared(file) for each, file in files.items()}


def _compared(file: Path) -> Compared:
    rows = [line.split("\t") for line in gzip.decompress(file.read_bytes()).decode("utf-8").split("\n") if line]
    sides = [[_fields(row[side]) for row in rows] for side in (0, 1)]
    one, two = ([" ".join(each[key] for key in FIELDS if each.get(key)) or "?" for each in side] for side in sides)
    price = np.array([_ratio(a.get("price", ""), b.get("price", "")) for a, b in zip(*sides, strict=True)])
    return Compared(one, two, np.array([row[2] == "1" for row in rows]), price)


def _fields(text: str) -> dict[str, str]:
    found = re.findall(r"COL (\S+) VAL (.*?)(?= COL \S+ VAL |$)", text)
    return {name: value.strip() for name, value in found}


def _ratio(one: str, two: str) -> float:
    try:
        a, b = float(one), float(two)
    except ValueError:
        return 0.0
    return min(a, b) / max(a, b) if a > 0 and b > 0 else 0.0


@dataclass(frozen=True)
class Classified:
    """Texts with labels, cut into train and test."""

    train: list[str]
    train_labels: list[str]
    test: list[str]
    test_labels: list[str]


def fashion(folder: Path, most: int) -> Classified:
    """Distinct titles with their articleType; at most `most` to train on, and to test on."""
    table = pl.read_csv(folder / "fashion_styles" / "styles.csv.gz", infer_schema=False)
    table = table.drop_nulls(["productDisplayName", "articleType"]).unique("productDisplayName", maintain_order=True)
    return _cut(table["productDisplayName"].to_list(), table["articleType"].to_list(), most)


def reviews(folder: Path, most: int) -> Classified:
    """Chinese reviews of ten categories, positive or negative."""
    with zipfile.ZipFile(folder / "zh_reviews" / "online_shopping_10_cats.zip") as archive:
        table = pl.read_csv(io.BytesIO(archive.read("online_shopping_10_cats.csv")), infer_schema=False)
    table = table.drop_nulls().filter(pl.col("review").str.strip_chars() != "").unique("review", maintain_order=True)
    table = table.sample(fraction=1.0, shuffle=True, seed=0).head(most * 10 // 7)
    named = ["positive" if each == "1" else "negative" for each in table["label"]]
    return _cut([text[:300] for text in table["review"]], named, most)


def mall(folder: Path) -> tuple[list[str], list[str]]:
    """Chinese goods: name and brief, and the first level of their category."""
    lines = (folder / "zh_mall_catalog" / "derived" / "litemall_goods.jsonl").read_text(encoding="utf-8").splitlines()
    goods = [good for good in map(json.loads, lines) if good["category"]]
    return [f"{good['name']} {good['brief'] or ''}" for good in goods], [good["category"][0] for good in goods]


def _cut(texts: list[str], labels: list[str], most: int) -> Classified:
    parts = np.array([part(text) for text in texts])
    train, test = (np.flatnonzero(np.isin(parts, names)) for names in (["train"], ["valid", "test"]))
    train, test = (np.sort(np.random.default_rng(0).permutation(rows)[:most]) for rows in (train, test))
    chosen = [[source[row] for row in rows] for rows in (train, test) for source in (texts, labels)]
    return Classified(*chosen)
