from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.kernels.utility import UtilityLimits, mine_utility, utility_of_kth

N_ITEMS = 7


def worlds(least, most=9):
    basket = st.dictionaries(st.integers(0, N_ITEMS - 1), st.integers(least, most))
    return st.lists(basket, max_size=9)


def arrays(world):
    """Items in no order within a basket: descending, to be unlike the kernel's own."""
    rows = [sorted(basket.items(), reverse=True) for basket in world]
    indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    items = np.array([item for row in rows for item, _ in row], dtype=np.int32)
    utilities = np.array([worth for row in rows for _, worth in row], dtype=np.int64)
    return indptr, items, utilities


def by_hand(world, min_utility, max_length=0):
    """{itemset: (support, utility)} by trying every itemset on every basket."""
    found = {}
    for length in range(1, (max_length or N_ITEMS) + 1):
        for itemset in combinations(range(N_ITEMS), length):
            holding = [basket for basket in world if all(item in basket for item in itemset)]
            utility = sum(basket[item] for basket in holding for item in itemset)
            if utility >= min_utility:
                found[itemset] = (len(holding), utility)
    return found


def as_dict(mined):
    nodes = mined.tree.members
    indptr, items = mined.tree.flatten(nodes)
    found = {}
    for i, node in enumerate(nodes.tolist()):
        itemset = tuple(items[indptr[i] : indptr[i + 1]].tolist())
        assert itemset not in found
        found[itemset] = (int(mined.tree.support[node]), int(mined.utility[node]))
    return found


def well_formed(mined):
    tree = mined.tree
    assert (tree.parent < np.arange(len(tree.parent))).all() and (tree.parent >= -1).all()
    assert (mined.utility[tree.support == 0] == 0).all()
    has_child = np.zeros(len(tree.parent), dtype=bool)
    has_child[tree.parent[tree.parent >= 0]] = True
    assert (has_child | (tree.support > 0)).all(), "a node that is no member lies on the way to one"


@settings(max_examples=1000, deadline=None)
@given(worlds(0), st.integers(1, 60), st.integers(0, 4), st.integers(1, 3))
def test_utilities_from_zero_up_equal_a_search_by_hand(world, min_utility, max_length, threads):
    mined = mine_utility(
        *arrays(world), N_ITEMS, min_utility=min_utility, limits=UtilityLimits(max_length), threads=threads
    )
    assert as_dict(mined) == by_hand(world, min_utility, max_length)
    well_formed(mined)


@settings(max_examples=1000, deadline=None)
@given(worlds(-9), st.integers(1, 40), st.integers(0, 4))
def test_utilities_of_any_sign_equal_a_search_by_hand(world, min_utility, max_length):
    mined = mine_utility(*arrays(world), N_ITEMS, min_utility=min_utility, limits=UtilityLimits(max_length))
    assert as_dict(mined) == by_hand(world, min_utility, max_length)
    well_formed(mined)


@settings(max_examples=500, deadline=None)
@given(worlds(-4, 4), st.integers(1, 40), st.integers(0, 4), st.integers(1, 3))
def test_the_kth_utility_equals_a_search_by_hand(world, k, max_length, threads):
    found = sorted((utility for _, utility in by_hand(world, 1, max_length).values()), reverse=True)
    kth = utility_of_kth(*arrays(world), N_ITEMS, k=k, limits=UtilityLimits(max_length), threads=threads)
    assert kth == (found[k - 1] if len(found) >= k else 1)
