"""Trees grow by what they lack, and every node stays where it was."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.lookup import extended, located
from basketry.associations.mining.transactions import plain
from basketry.kernels.itemsets import mine_itemsets

worlds = st.lists(st.sets(st.integers(0, 4)), max_size=8)


def mined(world):
    indptr = np.cumsum([0, *map(len, world)]).astype(np.int64)
    items = np.array([item for basket in world for item in sorted(basket)], dtype=np.int32)
    return mine_itemsets(indptr, items, plain(indptr, items, 5).n_products, min_count=1)


def rows(tree):
    indptr, items = tree.flatten(np.arange(len(tree.parent), dtype=np.int32))
    return [frozenset(items[a:b].tolist()) for a, b in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)]


@given(worlds, worlds)
def test_a_tree_grows_by_what_it_lacks(first, second):
    tree, more = mined(first), mined(second)
    grown, place = extended(tree, more)
    assert rows(grown)[: len(tree.parent)] == rows(tree)
    assert [rows(grown)[at] for at in place.tolist()] == rows(more)
    assert len(set(rows(grown))) == len(rows(grown)) == len({*rows(tree), *rows(more)})
    lacking = place >= len(tree.parent)
    assert (grown.support[place[lacking]] == more.support[lacking]).all()
    known = {itemset: node for node, itemset in enumerate(rows(tree))}
    assert located(tree, more).tolist() == [known.get(itemset, -1) for itemset in rows(more)]
