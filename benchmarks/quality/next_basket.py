"""The last four weeks of two shops: what `basketry train` publishes, its parts, a learned ranker and simple rules.

    python benchmarks/quality/next_basket.py [--folder FOLDER] [complete_journey] [uci_online_retail]
    python benchmarks/quality/next_basket.py --back 1

Ingests the shops (kept in FOLDER if one is given). `--back N` asks about the four weeks that end N times four weeks before the
last day instead, of a shop that knows nothing later; it prints and writes nothing: what is published was chosen there. Writes
docs/reference/quality-next-basket.md. Needs lightgbm; some ten minutes of one CPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import polars as pl
from holdout import ROOT, ingested

from basketry.core.histories import Histories
from basketry.core.protocols import Ranker, Run
from basketry.core.tables import Products
from basketry.evaluation.bootstrap import Interval
from basketry.recommendation.assess import Assessment, assess
from basketry.recommendation.blending import blended
from basketry.recommendation.learned import LearnedRanker
from basketry.recommendation.models import estimator_of
from basketry.recommendation.protocols import Split, time_split
from basketry.recommendation.published import AGAIN, EXAMS, NEW, PERSONAL, Recommenders, Recommending
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.reading import read_histories
from basketry.recommendation.rivals import Rivalry
from basketry.recommendation.voices import Voicing

PAGE = ROOT / "docs/reference/quality-next-basket.md"
SHOPS = {"complete_journey": "Complete Journey", "uci_online_retail": "UCI Online Retail"}
RUN = Run(threads=1)
DAYS = 28
PUBLISHED, BLEND, LEARNED = "**published**", "blend", "learned ranker"
ROWS = {  # models of the assessment, in the order of the page
    PUBLISHED: "**published**",
    BLEND: "the blend of all parts",
    LEARNED: "learned ranker (`learned`)",
    "reorder": "`reorder`: what this customer bought, recent visits first",
    "reorder frequency": "reorder frequency (every visit alike)",
    "transitions": "`next`: transitions, one step",
    "neighbours": "`neighbours`: item-item by baskets",
    "item-item": "`buyers`: item-item by customers",
    "popularity of 7 days": "`recent`: popularity of 7 days",
    "popularity": "`popular`: popularity",
}
ORDER = (AGAIN, NEW)
RIVALS = ("popularity of 7 days", "reorder frequency")
HEAD = """# The next basket, four weeks ahead

A global time split: everything before the last four weeks is learned from, and every customer known by then is asked for; the
answer is all that they bought in the four weeks. Ten of all products are ranked, with repeats (*next basket*) or without what
the customer had bought before (*new products*). R@10 is recall over min(10, answers), N@10 nDCG; 95% intervals by bootstrap of
customers; gains are paired, their p by randomisation with Holm's correction over all pairs of an exam. *Published* is exactly
what `basketry train` would have published on the day before the four weeks: [the blend, or the simple rule that it is not shown
to beat](../explanation/recommendation-evaluation.md#what-is-published) in the four weeks before. Names in `code` are parts
of the blend. `python benchmarks/quality/next_basket.py` writes this page.

The last four weeks of both shops had been looked at while the parts were put together, so nothing here is of a window that
nobody saw. That item-item by customers is a part for new products and not for the next basket was chosen on two earlier windows
of UCI Online Retail, where it made little difference.
"""


@dataclass(frozen=True)
class Once:
    """An estimator that fits once on the same histories, as the blend and the learned ranker share parts. Made by `once`."""

    of: RankerEstimator
    known: dict[tuple[int, int], Ranker] = field(default_factory=dict, compare=False)

    def fit(self, histories: Histories, run: Run) -> Ranker:
        """The model, or the one it made before."""
        key = (len(histories.products), histories.n_products)
        if key not in self.known:
            self.known[key] = self.of.fit(histories, run)
        return self.known[key]


once = cache(Once)


def recommending() -> Recommending:
    """What `train` fits, each part once."""
    known = Recommending(horizon_days=DAYS)
    return dataclasses.replace(known, **{name: once(part) for name, part in known.parts.items()})


def learned(repeats: bool) -> LearnedRanker:
    """The learned ranker, its parts fitted once."""
    known = estimator_of("learned", repeats=repeats, horizon_days=DAYS)
    assert isinstance(known, LearnedRanker)
    return dataclasses.replace(known, parts=tuple(once(part) for part in known.parts))


def models(known: Recommenders, name: str, split: Split) -> dict[str, Ranker]:
    """All rows that are no baseline."""
    repeats, chosen = EXAMS[name], known.rivalries[name]
    parts = {part: known.parts[part] for part in chosen.blend}
    blend = blended(tuple(parts.values()), tuple(chosen.blend.values()), Voicing(repeats=repeats))
    found: dict[str, Ranker] = {PUBLISHED: known.rankers(repeats=repeats)[PERSONAL], BLEND: blend}
    found[LEARNED] = learned(repeats).fit(split.train, RUN)
    return found | {part: parts[part] for part in ("reorder", "neighbours") if part in parts}


def sections(shop: str, histories: Histories) -> Iterator[tuple[str, str]]:
    """Heading and text of each exam of a shop's last four weeks."""
    until = int(histories.days.max()) + 1 - DAYS
    begun = time.process_time()
    known = recommending().taught(histories, until, RUN)
    _told("taught", begun)
    for name in ORDER:
        begun = time.process_time()
        split = time_split(histories, until, DAYS, EXAMS[name])
        rankers = models(known, name, split)
        _told(f"{name}: learned", begun)
        exam = assess(rankers, split, RUN, simple=known.rules())
        _told(f"{name}: assessed", begun)
        yield f"{SHOPS[shop]}: {name}", section(split, known.rivalries[name], exam, until)


def _told(what: str, begun: float) -> None:
    print(f"{what}: {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)


def figure(each: Interval, digits: int = 4, sign: str = "") -> str:
    """A figure and its interval."""
    return f"{each.value:{sign}.{digits}f} [{each.low:{sign}.{digits}f}, {each.high:{sign}.{digits}f}]"


def table(exam: Assessment) -> list[str]:
    """A row a ranker: figures, what is published over it, and the slices."""
    frame = exam.metrics
    slices = [each for each in ("cold customer", "new to customer") if (frame["slice"] == each).any()]
    asked = {each: frame.filter(pl.col("slice") == each, pl.col("metric") == "ndcg@10")["n"].max() for each in ("all", *slices)}
    heads = ["ranker", "R@10", f"N@10, {asked['all']:,} customers", "published over it", "p"]
    heads += [f"N@10, {each}, {asked[each]:,}" for each in slices]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    gains = {each.second: each for each in exam.differences if each.first == PUBLISHED}
    known = set(frame["model"])
    for model, shown in ROWS.items():
        if model not in known:
            continue
        gain = gains.get(model)
        told = ["", ""] if gain is None else [figure(gain.gain, sign="+"), f"{gain.corrected:.2g}"]
        cells = [figure(exam.figure(metric, model)) for metric in ("recall@10", "ndcg@10")]
        lines.append(f"| {' | '.join([shown, *cells, *told, *(figure(exam.figure('ndcg@10', model, s)) for s in slices)])} |")
    return lines


def verdict(exam: Assessment) -> str:
    """Whether what is published beats the two rules that a recommender has to beat."""
    ours = exam.figure("ndcg@10", PUBLISHED)
    gains = {each.second: each.gain for each in exam.differences if each.first == PUBLISHED}
    told = []
    for rule in RIVALS:
        if rule not in gains:
            continue
        theirs, gain = exam.figure("ndcg@10", rule), gains[rule]
        if ours.low > theirs.high:
            what = f"beats {rule}, and the intervals lie apart"
        elif gain.low > 0:
            what = f"is better than {rule} by the paired gain, yet the intervals overlap: not beyond doubt"
        elif gain.high < 0:
            what = f"is worse than {rule}"
        elif gain.value == gain.low == gain.high == 0:
            what = f"is {rule} itself"
        else:
            what = f"is not shown to beat {rule}"
        told.append(f"{what} ({figure(gain, sign='+')})")
    best = max(gains, key=lambda each: exam.figure("ndcg@10", each).value)
    if gains[best].high < 0:
        told.append(f"it is worse than the best row, {ROWS[best]} ({figure(gains[best], sign='+')})")
    return f"Verdict: what is published {'; '.join(told)}."


def section(split: Split, chosen: Rivalry, exam: Assessment, until: int) -> str:
    """One exam of one shop."""
    day = dt.date(1970, 1, 1) + dt.timedelta(days=until)
    weights = ", ".join(f"`{part}` {weight:.2f}" for part, weight in chosen.blend.items() if weight >= 0.005)
    lines = [
        f"Four weeks from {day}; {len(split.queries):,} customers asked, {split.train.n_products:,} products, exam",
        f"{split.digest[:12]}. The choice: {chosen.reason}. Weights of the blend: {weights}.",
    ]
    return "\n".join([*lines, "", *table(exam), "", verdict(exam)]) + "\n"


def read(folder: Path, adapter: str) -> Histories:
    """The orders, as `train` reads them."""
    with ingested(folder, adapter).dataset() as dataset:
        return read_histories(dataset, len(dataset.table(Products)))


def measure(folder: Path, shops: Iterable[str], back: int) -> None:
    """Measure and write, or of an earlier window print."""
    known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
    whole = {each.splitlines()[0]: "\n".join(each.splitlines()[2:]).rstrip() + "\n" for each in known}
    order = [f"{shop}: {name}" for shop in SHOPS.values() for name in ORDER]
    for shop in shops:
        histories = read(folder, shop)
        if back:
            histories = histories.where(histories.days <= histories.days.max() - back * DAYS)
        for heading, text in sections(shop, histories):
            print(f"## {heading}\n\n{text}", flush=True)
            whole[heading] = text
            if not back:
                parts = [f"## {each}\n\n{whole[each]}" for each in order if each in whole]
                PAGE.write_text(HEAD + "\n" + "\n".join(parts), encoding="utf-8")
        once.cache_clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="SHOP", help=f"of {', '.join(SHOPS)}; default: both")
    parser.add_argument("--folder", type=Path, help="where the shops are kept; default: nowhere")
    parser.add_argument("--back", type=int, default=0, metavar="N", help="windows before the last; prints, writes no page")
    asked = parser.parse_args()
    shops = asked.shops or list(SHOPS)
    if asked.folder:
        measure(asked.folder, shops, asked.back)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary), shops, asked.back)


if __name__ == "__main__":
    main()
