"""User CPU of rules out of itemsets, beside mlxtend on the very same itemsets: prints a table.

    python benchmarks/speed/rules.py [PYTHON_WITH_MLXTEND]

T10I4D100K in 100 baskets, from the folder BASKETRY_DATASETS. Five rounds in turn; the least of each counts.
"""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.transactions import Transactions
from basketry.core.protocols import Run

SIXTEEN = (
    *("coverage", "prevalence", "support", "confidence", "lift", "leverage", "conviction", "zhang", "jaccard", "certainty"),
    *("kulczynski", "cosine", "odds_ratio", "phi", "yule_q", "imbalance"),
)
PEER = """
import sys, resource, numpy, pandas
from mlxtend.frequent_patterns import association_rules
held, n, confidence = numpy.load(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
sets = []
for parent, item in zip(held["parent"].tolist(), held["item"].tolist()):
    sets.append((sets[parent] if parent >= 0 else frozenset()) | {item})
frame = pandas.DataFrame({"support": held["support"] / n, "itemsets": sets})
before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
rules = association_rules(frame, num_itemsets=n, metric="confidence", min_threshold=confidence)
print(len(rules), resource.getrusage(resource.RUSAGE_SELF).ru_utime - before)
"""


def cpu(task: Callable[[], int], times: int = 10) -> tuple[int, float]:
    """What the task returned, and its user CPU seconds, a mean of so many runs: the clock ticks in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for _ in range(times):
        found = task()
    return found, (resource.getrusage(resource.RUSAGE_SELF).ru_utime - before) / times


def mined() -> MinedItemsets:
    """The itemsets of the data."""
    folder = Path(os.environ.get("BASKETRY_DATASETS", Path(__file__).parents[3] / "shared" / "datasets"))
    with gzip.open(folder / "fimi" / "T10I4D100K.dat.gz", "rt") as file:
        return Itemsets(100).fit(Transactions.from_lists([list(map(int, line.split())) for line in file]), Run())


def peer(python: str, itemsets: MinedItemsets, confidence: float) -> tuple[int, float]:
    """The same of mlxtend."""
    tree = itemsets.tree
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, parent=tree.parent, item=tree.item, support=tree.support)
        file.flush()
        command = [python, "-c", PEER, file.name, str(itemsets.n_baskets), str(confidence)]
        rules, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(rules), float(seconds)


def main(python: str | None) -> None:
    """Measure and print."""
    itemsets = mined()
    sys.stdout.write("confidence   rules     ids only   16 measures   mlxtend\n")
    for confidence in (0.0, 0.5):
        rounds = []
        for _ in range(5):
            rules, lazy = cpu(lambda: len(Rules(confidence).fit(itemsets, Run())))  # noqa: B023
            _, sixteen = cpu(lambda: len(Rules(confidence).fit(itemsets, Run()).measures(SIXTEEN)))  # noqa: B023
            theirs, seconds = peer(python, itemsets, confidence) if python else (rules, float("nan"))
            assert theirs == rules
            rounds.append((lazy, sixteen, seconds))
        ids, measured, other = (min(column) for column in zip(*rounds, strict=True))
        ratio = f"({other / ids:.0f}x, {other / measured:.0f}x)"
        sys.stdout.write(f"{confidence:10} {rules:9,} {ids:9.4f} s {measured:10.4f} s {other:8.2f} s {ratio}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
