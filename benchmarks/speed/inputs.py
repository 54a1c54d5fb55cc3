"""CPU time of reading a million occurrences from every form that basketry.mine takes, and of writing out a million lists.

    python benchmarks/speed/inputs.py

Prints a line a form: the best of three, in seconds of user + system CPU, without the mining.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from basketry.associations.mining.inputs import transactions
from basketry.associations.mining.lists import lists

LINES, BASKETS, ITEMS, MARKS = 1_000_000, 150_000, 20_000, 2_000


def forms(folder: Path) -> dict[str, object]:
    """The same occurrences in each form; one-hot tables hold the first MARKS items only."""
    random = np.random.default_rng(0)
    basket = np.sort(random.integers(0, BASKETS, LINES))
    item = random.zipf(1.3, LINES) % ITEMS
    long = pl.DataFrame({"basket": basket, "item": [f"product {code}" for code in item.tolist()]})
    matrix = sp.csr_matrix((np.ones(LINES, dtype=bool), (basket, item)))
    grouped = long.group_by("basket", maintain_order=True).agg("item")["item"]
    (folder / "a.dat").write_text(
        "\n".join(" ".join(map(str, each)) for each in np.split(item, np.flatnonzero(np.diff(basket)) + 1))
    )
    long.write_csv(folder / "a.csv")
    return {
        "Polars, long": long,
        "Polars, long, shuffled": long.sample(fraction=1, shuffle=True, seed=1),
        "pandas, long": long.to_pandas(),
        "pandas, long, categories": long.to_pandas().astype({"item": "category"}),
        "Arrow, long": pa.table(long),
        "Polars lists": grouped,
        "lists of lists": grouped.to_list(),
        "scipy CSR": matrix,
        "scipy COO": matrix.tocoo(),
        f"pandas sparse, {MARKS:,} columns": pd.DataFrame.sparse.from_spmatrix(matrix[:, :MARKS]),
        "FIMI file": folder / "a.dat",
        "CSV file, long": folder / "a.csv",
    }


def best(work: Callable[[], object]) -> float:
    """Least CPU seconds of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in forms(Path(folder)).items():
            print(f"{name:32} {best(lambda data=data: transactions(data)):.3f}")
    names = pl.Series([f"product {code}" for code in range(1000)])
    codes = np.random.default_rng(0).integers(0, 1000, 3 * LINES).astype(np.int32)
    print(f"{'a million lists of three names':32} {best(lambda: lists(names, codes, np.arange(0, len(codes) + 1, 3))):.3f}")


if __name__ == "__main__":
    main()
