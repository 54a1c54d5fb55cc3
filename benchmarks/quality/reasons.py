"""Whether the reasons of rankers are their reasons: fidelity on Amazon Beauty and UCI Online Retail.

    python benchmarks/quality/reasons.py [SHOP ...] [MODEL ...]

Explains the first product of 300 customers (100 where a question is dear) by each model's own reasons, and by asking it as a
black box. Similarity is that of products by their buyers (64 directions of the matrix of customers and products) on Beauty, and
by their titles on UCI. Writes docs/reference/quality-reasons.md. A new model is one more row of ROWS. Needs torch and lightgbm.
"""

from __future__ import annotations

import gzip
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from basketry.core.histories import Candidates, Evidence, Histories, Queries, Rankings
from basketry.core.protocols import Ranker, Run
from basketry.encoders import load_encoder
from basketry.recommendation.ease import Ease
from basketry.recommendation.fidelity import Attributes, Faithful, Fidelity
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.models import estimator_of
from basketry.recommendation.neural import Neural, NeuralRanker
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.reasons.attribution import Attribution
from basketry.recommendation.transitions import Transitions
from basketry.training.plan import TrainingPlan

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "quality-reasons.md"
COLUMNS = (
    "| reasons of | deletion | insertion | pos@5 | deletion better than random by | than similarity by "
    "| counterfactuals valid | error | trusted |"
)
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
MOST = 60  # events of a history


class Gradients:
    """A neural ranker's integrated gradients as reasons."""

    def evidence(self, ranker: NeuralRanker, queries: Queries, rankings: Rankings, run: Run) -> Evidence:
        """In 16 steps."""
        del run
        return ranker.explain_by_gradients(queries, rankings, steps=16)


@dataclass(frozen=True)
class Row:
    """A model, by the estimator that makes it; what attributes, and on which shops. `dear`: a question costs milliseconds."""

    name: str
    estimator: RankerEstimator
    attribution: Attributes = field(default_factory=Attribution)
    shops: tuple[str, ...] = ("Amazon Beauty", "UCI Online Retail")
    dear: bool = False
    repeats: bool = False


UCI_ALONE = ("UCI Online Retail",)
LEFT_OUT, LIME = Attribution("left_out"), Attribution("lime", samples=100)
GRAPH = Transitions()
EASE = Ease(products=4_000)
BLENDS = {repeats: estimator_of("blend", repeats=repeats, horizon_days=28) for repeats in (False, True)}
LEARNED = estimator_of("learned", repeats=False, horizon_days=28)
NEURAL = Neural(blocks=1, length=30, plan=TrainingPlan(learning_rate=2e-3, epochs=3, batch_size=256, patience=3))
ROWS = (
    Row("popularity", Popularity()),
    Row("item-item", ItemNeighbours()),
    Row("EASE", EASE),
    Row("transition graph", GRAPH),
    Row("transition graph, left out", GRAPH, LEFT_OUT),
    Row("transition graph, LIME", GRAPH, LIME, dear=True),
    Row("blend, of new products", BLENDS[False], shops=UCI_ALONE, dear=True),
    Row("blend, of all products", BLENDS[True], shops=UCI_ALONE, dear=True, repeats=True),
    Row("learned, Shapley values shared over events", LEARNED, shops=UCI_ALONE, dear=True),
    Row("learned, left out", LEARNED, LEFT_OUT, UCI_ALONE, dear=True),
    Row("learned, LIME", LEARNED, LIME, UCI_ALONE, dear=True),
    Row("neural, left out", NEURAL, shops=UCI_ALONE, dear=True),
    Row("neural, integrated gradients", NEURAL, Gradients(), UCI_ALONE, dear=True),
)
HEAD = """# Whether reasons are reasons

The products that a reason names are taken out of the history, those said to have brought most first; if they are what the
ranker went by, its first product falls fast. `deletion` is the mean of 1 / rank as they go (lower is better), `insertion` as
they alone come (higher is better), `pos@5` the share of steps at which the product is still among the first five (lower is
better). Beside each stand the same in random order and in order of similarity to the product.
`python benchmarks/quality/reasons.py` writes this page; intervals: 95%, customers resampled; long histories are asked at 8
steps. `error` is the most by which contributions that are called exact miss the score, as a part of it. A model whose reasons
are not trusted is shown without reasons: `train` measures the same of every ranker it publishes, and `recommend` withholds.
Attention is not offered as a reason: it says where a model looked, not what it went by.
"""


def beauty() -> tuple[Histories, np.ndarray]:
    """Histories without the two held-out products, and product vectors by buyers."""
    with gzip.open(DATASETS / "s3rec_amazon" / "Beauty.txt.gz", "rt", encoding="utf-8") as lines:
        rows = [[int(code) - 1 for code in line.split()[1:-2]] for line in lines]
    histories = Histories.from_rows(rows, max(max(row) for row in rows) + 1)
    held = csr_array(
        (np.ones(len(histories.products), dtype=np.float32), histories.products, histories.indptr),
        shape=(len(histories), histories.n_products),
    )
    _, sizes, directions = svds(held, k=64, random_state=0)
    return histories, (directions.T * sizes).astype(np.float32)


def uci() -> tuple[Histories, np.ndarray]:
    """What each customer bought on each day, returns left out, and product vectors by titles."""
    lines = (
        pl.read_csv(DATASETS / "uci_online_retail" / "online_retail.csv.gz", infer_schema=False)
        .with_columns(
            pl.col("Quantity").cast(pl.Int64),
            pl.col("InvoiceDate").str.slice(0, 10).str.to_date(strict=False).alias("day"),
        )
        .filter(pl.col("CustomerID").fill_null("") != "", pl.col("Quantity") > 0, pl.col("day").is_not_null())
    )
    titles = lines.group_by("StockCode").agg(pl.col("Description").drop_nulls().first()).sort("StockCode")
    events = (
        lines.select("CustomerID", "day", "StockCode")
        .unique()
        .sort("CustomerID", "day", "StockCode")
        .join(titles.with_row_index("product").select("StockCode", "product"), on="StockCode", maintain_order="left")
    )
    indptr = np.concatenate([[0], events.group_by("CustomerID", maintain_order=True).len()["len"].cum_sum().to_numpy()])
    days = events["day"].to_physical().to_numpy().astype(np.int32)
    products = events["product"].to_numpy().astype(np.int32)
    histories = Histories(indptr.astype(np.int64), products, days, days, len(titles))
    vectors = load_encoder("universal", Run()).encode(titles["Description"].fill_null("unknown").str.to_lowercase().to_list())
    return histories, vectors


def last_day(histories: Histories) -> np.ndarray:
    """A question a customer, on the last day of the histories."""
    return np.full(len(histories), histories.days.max(), dtype=np.int32)


def measured(ranker: Ranker, histories: Histories, vectors: np.ndarray, row: Row) -> Faithful:
    """Fidelity of histories that a person could look through."""
    short = np.flatnonzero(histories.lengths <= MOST)
    queries = Queries(histories.select(short), last_day(histories)[short])
    cases = 100 if row.dear else 300
    how = Fidelity(cases=cases, orders=2, steps=8, counterfactuals=cases)
    return how.measure(ranker, queries, Run(seed=0), row.attribution, Candidates(repeats=row.repeats), vectors)


def line(name: str, faithful: Faithful) -> str:
    """One row of the table."""

    def shown(figure: str) -> str:
        each = faithful.interval(figure)
        return f"{each.value:.3f}"

    def gain(over: str) -> str:
        each = faithful.gain("deletion", over)
        return f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})"

    curves = " | ".join(
        " / ".join(shown(f"{curve}{over}") for over in ("", ":random", ":similarity"))
        for curve in ("deletion", "insertion", "pos@5")
    )
    cases = faithful.cases
    found = np.isfinite(cases["counterfactual_valid"])
    valid = f"{int(np.nansum(cases['counterfactual_valid']))} of {int(found.sum())}"
    errors = cases["contribution_error"]
    error = "" if np.isnan(errors).all() else f"{np.nanmax(errors):.0e}"
    trusted = "yes" if faithful.trusted else "no: " + "; ".join(faithful.against_trust)
    return f"| {name} | {curves} | {gain('random')} | {gain('similarity')} | {valid} | {error} | {trusted} |"


def kept() -> dict[str, dict[str, str]]:
    """The rows that the page holds, by shop and name."""
    found: dict[str, dict[str, str]] = {shop: {} for shop in SHOPS}
    shop = ""
    for each in PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []:
        shop = each.removeprefix("## ") if each.startswith("## ") else shop
        cells = each.split(" | ")
        if shop in found and len(cells) == len(COLUMNS.split(" | ")) and each != COLUMNS:
            found[shop][cells[0].removeprefix("| ")] = each
    return found


def write(found: dict[str, dict[str, str]]) -> None:
    """The page, rows in the order of ROWS."""
    text = [HEAD]
    for shop, rows in found.items():
        text += [
            f"\n## {shop}\n",
            f"Customers of at most {MOST} events; of each three figures: attributed / random / similarity.\n",
        ]
        text += [COLUMNS, "|---" * len(COLUMNS.split(" | ")) + "|", *(rows[row.name] for row in ROWS if row.name in rows)]
        missing = [row.name for row in ROWS if shop in row.shops and row.name not in rows]
        text += [f"\nNot measured yet: {'; '.join(missing)}."] if missing else []
    PAGE.write_text("\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    """Measure every model on both shops, or the shops and models named, and put them into the page."""
    shops = [shop for shop in SHOPS if shop in sys.argv[1:]] or list(SHOPS)
    names = [row.name for row in ROWS if row.name in sys.argv[1:]] or [row.name for row in ROWS]
    found = kept()
    for shop in shops:
        histories, vectors = SHOPS[shop]()
        fitted: dict[int, Ranker] = {}
        for row in ROWS:
            if shop in row.shops and row.name in names:
                ranker = fitted.get(id(row.estimator)) or row.estimator.fit(histories, Run())
                fitted = {id(row.estimator): ranker}
                found[shop][row.name] = line(row.name, measured(ranker, histories, vectors, row))
                print(found[shop][row.name], flush=True)
                write(found)


SHOPS = {"Amazon Beauty": beauty, "UCI Online Retail": uci}


if __name__ == "__main__":
    main()
