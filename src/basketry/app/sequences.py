"""Sequences: what customers buy, and what they buy after it; of the shop, or of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.sequence_database import SequenceDatabase
    from basketry.associations.mining.sequences import MinedSequences

NO_LIMIT: Final = -1


@dataclass(frozen=True)
class SequencesRequest:
    """What to mine, and what to show of it."""

    source: str = field(
        default="",
        metadata={
            "local": True,
            "help": "A file of sequences, one a line as 1 3 -1 2 -1 -2; default: the shop's own customers.",
            "argument": True,
        },
    )
    min_support: str = field(
        default="",
        metadata={
            "help": "Least customers (sequences) of a pattern: a count as 20, or a share as 0.01; default: 0.05, or the floor."
        },
    )
    max_gap_days: int = field(
        default=NO_LIMIT,
        metadata={"help": "Most days (of a file: elements) from one element to the next; -1: any number."},
    )
    window_days: int = field(
        default=NO_LIMIT,
        metadata={"help": "Most days (of a file: elements) from the first element to the last; -1: any number."},
    )
    max_length: int = field(default=3, metadata={"help": "Most items of a pattern; 0: any number."})
    kind: str = field(default="all", metadata={"help": "all, closed or maximal."})
    min_elements: int = field(default=2, metadata={"help": "Show and write patterns of at least so many elements (baskets)."})
    rules: bool = field(
        default=False, metadata={"help": "Also find rules, first all of X and later Y, tested against reversed time."}
    )
    k: int = field(default=20, metadata={"help": "How many patterns, and rules, to show at most."})
    out: str = field(default="", metadata={"local": True, "help": "Write all patterns to this file: .csv, .json or .parquet."})
    min_customers: int = field(
        default=20, metadata={"help": "Privacy floor of the shop's own: no count tells of fewer customers; lower it knowingly."}
    )


@dataclass(frozen=True)
class SequencesResult:
    """How many patterns there are, the most frequent of them, the rules with the surest order, and where all were written.

    An arrow parts elements, a plus the items of one.
    """

    sequences: int
    min_sequences: int
    found: int
    withheld: int
    wrote: str | None
    patterns: pl.DataFrame
    rules: pl.DataFrame
    notes: tuple[str, ...]


def sequences(shop: Shop, request: SequencesRequest) -> SequencesResult:
    """Find what customers buy one after the other: of the shop as known now, or of a file of sequences."""
    import polars as pl

    from basketry.app.associations import checked
    from basketry.app.mine import read_support
    from basketry.associations.mining.export import checked_path
    from basketry.associations.mining.itemsets import min_count
    from basketry.associations.mining.sequences import Sequences
    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run
    from basketry.kernels.sequence_rows import Limits
    from basketry.kernels.sequences import SEQUENCE_KINDS

    kind = checked(request.kind, SEQUENCE_KINDS, "kind")
    if request.out:
        checked_path(request.out)
    if request.min_customers < 1:
        raise RequestError(f"min_customers is {request.min_customers}", "give a whole number from 1 up")
    limits = Limits(
        max_gap=_limit(request.max_gap_days), window=_limit(request.window_days), max_length=request.max_length or None
    )
    support = read_support(request.min_support or "0.05", counted="customers")
    database = _database(shop, request.source)
    floor = 1 if request.source else request.min_customers
    least = min_count(support, len(database)) if request.min_support else max(min_count(support, len(database)), floor)
    if least < floor:
        raise RequestError(
            f"min_support {request.min_support} is {least} of {len(database)} customers, below the floor of {floor}",
            "raise it; or lower --min-customers, and show what is found to nobody who may not see the tables",
        )
    mined = Sequences(least, limits=limits).fit(database, Run())
    kept = mined.published(floor, kind)  # type: ignore[arg-type]  # checked above
    withheld = len(mined) - len(mined.published(floor)) if floor > 1 else 0
    titles = {} if request.source else _titles(shop)
    best = _best(kept, request.min_elements)
    notes = [f"patterns withheld, because their counts tell of fewer than {floor} customers: {withheld}"] if withheld else []
    rules = pl.DataFrame()
    if request.rules:
        rules, more = _rules(database, least, limits.window, floor, request.k)
        notes += more
    wrote = _written(kept.frame(best), request.out) if request.out else None
    shown = _told(kept.frame(best[: max(request.k, 0)]), ("sequence",), titles)
    return SequencesResult(
        sequences=len(database),
        min_sequences=least,
        found=len(best),
        withheld=withheld,
        wrote=wrote,
        patterns=shown,
        rules=_told(rules, ("antecedent", "consequent"), titles),
        notes=tuple(notes),
    )


def _limit(days: int) -> int | None:
    """None for no limit; a number below -1 is refused where limits are."""
    return None if days == NO_LIMIT else days


def _database(shop: Shop, source: str) -> SequenceDatabase:
    """The shop's customers with their baskets in time, or the sequences of a file."""
    from basketry.app.transactions import load_transactions
    from basketry.associations.mining.sequence_database import SequenceDatabase
    from basketry.associations.mining.sequence_files import read_sequences

    if source:
        return read_sequences(source)
    return SequenceDatabase.from_transactions(load_transactions(shop, ""))


def _titles(shop: Shop) -> dict[object, str]:
    """What the shop calls its products."""
    from basketry.core.tables import Products

    with shop.dataset() as dataset:
        return dict(dataset.table(Products).select("product_id", "title").iter_rows())


def _best(kept: MinedSequences, min_elements: int) -> npt.NDArray[np.int32]:
    """Patterns of enough elements, the most frequent first, of two as frequent the longer one."""
    import numpy as np

    tree = kept.tree
    nodes = tree.members[tree.widths[tree.members] >= min_elements]
    return nodes[np.lexsort((-tree.lengths[nodes], -tree.support[nodes]))]


def _rules(database: SequenceDatabase, least: int, window: int | None, floor: int, k: int) -> tuple[pl.DataFrame, list[str]]:
    """The rules whose order is surest, and what the reader should know of them."""
    from basketry.associations.mining.sequential_rules import SequentialRules
    from basketry.core.protocols import Run

    mined = SequentialRules(least, window=window, max_antecedent=2, max_consequent=1).fit(database, Run())
    kept = mined.published(floor) if floor > 1 else mined
    table = kept.frame()
    notes = [
        f"{len(table)} rules, {int(table['follows'].sum())} of which follow: they hold forwards more often than in reversed "
        f"time, at a false discovery rate of 5% among {mined.order.tested} tested either way"
    ]
    if len(mined) > len(kept):
        notes.append(f"rules withheld, because their counts tell of fewer than {floor} customers: {len(mined) - len(kept)}")
    return table.head(max(k, 0)), notes


def _told(table: pl.DataFrame, columns: tuple[str, ...], titles: dict[object, str]) -> pl.DataFrame:
    """Lists as text, with the titles of the shop's products in the place of their ids."""
    import polars as pl

    def element(names: list[object]) -> str:
        return " + ".join(titles.get(name, str(name)) for name in names)

    def told(value: list[object]) -> str:
        parts = value if value and isinstance(value[0], list) else [value]
        return " \u2192 ".join(element(part) for part in parts)  # type: ignore[arg-type]  # a list of lists, or the one list

    return table.with_columns(
        pl.Series(name, [told(value) for value in table[name].to_list()], dtype=pl.String) for name in columns if name in table
    )


def _written(table: pl.DataFrame, out: str) -> str:
    """Where the patterns were written: as lists of lists, in CSV as text."""
    from basketry.associations.mining.export import write_table

    return write_table(_told(table, ("sequence",), {}) if out.endswith(".csv") else table, out, "sequences")
