"""Fitting simple recommenders and ranking every customer, beside implicit, RecTools and LensKit: CPU time and accuracy.

    python benchmarks/speed/recommenders.py [PYTHON_WITH_IMPLICIT [PYTHON_WITH_RECTOOLS [PYTHON_WITH_LENSKIT]]] [--rounds 3]

RecTools brings a fork of implicit under the same name, so the two want an environment each.

Leave-one-out on s3rec_amazon Beauty: learned from is everything but each customer's last two products; ten products are ranked
for each of 22,363 customers among all 12,101, the own left out, and the last but one is looked for. One thread; every model
runs in a process of its own, in turns; medians. Accuracy is by our metric code for all. Writes
docs/reference/speed-recommenders.md.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.ease import Ease
from basketry.recommendation.ials import Ials
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.recency import Recency
from basketry.recommendation.transitions import Transitions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/speed-recommenders.md"
K = 10
OURS = {
    "popularity": Popularity(),
    "item-item, cosine": ItemNeighbours(neighbours=200, recency=Recency()),
    "item-item, cosine, recent events first": ItemNeighbours(),
    "EASE": Ease(),
    "iALS, 64 factors": Ials(dim=64, reg=0.001, unobserved=1 / 9, exponent=0.0, epochs=15),
    "iALS, 64 factors, the defaults": Ials(),
    "transitions": Transitions(),
    "transitions, one step": Transitions(hop=0),
}
PEERS = {
    "popularity": ("rectools-popular", "lenskit-popular"),
    "item-item, cosine": ("implicit-cosine", "rectools-cosine", "lenskit-cosine"),
    "EASE": ("rectools-ease", "lenskit-ease"),
    "iALS, 64 factors": ("implicit-als", "lenskit-als"),
}
HEAD = """# Speed: simple recommenders

{customers} customers, {products} products, {events} events (s3rec_amazon Beauty). Learned from is everything but each
customer's last two products; ten products are ranked for every customer, among all but the own, and the last but one is
looked for.

Compared are {versions}, each by its own way of ranking many customers, on the same histories, with one
thread of everything. Every model is a process of its own; {runs}. Counted is CPU time from fitting to the last list; not
counted are imports, reading the file, and turning it into a library's own form. Hyperparameters are equal within a group: 200
neighbours a product; EASE with 250 on the diagonal; iALS of 64 factors, 15 epochs, confidence 10 of what was bought and lambda
0.01. Two differences remain: implicit takes three steps of conjugate gradients where LensKit and Basketry solve exactly, and
vectors are drawn by each library's own generator. Accuracy is by one metric code, with 95% intervals over customers.

*Times ours* is CPU time over that of Basketry's row in bold above, fitting and ranking together. LensKit's
batch runner asks for one customer at a time. The defaults of iALS were chosen among 17 settings by these very questions, so
their accuracy flatters them.{absent}
`python benchmarks/speed/recommenders.py PYTHON_WITH_IMPLICIT PYTHON_WITH_RECTOOLS PYTHON_WITH_LENSKIT` writes this page.

| Model | fit, CPU s | rank all, CPU s | times ours | R@10 | N@10 |
|---|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True, eq=False)
class Split:
    """What is learned from and what is looked for."""

    learned: Histories
    wanted: np.ndarray

    @property
    def queries(self) -> Queries:
        """Every customer, after the last event learned from."""
        return Queries(self.learned, self.learned.lengths.astype(np.int32))

    def measured(self, ranked: np.ndarray) -> tuple[str, str]:
        """R@10 and N@10 with their intervals."""
        n = len(self.wanted)
        right = csr_array((np.ones(n, dtype=np.bool_), (np.arange(n), self.wanted)), shape=(n, self.learned.n_products))
        found = Questions(right, np.arange(n)).measure(ranked.astype(np.int64), (K,), resamples=200)
        ends = (found.interval(name) for name in ("recall@10", "ndcg@10"))
        one, two = (f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]" for each in ends)
        return one, two


def beauty() -> Split:
    """The published file."""
    folder = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
    with gzip.open(folder / "s3rec_amazon" / "Beauty.txt.gz", "rt") as file:
        rows = [[int(product) - 1 for product in line.split()[1:]] for line in file]
    n = max(map(max, rows)) + 1
    return Split(Histories.from_rows([row[:-2] for row in rows], n), np.array([row[-2] for row in rows]))


def ours(name: str, split: Split) -> tuple[np.ndarray, float, float]:
    """What one of our models ranks, and its CPU seconds: run alone in a process, as theirs are."""
    run, queries = Run(threads=1), split.queries
    begun = time.process_time()
    model = OURS[name].fit(split.learned, run)
    fitted = time.process_time()
    ranked = model.rank(queries, K, Candidates()).products
    return ranked, fitted - begun, time.process_time() - fitted


def alone(command: list[str], target: Path) -> tuple[np.ndarray, float, float]:
    """The same from a process of its own, unless `target` holds it already."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    if not target.exists():
        done = subprocess.run([*command, str(target)], env=os.environ | one, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    with np.load(target) as file:
        fit, rank = file["seconds"].tolist()
        return file["ranked"], fit, rank


def version(name: str, python: str) -> str:
    """Of a package in another environment; RecTools' own implicit is not asked for."""
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Measure in turns and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", help="pythons that have implicit, RecTools and LensKit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="+", default=[], help="models of others that are not measured, as lenskit-ease")
    parser.add_argument("--keep", type=Path, help="folder of what was measured, from which an interrupted run goes on")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    split = beauty()
    if asked.one:
        ranked, fit, rank = ours(asked.one, split)
        np.savez(asked.out, ranked=ranked, seconds=[fit, rank])
        return
    pythons = {"implicit": 0, "rectools": 1, "lenskit": 2}
    known = {
        peer: asked.peers[pythons[peer.partition("-")[0]]]
        for peers in PEERS.values()
        for peer in peers
        if pythons[peer.partition("-")[0]] < len(asked.peers) and peer not in asked.without
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "h.npz", indptr=split.learned.indptr, products=split.learned.products, n=split.learned.n_products)
        peer = str(Path(__file__).with_name("recommender_peer.py"))
        commands = {name: [sys.executable, __file__, "--one", name, "--out"] for name in OURS}
        commands |= {name: [python, peer, name, str(folder / "h.npz")] for name, python in known.items()}
        runs: dict[str, list[tuple[np.ndarray, float, float]]] = {name: [] for name in commands}
        for number in range(asked.rounds):
            for name, command in commands.items():
                runs[name].append(alone(command, folder / f"{name.replace(', ', '-').replace(' ', '-')}-{number + 1}.npz"))
                print(f"round {number + 1}: {name} {runs[name][-1][1]:.2f} {runs[name][-1][2]:.2f}", flush=True)
    named = dict(zip(("implicit", "rectools", "lenskit"), asked.peers, strict=False))
    versions = ", ".join(f"{name} {version(name, python)}" for name, python in named.items()) or "no others"
    absent = f" Not measured: {', '.join(asked.without)}." if asked.without else ""
    told = "it ran once" if asked.rounds == 1 else f"medians of {asked.rounds} runs in turn"
    page = written(split, runs, {"versions": versions, "absent": absent, "runs": told})
    PAGE.write_text(page, encoding="utf-8")
    print(page)


def written(split: Split, runs: dict[str, list[tuple[np.ndarray, float, float]]], told: dict[str, str]) -> str:
    """The page: each of ours, and the same model of others below it."""
    learned = split.learned
    sizes = {"customers": f"{len(learned):,}", "products": f"{learned.n_products:,}", "events": f"{len(learned.products):,}"}
    lines = []

    def row(name: str, shown: str, ours: float | None) -> float:
        fit, rank = (statistics.median(each[column] for each in runs[name]) for column in (1, 2))
        times = "" if ours is None else f"{(fit + rank) / ours:.1f}"
        recall, ndcg = split.measured(runs[name][0][0])
        lines.append(f"| {shown} | {fit:.2f} | {rank:.2f} | {times} | {recall} | {ndcg} |")
        return fit + rank

    for name in OURS:
        total = row(name, f"**{name}**", None)
        for peer in PEERS.get(name, ()):
            if peer in runs:
                row(peer, peer.replace("-", ", "), total)
    return HEAD.format(**sizes, **told) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
