from __future__ import annotations

import gzip
import re
import signal
import threading
from itertools import combinations

import numpy as np
import polars as pl
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
    mined = mine_utility(*arrays(world), N_ITEMS, min_utility=min_utility, limits=UtilityLimits(max_length), threads=threads)
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


def long_rows(seed=0, baskets=400, items=60):
    rng = np.random.default_rng(seed)
    chosen = [np.sort(rng.choice(items, rng.integers(0, 15), replace=False)) for _ in range(baskets)]
    indptr = np.cumsum([0, *map(len, chosen)])
    found = np.concatenate(chosen).astype(np.int32)
    return indptr, found, rng.integers(-20, 100, len(found)), items


def columns(mined):
    return [each.tolist() for each in (mined.tree.parent, mined.tree.item, mined.tree.support, mined.utility)]


def test_threads_change_nothing_not_even_the_order():
    one = mine_utility(*long_rows(), min_utility=700)
    assert len(one) > 500
    for threads in (2, 5):
        assert columns(mine_utility(*long_rows(), min_utility=700, threads=threads)) == columns(one)


@pytest.mark.parametrize("k", [1, 10, 1000])
def test_the_kth_utility_is_the_threshold_of_k_itemsets(k):
    kth = utility_of_kth(*long_rows(), k=k, threads=2)
    found = mine_utility(*long_rows(), min_utility=kth)
    better = mine_utility(*long_rows(), min_utility=kth + 1)
    assert len(better) < k <= len(found)


def test_a_basket_of_thousands_of_items_needs_no_deep_stack():
    """All of it is worth the threshold, and nothing less: one itemset at the end of a path of 3,000 nodes."""
    n = 3000
    baskets = np.array([0, n]), np.arange(n, dtype=np.int32), np.ones(n, dtype=np.int64), n
    found = mine_utility(*baskets, min_utility=n)
    assert len(found) == 1
    assert found.utility.max() == n
    assert found.tree.flatten(found.tree.members)[1].tolist() == list(range(n))


def test_limits_end_the_search_with_an_error():
    with pytest.raises(RequestError, match="more than 100 itemsets") as error:
        mine_utility(*long_rows(), min_utility=700, limits=UtilityLimits(max_itemsets=100), threads=2)
    assert "raise min_utility, to" in error.value.hint
    with pytest.raises(RequestError, match=r"more than 100,000 bytes"):
        mine_utility(*long_rows(), min_utility=700, limits=UtilityLimits(max_bytes=100_000))


def test_nothing_to_find():
    for arrays_ in (arrays([]), arrays([{}, {}]), arrays([{0: -3}]), arrays([{0: 3}])):
        assert len(mine_utility(*arrays_, N_ITEMS, min_utility=4)) == 0
    assert utility_of_kth(*arrays([]), 0, k=3) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indptr": np.array([0, 3])}, "indptr must"),
        ({"items": np.array([0, 7], dtype=np.int32)}, "outside"),
        ({"items": np.array([1, 1], dtype=np.int32)}, "twice"),
        ({"utilities": np.array([1, 2], dtype=np.int32)}, "int64"),
        ({"utilities": np.array([1])}, "1 utilities for 2"),
        ({"utilities": np.array([2**61, 2**61])}, "add up"),
        ({"utilities": np.array([-(2**63), 0])}, "add up"),
        ({"min_utility": 0}, "start at 1"),
        ({"threads": 0}, "start at 1"),
        ({"limits": UtilityLimits(-1)}, "start at 1"),
        ({"limits": UtilityLimits(0, 0)}, "start at 1"),
    ],
)
def test_malformed_input_is_refused(change, words):
    given = {"indptr": np.array([0, 2]), "items": np.array([0, 1], dtype=np.int32), "utilities": np.array([1, 2])}
    asked = given | {"n_items": 7, "min_utility": 1} | change
    with pytest.raises(ValueError, match=words):
        mine_utility(**asked)


def test_an_interrupt_ends_a_search_that_would_never_end():
    """Half a basket of 60 items is worth the threshold: some 10**17 itemsets."""
    n = 60
    main = threading.get_ident()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told its jobs to ignore it
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        mine_utility(
            np.array([0, n]),
            np.arange(n, dtype=np.int32),
            np.ones(n, dtype=np.int64),
            n,
            min_utility=n // 2,
            limits=UtilityLimits(max_itemsets=2**40, max_bytes=2**40),
            threads=2,
        )
    timer.join()
    signal.signal(signal.SIGINT, before)


@pytest.mark.data
def test_utilities_of_real_baskets_add_up(datasets):
    """Single items of foodmart's baskets are worth what a sum by item says; pairs are those of a self join."""
    lines = []
    with gzip.open(datasets / "fimi" / "spmf_utility_sequences" / "foodmart.txt.gz", "rt") as file:
        for number, line in enumerate(file):
            for step, part in enumerate(line.partition("-2")[0].split("-1")):
                basket = number * 1000 + step
                lines += [(basket, int(item), int(float(worth))) for item, worth in re.findall(r"(\d+)\[([\d.]+)\]", part)]
    frame = (
        pl.DataFrame(lines, schema=["basket", "item", "worth"], orient="row").group_by("basket", "item").agg(pl.sum("worth"))
    )
    frame = frame.sort("basket", "item")
    indptr = np.append(0, frame.group_by("basket", maintain_order=True).len()["len"].cum_sum().to_numpy())
    items = frame["item"].cast(pl.Int32).to_numpy()
    found = mine_utility(
        indptr.astype(np.int64), items, frame["worth"].to_numpy(), 2000, min_utility=25, limits=UtilityLimits(2), threads=2
    )
    pairs = frame.join(frame, on="basket").filter(pl.col("item") < pl.col("item_right"))
    by_join = pairs.group_by("item", "item_right").agg((pl.col("worth") + pl.col("worth_right")).sum().alias("utility"))
    single = frame.group_by("item").agg(pl.col("worth").sum().alias("utility"))
    wanted = {(a, b): utility for a, b, utility in by_join.filter(pl.col("utility") >= 25).rows()}
    wanted |= {(a,): utility for a, utility in single.filter(pl.col("utility") >= 25).rows()}
    assert {itemset: utility for itemset, (_, utility) in as_dict(found).items()} == wanted
    assert len(wanted) > 2000
