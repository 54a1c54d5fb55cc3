"""CPU time of mining sequential patterns: this kernel, and what else can be called from Python.

    python benchmarks/speed/sequences.py [ROUNDS]

The data are click streams of SPMF (BMSWebView1, kosarak10k) from the folder BASKETRY_DATASETS: one item an element, which is
all that most peers take. All ways start from lists or arrays in memory, or from a file where a peer reads nothing else, and
are to find the same number of patterns of two items and more; another number is said beside the way that finds it. Runs are
interleaved, each in a process of its own and repeated there while it is short; the figure is the median of user + system CPU
seconds. A peer that is not installed is passed over with a line; PAMI's PrefixSpan is left out, for it counts the sign between
elements as an item. Writes docs/reference/speed-sequences.md.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import io
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-sequences.md"
DATA = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets")) / "fimi" / "spmf_utility_sequences"
# Data, least sequences, and the ways too slow to wait for.
CASES = (
    ("BMSWebView1", 100, ()),
    ("BMSWebView1", 60, ()),
    ("BMSWebView1", 40, ("PAMI",)),
    ("kosarak10k", 100, ()),
    ("kosarak10k", 50, ()),
    ("kosarak10k", 20, ("PAMI",)),
)
Found = int | None


def kernel(path: Path, least: int) -> Callable[[], Found]:
    """Columns of a prefix tree, as the kernel returns them."""
    from basketry.associations.mining.sequence_files import read_sequences
    from basketry.kernels.sequences import mine_sequences

    rows = read_sequences(path).rows

    def run() -> Found:
        tree = mine_sequences(rows, min_count=least)
        return int((tree.lengths > 1).sum())

    return run


def closed(path: Path, least: int) -> Callable[[], Found]:
    """The closed ones alone."""
    from basketry.associations.mining.sequence_files import read_sequences
    from basketry.kernels.sequences import mine_sequences

    rows = read_sequences(path).rows

    def run() -> Found:
        mine_sequences(rows, min_count=least, kind="closed")

    return run


def frame(path: Path, least: int) -> Callable[[], Found]:
    """The same as a Polars frame of lists of lists of names."""
    from basketry.associations.mining.sequence_files import read_sequences
    from basketry.associations.mining.sequences import Sequences
    from basketry.core.protocols import Run

    database = read_sequences(path)

    def run() -> Found:
        table = Sequences(least).fit(database, Run()).frame()
        return int((table["length"] > 1).sum())

    return run


def lists(path: Path) -> list[list[int]]:
    """Sequences of one item an element as lists of items."""
    from basketry.associations.mining.sequence_files import read_sequences

    rows = read_sequences(path).rows
    return [
        rows.items[rows.elements[a] : rows.elements[b]].tolist() for a, b in zip(rows.starts, rows.starts[1:], strict=False)
    ]


def prefixspan(path: Path, least: int) -> Callable[[], Found]:
    from prefixspan import PrefixSpan

    sequences = lists(path)
    return lambda: sum(len(pattern) > 1 for _, pattern in PrefixSpan(sequences).frequent(least))


def effspm(name: str) -> Callable[[Path, int], Callable[[], Found]]:
    def way(path: Path, least: int) -> Callable[[], Found]:
        import effspm

        sequences = [[item + 1 for item in sequence] for sequence in lists(path)]
        return lambda: len(getattr(effspm, name)(sequences, minsup=least, time_limit=3600)["patterns"])

    return way


def pami(name: str) -> Callable[[Path, int], Callable[[], Found]]:
    def way(path: Path, least: int) -> Callable[[], Found]:
        module = importlib.import_module(f"PAMI.sequentialPattern.basic.{name}")
        lines = ["".join(f"{item}\t-1\t" for item in sequence).rstrip() for sequence in lists(path)]
        file = Path(tempfile.mkdtemp()) / "sequences.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

        def run() -> Found:
            with contextlib.redirect_stdout(io.StringIO()):
                miner = getattr(module, name)(str(file), least, sep="\t")
                miner.mine()
            return sum(pattern.count("-1") > 1 for pattern in map(str, miner.getPatterns()))

        return run

    return way


WAYS: dict[str, tuple[str, Callable[[Path, int], Callable[[], Found]]]] = {
    "basketry kernel": ("basketry", kernel),
    "basketry kernel, closed": ("basketry", closed),
    "basketry, frame of names": ("basketry", frame),
    "prefixspan (Python)": ("prefixspan", prefixspan),
    "effspm BTMiner (C++)": ("effspm", effspm("BTMiner")),
    "effspm PrefixProjection (C++)": ("effspm", effspm("PrefixProjection")),
    "PAMI SPADE (Python)": ("PAMI", pami("SPADE")),
}


def _measure(way: str, path: Path, least: int, pipe: Any) -> None:
    run = WAYS[way][1](path, least)
    gc.collect()
    begun = time.process_time()
    runs = 0
    while runs == 0 or (runs < 20 and time.process_time() - begun < 0.2):
        found = run()
        runs += 1
    pipe.send(((time.process_time() - begun) / runs, found))


def measured(way: str, path: Path, least: int) -> tuple[float, Found]:
    """CPU seconds and the number of patterns of two items and more, from a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(way, path, least, theirs))
    process.start()
    theirs.close()
    answer: tuple[float, Found] = ours.recv()
    process.join()
    return answer


def table(name: str, least: int, passed: tuple[str, ...], rounds: int) -> list[str]:
    """The lines of one table."""
    path = DATA / f"{name}.txt.gz"
    ways = [way for way, (module, _) in WAYS.items() if importlib.util.find_spec(module) and not way.startswith(passed or "-")]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, Found] = {}
    for _ in range(rounds):
        for way in ways:
            spent, found[way] = measured(way, path, least)
            seconds[way].append(spent)
    n = found["basketry kernel"]
    ours = statistics.median(seconds["basketry kernel"])
    lines = [
        f"## {name}, at least {least} sequences",
        "",
        f"{n:,} patterns of two items and more.",
        "",
        "| Way | CPU s, median | least to most | times the kernel | |",
        "|---|---:|---:|---:|---|",
    ]
    for way in ways:
        median = statistics.median(seconds[way])
        spread = f"{min(seconds[way]):.4f} to {max(seconds[way]):.4f}"
        other = "" if found[way] in (n, None) else f"finds {found[way]:,}"
        lines.append(f"| {way} | {median:.4f} | {spread} | {median / ours:.1f} | {other} |")
    return [*lines, ""]


def main() -> None:
    """Measure, print and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if not DATA.is_dir():
        sys.exit(f"{DATA} is absent: set BASKETRY_DATASETS to the folder of data sets")
    absent = sorted({module for module, _ in WAYS.values() if importlib.util.find_spec(module) is None})
    for module in absent:
        print(f"{module} is not installed: passed over")
    lines = [
        "# Speed: sequential patterns",
        "",
        "Click streams, one item an element: BMSWebView1 (59,601 sequences, 149,638 clicks), kosarak10k (10,000, 81,407).",
        f"`python benchmarks/speed/sequences.py` wrote this page: {rounds} interleaved rounds, a process a run, one thread,",
        "user + system CPU time from data in memory (PAMI: from its file) to what the package returns. A number of",
        "patterns other than the kernel's is said beside the way that finds it. A way that a table lacks was too slow to wait",
        "for, or not there.",
        "",
        *(line for name, least, passed in CASES for line in table(name, least, passed, rounds)),
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
