"""Ways to mine itemsets: ours, and every peer in the form of input that it likes best.

A way takes the baskets as compressed rows, the least count and the kind, does whatever has to be done before mining, and
returns the call to be measured; that returns the itemsets in the package's own form. `size` says how many those are. Imports
are inside the functions: this file is read by two Pythons, ours and the peers', and neither has what the other has.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """Basket i holds `items[indptr[i]:indptr[i + 1]]`; wanted are the itemsets of `kind` in at least `least` baskets."""

    indptr: np.ndarray
    items: np.ndarray
    n_items: int
    least: int
    kind: str = "all"

    @property
    def n(self) -> int:
        return len(self.indptr) - 1

    @property
    def share(self) -> float:
        """The least count as a share, a little lower so that rounding loses no itemset."""
        return (self.least - 0.5) / self.n

    def lists(self, of: type = int) -> list[list[Any]]:
        values = list(map(of, self.items.tolist()))
        return [values[a:b] for a, b in zip(self.indptr[:-1].tolist(), self.indptr[1:].tolist(), strict=True)]

    def sparse(self) -> Any:
        from scipy import sparse

        return sparse.csr_matrix((np.ones(len(self.items), dtype=bool), self.items, self.indptr), (self.n, self.n_items))


Call = Callable[[], Any]


def kernel(threads: int) -> Callable[[Task], Call]:
    def way(task: Task) -> Call:
        from basketry.kernels.itemsets import mine_itemsets

        options = {"min_count": task.least, "kind": task.kind, "threads": threads}
        return lambda: mine_itemsets(task.indptr, task.items, task.n_items, **options)

    return way


def frame(task: Task) -> Call:
    import polars as pl

    from basketry.associations.mining.itemsets import Itemsets
    from basketry.associations.mining.transactions import Transactions, plain
    from basketry.core.protocols import Run

    names = pl.Series("item", np.arange(task.n_items))
    transactions = Transactions(plain(task.indptr, task.items, task.n_items), names)
    return lambda: Itemsets(task.least, kind=task.kind).fit(transactions, Run(threads=1)).frame()


def pyfim(algorithm: str, report: str = "a") -> Callable[[Task], Call]:
    def way(task: Task) -> Call:
        import fim

        baskets = task.lists()
        target = {"all": "s", "closed": "c", "maximal": "m", "generators": "g"}[task.kind]
        return lambda: getattr(fim, algorithm)(baskets, target=target, supp=-task.least, zmin=1, report=report)

    return way


def mlxtend(task: Task) -> Call:
    import pandas as pd
    from mlxtend import frequent_patterns

    table = pd.DataFrame.sparse.from_spmatrix(task.sparse())
    if task.n * task.n_items < 2**28:
        table = table.sparse.to_dense()
    mine = frequent_patterns.fpgrowth if task.kind == "all" else frequent_patterns.fpmax
    return lambda: mine(table, min_support=task.share)


def rusket(algorithm: str) -> Callable[[Task], Call]:
    """Its compiled core, without the frame that the package makes of the columns."""

    def way(task: Task) -> Call:
        import rusket._rusket

        mine = getattr(rusket._rusket, f"{algorithm}_from_csr")
        indptr = task.indptr.astype(np.int32)
        return lambda: mine(indptr, task.items, task.n_items, task.least)

    return way


def efficient_apriori(task: Task) -> Call:
    from efficient_apriori import itemsets_from_transactions

    baskets = list(map(tuple, task.lists()))
    return lambda: itemsets_from_transactions(baskets, task.share, max_length=1000)


def orange(task: Task) -> Call:
    from orangecontrib.associate.fpgrowth import frequent_itemsets

    baskets = task.lists()
    return lambda: list(frequent_itemsets(baskets, task.least))


def pami(module: str) -> Callable[[Task], Call]:
    """It reads a file, or a frame of lines joined by a sign, so that splitting these is part of its time."""

    def way(task: Task) -> Call:
        import importlib

        miner = getattr(importlib.import_module(f"PAMI.frequentPattern.{module}"), module.rpartition(".")[2])
        path = Path(tempfile.mkdtemp()) / "baskets.txt"
        path.write_text("".join("\t".join(basket) + "\n" for basket in task.lists(str)), encoding="utf-8")

        def run() -> Any:
            mining = miner(str(path), task.least, sep="\t")
            with contextlib.redirect_stdout(io.StringIO()):
                mining.mine()
            return mining.getPatterns()

        return run

    return way


def skmine(task: Task) -> Call:
    from skmine import itemsets

    baskets = task.lists()
    miner = itemsets.LCM if task.kind == "closed" else itemsets.lcm.LCMMax
    miner._validate_data = lambda *_args, **_options: None  # scikit-learn 1.6 took it away; it only checked the input
    return lambda: miner(min_supp=task.least).fit_transform(baskets)


def spark(task: Task) -> Call:
    """Two local threads, the baskets cached, and a small job run beforehand so that starting up is not counted."""
    from pyspark.ml.fpm import FPGrowth
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.log.level", "ERROR")
    session = builder.config("spark.driver.memory", "6g").getOrCreate()
    baskets = session.createDataFrame([(basket,) for basket in task.lists()], "items array<int>").repartition(2).cache()
    baskets.count()
    small = session.createDataFrame([([1, 2],), ([1, 3],)], "items array<int>")
    FPGrowth(itemsCol="items", minSupport=0.5).fit(small).freqItemsets.count()
    model = FPGrowth(itemsCol="items", minSupport=task.share, numPartitions=4)

    def run() -> Any:
        return range(model.fit(baskets).freqItemsets.count())

    return run


def size(found: Any) -> int:
    """How many itemsets a package returned."""
    if isinstance(found, tuple) and isinstance(found[0], dict):  # efficient-apriori: length -> itemsets
        return sum(map(len, found[0].values()))
    if isinstance(found, tuple):  # rusket: supports, offsets, items
        return len(found[0])
    if isinstance(found, dict) and found and all(isinstance(key, int) for key in found):
        return sum(map(len, found.values()))
    return len(found)
