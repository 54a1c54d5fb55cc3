"""Basketry: what goes with what in a shop, measured, tested and explained.

>>> import basketry
>>> shop = basketry.open("myshop")                         # doctest: +SKIP
>>> shop.associations("milk", k=10)                        # doctest: +SKIP
>>> basketry.mine("baskets.csv", 20).frame()         # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from basketry.app.notebook import Notebook
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.kernels.itemsets import Kind

__version__: Final = "0.1.0"
__all__ = ["__version__", "create", "mine", "open"]


def open(folder: str | Path) -> Notebook:
    """The shop in `folder`. Raises NotFound if it has no shop.toml."""
    from basketry.app.notebook import Notebook

    return Notebook.open(folder)


def create(folder: str | Path, adapter: str = "") -> Notebook:
    """Set up a shop: write its shop.toml, a template to complete or one of the ready adapters, and open it."""
    from basketry.app.init import InitRequest, init
    from basketry.app.notebook import Notebook

    shop = Notebook(Path(folder))
    init(shop, InitRequest(adapter))
    return shop


def mine(
    baskets: object,
    min_support: int | float = 0.01,
    *,
    kind: Kind = "all",
    basket: str = "",
    item: str = "",
    names: Sequence[Any] | None = None,
    threads: int = 1,
) -> MinedItemsets:
    """Every itemset in at least `min_support` of the baskets: a whole number counts them, a fraction is a share of all.

    `baskets`: a table with a row an item (pandas, Polars, Arrow; `basket` and `item` name its columns) or with a row a basket
    and a column of 0 and 1 an item, a scipy or numpy matrix (`names` name its columns), a list of lists, or the path of a FIMI,
    SPMF, CSV or Parquet file. `kind`: all, closed, maximal or generators. `len` of the result is the number of itemsets, and
    `frame()` the table of them: see docs/how-to/mine-anything.md.

    >>> len(mine([["tea", "jam"], ["tea"], ["tea", "jam"]], min_support=2))  # tea, jam, and both
    3
    """
    from basketry.associations.mining.inputs import transactions
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.core.protocols import Run

    estimator = Itemsets(min_support, kind)
    return estimator.fit(transactions(baskets, basket=basket, item=item, names=names), Run(threads=threads))
