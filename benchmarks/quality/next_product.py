"""The next product, leave one out, full ranking: every model of the house on the three public shops, beside published rows.

    python benchmarks/quality/next_product.py [--validation] [--transformer] [Beauty Sports_and_Outdoors Toys_and_Games days]

Learned from is everything but each customer's last two events. The validation asks for the second last, the test for the last,
with the second last in the question and in no training. The published configuration was chosen on the validation. `days` are
three small data sets that know the day, with each day's order as the file has it and dealt anew. Writes
docs/reference/quality-next-product.md, or the sections named; `--validation` prints and writes nothing. Models are kept in
build/models as they are fitted: what was stopped goes on, the test asks those of the validation, and a changed program begins
anew; delete the folder when done, it takes some 3 GB. Needs lightgbm; about three minutes of one CPU a shop, and five for the
days. `--transformer` adds two rows, needs torch, and takes ten minutes a shop.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from blending import DATASETS, ROOT, RUN, SHOPS, K, figure
from kept_models import Kept, spent
from shuffled_days import read_days, shuffled, tied

from basketry.core.histories import Histories
from basketry.evaluation.bootstrap import Draws
from basketry.evaluation.retrieval import Questions
from basketry.evaluation.significance import Significance
from basketry.recommendation.ease import Ease
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.neural import Neural
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import Split, leave_one_out
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.recency import Recency
from basketry.recommendation.transitions import Transitions
from basketry.training.plan import TrainingPlan

PAGE = ROOT / "docs/reference/quality-next-product.md"
BASE, PUBLISHED = "transitions", "learned ranker"
DAYS = "days"
DEALS = {"Amazon Gift Cards": 5, "Amazon All Beauty": 5, "UCI Online Retail": 5}
RESAMPLES = 1_000
METRICS = ("hit@10", "ndcg@10")


@dataclass(frozen=True)
class Printed:
    """A row of the literature: R@10 and N@10 a shop, in the order of SHOPS, as far as they were printed."""

    name: str
    source: str
    figures: tuple[tuple[float, float] | None, ...]


PRINTED = (
    Printed("SASRec as usually quoted", "Kang and McAuley 2018, as later papers quote it",
            ((0.0605, 0.0318), (0.0350, 0.0192), (0.0675, 0.0374))),
    Printed("TIGER", "Rajput et al. 2023", ((0.0648, 0.0384), (0.0400, 0.0225), (0.0712, 0.0432))),
    Printed("HSTU", "Zhai et al. 2024, as later papers quote it", ((0.0788, 0.0439), (0.0437, 0.0243), (0.0778, 0.0450))),
    Printed("ActionPiece", "Hou et al. 2025", ((0.0775, 0.0424), (0.0500, 0.0264), None)),
    Printed("ItemKNN with recency", "its paper was not noted", ((0.0711, 0.0423), (0.0481, 0.0288), (0.0854, 0.0531))),
    Printed("SASRec with sampled softmax", "Tikhonovich et al. 2025", ((0.0921, 0.0531), (0.0569, 0.0314), (0.0970, 0.0580))),
    Printed("eSASRec", "Tikhonovich et al. 2025", ((0.0928, 0.0523), (0.0560, 0.0323), (0.0939, 0.0538))),
)  # fmt: skip


def models(transformer: bool = False) -> dict[str, RankerEstimator]:
    """Parts first: their CPU time is told once, and not again in what is made of them."""
    parts = {
        "popularity": Kept(Popularity()),
        "item-item": Kept(ItemNeighbours()),
        "EASE, 5,000 products": Kept(Ease(products=5_000)),
        BASE: Kept(Transitions()),
    }
    last = Recency(window=1)
    quick = (
        Kept(Transitions(window=3, damping=0, hop=0, recency=last)),
        Kept(Transitions(damping=1, hop=0, recency=last)),
        Kept(ItemNeighbours(recency=last)),
    )
    counted = (*parts.values(), *quick)
    learned = {PUBLISHED: Kept(LearnedRanker(counted, depth=50))}
    if not transformer:
        return {**parts, **learned}
    plan = TrainingPlan(learning_rate=3e-3, epochs=16, batch_size=128, patience=3)
    neural = Kept(Neural(gated=True, dropout=0.3, plan=plan))
    return {
        **parts,
        "transformer, gated (LiGR), sampled softmax": neural,
        **learned,
        "learned ranker, the transformer too": Kept(LearnedRanker((*counted, neural), depth=50)),
    }


def read(shop: str) -> Histories:
    """The published file."""
    with gzip.open(DATASETS / "s3rec_amazon" / f"{shop}.txt.gz", "rt") as file:
        rows = [[int(code) - 1 for code in line.split()[1:]] for line in file]
    return Histories.from_rows(rows, 1 + max(max(row) for row in rows))


@dataclass(frozen=True, eq=False)
class Measured:
    """The figures of every question, float64 [questions], by metric, and the CPU seconds of fitting and of ranking."""

    figures: dict[str, np.ndarray]
    fit: float
    rank: float


def measure(split: Split, transformer: bool = False) -> dict[str, Measured]:
    """Of each model what it is worth."""
    questions = Questions(split.relevant, split.customers)
    found = {}
    for name, estimator in models(transformer).items():
        begun = spent()
        model = estimator.fit(split.train, RUN)
        fitted = spent()
        ranked = model.rank(split.queries, K, split.candidates).products.astype(np.int64)
        done = spent()
        told = questions.per_query(ranked, (K,))
        found[name] = Measured({metric: told[metric] for metric in METRICS}, fitted - begun, done - fitted)
        means = ", ".join(f"{metric} {np.nanmean(told[metric]):.4f}" for metric in METRICS)
        print(f"{split.name}: {name}: {means}, {fitted - begun:.0f} + {done - fitted:.0f} s", file=sys.stderr, flush=True)
    return found


def table(split: Split, transformer: bool) -> list[str]:
    """One exam."""
    found = measure(split, transformer)
    draws = Draws.of(split.customers, RESAMPLES)
    differences = Significance(resamples=RESAMPLES).compare(
        {name: each.figures["ndcg@10"] for name, each in found.items()}, split.customers
    )
    p = {pair: each.corrected for each in differences for pair in ((each.first, each.second), (each.second, each.first))}
    base = draws.means(found[BASE].figures)
    lines = [
        f"{len(split.queries):,} customers, {split.train.n_products:,} products, exam {split.digest[:12]}.",
        "",
        "| ranker | R@10 | N@10 | N@10 more than transitions | p | fit, CPU s | rank all, CPU s |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for name, each in found.items():
        means = draws.means(each.figures)
        gain = "" if name == BASE else figure(means.gain_over(base, "ndcg@10"), "+")
        cells = [*(figure(means.interval(metric)) for metric in METRICS), gain, "" if name == BASE else f"{p[name, BASE]:.4f}"]
        shown = f"**{name}**" if name == PUBLISHED else name
        lines.append(f"| {shown} | {' | '.join(cells)} | {each.fit:.1f} | {each.rank:.1f} |")
    return [*lines, ""]


def printed(shop: str) -> list[str]:
    """What papers print of the same files."""
    lines = [
        "Published, as collected from papers and not measured here:",
        "",
        "| ranker | R@10 | N@10 | source |",
        "|---|---:|---:|---|",
    ]
    for each in PRINTED:
        pair = each.figures[SHOPS.index(shop)]
        if pair:
            lines.append(f"| {each.name} | {pair[0]:.4f} | {pair[1]:.4f} | {each.source} |")
    return [*lines, ""]


def section(shop: str, validation: bool, learn_validation: bool, transformer: bool) -> str:
    """All of one shop."""
    histories = read(shop)
    lines = [f"## {shop.replace('_', ' ')}", ""]
    if validation:
        return "\n".join([*lines, *table(leave_one_out(histories, "validation"), transformer)])
    lines += [*table(leave_one_out(histories), transformer), *printed(shop)]
    if learn_validation:
        lines += ["With the validation's events learned too, as no row of the literature does:", ""]
        lines += table(leave_one_out(histories, learn_validation=True), transformer)
    return "\n".join(lines)


def days() -> Iterator[str]:
    """The data sets that know the day, the file's order and some deals: all that is known after each of them."""
    lines = [f"## {DAYS.title()} dealt anew", "", DAYS_SAY, ""]
    for name, histories in read_days(DATASETS).items():
        orders = [histories, *(shuffled(histories, seed) for seed in range(DEALS[name]))]
        exams = [measure(leave_one_out(each)) for each in orders]
        asked = leave_one_out(histories)
        lines += [
            f"{name}: {len(asked.queries):,} customers, {histories.n_products:,} products, {len(histories.products):,} events; "
            f"the last two are of one day for {tied(histories):.0%} of the customers. {DEALS[name]} deals.",
            "",
            "| ranker | R@10, the file's order | dealt anew | N@10, the file's order | dealt anew |",
            "|---|---:|---:|---:|---:|",
        ]
        for model in exams[0]:
            cells = []
            for metric in METRICS:
                first, *others = (float(np.nanmean(exam[model].figures[metric])) for exam in exams)
                cells += [f"{first:.4f}", f"{np.mean(others):.4f} ({min(others):.4f} to {max(others):.4f})"]
            lines.append(f"| {model} | {' | '.join(cells)} |")
        lines.append("")
        yield "\n".join(lines)


HEAD = f"""# The next product

Leave one out on three public shops (s3rec_amazon), full ranking: R@10 is the share of customers whose last product is among ten
of all, N@10 its nDCG; 95% intervals by bootstrap of customers. Learned from is everything but each customer's last two events;
the second last stands in the question, as it does in the literature. The *{PUBLISHED}* orders, by boosted trees that learn from
the event before those two, what popularity, item-item, EASE, transitions and three rules of the last product alone propose
(transitions over three steps and over ten, item-item). That configuration was chosen on the validation event, one for all
shops; the test was asked once. The gain over transitions is paired, its p of a randomisation test, corrected by Holm for all
pairs of the table; 0.0010 is the least that its 10,000 draws can prove. Time of what is made of parts is without that of parts
already told. The order of events is the file's word: see [days dealt anew](#days-dealt-anew).
`python benchmarks/quality/next_product.py` writes this page.
"""

DAYS_SAY = """The files above hold an order and no time, and were made of reviews that know the day alone: which of one day's
came first is the file's word, and cannot be tested there. These know the day. Same protocol, every event a step of its own, a
product once a customer; first in the file's order, then the events of each day in random order, mean and range of the deals.
Files of reviews are largely grouped by product, so that the last product of a day is one that stands late in the file; lines
of an invoice stand as they were entered. Where the columns differ, up or down, the first is an artefact of the file, and so is
the order of the rankers where it changes."""


def main() -> None:
    """Measure and write, or on the validation print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(SHOPS)}, {DAYS}; default: all")
    parser.add_argument("--validation", action="store_true", help="ask for the validation event, print, write no page")
    parser.add_argument("--learn-validation", action="store_true", help="a second table: the validation's events learned too")
    parser.add_argument("--transformer", action="store_true", help="two more rows: torch, and ten minutes a shop")
    asked = parser.parse_args()
    order = [each.replace("_", " ") for each in SHOPS] + [f"{DAYS.title()} dealt anew"]
    known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
    sections = {each.splitlines()[0]: f"## {each}".rstrip() + "\n" for each in known}
    for part in asked.parts or (*SHOPS, *(() if asked.validation else (DAYS,))):
        shop = () if part == DAYS else (section(part, asked.validation, asked.learn_validation, asked.transformer),)
        for text in shop or days():
            print(text, flush=True)
            if not asked.validation:
                sections[text.splitlines()[0].removeprefix("## ")] = text.rstrip() + "\n"
                PAGE.write_text("\n".join([HEAD, *(sections[each] for each in order if each in sections)]), encoding="utf-8")


if __name__ == "__main__":
    main()
