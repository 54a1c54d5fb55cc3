"""Mine: the itemsets that stand in many baskets, of the shop or of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.levels import LEVELS_HELP, SURPRISE_HELP, TAXONOMY_HELP

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.levels import Leveled
    from basketry.app.shop import Shop
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.associations.mining.transactions import Transactions

    Counts = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

ORDERS: Final = ("baskets", "length")
EVERYTHING: Final = 2**63 - 1


@dataclass(frozen=True)
class MineRequest:
    """What to mine, and what to show of it."""

    source: str = field(
        default="",
        metadata={
            "help": "A file of baskets: .dat, .txt, .csv, .tsv, .basket or .parquet; default: the shop's own baskets.",
            "argument": True,
        },
    )
    min_support: str = field(
        default="0.01", metadata={"help": "Least baskets of an itemset: a count such as 20, or a share such as 0.01."}
    )
    kind: str = field(default="all", metadata={"help": "all, closed, maximal or generators."})
    top: int = field(default=0, metadata={"help": "Only so many itemsets, those in the most baskets; 0: all."})
    min_length: int = field(default=1, metadata={"help": "Least number of items."})
    max_length: int = field(default=0, metadata={"help": "Greatest number of items; 0: any."})
    must_contain: str = field(default="", metadata={"help": "Items that each itemset holds, separated by commas."})
    must_not_contain: str = field(default="", metadata={"help": "Items that none holds, separated by commas."})
    only: str = field(default="", metadata={"help": "All items that one may hold, separated by commas; default: any."})
    levels: str = field(default="", metadata={"help": LEVELS_HELP})
    taxonomy: str = field(default="", metadata={"help": TAXONOMY_HELP})
    surprise: float = field(default=0.0, metadata={"help": SURPRISE_HELP})
    max_itemsets: int = field(default=20_000_000, metadata={"help": "More than so many are an error that suggests a support."})
    k: int = field(default=20, metadata={"help": "How many to show at most."})
    order: str = field(default="baskets", metadata={"help": "Best first by baskets or by length."})
    out: str = field(default="", metadata={"help": "Write all of them to this file: .csv, .json, .parquet or .dat."})
    min_customers: int = field(
        default=20, metadata={"help": "Of the shop's own: itemsets of fewer distinct customers are left out."}
    )


@dataclass(frozen=True)
class MineResult:
    """How many itemsets there are, the best of them, and where all were written."""

    baskets: int
    min_baskets: int
    found: int
    withheld: int
    wrote: str | None
    itemsets: pl.DataFrame
    notes: tuple[str, ...]


def mine(shop: Shop, request: MineRequest) -> MineResult:
    """Find the itemsets that stand in many baskets: of the shop as known now, or of a file."""
    from basketry.app.associations import checked
    from basketry.app.levels import on_levels, refuse_surprise
    from basketry.app.transactions import load_transactions
    from basketry.associations.mining.export import write_itemsets
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.core.protocols import Run
    from basketry.kernels.trees import KINDS

    kind = checked(request.kind, KINDS, "kind")
    by = checked(request.order, ORDERS, "order")
    refuse_surprise(request.surprise, request.levels, request.taxonomy)
    bought = load_transactions(shop, request.source)
    leveled = on_levels(shop, bought, request.source, request.levels, request.taxonomy)
    transactions = leveled.transactions
    estimator = Itemsets(
        read_support(request.min_support),
        kind,  # type: ignore[arg-type]  # checked just above
        k=request.top,
        min_length=request.min_length,
        max_length=request.max_length,
        must_contain=_items(request.must_contain, transactions),
        must_not_contain=_items(request.must_not_contain, transactions),
        only=_items(request.only, transactions) or None,
        max_itemsets=request.max_itemsets,
    )
    run = Run() if request.source else Run(threads=shop.settings.threads)
    mined = estimator.fit(transactions, run, leveled.facts)
    table, withheld, notes = _published(mined, leveled, request)
    best = table.sort(by, "length" if by == "baskets" else "baskets", descending=[True, by == "length"], maintain_order=True)
    if request.out:
        write_itemsets(mined, request.out, table=best)
    shown = best.head(max(request.k, 0))
    return MineResult(
        baskets=len(transactions),
        min_baskets=mined.min_count,
        found=len(table),
        withheld=withheld,
        wrote=request.out or None,
        itemsets=shown if request.source else _titled(shown, shop),
        notes=notes,
    )


def _items(text: str, transactions: Transactions) -> tuple[object, ...]:
    """The names between commas; whole numbers where the items are."""
    named = (each.strip() for each in text.split(",") if each.strip())
    whole = transactions.names.dtype.is_integer()
    return tuple(int(name) if whole and name.lstrip("-").isdigit() else name for name in named)


def read_support(text: str) -> int | float:
    """A count where the text is a whole number, a share where it has a point. Raises RequestError for anything else."""
    from basketry.core.errors import RequestError

    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise RequestError(f"min_support {text!r} is no number", "give a count of baskets such as 20, or a share such as 0.01")


def _published(mined: MinedItemsets, leveled: Leveled, request: MineRequest) -> tuple[pl.DataFrame, int, tuple[str, ...]]:
    """The table of itemsets to show, how many too few customers stand behind to be shown, and notes on what is left out."""
    import numpy as np
    import polars as pl

    from basketry.associations.mining.surprise import is_surprising

    table, floor = mined.frame(), 0 if request.source else request.min_customers
    shown, notes = np.ones(len(table), dtype=np.bool_), []
    if floor > 0:
        customers, shown, why = _within_floor(mined, leveled, floor)
        table = table.with_columns(pl.Series("customers", customers))
        notes += [f"left out: {int((~shown).sum())} itemsets {why}"] if not shown.all() else []
    withheld = int((~shown).sum())
    if request.surprise and leveled.taxonomy is not None:
        wanted = is_surprising(mined, leveled.taxonomy, request.surprise)
        dull = int((shown & ~wanted).sum())
        notes += [f"left out: {dull} itemsets that their categories lead to expect"] if dull else []
        shown = shown & wanted
    return table.filter(pl.Series(shown)), withheld, tuple(notes)


def _within_floor(mined: MinedItemsets, leveled: Leveled, floor: int) -> tuple[Counts, Mask, str]:
    """Distinct customers of each itemset, whether it may be shown, and how to say why not."""
    from basketry.associations.mining.customers import customers_of
    from basketry.associations.mining.floor import itemsets_within_floor

    customers = customers_of(leveled.transactions, mined.tree)[mined.tree.members]
    if leveled.taxonomy is None:
        return customers, customers >= floor, f"of fewer than {floor} customers"
    shown = itemsets_within_floor(mined, leveled.transactions.baskets, floor, taxonomy=leveled.taxonomy)
    return customers, shown, f"whose counts tell of fewer than {floor} customers"


def _titled(shown: pl.DataFrame, shop: Shop) -> pl.DataFrame:
    """With the titles of the products beside their ids; a category goes by its name."""
    import polars as pl

    from basketry.core.tables import Products

    with shop.dataset() as dataset:
        titles = dataset.table(Products).select(itemset="product_id", titles="title")
    rows = (
        shown.select("itemset")
        .with_row_index("nth")
        .explode("itemset")
        .join(titles, on="itemset", how="left", maintain_order="left")
        .with_columns(pl.col("titles").fill_null(pl.col("itemset")))
    )
    listed = (
        rows.group_by("nth", maintain_order=True).agg("titles")["titles"]
        if len(rows)
        else pl.Series("titles", [], pl.List(pl.String))
    )
    return shown.insert_column(1, listed)
