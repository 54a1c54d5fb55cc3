"""CPU time of one personal list over 20,000 products: ranking, filter, policy, diversity and reasons, one customer at a time.

    python benchmarks/speed/recommend.py [CUSTOMERS]

A drawn shop (seeded): 20,000 products whose popularity falls as 1 / rank, in 300 categories of like products, and 8,000
customers of some 20 events who keep to a few. Models are fitted and vectors are in memory; every list is asked alone,
ways interleaved. The plain way, beside which diversity is put, is what one writes with numpy and Polars alone: scores of all
products, a mask, a sort, and MMR as in its paper. Writes docs/reference/speed-recommend.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.answers import stage_of
from basketry.recommendation.facts import Facts
from basketry.recommendation.filter_text import parsed
from basketry.recommendation.policy import Boost, Calibration, Cap, Exploration, Pin, Policy
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.popularity_in_groups import PopularityInGroups
from basketry.recommendation.shelf import shelf_of
from basketry.recommendation.transitions import Transitions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed-recommend.md"
N, GROUPS, CUSTOMERS, K, DIM = 20_000, 300, 8_000, 10, 128
FILTER = "price < 9 and category not in (c1, c2, c3) and not tag = sour"
LIMITS = Policy(never="brand = b1", caps=(Cap("category", 3), Cap("brand", 2)), pins=(Pin(3, "p7"),), low_stock=5)
VARIED = Policy(diversity=0.3).under(LIMITS)
EVERYTHING = Policy(
    boosts=(Boost("price < 3", 1.5),), margin_weight=0.2, calibration=Calibration(0.2), exploration=Exploration(0.1)
).under(VARIED)


def drawn_shop() -> tuple[Facts, Histories]:
    """Products with facts and vectors, and what customers did."""
    draw = np.random.default_rng(5)
    group = draw.integers(0, GROUPS, N)
    vectors = draw.normal(size=(GROUPS, DIM))[group] + draw.normal(size=(N, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frame = pl.DataFrame(
        {
            "product_id": [f"p{i}" for i in range(N)],
            "category": [f"c{i}" for i in group],
            "brand": [f"b{i}" for i in draw.integers(0, 500, N)],
            "price": draw.random(N) * 10,
            "stock": draw.integers(0, 30, N),
            "margin": draw.random(N),
            "hidden": draw.random(N) < 0.02,
            "tag": [[t for t in ("sour", "sweet", "new") if draw.random() < 0.2] for _ in range(N)],
        }
    )
    popularity = 1 / (1 + draw.permutation(N))
    by_group = [np.flatnonzero(group == each) for each in range(GROUPS)]
    rows = []
    for _ in range(CUSTOMERS):
        kept_to = draw.integers(0, GROUPS, 4)
        pool = np.concatenate([by_group[each] for each in kept_to])
        rows.append(draw.choice(pool, 1 + draw.poisson(20), p=popularity[pool] / popularity[pool].sum()).tolist())
    return Facts(frame, vectors.astype(np.float32)), Histories.from_rows(rows, N)


def plain(facts: Facts, score: Callable[[Queries], np.ndarray]) -> Callable[[Queries], object]:
    """Filter, limits and MMR with numpy and Polars alone."""

    def run(query: Queries) -> list[int]:
        scores = score(query)[0]
        tag = pl.col("tag").list.contains("sour")
        kept = facts.frame.select(
            (pl.col("price") < 9)
            & ~pl.col("category").is_in(["c1", "c2", "c3"])
            & ~tag
            & (pl.col("stock") > 0)
            & ~pl.col("hidden")
        ).to_series()
        scores = np.where(kept.to_numpy(), scores, -np.inf)
        scores[query.histories.products] = -np.inf
        pool = np.argsort(-scores, kind="stable")[:100].tolist()
        chosen = [pool.pop(0)]
        vectors = facts.vectors
        assert vectors is not None
        while len(chosen) < K:
            value = [
                0.7 * scores[i] / scores[chosen[0]] - 0.3 * max(float(vectors[i] @ vectors[j]) for j in chosen) for i in pool
            ]
            chosen.append(pool.pop(int(np.argmax(value))))
        return chosen

    return run


def ways(facts: Facts, histories: Histories) -> dict[str, Callable[[Queries], object]]:
    """What is measured, by name; the first time each runs is not counted."""
    model = Transitions().fit(histories, Run())
    parts = {
        "personal": model,
        "in_category": PopularityInGroups().fit(histories, facts.groups("category")[0], Run()),
        "popular": Popularity().fit(histories, Run()),
    }
    only = parsed(FILTER)
    bare, limited, varied, full = (stage_of("home", parts, facts, each) for each in (Policy(), LIMITS, VARIED, EVERYTHING))

    def explained(query: Queries) -> object:
        answer = varied.answer(query, K, only)
        return varied.explain(query, answer)

    return {
        "the model's own ranking": lambda query: model.rank(query, K, Candidates()),
        "scene `home`, no policy": lambda query: bare.answer(query, K),
        "with the filter": lambda query: bare.answer(query, K, only),
        "with filter and limits (never, caps, a pin, stock)": lambda query: limited.answer(query, K, only),
        "with filter, limits and diversity": lambda query: varied.answer(query, K, only),
        "with all rules (boosts, margin, calibration, exploration)": lambda query: full.answer(query, K, only),
        "with filter, limits, diversity and reasons": explained,
        "the plain way: filter, stock and diversity": plain(facts, model.scores),
    }


def _milliseconds(run: Callable[[Queries], object], query: Queries) -> float:
    before = time.process_time()
    run(query)
    return 1_000 * (time.process_time() - before)


def main() -> None:
    """Measure, print and write the page."""
    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    facts, histories = drawn_shop()
    day = int(histories.days.max())
    chosen = np.random.default_rng(1).choice(len(histories), customers, replace=False)
    queries = [Queries(histories.select(np.array([row])), np.array([day], dtype=np.int32)) for row in chosen]
    measured = ways(facts, histories)
    spent: dict[str, list[float]] = {name: [] for name in measured}
    for run in measured.values():
        run(queries[0])
    order = np.random.default_rng(2)
    for query in queries:
        for name in order.permutation(list(measured)).tolist():
            spent[name].append(_milliseconds(measured[name], query))
    fresh = [_milliseconds(lambda _: shelf_of(Facts(facts.frame, facts.vectors), EVERYTHING), queries[0]) for _ in range(5)]
    again = [_milliseconds(lambda _: shelf_of(facts, EVERYTHING), queries[0]) for _ in range(5)]
    lines = [
        "# Speed: one list",
        "",
        f"{N:,} products in {GROUPS} categories, vectors of {DIM}; {customers} customers asked one at a time for {K} products;",
        f"filter `{FILTER}`.",
        "`python benchmarks/speed/recommend.py` wrote this page: user + system CPU time, ways interleaved.",
        "",
        "| One list | CPU ms, median | 95th percentile |",
        "|---|---:|---:|",
        *(f"| {name} | {statistics.median(all_):.2f} | {np.quantile(all_, 0.95):.2f} |" for name, all_ in spent.items()),
        "",
        "Once a policy or a fact changes, not once a list: working the policy out takes",
        f"{statistics.median(again):.1f} ms, and {statistics.median(fresh):.1f} ms where the columns are new too.",
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
