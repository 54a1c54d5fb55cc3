"""How well encoders tell products apart and what they are: zero-shot, adapted, and against TF-IDF.

    python benchmarks/quality/products.py
    python benchmarks/quality/products.py --also student=models/student --only shopee

Product matching on shopee_matching (retrieval) and er_product_matching (pairs), category on fashion_styles and zh_mall_catalog,
sentiment on zh_reviews. Everything is learned and chosen on train and validation parts; test parts are measured once.
`--also NAME=FOLDER` adds rows for a model folder, adapted elsewhere or compressed. Writes docs/reference/quality-products.md.
Takes some ten minutes of one core.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from product_tasks import classification, matching, pairs
from product_tasks.data import Bench
from product_tasks.page import Page

ROOT = Path(__file__).parents[2]
HEAD = """# Products told apart

How well encoders match products and tell what they are, in real catalogues: without training, adapted, and against TF-IDF,
which needs no model at all. `python benchmarks/quality/products.py` writes this page; `--also NAME=FOLDER` adds the rows of
another model, for instance a compressed one.

Every figure is on test parts that nothing was learned or chosen on, with the 95% interval of 500 resamples. *Ratio* is to the
first row of its table, zero-shot, on the same resamples. CPU is of this run, one thread: of encoding (tokeniser included) and
of all that was learned. Where TF-IDF wins, the table shows it.
"""
SECTIONS = {
    "shopee": matching.shopee,
    "pairs": pairs.matched,
    "fashion": classification.fashion,
    "chinese": classification.chinese,
}


def main() -> None:
    """Measure what was asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="print these sections, and write no page")
    parser.add_argument("--keep", type=Path, help="folder for adapted models; default: a temporary one")
    asked = parser.parse_args()
    also = dict(each.split("=", 1) for each in asked.also)
    datasets = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(datasets, asked.keep or Path(folder), also)
        page = Page(HEAD)
        for name, section in SECTIONS.items():
            if not asked.only or name in asked.only:
                section(bench, page)
    besides = ", the models that an earlier run had adapted and --keep had kept apart" if asked.keep else ""
    page.text(f"The whole run took {(time.process_time() - begun) / 60:.0f} minutes of CPU{besides}.")
    if not asked.only:
        (ROOT / "docs/reference/quality-products.md").write_text(page.whole(), encoding="utf-8")


if __name__ == "__main__":
    main()
