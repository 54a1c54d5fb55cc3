"""Mine: the itemsets that stand in many baskets, of the shop or of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.engines import HELP
from basketry.app.levels import LEVELS_HELP, SURPRISE_HELP, TAXONOMY_HELP

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.associations.mining.transactions import Transactions
    from basketry.kernels.trees import Int32s, ItemsetTree

MEASURES: Final = ("baskets", "utility")
ORDERS: Final = ("baskets", "length")
EVERYTHING: Final = 2**63 - 1


@dataclass(frozen=True)
class MineRequest:
    """What to mine, and what to show of it."""

    source: str = field(
        default="",
        metadata={
            "local": True,
            "help": "A file of baskets: .dat, .txt, .csv, .tsv, .basket or .parquet; default: the shop's own baskets.",
            "argument": True,
        },
    )
    min_support: str = field(
        default="0.01", metadata={"help": "Least baskets of an itemset: a count such as 20, or a share such as 0.01."}
    )
    by: str = field(
        default="baskets", metadata={"help": "What makes an itemset count: baskets, or utility (revenue; the shop's own only)."}
    )
    min_utility: str = field(
        default="",
        metadata={"help": "By utility: least revenue, an amount as 500, or a share as 0.01, the default without top."},
    )
    kind: str = field(default="all", metadata={"help": "all, closed, maximal or generators."})
    top: int = field(default=0, metadata={"help": "Only so many itemsets, those in the most baskets; 0: all."})
    min_length: int = field(default=1, metadata={"help": "Least number of items."})
    max_length: int = field(default=0, metadata={"help": "Greatest number of items; 0: any."})
    must_contain: str = field(default="", metadata={"help": "Items that each itemset holds, separated by commas."})
    must_not_contain: str = field(default="", metadata={"help": "Items that none holds, separated by commas."})
    only: str = field(default="", metadata={"help": "All items that one may hold, separated by commas; default: any."})
    max_itemsets: int = field(default=20_000_000, metadata={"help": "More than so many are an error that suggests a support."})
    levels: str = field(default="", metadata={"help": LEVELS_HELP})
    taxonomy: str = field(default="", metadata={"local": True, "help": TAXONOMY_HELP})
    surprise: float = field(default=0.0, metadata={"help": SURPRISE_HELP})
    engine: str = field(default="", metadata={"local": True, "help": HELP})
    k: int = field(default=20, metadata={"help": "How many to show at most."})
    order: str = field(default="baskets", metadata={"help": "Best first by baskets or by length."})
    out: str = field(
        default="", metadata={"local": True, "help": "Write all of them to this file: .csv, .json, .parquet or .dat."}
    )
    update: bool = field(
        default=False, metadata={"help": "Keep what is mined in the shop's cache, and next time mine the new baskets alone."}
    )
    min_customers: int = field(
        default=20, metadata={"help": "Of the shop's own: itemsets of fewer distinct customers are left out."}
    )


@dataclass(frozen=True)
class MineResult:
    """How many itemsets there are, the best of them, and where all were written."""

    baskets: int
    min_baskets: int | None
    min_utility: str | None
    found: int
    withheld: int
    wrote: str | None
    itemsets: pl.DataFrame
    notes: tuple[str, ...]


def mine(shop: Shop, request: MineRequest) -> MineResult:
    """Find the itemsets that stand in many baskets, or bring in most: of the shop as known now, or of a file."""
    from basketry.app.associations import checked
    from basketry.app.kept_itemsets import mine_updated, refuse_others
    from basketry.app.levels import leveled, refuse_surprise
    from basketry.app.transactions import opened_transactions
    from basketry.app.utility import mine_for_value
    from basketry.associations.mining.export import ITEMSETS, checked_path, write_itemsets

    if request.out:
        checked_path(request.out, ITEMSETS)
    if checked(request.by, MEASURES, "measure") == "utility":
        return mine_for_value(shop, request)
    refuse_surprise(request.surprise, request.levels, request.taxonomy)
    by = checked(request.order, ORDERS, "order")
    if request.update:
        refuse_others(request)
    how: tuple[str, ...] = ()
    with opened_transactions(shop, request.source, request.engine) as (plain, run):
        transactions, facts, taxonomy = leveled(shop, request.source, plain, request.levels, request.taxonomy)
        if request.update:
            mined, told = mine_updated(shop, transactions, read_support(request.min_support), request.max_itemsets, run)
            how = (told,)
        else:
            mined = _estimator(request, transactions).fit(transactions, run, facts)
    table, notes = published(mined.frame(), mined.tree, transactions, 0 if request.source else request.min_customers)
    if taxonomy is not None and not request.source and request.min_customers > 1:
        table, more = _apart(table, mined, transactions, request.min_customers, taxonomy)
        notes += more
    withheld = len(mined) - len(table)
    if taxonomy is not None and request.surprise:
        table, more = _surprising(table, mined, taxonomy, request.surprise)
        notes += more
    best = _ordered(table, by)
    if request.out:
        write_itemsets(mined, request.out, table=best)
    shown = best.head(max(request.k, 0))
    return MineResult(
        baskets=len(transactions),
        min_baskets=mined.min_count,
        min_utility=None,
        found=len(table),
        withheld=withheld,
        wrote=request.out or None,
        itemsets=shown if request.source else titled(shown, shop),
        notes=(*how, *notes),
    )


def _estimator(request: MineRequest, transactions: Transactions) -> Itemsets:
    """The estimator with the request's hyperparameters."""
    from basketry.app.associations import checked
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.kernels.trees import KINDS

    return Itemsets(
        read_support(request.min_support),
        checked(request.kind, KINDS, "kind"),  # type: ignore[arg-type]  # checked right here
        k=request.top,
        min_length=request.min_length,
        max_length=request.max_length,
        must_contain=_items(request.must_contain, transactions),
        must_not_contain=_items(request.must_not_contain, transactions),
        only=_items(request.only, transactions) or None,
        max_itemsets=request.max_itemsets,
    )


def _ordered(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """Best first; among equals by their items, so that the same itemsets stand in the same order however they were found."""
    import polars as pl

    then = "length" if by == "baskets" else "baskets"
    named = table.with_columns(name=pl.col("itemset").cast(pl.List(pl.String)).list.join("\0"))
    return named.sort(by, then, "name", descending=[True, by == "length", False]).drop("name")


def _items(text: str, transactions: Transactions) -> tuple[object, ...]:
    """The names between commas; whole numbers where the items are."""
    named = (each.strip() for each in text.split(",") if each.strip())
    whole = transactions.names.dtype.is_integer()
    return tuple(int(name) if whole and name.lstrip("-").isdigit() else name for name in named)


def read_support(text: str, name: str = "min_support", counted: str = "baskets") -> int | float:
    """A count where the text is a whole number, a share where it has a point. Raises RequestError for anything else."""
    from basketry.core.errors import RequestError

    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise RequestError(f"{name} {text!r} is no number", f"give a count of {counted} such as 20, or a share such as 0.01")


def published(
    table: pl.DataFrame, tree: ItemsetTree, transactions: Transactions, min_customers: int, nodes: Int32s | None = None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table, a row each of `nodes` (default: the members), without those of too few customers; and what to say of them."""
    import polars as pl

    from basketry.associations.mining.customers import customers_of

    if min_customers <= 0:
        return table, ()
    customers = customers_of(transactions, tree)[tree.members if nodes is None else nodes]
    told = table.with_columns(pl.Series("customers", customers)).filter(pl.col("customers") >= min_customers)
    withheld = len(table) - len(told)
    return told, (f"left out: {withheld} itemsets of fewer than {min_customers} customers",) if withheld else ()


def _apart(
    table: pl.DataFrame, mined: MinedItemsets, transactions: Transactions, min_customers: int, taxonomy: Taxonomy
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table without itemsets whose count beside that of a subset or of a more general one tells of a small group."""
    from basketry.associations.mining.floor import itemsets_within_floor

    shown = itemsets_within_floor(mined, transactions.baskets, min_customers, taxonomy=taxonomy)
    safe = table.join(mined.frame().select("itemset").filter(shown), on="itemset", how="semi", maintain_order="left")
    withheld = len(table) - len(safe)
    told = f"left out: {withheld} itemsets whose counts tell of fewer than {min_customers} customers beside more general ones"
    return safe, (told,) if withheld else ()


def _surprising(
    table: pl.DataFrame, mined: MinedItemsets, taxonomy: Taxonomy, factor: float
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table without itemsets that are about as frequent as their categories lead to expect."""
    from basketry.associations.mining.surprise import is_surprising

    wanted = is_surprising(mined, taxonomy, factor)
    kept = table.join(mined.frame().select("itemset").filter(wanted), on="itemset", how="semi", maintain_order="left")
    dull = len(table) - len(kept)
    return kept, (f"left out: {dull} itemsets that their categories lead to expect",) if dull else ()


def titled(shown: pl.DataFrame, shop: Shop) -> pl.DataFrame:
    """With the titles of the products beside their ids."""
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
