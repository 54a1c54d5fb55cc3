"""The next product, leave one out, full ranking: every model of the house on the three public shops, beside published rows.

    python benchmarks/quality/next_product.py --validation [Beauty] [Sports_and_Outdoors] [Toys_and_Games]
    python benchmarks/quality/next_product.py [Beauty] [Sports_and_Outdoors] [Toys_and_Games]

Learned from is everything but each customer's last two events. The validation asks for the second last, the test for the last,
with the second last in the question and in no training. The published configuration was chosen on the validation; a second
table learns the validation's events too, as a shop that trains every night does, and is not comparable with the literature.
Writes docs/reference/quality-next-product.md; `--validation` prints and writes nothing. Needs lightgbm and torch; about fifteen
minutes of one CPU a shop.
"""

from __future__ import annotations

import argparse
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
from basketry.recommendation.ease import Ease
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.neural import Neural
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import Split, leave_one_out
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.transitions import Transitions
from basketry.training.plan import TrainingPlan

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
PAGE = ROOT / "docs/reference/quality-next-product.md"
SHOPS = ("Beauty", "Sports_and_Outdoors", "Toys_and_Games")
RUN = Run(threads=1)
K = 10
PUBLISHED = "learned ranker of all five"


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
    plan = TrainingPlan(learning_rate=3e-3, epochs=16, batch_size=128, patience=3)
    parts = {
        "popularity": Once(Popularity()),
        "item-item": Once(ItemNeighbours()),
        "EASE, 5,000 products": Once(Ease(products=5_000)),
        "transitions": Once(Transitions()),
        "transformer, gated (LiGR), sampled softmax": Once(Neural(gated=True, dropout=0.3, plan=plan)),
    }
    five = tuple(parts.values())
    return {
        **parts,
        "learned ranker of all but the transformer": LearnedRanker(five[:-1], depth=50),
        PUBLISHED: LearnedRanker(five, depth=50),
    }


def read(shop: str) -> Histories:
    """The published file."""
    with gzip.open(DATASETS / "s3rec_amazon" / f"{shop}.txt.gz", "rt") as file:
        rows = [[int(code) - 1 for code in line.split()[1:]] for line in file]
    return Histories.from_rows(rows, 1 + max(max(row) for row in rows))


def measure(split: Split) -> dict[str, tuple[Resampled, float, float]]:
    """Of each model its figures, and the CPU seconds of fitting and of ranking."""
    questions = Questions(split.relevant, split.customers)
    found = {}
    for name, estimator in models().items():
        begun = time.process_time()
        model = estimator.fit(split.train, RUN)
        fitted = time.process_time()
        ranked = model.rank(split.queries, K, split.candidates).products.astype(np.int64)
        done = time.process_time()
        found[name] = (questions.measure(ranked, (K,), resamples=1_000), fitted - begun, done - fitted)
        told = " ".join(figure(found[name][0].interval(metric)) for metric in ("hit@10", "ndcg@10"))
        print(f"{split.name}: {name}: {told}, {fitted - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def figure(each: Interval, sign: str = "") -> str:
    """A figure and its interval."""
    return f"{each.value:{sign}.4f} [{each.low:{sign}.4f}, {each.high:{sign}.4f}]"


def table(split: Split) -> list[str]:
    """One exam."""
    lines = [
        f"{len(split.queries):,} customers, {split.train.n_products:,} products, exam {split.digest[:12]}.",
        "",
        "| ranker | R@10 | N@10 | fit, CPU s | rank all, CPU s |",
        "|---|---|---|---:|---:|",
    ]
    for name, (figures, fitted, ranked) in measure(split).items():
        cells = [figure(figures.interval(metric)) for metric in ("hit@10", "ndcg@10")]
        lines.append(f"| {name} | {' | '.join(cells)} | {fitted:.1f} | {ranked:.1f} |")
    return [*lines, ""]


HEAD = f"""# The next product

Leave one out on three public shops (s3rec_amazon), full ranking: R@10 is the share of customers whose last product is among ten
of all, N@10 its nDCG; 95% intervals by bootstrap of customers. Learned from is everything but each customer's last two events;
the second last stands in the question. The configuration published is the *{PUBLISHED}*, chosen on the validation event. The
files hold order and no time, so which events of one day came first is the file's word, and ties cannot be shuffled.
`python benchmarks/quality/next_product.py` writes this page.

"""


def main() -> None:
    """Measure and write, or on the validation print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="SHOP", help=f"of {', '.join(SHOPS)}; default: all")
    parser.add_argument("--validation", action="store_true", help="ask for the validation event, print, write no page")
    asked = parser.parse_args()
    sections = {}
    for shop in asked.shops or SHOPS:
        histories = read(shop)
        lines = [f"## {shop.replace('_', ' ')}", ""]
        if asked.validation:
            print("\n".join([*lines, *table(leave_one_out(histories, "validation"))]), flush=True)
            continue
        lines += table(leave_one_out(histories))
        lines += ["With the validation's events learned too:", "", *table(leave_one_out(histories, learn_validation=True))]
        sections[shop] = "\n".join(lines)
        print(sections[shop], flush=True)
    if sections and not asked.validation:
        known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
        whole = {each.splitlines()[0].replace(" ", "_"): f"## {each}".rstrip() + "\n" for each in known}
        whole |= {shop: text.rstrip() + "\n" for shop, text in sections.items()}
        PAGE.write_text(HEAD + "\n".join(whole[shop] for shop in SHOPS if shop in whole), encoding="utf-8")


if __name__ == "__main__":
    main()
