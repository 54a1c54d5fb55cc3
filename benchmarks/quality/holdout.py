"""What a release foretells and what it says, on two shops: the hold-out of strength, and the verdicts.

    python benchmarks/quality/holdout.py [FOLDER]

Ingests and builds Complete Journey and UCI Online Retail (kept in FOLDER if one is given), and writes
docs/reference/quality-holdout.md. Features were chosen while looking at Complete Journey; UCI was looked at afterwards.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import polars as pl

from basketry.app.build import BuildRequest, build
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.init import InitRequest, init
from basketry.app.shop import Shop

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
SHOPS = {"complete_journey": "Complete Journey", "uci_online_retail": "UCI Online Retail"}
MODELS = ("past_rate", "behaviour", "meaning", "fused")
SLICES = {
    "all": "all pairs asked about",
    "edge": "pairs with a bought_together edge before the cut",
    "no_edge": "both bought by 20 customers before, no edge",
    "cold_product": "a product that fewer than 20 customers had bought before the cut: to `strength` it is new",
    "launched": "pairs of a product never sold before the cut, both sold in the hold-out",
}
HEAD = """# What a release foretells

Whether two products are bought together in the six weeks after a cut; weights learned in the six weeks before it.
`python benchmarks/quality/holdout.py` writes this page. `past_rate` is the simple rule (the past goes on), `behaviour` and
`meaning` are the same regression on counts alone and on texts and categories alone, `fused` is what a release serves as
`strength`. Intervals: 95%, both products of a pair resampled. Features were chosen while looking at Complete Journey, so its
figures flatter. UCI Online Retail was looked at afterwards; its catalogue is made of its order lines, later ones included, so
its new products are ones that do sell, and its hold-out is the weeks before Christmas.
"""


def ingested(folder: Path, adapter: str) -> Shop:
    """The shop with its tables."""
    shop = Shop(folder / adapter)
    if not (shop.folder / "shop.toml").exists():
        init(shop, InitRequest(adapter))
    toml = shop.folder / "shop.toml"
    if adapter == "uci_online_retail":
        path = DATASETS / "uci_online_retail" / "online_retail.csv.gz"
        toml.write_text(toml.read_text().replace('path = "online_retail.csv.gz"', f'path = "{path}"'))
    ingest(shop, IngestRequest())
    return shop


def built(folder: Path, adapter: str) -> Shop:
    """The shop, ingested and published."""
    shop = ingested(folder, adapter)
    build(shop, BuildRequest())
    return shop


def figure(row: dict[str, float] | None, digits: int = 3) -> str:
    """A value with its interval."""
    if row is None or row["value"] is None:
        return ""
    ends = f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if row["low"] is not None else ""
    return f"{row['value']:.{digits}f}{ends}"


def hold_out(metrics: pl.DataFrame) -> list[str]:
    """One table: slices by models, AUC and log loss, and the paired gain of the fused model."""
    known = {(row["metric"], row["model"], row["slice"]): row for row in metrics.iter_rows(named=True)}
    lines = ["| slice | pairs | happened | measure | " + " | ".join(MODELS) + " | gain of fused over behaviour |"]
    lines.append("|---" * (5 + len(MODELS)) + "|")
    for part in SLICES:
        happened = known.get(("happened", "observed", part))
        for metric in ("auc", "log_loss", "calibration_error") if happened else ():
            cells = [figure(known.get((metric, model, part))) for model in MODELS]
            gain = figure(known.get((f"{metric}_gain", "fused over behaviour", part)), 4)
            share = f"{happened['value']:.2%}" if metric == "auc" else ""
            count = f"{happened['n']:,}" if metric == "auc" else ""
            lines.append(f"| {part if metric == 'auc' else ''} | {count} | {share} | {metric} | {' | '.join(cells)} | {gain} |")
    return lines


def verdicts(shop: Shop) -> list[str]:
    """What lift says, what is left of it once size and taste are counted, and the verdicts."""
    graph = shop.graph()
    category = graph.products.select("product_id", "category")
    pairs = graph.associations.filter((pl.col("kind") == "bought_together") & (pl.col("product_id") < pl.col("other_id")))
    pairs = pairs.join(category, on="product_id").join(category, left_on="other_id", right_on="product_id", suffix="_other")
    across = pairs.filter(pl.col("category").ne_missing(pl.col("category_other")))
    parts = {"all pairs": pairs} | ({"across categories": across} if len(across) not in (0, len(pairs)) else {})
    names = ("complement", "substitute", "co_trip", "unknown")
    lines = [
        "| bought_together | pairs | lift > 1 | median lift | median adjusted lift | adjusted_low > 1 | "
        + " | ".join(names)
        + " |"
    ]
    lines.append("|---" * (6 + len(names)) + "|")
    for name, part in parts.items():
        cells = [f"{(part['verdict'] == verdict).sum():,}" for verdict in names]
        lifts = f"{(part['lift'] > 1).mean():.1%} | {part['lift'].median():.2f} | {part['adjusted_lift'].median():.2f}"
        lines.append(f"| {name} | {len(part):,} | {lifts} | {(part['adjusted_low'] > 1).mean():.1%} | {' | '.join(cells)} |")
    return lines


def main(folder: Path) -> None:
    """Build both shops and write the page."""
    lines = [HEAD, *(f"- `{name}`: {meaning}" for name, meaning in SLICES.items())]
    for adapter, title in SHOPS.items():
        shop = built(folder, adapter)
        metrics = pl.DataFrame(shop.graph().release.manifest.metrics, infer_schema_length=None)
        lines += ["", f"## {title}", "", *hold_out(metrics), "", *verdicts(shop)]
    page = "\n".join(lines) + "\n"
    (ROOT / "docs/reference/quality-holdout.md").write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
