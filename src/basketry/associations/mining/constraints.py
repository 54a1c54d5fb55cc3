"""What an itemset has to hold, to leave out, or to add up to; pushed into the search wherever that keeps the answer exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError
from basketry.kernels.itemsets import Kind, Limits
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """What is known of the items besides their names, by code: every array is [n_items], or None.

    `values`: a price, a margin, a weight: what is summed over an itemset for `min_total` and `max_total`. `floors`: each item's
    own least number of baskets, the least of an itemset's items counting for it (multiple minimum supports, Liu, Hsu and Ma
    1999), so that rare but dear items are found without drowning in common ones. `relatives`: compressed rows (int64
    [n_items + 1], int32) of items that stand in no itemset together, such as a product and its own category.
    """

    values: Floats | None = None
    floors: Int32s | None = None
    relatives: tuple[Int64s, Int32s] | None = None


@dataclass(frozen=True, eq=False)
class Restricted:
    """The baskets that hold `required`, without the items that are settled: those of `required`, and those barred."""

    indptr: Int64s
    items: Int32s
    n_items: int
    required: list[int]

    def __len__(self) -> int:
        return len(self.indptr) - 1


def restricted(transactions: Transactions, required: list[int], barred: Mask) -> Restricted:
    """The baskets for a search under constraints. An itemset with `required` stands in as many of them as in all baskets."""
    baskets = transactions.baskets
    if not required and not barred.any():
        return Restricted(baskets.indptr, baskets.items, baskets.n_products, required)
    wanted = np.zeros(baskets.n_products, dtype=np.bool_)
    wanted[required] = True
    if required:
        held = np.concatenate([[0], np.cumsum(wanted[baskets.items], dtype=np.int64)])
        baskets = baskets.select(np.diff(held[baskets.indptr]) == len(set(required)))
    kept = ~(wanted | barred)[baskets.items]
    sizes = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
    return Restricted(sizes[baskets.indptr], baskets.items[kept], baskets.n_products, required)


def barred_items(n_items: int, without: list[int], only: list[int] | None, required: list[int], facts: ItemFacts) -> Mask:
    """Which items no itemset may hold: named ones, those not among `only`, and relatives of required ones."""
    barred = np.zeros(n_items, dtype=np.bool_)
    if only is not None:
        barred[:] = True
        barred[only] = False
    barred[without] = True
    if facts.relatives is not None:
        start, relatives = facts.relatives
        for code in required:
            barred[relatives[start[code] : start[code + 1]]] = True
    clash = [code for code in required if barred[code]]
    if clash:
        raise RequestError(
            f"{len(clash)} of the items that must be contained are also ruled out", "take them out of one of the lists"
        )
    return barred


def pushed(facts: ItemFacts, kind: Kind, max_length: int, max_total: float | None, required: list[int]) -> Limits:
    """What of the constraints the search itself can use. The rest is left to `satisfying`.

    A sum can only be pushed where no value is negative: then every subset of an itemset within the sum is within it too.
    """
    if kind != "all":
        if facts.floors is not None or facts.relatives is not None:
            raise RequestError(
                f"own floors and relatives of items do not go with kind {kind!r}", "mine kind 'all', or leave them out"
            )
        return Limits()
    values = facts.values
    by_sum = values is not None and max_total is not None and bool((values >= 0).all())
    return Limits(
        max_length=max_length and max_length - len(required),
        floors=facts.floors,
        weights=np.ascontiguousarray(values, dtype=np.float64) if by_sum and values is not None else None,
        budget=float(max_total - values[required].sum()) if by_sum and values is not None and max_total is not None else 0.0,
        relatives=facts.relatives,
    )


def joined(tree: ItemsetTree, search: Restricted, kind: Kind, min_count: int) -> ItemsetTree:
    """The tree below a chain of the required items, which all of its baskets hold; the chain's end may be a member itself.

    It is: of all itemsets, if it stands in enough baskets; closed, if no other item stands in all of them; maximal, if nothing
    was found besides.
    """
    size = len(search.required)
    if not size:
        return tree
    frequency = np.bincount(search.items, minlength=1)
    alone = {
        "all": True,
        "closed": not len(search) or int(frequency.max(initial=0)) < len(search),
        "maximal": not len(tree),
    }[kind]
    chain = np.zeros(size, dtype=np.int32)
    chain[-1] = len(search) if alone and len(search) >= min_count else 0
    return ItemsetTree(
        np.concatenate([np.arange(-1, size - 1), np.where(tree.parent < 0, size - 1, tree.parent + size)]).astype(np.int32),
        np.concatenate([np.array(search.required, dtype=np.int32), tree.item]).astype(np.int32),
        np.concatenate([chain, tree.support]).astype(np.int32),
    )


def satisfying(
    tree: ItemsetTree, lengths: tuple[int, int], values: Floats | None, totals: tuple[float | None, float | None]
) -> ItemsetTree:
    """The members of min to max (0: any) items whose values add up to at least and at most the totals (None: any)."""
    wanted = tree.lengths >= lengths[0]
    if lengths[1]:
        wanted &= tree.lengths <= lengths[1]
    least, most = totals
    if least is not None or most is not None:
        if values is None:
            raise RequestError("min_total and max_total need the items' values", "give facts=ItemFacts(values=...)")
        sums = path_sums(tree, values)
        wanted &= (sums >= (-np.inf if least is None else least)) & (sums <= (np.inf if most is None else most))
    return tree if bool(wanted[tree.members].all()) else tree.keep(wanted)


def path_sums(tree: ItemsetTree, values: Floats) -> Floats:
    """The sum of the items' values over each node's itemset, float64 [m]."""
    sums = np.asarray(values, dtype=np.float64)[tree.item]
    for length in range(2, int(tree.lengths.max(initial=0)) + 1):
        level = np.flatnonzero(tree.lengths == length)
        sums[level] += sums[tree.parent[level]]
    return sums


def k_best(mine: Callable[[int], ItemsetTree], k: int, least: int, most: int) -> ItemsetTree:
    """The k itemsets in the most baskets: `mine(count)` gives those in at least `count`, from `least` up to `most` baskets.

    The support is halved until there are k, then searched between the last two; so what is mined is never more than about what
    a support twice too low would give. Ties at the end are cut: shorter itemsets first, then those of lower codes.
    """
    count, above = max(most, 1), max(most, 1) + 1
    while count > least and len(mine(count)) < k:
        above, count = count, max(least, count // 2)
    while above - count > 1:
        middle = (above + count) // 2
        above, count = (above, middle) if len(mine(middle)) >= k else (middle, count)
    tree = mine(count)
    nodes = tree.members
    if len(nodes) <= k:
        return tree
    order = nodes[np.lexsort((tree.lengths[nodes], -tree.support[nodes]))]
    last = order[k - 1]
    tied = order[(tree.support[order] == tree.support[last]) & (tree.lengths[order] == tree.lengths[last])]
    sure = k - int(np.flatnonzero(order == tied[0])[0])
    rows = tree.flatten(tied)[1].reshape(len(tied), -1)
    cut = tied[np.lexsort(rows.T[::-1])][:sure]
    wanted = np.zeros(len(tree.parent), dtype=np.bool_)
    wanted[order[: k - sure]] = True
    wanted[cut] = True
    return tree.keep(wanted)
