"""Whether a blend, a fusion or a learned ranker is better than the best of its parts.

    python benchmarks/quality/blending.py [Beauty] [Sports_and_Outdoors] [Toys_and_Games]

Leave one out, full ranking, on the VALIDATION event of every customer: the test event is never looked at here. Parts learn from
what comes before; weights and trees learn from the event before the validation, of parts that have not seen it. All fields
keep their defaults, of which some (depth of the floor, number of trees) were chosen on Beauty's validation, so Sports and Toys
are the fairer witnesses. Writes docs/reference/quality-blending.md, or the sections of the shops named. About ten minutes of
one CPU; needs lightgbm.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from basketry.core.histories import Histories
from basketry.core.protocols import Ranker, Run
from basketry.evaluation.bootstrap import Interval, Resampled
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.blending import Blend
from basketry.recommendation.ease import Ease
from basketry.recommendation.fusion import ReciprocalRanks
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import Split, leave_one_out
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.transitions import Transitions

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
PAGE = ROOT / "docs/reference/quality-blending.md"
SHOPS = ("Beauty", "Sports_and_Outdoors", "Toys_and_Games")
RUN = Run(threads=1)
BASE = "transitions"
K = 10


@dataclass(frozen=True)
class Once:
    """An estimator that fits once on the same histories, as several models here share their parts."""

    of: RankerEstimator
    known: dict[int, Ranker] = field(default_factory=dict, compare=False)

    def fit(self, histories: Histories, run: Run) -> Ranker:
        """The model, or the one it made before."""
        if len(histories.products) not in self.known:
            self.known[len(histories.products)] = self.of.fit(histories, run)
        return self.known[len(histories.products)]


def models() -> dict[str, RankerEstimator]:
    """Parts first: their CPU time is told once, and not again in what is made of them."""
    parts = {
        "popularity": Once(Popularity()),
        "item-item": Once(ItemNeighbours()),
        "EASE, 5,000 products": Once(Ease(products=5_000)),
        BASE: Once(Transitions()),
    }
    three = (parts[BASE], parts["item-item"], parts["popularity"])
    four = (parts[BASE], parts["item-item"], parts["EASE, 5,000 products"], parts["popularity"])
    return {
        **parts,
        "reciprocal ranks of all but EASE, alike": ReciprocalRanks(three, (1.0,) * 3),
        "reciprocal ranks of all, alike": ReciprocalRanks(four, (1.0,) * 4),
        "blend of all but EASE": Blend(three),
        "blend of all": Blend(four),
        "learned ranker of all": LearnedRanker(four, depth=50),
    }


def read(shop: str) -> Split:
    """The exam."""
    with gzip.open(DATASETS / "s3rec_amazon" / f"{shop}.txt.gz", "rt") as file:
        rows = [[int(code) - 1 for code in line.split()[1:]] for line in file]
    return leave_one_out(Histories.from_rows(rows, 1 + max(max(row) for row in rows)), "validation")


def measure(split: Split) -> dict[str, tuple[Resampled, float, float, str]]:
    """Of each model its figures, the CPU seconds of fitting and of ranking, and what it learned of its parts."""
    questions = Questions(split.relevant, split.customers)
    found = {}
    for name, estimator in models().items():
        begun = time.process_time()
        model = estimator.fit(split.train, RUN)
        fitted = time.process_time()
        ranked = model.rank(split.queries, K, split.candidates).products.astype(np.int64)
        done = time.process_time()
        weights = getattr(model, "weights", None) if isinstance(estimator, Blend) else None
        told = "" if weights is None else ", ".join(f"{weight:.2f}" for weight in weights)
        found[name] = (questions.measure(ranked, (K,), resamples=1_000), fitted - begun, done - fitted, told)
        print(f"{name}: {figure(found[name][0].interval('hit@10'))}, {fitted - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def figure(each: Interval, sign: str = "") -> str:
    """A figure and its interval."""
    return f"{each.value:{sign}.4f} [{each.low:{sign}.4f}, {each.high:{sign}.4f}]"


def section(shop: str) -> str:
    """The table of one shop."""
    split = read(shop)
    found = measure(split)
    base = found[BASE][0]
    lines = [
        f"## {shop.replace('_', ' ')}",
        "",
        f"{len(split.queries):,} customers, {split.train.n_products:,} products, split {split.digest[:12]}.",
        "",
        "| ranker | R@10 | more than transitions | N@10 | more than transitions | fit, CPU s | rank, CPU s | weights |",
        "|---|---|---|---|---|---:|---:|---|",
    ]
    for name, (figures, fitted, ranked, told) in found.items():
        cells = []
        for metric in ("hit@10", "ndcg@10"):
            gain = "" if name == BASE else figure(figures.gain_over(base, metric), "+")
            cells += [figure(figures.interval(metric)), gain]
        lines.append(f"| {name} | {' | '.join(cells)} | {fitted:.1f} | {ranked:.1f} | {told} |")
    blend, learned = found["blend of all"][0], found["learned ranker of all"][0]
    lines += ["", f"Learned ranker more than blend, paired: N@10 {figure(learned.gain_over(blend, 'ndcg@10'), '+')}.", ""]
    return "\n".join(lines)


HEAD = """# Blends and learned rankers

Leave one out on the validation event, full ranking, one answer a question: R@10 is the share of the questions whose answer is
among ten products of all, N@10 its nDCG. 95% intervals by bootstrap of customers; differences are paired. The test event is not
looked at. Weights and trees are learned from the event before the validation. Defaults of the floor and of the trees were
chosen with Beauty in sight; Sports and Toys were measured once, afterwards. Time of what is made of parts is without that of
parts already fitted, which are four, each on two sets of histories. Weights are of transitions, item-item, (EASE,) popularity.
`python benchmarks/quality/blending.py` writes this page.
"""


def main(shops: tuple[str, ...]) -> None:
    """Measure, print and write."""
    known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
    sections = {part.splitlines()[0]: f"## {part}".rstrip() + "\n" for part in known}
    for shop in shops:
        title = shop.replace("_", " ")
        sections[title] = section(shop)
        print(sections[title], flush=True)
        whole = [sections[each.replace("_", " ")] for each in SHOPS if each.replace("_", " ") in sections]
        PAGE.write_text("\n".join([HEAD, *whole]), encoding="utf-8")


if __name__ == "__main__":
    main(tuple(shop for shop in SHOPS if shop in sys.argv[1:]) or SHOPS)
