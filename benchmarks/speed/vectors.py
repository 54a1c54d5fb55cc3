"""Vector search: recall@10 and queries per CPU second of ours, of the same faiss index called directly, and of others.

    python benchmarks/speed/vectors.py [--peers PYTHON] [--only titles|100000|1000000]

`PYTHON`: an interpreter of an environment with hnswlib and usearch, which run in a process of their own at 100,000 vectors.
One thread; rounds interleaved, medians of user + system CPU time; 1,000 queries that are not in the index. Vectors: titles of
real products by the default encoder (BASKETRY_DATASETS: shopee_matching, amazon_games_text, fashion_styles, home_depot), and
drawn ones of 384 dimensions in 2,000 groups of a space of 32. Writes docs/reference/speed-vectors.md (all worlds only).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from basketry.core.protocols import Run
from basketry.encoders import load_encoder
from basketry.vectors import VectorIndex, VectorIndexing, nearest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-vectors.md"
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
ROUNDS, K, QUERIES, ALONE = 5, 10, 1000, 200
SHARES = (0.01, 0.1, 0.5)
RUN = Run(threads=1)

PEERS = """
import json, sys, time
import numpy as np
folder = sys.argv[1]
vectors, queries, true = (np.load(f"{folder}/{name}.npy") for name in ("vectors", "queries", "true"))
dim, found = vectors.shape[1], []

def recall(rows):
    return float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(rows.astype(np.int64), true)]))

def swept(name, build, search):
    begun = time.process_time()
    index = build()
    built = time.process_time() - begun
    for breadth in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768):
        rows = search(index, queries, breadth)
        if recall(rows) >= 0.98 or breadth == 768:
            break
    spent = []
    for size in (1000, 1):
        asked = queries if size > 1 else queries[:200]
        times = []
        for _ in range(5):
            begun = time.process_time()
            for start in range(0, len(asked), size):
                search(index, asked[start : start + size], breadth)
            times.append((time.process_time() - begun) / len(asked) * 1e3)
        spent.append(float(np.median(times)))
    found.append({"name": f"{name}, breadth {breadth}", "recall": recall(rows), "batch": spent[0], "single": spent[1],
                  "built": built})

try:
    import hnswlib
    def build():
        index = hnswlib.Index("ip", dim)
        index.init_index(len(vectors), M=16, ef_construction=100, random_seed=0)
        index.set_num_threads(1)
        index.add_items(vectors)
        return index
    def search(index, asked, breadth):
        index.set_ef(breadth)
        return index.knn_query(asked, 10)[0]
    swept("hnswlib, float32", build, search)
except ImportError:
    pass
try:
    from usearch.index import Index
    def build_usearch():
        index = Index(ndim=dim, metric="cos", dtype="i8", connectivity=16, expansion_add=100)
        index.add(np.arange(len(vectors)), vectors, threads=1)
        return index
    def search_usearch(index, asked, breadth):
        index.expansion_search = breadth
        return np.asarray(index.search(asked, 10, threads=1).keys).reshape(len(asked), -1)
    swept("usearch, int8", build_usearch, search_usearch)
except ImportError:
    pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class World:
    """Vectors to index, queries that are not among them, and the rows of their nearest."""

    name: str
    vectors: np.ndarray
    queries: np.ndarray
    true: np.ndarray

    @classmethod
    def of(cls, name: str, vectors: np.ndarray, queries: np.ndarray) -> World:
        return cls(name, vectors, queries, nearest(vectors, queries, K)[0])


def titles() -> World:
    """Distinct titles of four shops by the default encoder."""
    found: set[str] = set()
    with zipfile.ZipFile(DATASETS / "shopee_matching" / "train.csv.zip") as archive:
        name = next(each for each in archive.namelist() if each.endswith(".csv"))
        found |= {row["title"] for row in csv.DictReader(io.TextIOWrapper(archive.open(name), encoding="utf-8"))}
    with gzip.open(DATASETS / "amazon_games_text" / "Games.item.original.gz", "rt", errors="replace") as lines:
        found |= {line.rstrip("\n").partition("\t")[2] for line in lines}
    with gzip.open(DATASETS / "fashion_styles" / "styles.csv.gz", "rt") as lines:
        found |= {row["productDisplayName"] for row in csv.DictReader(lines)}
    with gzip.open(DATASETS / "home_depot" / "derived" / "dev.csv.gz", "rt", encoding="utf-8", errors="replace") as lines:
        found |= {row["product_title"] for row in csv.DictReader(lines)}
    texts = sorted({text.strip().lower() for text in found} - {""})
    vectors = load_encoder("universal", RUN).encode(texts)
    order = np.random.default_rng(0).permutation(len(vectors))
    name = f"Titles: {len(texts) - QUERIES:,} of real products, {vectors.shape[1]} dimensions"
    return World.of(name, vectors[order[QUERIES:]], vectors[order[:QUERIES]])


def drawn(n: int, dim: int = 384) -> World:
    """Groups of unequal size around centres in 32 dimensions, laid into 384 with a little noise everywhere."""
    random = np.random.default_rng(0)
    flat = (random.normal(size=(32, dim)) / np.sqrt(32)).astype(np.float32)
    centres = random.normal(size=(2000, 32)).astype(np.float32)
    weight = 1 / np.arange(1, 2001) ** 0.7
    vectors = np.empty((n + QUERIES, dim), dtype=np.float32)
    for start in range(0, len(vectors), 50_000):
        block = vectors[start : start + 50_000]
        group = random.choice(2000, len(block), p=weight / weight.sum())
        place = centres[group] + 0.6 * random.standard_normal((len(block), 32), dtype=np.float32)
        block[:] = place @ flat + 0.02 * random.standard_normal(block.shape, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return World.of(f"Drawn: {n:,} x {dim}", vectors[:n], vectors[n:])


Search = Callable[[np.ndarray], np.ndarray]


def direct(index: VectorIndex) -> Search:
    """The faiss index that ours chose and holds, refined by faiss, at the same breadth and as many candidates."""
    structure, tuning = index.structure, index.tuning
    assert structure is not None
    flat = faiss.IndexFlatIP(index.dim)
    flat.add(index.vectors)
    candidates = structure.spared(K)[0] * tuning.depth
    if structure.kind == "ivf":
        inner = faiss.SearchParametersIVF(nprobe=tuning.breadth)
    else:
        inner = faiss.SearchParametersHNSW(efSearch=tuning.breadth + candidates)
    refined, alive = faiss.IndexRefine(structure.index, flat), (structure, flat)  # faiss holds no reference of its own
    parameters = faiss.IndexRefineSearchParameters(k_factor=candidates / K, base_index_params=inner)

    def search(queries: np.ndarray) -> np.ndarray:
        assert alive
        return refined.search(queries, K, params=parameters)[1]

    return search


def recall(rows: np.ndarray, true: np.ndarray) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(rows, true, strict=True)]))


def spent(search: Search, queries: np.ndarray, size: int) -> float:
    """Milliseconds of CPU for a query, so many a call."""
    begun = time.process_time()
    for start in range(0, len(queries), size):
        search(queries[start : start + size])
    return (time.process_time() - begun) / len(queries) * 1e3


def interleaved(ways: dict[str, Search], queries: np.ndarray) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each way, a thousand a call and one a call."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for _ in range(ROUNDS):
        for name, search in ways.items():
            times[name][0].append(spent(search, queries, QUERIES))
            times[name][1].append(spent(search, queries[:ALONE], 1))
    return {name: (statistics.median(batch), statistics.median(single)) for name, (batch, single) in times.items()}


def built(world: World, way: str) -> tuple[VectorIndex, float]:
    begun = time.process_time()
    index = VectorIndexing(way=way).fit(world.vectors, RUN)  # type: ignore[arg-type]
    return index, time.process_time() - begun


def measured(world: World, ways: tuple[str, ...], peers: str) -> list[str]:
    """The section of one world."""
    lines = [
        f"## {world.name}",
        "",
        "| Way | recall@10 | ms CPU, 1,000 a call | one a call | queries per CPU s | build, CPU s |",
    ]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    told, filtered = [], []
    for way in ways:
        index, seconds = built(world, way)
        tuning = index.tuning
        plain = direct(index)
        both: dict[str, Search] = {"ours": lambda asked, index=index: index.search(asked, K).ids, "faiss": plain}
        times = interleaved(both, world.queries)
        for name, search in both.items():
            batch, single = times[name]
            title = f"ours, {way}" if name == "ours" else f"the same {way} called directly"
            cost = f"{seconds:.0f}" if name == "ours" else ""
            found = recall(search(world.queries), world.true)
            lines.append(f"| {title} | {found:.4f} | {batch:.3f} | {single:.3f} | {1e3 / batch:,.0f} | {cost} |")
        ratio = [times["faiss"][i] / times["ours"][i] for i in range(2)]
        size = index.structure.to_bytes().nbytes / len(world.vectors) if index.structure else 0
        told.append(
            f"- `{way}`: {ratio[0]:.2f} of faiss's queries per CPU second a thousand a call, {ratio[1]:.2f} one a call; "
            f"breadth "
            f"{tuning.breadth}, {size:.0f} bytes a vector beside the vectors; at build it told a recall of "
            f"{index.recall.value:.4f} ({index.recall.low:.4f} to {index.recall.high:.4f})."
        )
        filtered += with_filters(world, index, way)
    begun = time.process_time()
    nearest(world.vectors, world.queries, K)
    exact = time.process_time() - begun
    single = spent(lambda asked: nearest(world.vectors, asked, K)[0], world.queries[:20], 1)
    lines.append(f"| exact, all compared | 1 | {exact:.3f} | {single:.3f} | {1e3 / exact:,.0f} | |")
    for row in others(world, peers):
        times = f"{row['batch']:.3f} | {row['single']:.3f} | {1e3 / row['batch']:,.0f} | {row['built']:.0f}"
        lines.append(f"| {row['name']} | {row['recall']:.4f} | {times} |")
    head = ["| Filter keeps | way | ours recall@10 | ms CPU, 1,000 a call | one a call | faiss's own selector, same breadth |"]
    return [*lines, "", *told, "", *head, "|---|---|---:|---:|---:|---:|", *filtered, ""]


def with_filters(world: World, index: VectorIndex, way: str) -> list[str]:
    """Rows on filters drawn at random; the last column is the recall of the plain use of faiss's IDSelector."""
    structure, lines = index.structure, []
    assert structure is not None
    for share in SHARES:
        kept = np.flatnonzero(np.random.default_rng(1).random(len(world.vectors)) < share)
        allowed, queries = index.only(kept), world.queries[:300]
        true = kept[nearest(world.vectors[kept], queries, K)[0]]
        found = recall(index.search(queries, K, allowed).ids, true)
        batch = spent(lambda asked: index.search(asked, K, allowed).ids, world.queries, QUERIES)  # noqa: B023
        single = spent(lambda asked: index.search(asked, K, allowed).ids, world.queries[:50], 1)  # noqa: B023
        selector = faiss.IDSelectorBitmap(np.packbits(allowed.base, bitorder="little"))
        candidates = structure.spared(K)[0] * index.tuning.depth
        if structure.kind == "ivf":
            inner: Any = faiss.SearchParametersIVF(nprobe=index.tuning.breadth, sel=selector)
        else:
            inner = faiss.SearchParametersHNSW(efSearch=index.tuning.breadth + candidates, sel=selector)
        flat = faiss.IndexFlatIP(index.dim)
        flat.add(index.vectors)
        refined = faiss.IndexRefine(structure.index, flat)
        parameters = faiss.IndexRefineSearchParameters(k_factor=candidates / K, base_index_params=inner)
        plain = recall(refined.search(queries, K, params=parameters)[1], true)
        lines.append(f"| {share:.0%} | {way}: {index.way(allowed)} | {found:.4f} | {batch:.3f} | {single:.2f} | {plain:.4f} |")
    return lines


def others(world: World, peers: str) -> list[dict[str, Any]]:
    """What the peers' own process measured; nothing without an interpreter that has them, or for a million vectors."""
    if not peers or len(world.vectors) > 200_000:
        return []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vectors", "queries", "true"):
            np.save(Path(folder) / name, getattr(world, name))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        done = subprocess.run([peers, "-c", PEERS, folder], capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


HEAD = """# Speed: vector search

One thread, CPU time, medians of interleaved rounds; {queries:,} queries that are not in the index. Written by
`python benchmarks/speed/vectors.py --peers PYTHON` with faiss {faiss}. *The same called directly* is the very faiss index that
ours built and holds, refined by faiss (`IndexRefine`), with the same breadth and as many candidates. hnswlib and usearch: M 16,
built at breadth 100, searched at the least breadth of a list that reaches .98 of these very queries, which favours them; they
were asked at about 100,000 only. Filters are drawn at random.
"""


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", default="")
    parser.add_argument("--only", default="", choices=["", "titles", "100000", "1000000"])
    asked = parser.parse_args()
    worlds: dict[str, tuple[Callable[[], World], tuple[str, ...]]] = {
        "titles": (titles, ("ivf", "hnsw")),
        "100000": (lambda: drawn(100_000), ("ivf", "hnsw")),
        "1000000": (lambda: drawn(1_000_000), ("ivf",)),
    }
    lines = [*HEAD.format(queries=QUERIES, faiss=faiss.__version__).splitlines(), ""]
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        for name, (make, ways) in worlds.items():
            if asked.only in ("", name):
                section = measured(make(), ways, asked.peers)
                print("\n".join(section), flush=True)
                lines += section
    if not asked.only:
        PAGE.write_text("\n".join(lines), encoding="utf-8")
        print(f"written to {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
