"""basketry.mine from end to end: every itemset against brute force, peers' defects, and the counts the field agrees on."""

from itertools import combinations, pairwise

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import basketry
from basketry.associations.mining.inputs import transactions
from basketry.associations.mining.itemsets import min_count
from basketry.core.errors import RequestError

WORLDS = st.lists(st.sets(st.sampled_from("abcdef"), max_size=6), max_size=14)


def found(mined):
    return {frozenset(row["itemset"]): row["baskets"] for row in mined.frame().iter_rows(named=True)}


def brute(world, least):
    items = sorted(set().union(*world))
    every = [frozenset(each) for size in range(1, len(items) + 1) for each in combinations(items, size)]
    counted = {each: sum(each <= basket for basket in world) for each in every}
    return {each: count for each, count in counted.items() if count >= least}


@given(WORLDS, st.one_of(st.integers(1, 14), st.floats(0.01, 1)))
def test_every_itemset_is_found_with_its_count(world, min_support):
    mined = basketry.mine(world, min_support)
    least = min_support if isinstance(min_support, int) else min_count(min_support, len(world))
    assert found(mined) == brute(world, least) and len(mined) == len(found(mined))
    frame = mined.frame()
    assert frame.schema == {"itemset": pl.List(pl.String), "length": pl.Int32, "baskets": pl.Int32, "support": pl.Float64}
    assert frame["itemset"].list.len().to_list() == frame["length"].to_list()
    assert frame["support"].to_list() == [count / len(world) for count in frame["baskets"].to_list()]


@given(WORLDS, st.integers(1, 4))
def test_closed_maximal_and_generators_are_what_their_names_say(world, least):
    every = brute(world, least)
    closed = {x: n for x, n in every.items() if not any(x < y and n == m for y, m in every.items())}
    maximal = {x: n for x, n in every.items() if not any(x < y for y in every)}
    assert found(basketry.mine(world, least, kind="closed")) == closed
    assert found(basketry.mine(world, least, kind="maximal")) == maximal


def test_an_item_in_every_basket_is_kept():
    """One peer drops what stands in all of them."""
    assert found(basketry.mine([["a", "b"], ["a"], ["a", "c"]], 1.0)) == {frozenset("a"): 3}
    assert frozenset({"a", "b"}) in found(basketry.mine([["a", "b"]] * 3, 3))


def test_no_item_stands_twice_in_an_itemset_and_none_counts_twice_in_a_basket():
    """One peer repeats items; another counts a repeated one twice."""
    mined = basketry.mine([["a", "a", "b"], ["b", "a", "b"]], 1)
    assert found(mined) == {frozenset("a"): 2, frozenset("b"): 2, frozenset("ab"): 2}
    assert all(len(set(each)) == len(each) for each in mined.frame()["itemset"].to_list())


def test_no_length_is_the_longest():
    """One peer stops at eight items."""
    assert len(basketry.mine([list(range(14))] * 2, 2)) == 2**14 - 1
    assert basketry.mine([list(range(40))] * 2, 2, kind="maximal").frame()["length"].to_list() == [40]


def test_the_empty_itemset_is_never_counted_and_empty_baskets_are():
    assert len(basketry.mine([[], []], 1)) == 0
    assert len(basketry.mine([], 0.5)) == 0
    assert basketry.mine([["a"], []], 0.5).frame()["support"].to_list() == [0.5]


def test_a_share_means_the_count_it_says():
    """One peer takes 1.0 for a count, another 1 for a share; ties are kept."""
    world = [["a"]] * 7 + [["b"]] * 93
    assert len(basketry.mine(world, 0.07)) == 2 and len(basketry.mine(world, 7)) == 2
    assert len(basketry.mine(world, 8)) == 1 and len(basketry.mine(world, 1.0)) == 0 and len(basketry.mine(world, 1)) == 2
    for n in (7, 100, 9_835, 88_162):
        for count in range(1, min(n, 500)):
            assert min_count(count / n, n) == count
    for wrong in (0, -1, 0.0, 1.1, True, "3", float("nan")):
        with pytest.raises(RequestError):
            basketry.mine(world, wrong)


def test_a_matrix_far_too_large_to_be_dense_is_mined():
    """A peer takes 9.9 GiB for what is dense only on paper; here 10^12 cells."""
    rows = np.repeat(np.arange(1_000_000), 2)
    items = np.stack([np.arange(1_000_000) % 500_000, 500_000 + np.arange(1_000_000) % 499_999], axis=1).ravel()
    wide = sp.csr_matrix((np.ones(len(rows), dtype=bool), (rows, items)), shape=(1_000_000, 1_000_000))
    assert len(basketry.mine(wide, 3)) == 2  # 1,000,000 = 2 * 499,999 + 2: two items of the second half stand three times


def test_frames_pass_to_other_libraries():
    frame = basketry.mine([["a", "b"], ["a"]], 1).frame()
    again = pl.DataFrame(frame.to_arrow())
    assert again.equals(frame)
    table = frame.to_pandas()
    assert [set(each) for each in table["itemset"]] == [set(each) for each in frame["itemset"].to_list()]
    assert type(frame.__arrow_c_stream__()).__name__ == "PyCapsule"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "wanted"),
    [
        ("fimi/retail.dat.gz", 88, 7_712),
        ("fimi/retail.dat.gz", 20, 57_697),
        ("fimi/T10I4D100K.dat.gz", 100, 27_532),
        ("groceries_arules/groceries.csv", 10, 13_492),
    ],
)
def test_the_counts_are_those_the_field_agrees_on(datasets, name, count, wanted):
    known = transactions(datasets / name)
    assert len(basketry.mine(datasets / name, count)) == len(basketry.mine(known, count / len(known))) == wanted


@pytest.mark.data
def test_every_form_of_real_baskets_gives_the_same_itemsets(datasets):
    known = transactions(datasets / "groceries_arules/groceries.csv")
    baskets = known.baskets
    matrix = sp.csr_matrix((np.ones(len(baskets.items), dtype=bool), baskets.items, baskets.indptr), shape=(len(known), 169))
    names = known.names.to_list()
    lists = [[names[code] for code in baskets.items[a:b]] for a, b in pairwise(baskets.indptr.tolist())]
    long = pl.DataFrame({"basket": np.repeat(np.arange(len(known)), baskets.sizes), "item": known.names.gather(baskets.items)})
    wanted = found(basketry.mine(known, 100))
    for form, asked in ((lists, {}), (long, {}), (long.to_pandas(), {}), (long.to_arrow(), {}), (matrix, {"names": names})):
        assert found(basketry.mine(form, 100, **asked)) == wanted
