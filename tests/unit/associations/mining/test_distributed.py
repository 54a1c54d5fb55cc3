"""Counting in parts equals counting at once, for any number of parts; on threads always, on Spark where it runs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.distributed import distributed_itemsets, distributed_pairs
from basketry.associations.mining.union import union_trees
from basketry.core.errors import RequestError
from basketry.engines.local import LocalCluster
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.pairs import Annotations, Floors, count_pairs

LOCAL = LocalCluster(2)
N_ITEMS = 7


def csr(rows):
    return np.cumsum([0, *map(len, rows)], dtype=np.int64), np.array([i for row in rows for i in row], dtype=np.int32)


@st.composite
def worlds(draw):
    """Baskets, and all that can be known of them: groups, the next of the same group or none, marks."""
    rows = draw(st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=5), max_size=14))
    groups = np.cumsum([draw(st.integers(0, 1)) for _ in rows], dtype=np.int64).astype(np.int32)
    follows = np.append(groups[1:] == groups[:-1], False)[: len(rows)]
    partner = np.where(follows, np.arange(1, len(rows) + 1), -1).astype(np.int32)
    marks = np.array([draw(st.integers(0, 1)) for _ in rows], dtype=np.uint8)
    chosen = draw(st.sampled_from(["plain", "groups", "marks", "all"]))
    about = {
        "plain": Annotations(),
        "groups": Annotations(groups=groups),
        "marks": Annotations(marks=marks),
        "all": Annotations(groups, partner, marks),
    }[chosen]
    return *csr(rows), about


def in_order(counts):
    order = np.lexsort((counts.b, counts.a))
    columns = (counts.a, counts.b, counts.count, counts.groups, counts.marked)
    return [(column[order] if len(column) == len(order) else column).tolist() for column in columns]


def same_pairs(cluster, world, parts, floors):
    indptr, items, about = world
    expected = count_pairs(indptr, items, N_ITEMS, about=about, floors=floors)
    found = distributed_pairs(cluster, indptr, items, N_ITEMS, parts=parts, about=about, floors=floors)
    columns = (found.a, found.b, found.count, found.groups, found.marked)
    assert [column.tolist() for column in columns] == in_order(expected)
    assert all(column.dtype == np.int32 for column in columns)


def same_itemsets(cluster, world, parts, min_count):
    indptr, items, _ = world
    expected = union_trees([mine_itemsets(indptr, items, N_ITEMS, min_count=min_count)])
    found = distributed_itemsets(cluster, indptr, items, N_ITEMS, parts=parts, min_count=min_count)
    for name in ("parent", "item", "support"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
        assert getattr(found, name).dtype == np.int32


@given(worlds(), st.integers(1, 16), st.integers(1, 3), st.integers(1, 2))
def test_pairs_in_any_number_of_parts(world, parts, count, groups):
    same_pairs(LOCAL, world, parts, Floors(count, groups if world[2].groups is not None else 1))


@given(worlds(), st.integers(1, 16), st.integers(1, 4))
def test_itemsets_in_any_number_of_parts(world, parts, min_count):
    same_itemsets(LOCAL, world, parts, min_count)


def test_an_itemset_frequent_in_one_part_only_is_counted_in_all():
    # {0, 1} thrice in the first half and once in the second; {2, 3} twice in each
    rows = [[0, 1], [0, 1], [0, 1], [2, 3], [2, 3], [2, 3], [2, 3], [0, 1]]
    found = distributed_itemsets(LOCAL, *csr(rows), 4, parts=2, min_count=4)
    indptr, items = found.flatten(found.members)
    sets = [tuple(items[a:b].tolist()) for a, b in pairwise(indptr)]
    assert dict(zip(sets, found.support[found.members].tolist(), strict=True)) == {
        (0,): 4, (0, 1): 4, (1,): 4, (2,): 4, (2, 3): 4, (3,): 4,
    }  # fmt: skip


class Parts:
    """A cluster that keeps what it was sent."""

    def __init__(self):
        self.sent = []

    def map(self, function, parts):
        self.sent.append(list(parts))
        return iter([function(part) for part in parts])


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_work_is_really_parted_and_groups_are_whole(parts):
    from safetensors.numpy import load

    rows = [[0, 1, 2]] * 30
    groups = np.repeat(np.arange(10, dtype=np.int32), 3)
    cluster = Parts()
    distributed_pairs(cluster, *csr(rows), 3, parts=parts, about=Annotations(groups=groups))
    (sent,) = cluster.sent
    held = [set(load(part)["groups"].tolist()) for part in sent]
    assert len(held) == parts and sum(map(len, held)) == 10
    assert max(map(len, held)) - min(map(len, held)) <= 2


def test_what_cannot_be_parted_is_refused():
    indptr, items = csr([[0, 1], [0, 1]])
    with pytest.raises(RequestError, match="parts is 0"):
        distributed_pairs(LOCAL, indptr, items, 2, parts=0)
    with pytest.raises(RequestError, match="min_count is 0"):
        distributed_itemsets(LOCAL, indptr, items, 2, parts=1, min_count=0)
    with pytest.raises(ValueError, match="partners need groups"):
        distributed_pairs(LOCAL, indptr, items, 2, parts=1, about=Annotations(partner=np.array([1, -1], dtype=np.int32)))
    with pytest.raises(ValueError, match="outside"):
        distributed_pairs(LOCAL, indptr, np.array([0, 5, 0, 1], dtype=np.int32), 2, parts=2)


@pytest.mark.slow
def test_the_same_jobs_on_spark(spark):
    from basketry.engines.spark import SparkEngine

    random = np.random.default_rng(3)
    rows = [np.flatnonzero(random.random(N_ITEMS) < 0.4).tolist() for _ in range(200)]
    groups = np.sort(random.integers(0, 40, 200)).astype(np.int32)
    follows = np.append(groups[1:] == groups[:-1], False)
    partner = np.where(follows, np.arange(1, 201), -1).astype(np.int32)
    about = Annotations(groups, partner, (random.random(200) < 0.5).astype(np.uint8))
    engine = SparkEngine({}, master=spark)
    try:
        for parts in (1, 3):
            same_pairs(engine, (*csr(rows), about), parts, Floors(2, 2))
            same_pairs(engine, (*csr(rows), Annotations()), parts, Floors())
            same_itemsets(engine, (*csr(rows), None), parts, 20)
        same_pairs(engine, (*csr([]), Annotations()), 2, Floors())
    finally:
        engine.close()
