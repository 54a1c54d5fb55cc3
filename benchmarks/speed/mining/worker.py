"""One measurement in a process of its own: `python worker.py WAY KIND LEAST DATA.npz LIMIT` prints JSON.

The user CPU clock of Linux ticks in milliseconds, so a short call is repeated until the calls have taken `LEAST_CPU` together.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np
import ways

LEAST_CPU = 0.3
MOST_CALLS = 400
MOST_MEMORY = 10 * 2**30
WAYS = {
    "basketry": ways.kernel(1),
    "basketry, two threads": ways.kernel(2),
    "basketry, frame of names": ways.frame,
    **{f"pyfim {name}": ways.pyfim(name) for name in ("apriori", "eclat", "fpgrowth", "sam", "relim", "ista")},
    "pyfim eclat, counting only": ways.pyfim("eclat", "#"),
    "pyfim fpgrowth, counting only": ways.pyfim("fpgrowth", "#"),
    "mlxtend": ways.mlxtend,
    "rusket fpgrowth": ways.rusket("fpgrowth"),
    "rusket eclat": ways.rusket("eclat"),
    "efficient-apriori": ways.efficient_apriori,
    "Orange3-Associate": ways.orange,
    "PAMI FPGrowth": ways.pami("basic.FPGrowth"),
    "PAMI ECLATbitset": ways.pami("basic.ECLATbitset"),
    "PAMI CHARM": ways.pami("closed.CHARM"),
    "PAMI MaxFPGrowth": ways.pami("maximal.MaxFPGrowth"),
    "scikit-mine LCM": ways.skmine,
    "Spark local[2]": ways.spark,
}


def user_cpu(way: str) -> float:
    """User CPU seconds of this process; with Spark, those of its Java too."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return own + (sum(map(_user_of, _children(os.getpid()))) if way.startswith("Spark") else 0.0)


def _children(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return [*found, *(below for child in found for below in _children(child))]


def _user_of(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def peak_memory(*, reset: bool) -> float:
    """The most this process has held, in MiB, since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(way: str, task: ways.Task, limit: float) -> dict[str, float]:
    """Itemsets found, user CPU seconds a call, user and system CPU of the first call, least wall seconds, memory grown by."""
    run = WAYS[way](task)
    gc.collect()
    before = peak_memory(reset=True)
    if way.startswith("Spark"):
        signal.alarm(int(limit))
    else:
        signal.setitimer(signal.ITIMER_PROF, limit)  # kills the process by SIGPROF
    user, walls, first, grown, found, calls = 0.0, [], 0.0, 0.0, 0, 0
    while not calls or (user < LEAST_CPU and calls < MOST_CALLS):
        wall, both, own = time.perf_counter(), time.process_time(), user_cpu(way)
        itemsets = run()
        user += user_cpu(way) - own
        walls.append(time.perf_counter() - wall)
        if not calls:
            first, grown, found = time.process_time() - both, peak_memory(reset=False) - before, ways.size(itemsets)
        calls += 1
        del itemsets  # freeing a million tuples takes a peer long, and is not counted
    return {"found": found, "user": user / calls, "first": first, "wall": min(walls), "grown": grown, "calls": calls}


def main() -> None:
    way, kind, least, path, limit = sys.argv[1:]
    if not way.startswith("Spark"):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with np.load(path) as data:
        task = ways.Task(data["indptr"], data["items"], int(data["n_items"]), int(least), kind)
    try:
        answer = measured(way, task, float(limit))
    except ImportError as error:
        answer = {"absent": str(error)}
    except MemoryError:
        answer = {"memory": MOST_MEMORY}
    os.write(sys.stdout.fileno(), (json.dumps(answer) + "\n").encode())
    os._exit(0)


if __name__ == "__main__":
    main()
