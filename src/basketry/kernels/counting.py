"""In how many baskets given itemsets stand: the other half of mining, for validation, partitions and privacy."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pairs import scan_items
from basketry.kernels.threads import in_threads
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

_NO_MEMORY: Final = 9


def count_itemsets(indptr: Int64s, items: Int32s, tree: ItemsetTree, *, threads: int = 1) -> Int32s:
    """Baskets that hold each node of `tree`, int32 [m], members or not.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`, codes from 0, each at most once; they may be other baskets than those that
    were mined, and an item of the tree that stands in none counts 0. Cost: one AND and one count of bits a node over the
    baskets of its first item (a million nodes over 8,000 baskets: some 15 ms); memory: 8 bytes an item occurrence, and for
    each thread a matrix of bits of at most 2 MiB, or 64 baskets wide. Raises ValueError for arrays that break any of this.
    """
    return _counted(indptr, items, tree, None, threads)[0]


def count_groups(
    indptr: Int64s, items: Int32s, tree: ItemsetTree, groups: Int32s, *, threads: int = 1
) -> tuple[Int32s, Int32s]:
    """Baskets and distinct groups behind them for each node, int32 [m] each.

    `groups` int32 [n] says who filled each basket and never falls, so that a group's baskets are neighbours. Costs one step more
    for each basket of each node than `count_itemsets`.
    """
    baskets, distinct = _counted(indptr, items, tree, groups, threads)
    return baskets, distinct


def _counted(indptr: Int64s, items: Int32s, tree: ItemsetTree, groups: Int32s | None, threads: int) -> tuple[Int32s, Int32s]:
    m = len(tree.parent)
    n_items = 1 + max(int(column.max(initial=-1)) for column in (items, tree.item))
    frequency = scan_items(indptr, items, n_items, groups)
    _check_tree(tree)
    baskets, distinct = np.zeros(m, dtype=np.int32), np.zeros(m if groups is not None else 0, dtype=np.int32)
    columns = tuple(
        ffi.from_buffer(f"{kind}[]", np.ascontiguousarray(array))
        for kind, array in (("int64_t", indptr), ("int32_t", items), ("int32_t", frequency))
    )
    counter = lib.counting_open(
        len(indptr) - 1,
        n_items,
        *columns,
        ffi.NULL if groups is None else ffi.from_buffer("int32_t[]", groups),
        m,
        *(ffi.from_buffer("int32_t[]", np.ascontiguousarray(column)) for column in (tree.parent, tree.item)),
        ffi.from_buffer("int32_t[]", baskets),
        ffi.NULL if groups is None else ffi.from_buffer("int32_t[]", distinct),
        threads,
    )
    if counter == ffi.NULL:
        raise MemoryError("no memory to count itemsets")
    try:
        _run(counter, int((tree.parent < 0).sum()), threads)
    finally:
        lib.counting_close(counter)
    return baskets, distinct


def _run(counter: Any, total: int, threads: int) -> None:
    state = ffi.new("int32_t *")
    in_threads(
        "count itemsets",
        lambda number: lib.counting_run(counter, number),
        threads,
        stop=lambda: lib.counting_stop(counter),
        progress=lambda: (min(lib.counting_done(counter, state), total), total),
    )
    lib.counting_done(counter, state)
    if state[0] == _NO_MEMORY:
        raise MemoryError("no memory to count itemsets")


def _check_tree(tree: ItemsetTree) -> None:
    if len(tree.lengths) and tree.item.min() < 0:
        raise ValueError("a tree's items are codes from 0")
