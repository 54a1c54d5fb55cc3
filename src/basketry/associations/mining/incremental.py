"""Mined itemsets brought up to date with baskets added or removed: equal to mining all of them again, at less work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.itemsets import MinedItemsets, min_count
from basketry.associations.mining.lookup import extended, located
from basketry.associations.mining.names import recoded
from basketry.associations.mining.transactions import Transactions
from basketry.associations.mining.union import recounted
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from basketry.core.telemetry import span
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_few_itemsets, mine_itemsets
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

_MANY: Final = 0.25  # of the known: more unknown ones take longer to count in the old baskets than all to be mined
_LEAST: Final = 8  # baskets; itemsets mined at a lower count are mostly chance, and more than mining all again would find


def at_least(mined: MinedItemsets, min_support: int | float) -> MinedItemsets:
    """Those of the mined itemsets with a higher support: what mining at `min_support` gives.

    Raises RequestError for a support lower than they were mined at.
    """
    count = min_count(min_support, mined.n_baskets)
    if count < mined.min_count:
        raise RequestError(
            f"itemsets in {count} baskets are asked of itemsets mined at {mined.min_count}", "mine again at the lower support"
        )
    tree = _all_of(mined)
    return MinedItemsets(recounted(tree, tree.support, count), mined.names, mined.n_baskets, count)


def update(
    mined: MinedItemsets, added: Transactions, min_support: int | float, run: Run, *, old: Transactions | None = None
) -> MinedItemsets:
    """The itemsets of the baskets behind `mined` and of those `added`, as mining all of them at `min_support` gives them.

    `mined` holds all itemsets (kind "all") in at least m baskets; c is the count that `min_support` means among all baskets.
    The known are counted in the added baskets alone. An unknown one is in at most m - 1 old baskets, so it must be in

        t = c - m + 1

    of the added to reach c: those are mined at t, and what is not known among them is counted in the `old` baskets (Cheung,
    Han, Ng and Wong, ICDE 1996). Two things follow. The lower m below c, the higher t: keep what you mine at a lower support
    than you use ("pre-large", Hong, Wang and Tao, IDA 2001), and where t exceeds the number added the old baskets are not
    needed at all. And where t is below 8, as it is for a fixed count and m = c, the added baskets are full of chance: then, and
    where the unknown are over a quarter as many as the known, all are mined again, which takes less time than counting them.
    `added` may name new items; they get the codes after the known. Old and added baskets count as distinct.

    Raises RequestError if `old` is needed and not given, DataError if it is not the baskets behind `mined`.
    """
    known = _all_of(mined)
    _check_size(old, mined.n_baskets, "old")
    fresh = recoded(added, mined.names)
    n = mined.n_baskets + len(added)
    count = min_count(min_support, n)
    least = count - mined.min_count + 1
    with span("update_itemsets", total=1, unit="update") as progress:
        unknown = _unknown(fresh, known, least, run)
        if unknown is None:
            progress.note(way="again")
            parts = [recoded(_needed(old, least), fresh.names).baskets, fresh.baskets]
            return _mined(parts, fresh, count, run)
        tree = recounted(known, known.support + _counted(fresh, known, run), count)
        if len(unknown):
            before = _counted(recoded(_needed(old, least), fresh.names), unknown, run)
            tree, _ = extended(tree, _emerged(unknown, before, mined.min_count, count))
        progress.note(way="added", unknown=len(unknown))
        progress.advance()
    return MinedItemsets(tree, fresh.names, n, count)


def downdate(
    mined: MinedItemsets,
    removed: Transactions,
    min_support: int | float,
    run: Run,
    *,
    remaining: Transactions | None = None,
) -> MinedItemsets:
    """The itemsets left when `removed` baskets, which are among those behind `mined`, are taken away: a correction.

    `mined` holds all itemsets (kind "all") in at least m baskets, and `min_support` means c baskets among those that remain.
    Where c >= m the known are counted in the removed baskets and that is all. A share means a lower count among fewer baskets,
    so keep what you mine at a lower support than you use; where c < m the `remaining` baskets are mined again.

    Raises RequestError if `remaining` is needed and not given, DataError if the removed are not among the baskets of `mined`.
    """
    known = _all_of(mined)
    n = mined.n_baskets - len(removed)
    gone = recoded(removed, mined.names)
    _check_size(remaining, n, "remaining")
    left = known.support - _counted(gone, known, run)
    if n < 0 or left.min(initial=0) < 0:
        raise DataError("the removed baskets are not among those that were mined", "remove only what was counted before")
    count = min_count(min_support, n)
    with span("downdate_itemsets", total=1, unit="update") as progress:
        if count < mined.min_count:
            progress.note(way="again")
            if remaining is None:
                raise RequestError(
                    f"itemsets in {count} baskets are asked of itemsets mined at {mined.min_count}",
                    "give the remaining baskets, or mine at a lower support than you use",
                )
            return _mined([recoded(remaining, gone.names).baskets], gone, count, run)
        progress.note(way="removed")
        progress.advance()
    return MinedItemsets(recounted(known, left, count), gone.names, n, count)


def _unknown(fresh: Transactions, known: ItemsetTree, least: int, run: Run) -> ItemsetTree | None:
    """Itemsets of `least` of the new baskets that are not known; None if mining all again is less work than counting them."""
    if least > len(fresh):
        return known.keep(np.zeros(len(known.parent), dtype=np.bool_))
    if least < _LEAST:
        return None
    baskets = fresh.baskets
    most = int(_MANY * len(known)) + 1000
    found = mine_few_itemsets(
        *(baskets.indptr, baskets.items, baskets.n_products),
        min_count=least,
        most=len(known) + most,
        threads=run.threads,
    )
    if found is None:
        return None
    unknown = found.keep(located(known, found) < 0)
    return unknown if len(unknown) <= most else None


def _emerged(unknown: ItemsetTree, before: Int32s, kept_at: int, count: int) -> ItemsetTree:
    """Those of the unknown that are frequent now, by their counts in the old baskets, none of which may reach `kept_at`."""
    new = unknown.support > 0
    if (before[new] >= kept_at).any():
        raise DataError(
            "an itemset is frequent in the old baskets and not among those mined",
            'give all itemsets that were mined (kind "all") and the baskets they were mined from',
        )
    total = unknown.support + before
    return replace(unknown, support=total).keep(new & (total >= count))


def _counted(transactions: Transactions, tree: ItemsetTree, run: Run) -> Int32s:
    return count_itemsets(transactions.baskets.indptr, transactions.baskets.items, tree, threads=run.threads)


def _mined(parts: Sequence[BasketMatrix], named: Transactions, count: int, run: Run) -> MinedItemsets:
    rows = joined_rows(parts)
    tree = mine_itemsets(*rows, len(named.names), min_count=count, threads=run.threads)
    return MinedItemsets(tree, named.names, len(rows[0]) - 1, count)


def joined_rows(parts: Sequence[BasketMatrix]) -> tuple[Int64s, Int32s]:
    """The items of several parts behind one another: indptr and items. Whose baskets they are, and when, is not kept."""
    sizes = np.concatenate([np.empty(0, dtype=np.int64), *(part.sizes for part in parts)])
    items = np.concatenate([np.empty(0, dtype=np.int32), *(part.items for part in parts)])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), items


def _all_of(mined: MinedItemsets) -> ItemsetTree:
    """The tree. Raises DataError if it cannot hold all frequent itemsets, for a prefix is no member."""
    if len(mined.tree) < len(mined.tree.parent):
        raise DataError("these are not all frequent itemsets, but some kind of them", 'mine with kind "all" to keep up to date')
    return mined.tree


def _check_size(given: Transactions | None, n: int, word: str) -> None:
    if given is not None and len(given) != n:
        raise DataError(f"{len(given)} {word} baskets are given, and there are {n}", "give the very baskets, all of them")


def _needed(old: Transactions | None, least: int) -> Transactions:
    if old is None:
        raise RequestError(
            f"itemsets in {least} or more of the added baskets may have become frequent, and only the old baskets can tell",
            "give the old baskets, or mine at a lower support than you use",
        )
    return old
