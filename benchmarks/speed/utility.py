"""CPU time of mining high-utility itemsets: this kernel and PAMI's EFIM, HMiner and UPGrowth.

    python benchmarks/speed/utility.py [ROUNDS]

SPMF's utility sequences, flattened: an element of foodmart is a basket, and so is a whole sequence of the others, where an
element holds one item. All miners must find the same itemsets with the same utilities; a different answer is an error. Each run
has a process of its own; the figure is the median of user CPU seconds, for this kernel in one thread and with its checks and
recoding, the mean of as many calls as take half a second, for PAMI what `mine` takes with the reading of its file. A peer that
takes more than LONGEST seconds of wall time is given up. Peers are run by the interpreter that BASKETRY_PEERS names (default:
this one); what is not installed there is skipped with a line that says so. Writes docs/reference/speed-utility.md.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-utility.md"
FOLDER = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets")) / "fimi" / "spmf_utility_sequences"
PEERS = ("EFIM", "HMiner", "UPGrowth")
CASES = (("kosarak10k", 40_000), ("kosarak10k", 20_000), ("kosarak10k", 15_000), ("BMSWebView1", 30_000))
ALONE = (("foodmart", 70, 0), ("foodmart", 20, 3), ("kosarak10k", 1_000, 3), ("BMSWebView1", 2_000, 3))
LONGEST = 60
REPEATED = 0.5


def baskets(name: str) -> list[dict[int, int]]:
    """Item to utility, in whole units, of each basket."""
    rows = []
    with gzip.open(FOLDER / f"{name}.txt.gz", "rt") as file:
        for line in file:
            sequence = line.partition("-2")[0]
            for part in sequence.split("-1") if name == "foodmart" else [sequence]:
                row: dict[int, int] = {}
                for item, utility in re.findall(r"(\d+)\[([\d.]+)\]", part):
                    row[int(item)] = row.get(int(item), 0) + int(float(utility))
                rows += [row] if row else []
    return rows


def digest(found: list[tuple[tuple[int, ...], int]]) -> str:
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()[:16]


def _cpu() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def run_kernel(name: str, min_utility: int, max_length: int) -> dict[str, object]:
    import numpy as np

    from basketry.kernels.utility import UtilityLimits, mine_utility

    rows = baskets(name)
    indptr = np.cumsum([0, *map(len, rows)])
    names, items = np.unique([item for row in rows for item in row], return_inverse=True)
    utilities = np.array([utility for row in rows for utility in row.values()])
    limits = UtilityLimits(max_length, 50_000_000, 8 << 30)
    before, calls = _cpu(), 0
    while not calls or _cpu() - before < REPEATED:  # the clock of CPU time is coarse beside a few milliseconds
        found = mine_utility(indptr, items.astype(np.int32), utilities, len(names), min_utility=min_utility, limits=limits)
        calls += 1
    spent = (_cpu() - before) / calls
    answer = {"seconds": spent, "itemsets": len(found), "digest": ""}
    if len(found) < 100_000:
        nodes = found.tree.members
        ends, codes = found.tree.flatten(nodes)
        sets = [tuple(sorted(names[codes[ends[i] : ends[i + 1]]].tolist())) for i in range(len(nodes))]
        answer["digest"] = digest(list(zip(sets, found.utility[nodes].tolist(), strict=True)))
    return answer


def run_peer(name: str, min_utility: int, algorithm: str) -> dict[str, object]:
    import contextlib
    import importlib
    import io

    rows = baskets(name)
    miner = getattr(importlib.import_module(f"PAMI.highUtilityPattern.basic.{algorithm}"), algorithm)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file, contextlib.redirect_stdout(io.StringIO()):
        for row in rows:
            file.write("\t".join(map(str, row)) + f":{sum(row.values())}:" + "\t".join(map(str, row.values())) + "\n")
        file.flush()
        started = miner(file.name, min_utility, "\t")
        before = _cpu()
        started.mine()
        spent = _cpu() - before
    found = [(tuple(sorted(map(int, names.split()))), int(utility)) for names, utility in started.getPatterns().items()]
    return {"seconds": spent, "itemsets": len(found), "digest": digest(found)}


def measured(way: str, name: str, min_utility: int, max_length: int = 0) -> dict[str, object] | None:
    """What a run in a process of its own answered; None where it took too long."""
    python = sys.executable if way == "basketry" else os.environ.get("BASKETRY_PEERS", sys.executable)
    command = [python, __file__, "--run", way, name, str(min_utility), str(max_length)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))


def installed(algorithm: str) -> bool:
    python = os.environ.get("BASKETRY_PEERS", sys.executable)
    command = [python, "-c", f"import PAMI.highUtilityPattern.basic.{algorithm}"]
    found = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not found:
        print(f"skipped: PAMI's {algorithm} is not installed for {Path(python).name} (pip install PAMI)")
    return found


def against_peers(name: str, min_utility: int, peers: list[str], rounds: int) -> str:
    """One line of the table; raises where two miners disagree."""
    seconds: dict[str, list[float]] = {way: [] for way in ("basketry", *peers)}
    answers = set()
    late = set()
    for turn in range(rounds):
        for way, spent in seconds.items():
            if way in late or (turn and way in peers and spent and spent[0] > 10):  # once is enough to see it
                continue
            found = measured(way, name, min_utility)
            if found is None:
                late.add(way)
                continue
            spent.append(float(str(found["seconds"])))
            answers.add((found["itemsets"], found["digest"]))
    if len(answers) > 1:
        sys.exit(f"the miners disagree on {name} at {min_utility}: {answers}")
    ours = statistics.median(seconds["basketry"])
    cells = [f"| {name} | {min_utility:,} | {answers.pop()[0]:,} | {ours:.4f} "]
    for way in peers:
        if way in late:
            cells.append(f"| over {LONGEST} (wall) ")
        else:
            median = statistics.median(seconds[way])
            cells.append(f"| {median:.2f} ({median / ours:,.0f}x) ")
    return "".join(cells) + "|"


def main() -> None:
    """Measure, print and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    peers = [algorithm for algorithm in PEERS if installed(algorithm)]
    table = []
    for case in CASES:
        table.append(against_peers(*case, peers, rounds))
        print(table[-1], flush=True)
    alone = []
    for name, min_utility, length in ALONE:
        runs = [measured("basketry", name, min_utility, length) for _ in range(rounds)]
        spent = statistics.median([float(str(run["seconds"])) for run in runs if run])
        alone.append(
            f"| {name} | {min_utility:,} | {length or 'any'} | {runs[0]['itemsets']:,} | {spent:.3f} |" if runs[0] else ""
        )
    lines = [
        "# Speed: high-utility itemsets",
        "",
        f"`python benchmarks/speed/utility.py {rounds}` wrote this page: SPMF's utility sequences as baskets,",
        "a process a run, one thread, median user CPU seconds, the kernel's over calls for half a second; that all miners",
        "find the same itemsets with the same utilities is checked by checksum.",
        "Peers: the miners of PAMI, all in Python; in brackets how many times the kernel's time they took.",
        "",
        "".join(["| Baskets | min_utility | Itemsets | basketry ", *(f"| PAMI {each} " for each in peers), "|"]),
        "|---|---:|---:|---:|" + "---:|" * len(peers),
        *table,
        "",
        "Larger answers, this kernel alone; the peers were not tried on these (`max_length`: most items of an itemset):",
        "",
        "| Baskets | min_utility | max_length | Itemsets | CPU s |",
        "|---|---:|---:|---:|---:|",
        *alone,
        "",
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--run":
        _, _, way, name, least, length = sys.argv
        answer = run_kernel(name, int(least), int(length)) if way == "basketry" else run_peer(name, int(least), way)
        print(json.dumps(answer))
    else:
        main()
