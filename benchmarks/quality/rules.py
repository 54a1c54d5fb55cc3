"""What is true of rules: false calls and power over worlds with a known answer; hold-out, stability and change on real baskets.

    python benchmarks/quality/rules.py [FOLDER]

Ingests Complete Journey (kept in FOLDER if one is given), reads Groceries, and writes docs/reference/quality-rules.md.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import nchypergeom_fisher

from basketry.app.ingest import IngestRequest, ingest
from basketry.app.init import InitRequest, init
from basketry.app.shop import Shop
from basketry.app.transactions import load_transactions
from basketry.associations.mining.comparison import DEALS, STATUSES, Comparison
from basketry.associations.mining.itemsets import Itemsets
from basketry.associations.mining.permutation import Permutation
from basketry.associations.mining.rule_counts import RuleCounts
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.stability import PlantedNoise, Stability
from basketry.associations.mining.transactions import Transactions, plain
from basketry.associations.mining.validation import HoldOut
from basketry.associations.significance import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
    least_p_values,
    rule_p_values,
    rule_space,
    rules_within_reach,
    tarone,
)
from basketry.core.protocols import Run

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
PAGE = ROOT / "docs/reference/quality-rules.md"
ALPHA, RUN = 0.05, Run(seed=0, threads=2)
BASKETS, FREQUENCIES = 300, (30, 40, 50, 60, 70, 80, 90, 120)
SEARCH = Rules(max_antecedent=2, max_consequent=1)
HEAD = """# What is true of rules

`python benchmarks/quality/rules.py` writes this page; [what the words mean](../explanation/rule-statistics.md).
"""
MEANING = {
    "False calls where no item goes with another": (
        f"{BASKETS} baskets; 8 items in {', '.join(map(str, FREQUENCIES))} of them, or 40 items in 30 each, drawn "
        "independently. Rules of one or two items on the left and one on the right; a call is an adjusted p or q of at most "
        "0.05. Correcting for the rules that happened to be mined, and not for those that could have been, is no correction."
    ),
    "Power": (
        "The items in 50 and 60 of the baskets tied by an odds ratio (the count drawn from Fisher's noncentral law): how often "
        "this pair is called."
    ),
    "Baskets of different sizes": (
        "200 baskets, one in seven large, no pair of items associated given the sizes; pairs in at least 3 baskets, 39 null "
        "worlds each. Then the same beside one item whose chance does not grow with the size of the basket."
    ),
    "Rules of real baskets that stand": (
        "Share of rules with lift above 1, and called at 0.05: without correction, by Holm and by Benjamini-Yekutieli over the "
        "rules within reach, and by the least p of 199 null worlds of either kind."
    ),
    "Hold-out: what confidence was worth": (
        "Mined before the cut, counted from it to the next cut; 95% intervals over resampled customers. `consequent` is P(Y) "
        "alone. The gain of `mined` is over `consequent`, that of `shrunk` over `mined`. Groceries has no days: its halves are "
        "drawn by a coin, so nothing changed between them."
    ),
    "Hold-out: which rules lived on": (
        "Later lift above 1 with q at most 0.05, at the first cut: of all rules, and by tenth of strength before the cut (1 "
        "the weakest)."
    ),
    "Stability": (
        "Bootstrap of customers: how often a rule passes its floors again, how many do so in 95 of 100 resamples, and the "
        "median width of the interval of confidence. Noise: rules that survived / appeared, by share of occurrences made wrong."
    ),
    "Change": (
        "Rules before and after a day, at 0.2 confidence in either; then the share of all confidences sought that differ at "
        "p <= 0.05, and the same between random parts, with the changes called there on average."
    ),
}


def packed(holds: np.ndarray) -> Transactions:
    """Baskets from a boolean matrix."""
    indptr = np.concatenate([[0], np.cumsum(holds.sum(axis=1))]).astype(np.int64)
    items = np.nonzero(holds)[1].astype(np.int32)
    return Transactions(plain(indptr, items, holds.shape[1]), pl.Series("item", [f"i{i}" for i in range(holds.shape[1])]))


def independent(rng: np.random.Generator, frequencies: tuple[int, ...] = FREQUENCIES) -> np.ndarray:
    """Each item in its number of baskets, drawn without regard to the others."""
    holds = np.zeros((BASKETS, len(frequencies)), dtype=bool)
    for item, frequency in enumerate(frequencies):
        holds[rng.choice(BASKETS, frequency, replace=False), item] = True
    return holds


def tied(rng: np.random.Generator, odds: float) -> np.ndarray:
    """The same with items 2 and 3 tied by an odds ratio."""
    holds = independent(rng)
    both = int(nchypergeom_fisher.rvs(BASKETS, FREQUENCIES[2], FREQUENCIES[3], odds, random_state=rng))
    inside, outside = (rng.permutation(np.flatnonzero(holds[:, 2] == side)) for side in (True, False))
    holds[:, 3] = False
    holds[[*inside[:both], *outside[: FREQUENCIES[3] - both]], 3] = True
    return holds


def uneven(rng: np.random.Generator, flat: bool = False) -> np.ndarray:
    """One basket in seven is large; log odds add up item by basket, so that no pair is associated given both margins.

    Where `flat`, one more item is in every other basket, large or small alike: then they do not add up.
    """
    size = np.where(rng.random(200) < 1 / 7, 2.0, -1.0)[:, None]
    holds = rng.random((200, 8)) < 1 / (1 + np.exp(-(size + np.linspace(-1.5, 0, 8)[None, :])))
    return np.hstack([holds, rng.random((200, 1)) < 0.5]) if flat else holds


def corrections(
    transactions: Transactions, min_count: int, least: np.ndarray
) -> tuple[dict[str, np.ndarray], RuleCounts, object]:
    """Adjusted p of every rule by each correction."""
    mined = Itemsets(min_count).fit(transactions, RUN)
    found = SEARCH.fit(mined, RUN)
    counts = RuleCounts.mined(found)
    p = rule_p_values(counts.n_xy, counts.n_x, counts.n_y, counts.n)
    tested = rules_within_reach(mined.tree, 2, 1)
    beaten = np.searchsorted(least, p * (1 + 1e-9), side="right")
    return (
        {
            "none": p,
            "Holm, over the rules that were mined": holm(p, len(p)),
            "Holm, over the rules within reach": holm(p, tested),
            "Holm, over the whole space": holm(p, rule_space(transactions.baskets.n_products, 2, 1)),
            "Tarone": tarone(p, _least_of_all(mined.tree, counts.n)),
            "Benjamini-Yekutieli": benjamini_yekutieli(p, tested),
            "Benjamini-Hochberg": benjamini_hochberg(p, tested),
            "Westfall-Young, items kept": (1 + beaten) / (len(least) + 1),
        },
        counts,
        found,
    )


def _least_of_all(tree: object, n: int) -> np.ndarray:
    """The least attainable p of every frequent itemset of at most two items with every frequent item outside it."""
    support, lengths = tree.support.astype(np.int64), tree.lengths
    members = tree.members
    x = members[lengths[members] <= 2]
    y = members[lengths[members] == 1]
    left, right = (each.ravel() for each in np.meshgrid(x, y, indexing="ij"))
    above = tree.parent[left]
    inside = (tree.item[left] == tree.item[right]) | ((above >= 0) & (tree.item[np.maximum(above, 0)] == tree.item[right]))
    return least_p_values(support[left[~inside]], support[right[~inside]], n)


def null_worlds(worlds: int = 1000) -> list[str]:
    """False calls where there is none to make, in two kinds of world."""
    kinds = {"8 items, floor 5": (FREQUENCIES, 5), "40 rare items, floor 8": ((30,) * 40, 8)}
    counts: dict[tuple[str, str], int] = {}
    for kind, (frequencies, floor) in kinds.items():
        rng = np.random.default_rng(1)
        least = Permutation("items", 999).fit(packed(independent(rng, frequencies)), Itemsets(floor), SEARCH, RUN).least
        for _ in range(worlds):
            adjusted = corrections(packed(independent(rng, frequencies)), floor, least)[0]
            for name, values in adjusted.items():
                counts[name, kind] = counts.get((name, kind), 0) + bool((values <= ALPHA).any())
    names = list(dict.fromkeys(name for name, _ in counts))
    lines = [f"| worlds with a false call, of {worlds:,} | " + " | ".join(kinds) + " |", "|---|---|---|"]
    return lines + [
        f"| {name} | " + " | ".join(f"{counts[name, kind] / worlds:.1%}" for kind in kinds) + " |" for name in names
    ]


def power(trials: int = 400) -> list[str]:
    """How often a planted pair is called, by odds ratio."""
    rng = np.random.default_rng(2)
    least = Permutation("items", 999).fit(packed(independent(rng)), Itemsets(5), SEARCH, RUN).least
    odds, hits = (2.0, 3.0, 4.0, 6.0), {}
    for ratio in odds:
        for _ in range(trials):
            adjusted, _, found = corrections(packed(tied(rng, ratio)), 5, least)
            tree = found.itemsets.tree
            x, y = tree.item[found.antecedent], tree.item[found.consequent]
            pair = (y == 3) & (tree.lengths[found.antecedent] == 1) & (x == 2)
            for name, values in adjusted.items():
                hits[name, ratio] = hits.get((name, ratio), 0) + bool((values[pair] <= ALPHA).any())
    names = [
        name for name in dict.fromkeys(name for name, _ in hits) if name not in ("none", "Holm, over the rules that were mined")
    ]
    lines = [f"| planted pair called, of {trials} worlds | " + " | ".join(f"odds ratio {each:g}" for each in odds) + " |"]
    lines.append("|---" * (1 + len(odds)) + "|")
    return lines + [f"| {name} | " + " | ".join(f"{hits[name, each] / trials:.0%}" for each in odds) + " |" for name in names]


def uneven_worlds(worlds: int = 200) -> list[str]:
    """False calls where baskets differ in size, under either null."""
    rng = np.random.default_rng(3)
    false = dict.fromkeys(((null, flat) for null in ("items", "baskets") for flat in (False, True)), 0)
    for world in range(worlds):
        shops = {flat: packed(uneven(rng, flat)) for flat in (False, True)}
        for null, flat in false:
            pairs = Rules(max_antecedent=1, max_consequent=1)
            tested = Permutation(null, 39).fit(shops[flat], Itemsets(3), pairs, Run(seed=world))
            false[null, flat] += bool((tested.adjusted <= ALPHA).any())
    return [
        f"| null worlds keep | worlds with a false call, of {worlds} | and with an item in half of all baskets of any size |",
        "|---|---|---|",
        *(
            f"| {null} | {false[null, False] / worlds:.1%} | {false[null, True] / worlds:.1%} |"
            for null in ("items", "baskets")
        ),
    ]


def called(name: str, transactions: Transactions, floor: int, rules: Rules, worlds: int = 199) -> str:
    """How many rules of real baskets stand under each correction."""
    mined = Itemsets(floor).fit(transactions, RUN)
    found = rules.fit(mined, RUN)
    counts = RuleCounts.mined(found)
    p = rule_p_values(counts.n_xy, counts.n_x, counts.n_y, counts.n)
    tested = rules_within_reach(mined.tree, rules.max_antecedent, 1)
    adjusted = [p, holm(p, tested), benjamini_yekutieli(p, tested)]
    for null in ("items", "baskets"):
        adjusted.append(Permutation(null, worlds).fit(transactions, Itemsets(floor), rules, RUN).adjusted)
    cells = " | ".join(f"{(each <= ALPHA).mean():.1%}" for each in adjusted)
    return f"| {name} | {floor} | {len(counts):,} | {tested:,} | {(counts.lift > 1).mean():.1%} | {cells} |"


def figure(row: dict[str, float], digits: int = 4) -> str:
    """A value with its interval."""
    ends = "" if row["low"] is None else f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
    return f"{row['value']:.{digits}f}{ends}"


def hold_out(name: str, metrics: pl.DataFrame) -> list[str]:
    """Calibration of confidence and survival at each cut."""
    lines = []
    for part in metrics["slice"].unique(maintain_order=True):
        known = {(r["metric"], r["model"]): r for r in metrics.filter(pl.col("slice") == part).iter_rows(named=True)}
        n = known["log_loss", "mined"]["n"]
        for model in ("consequent", "mined", "shrunk"):
            cells = [figure(known[metric, model]) for metric in ("log_loss", "calibration_error", "optimism")]
            gain = {"consequent": "", "mined": "mined over consequent", "shrunk": "shrunk over mined"}[model]
            cells.append(figure(known["log_loss_gain", gain], 5) if gain else "")
            lines.append(f"| {name} | {part} | {n:,} | {model} | {' | '.join(cells)} |")
    return lines


def survival(name: str, metrics: pl.DataFrame) -> str:
    """Share of rules that lived on, by tenth of strength, at the first cut."""
    part = metrics["slice"][0]
    known = {(r["metric"], r["model"]): r for r in metrics.filter(pl.col("slice") == part).iter_rows(named=True)}
    tenths = [known["lived_on", f"strength {tenth} of 10"]["value"] for tenth in range(1, 11)]
    return (
        f"| {name} | {part} | {known['lived_on', 'all rules']['value']:.1%} | " + " | ".join(f"{x:.0%}" for x in tenths) + " |"
    )


def stability(name: str, transactions: Transactions, floor: int, rules: Rules) -> list[str]:
    """Rules that pass again, and rules under noise."""
    stable = Stability(resamples=100).fit(transactions, Itemsets(floor), rules, RUN)
    noise = PlantedNoise(repeats=3).fit(transactions, Itemsets(floor), rules, RUN)
    known = {(r["metric"], r["model"], r["slice"]): r["value"] for r in noise.iter_rows(named=True)}
    width = np.nanmedian(stable.confidence[1] - stable.confidence[0])
    cells = [
        f"{known['survived', kind, share]:.1%} / {known['appeared', kind, share]:.1%}"
        for kind in ("drop", "replace", "add")
        for share in ("0.01", "0.05", "0.1")
    ]
    again = f"{stable.passed.mean():.1%} | {(stable.passed >= 0.95).mean():.1%} | {width:.3f}"
    return [f"| {name} | {len(stable.counts):,} | {again} | {' | '.join(cells)} |"]


def change(name: str, transactions: Transactions, floor: int, cut: dt.date) -> list[str]:
    """Rules of the time before and after a day, and of random parts of it."""
    days = transactions.baskets.days
    early = days < (cut - dt.date(1970, 1, 1)).days
    search = Rules(max_antecedent=2, max_consequent=1)
    compared = Comparison(floor, 0.2).fit(transactions.select(early), transactions.select(~early), search, RUN)
    statuses = dict(compared.frame()["status"].cast(pl.String).value_counts().iter_rows())
    cells = [f"{statuses.get(status, 0):,}" for status in STATUSES]
    for deal in DEALS:
        placebo = {(r["metric"], r["model"]): r["value"] for r in compared.placebo(RUN, 10, deal).iter_rows(named=True)}
        cells += [] if len(cells) > len(STATUSES) else [f"{placebo['told', 'compared']:.1%}"]
        cells.append(f"{placebo['told', f'placebo of {deal}']:.1%}, {placebo['changes', f'placebo of {deal}']:.1f}")
    return [f"| {name} | {cut} | {len(compared):,} | {' | '.join(cells)} |"]


def complete_journey(folder: Path) -> Transactions:
    """The shop's own baskets."""
    shop = Shop(folder / "complete_journey")
    if not (shop.folder / "shop.toml").exists():
        init(shop, InitRequest("complete_journey"))
    ingest(shop, IngestRequest())
    return load_transactions(shop, "")


def groceries() -> Transactions:
    """Baskets without days: each is given a coin's, so that the hold-out shows luck and no change."""
    rows = [line.split(",") for line in (DATASETS / "groceries_arules" / "groceries.csv").read_text().splitlines() if line]
    known = Transactions.from_lists(rows)
    coin = np.random.default_rng(5).integers(0, 2, len(known)).astype(np.int32)
    return Transactions(replace(known.baskets, days=coin), known.names)


def main(folder: Path) -> None:
    """Measure and write the page."""
    journey, market = complete_journey(folder), groceries()
    shops = (
        ("Complete Journey", journey, 50, Rules(0.2, 2, 1), [dt.date(2017, month, 1) for month in (5, 7, 9, 11)]),
        ("Groceries", market, 10, Rules(0.5, 0, 1), [dt.date(1970, 1, 2)]),
    )
    floors = {name: min(floor, max(5, floor // 2)) for name, _, floor, _, _ in shops}
    held = {
        name: HoldOut().rolling(baskets, cuts, Itemsets(floors[name]), rules, RUN)[1] for name, baskets, _, rules, cuts in shops
    }
    tables = {
        "False calls where no item goes with another": null_worlds(),
        "Power": power(),
        "Baskets of different sizes": uneven_worlds(),
        "Rules of real baskets that stand": [
            "| baskets | floor | rules | within reach | lift > 1 | p | Holm | Yekutieli | null: items | null: baskets |",
            "|---" * 10 + "|",
            *(called(name, baskets, floor, rules) for name, baskets, floor, rules, _ in shops),
        ],
        "Hold-out: what confidence was worth": [
            "| baskets | cut | rules | model | log loss | calibration error | optimism | gain in log loss |",
            "|---" * 8 + "|",
            *(line for name, table in held.items() for line in hold_out(name, table)),
        ],
        "Hold-out: which rules lived on": [
            "| baskets | cut | all | " + " | ".join(map(str, range(1, 11))) + " |",
            "|---" * 13 + "|",
            *(survival(name, table) for name, table in held.items()),
        ],
        "Stability": [
            "| baskets | rules | passed | in 95 of 100 | width | "
            + " | ".join(f"{kind} {share}" for kind in ("drop", "replace", "add") for share in ("1%", "5%", "10%"))
            + " |",
            "|---" * 14 + "|",
            *(line for name, baskets, floor, rules, _ in shops for line in stability(name, baskets, floor, rules)),
        ],
        "Change": [
            "| baskets | cut | rules | " + " | ".join(STATUSES) + " | differ | customers dealt out | baskets dealt out |",
            "|---" * 12 + "|",
            *change("Complete Journey", journey, 25, dt.date(2017, 7, 1)),
            *change("Groceries", market, 5, dt.date(1970, 1, 2)),
        ],
    }
    page = HEAD
    for title, lines in tables.items():
        page += f"\n## {title}\n\n{textwrap.fill(MEANING[title], 120)}\n\n" + "\n".join(lines) + "\n"
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
