from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from itertools import pairwise, product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour import BoughtNext, BoughtTogether
from basketry.associations.edges import Edges
from basketry.core.protocols import Run

N_PRODUCTS = 6

worlds = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 9), st.sets(st.integers(0, N_PRODUCTS - 1), min_size=1)), max_size=16
).map(lambda rows: sorted(rows, key=lambda row: row[:2]))
limits = st.fixed_dictionaries(
    {
        "min_customers": st.integers(1, 3),
        "max_baskets_per_customer": st.integers(1, 5),
        "max_basket_size": st.integers(1, N_PRODUCTS),
    }
)


def matrix(world, shuffle=None):
    chosen = [sorted(items) if shuffle is None else shuffle.sample(sorted(items), len(items)) for _, _, items in world]
    return BasketMatrix(
        np.cumsum([0, *map(len, chosen)]).astype(np.int64),
        np.array([item for items in chosen for item in items], dtype=np.int32),
        np.array([customer for customer, _, _ in world], dtype=np.int32),
        np.array([day for _, day, _ in world], dtype=np.int32),
        N_PRODUCTS,
    )


def kept(world, max_baskets_per_customer, max_basket_size):
    by_customer = defaultdict(list)
    for row in world:
        if len(row[2]) <= max_basket_size:
            by_customer[row[0]].append(row)
    return [row for rows in by_customer.values() for row in rows[-max_baskets_per_customer:]]


def occasions(world, directed):
    """(customer, day, products as A, products as B) of each chance a pair has to occur."""
    if not directed:
        return [(customer, day, items, items) for customer, day, items in world]
    return [(c, day, items, later) for (c, day, items), (d, _, later) in pairwise(world) if c == d]


def expected(chances, a, b, directed):
    """Meetings by chance, size by size; the baskets here are so small that each size is a stratum."""
    total = 0.0
    for sizes in {(len(first), len(second)) for _, _, first, second in chances}:
        stratum = [(first, second) for _, _, first, second in chances if (len(first), len(second)) == sizes]
        if directed:
            share_a = [a in first for _, _, first, _ in chances if len(first) == sizes[0]]
            share_b = [b in second for _, _, _, second in chances if len(second) == sizes[1]]
            total += len(stratum) * np.mean(share_a) * np.mean(share_b)
        elif sizes[0] > 1:
            places = len(stratum) * sizes[0] * (sizes[0] - 1)
            of, to = (sum(sizes[0] - 1 for first, _ in stratum if item in first) for item in (a, b))
            total += of * to / sqrt((places - of) * (places - to))
    return total


def by_hand(world, directed, min_customers, **caps):
    """{(a, b): facts} by looking at every chance."""
    remembered = kept(world, **caps)
    chances = occasions(remembered, directed)
    steps = len(remembered) + (len({customer for customer, _, _ in remembered}) if directed else 0)
    middle = np.median([day for _, day, _, _ in chances]) if chances else 0
    halves = [c for c in chances if c[1] <= middle], [c for c in chances if c[1] > middle]
    edges = {}
    for a, b in product(range(N_PRODUCTS), repeat=2):
        if a == b or (a > b and not directed):
            continue
        both = [c for c in chances if a in c[2] and b in c[3]]
        of, to = ([row for row in remembered if item in row[2]] for item in (a, b))
        people = {c[0] for c in both}
        gaps = [gap for side in (of, to) for gap in (len({c[0] for c in side} - people), len(side) - len(both))]
        if len(people) < min_customers or any(0 < gap < min_customers for gap in gaps):
            continue
        lifts = []
        for half in halves:
            n = sum(a in c[2] and b in c[3] for c in half)
            lifts.append(n / expected(half, a, b, directed) if n else 0.0)
        edges[a, b] = {
            "baskets": len(both),
            "customers": len(people),
            "support": len(both) / steps,
            "confidence": len(both) / len(of),
            "confidence_back": len(both) / len(to),
            "adjusted_lift": len(both) / expected(chances, a, b, directed),
            "stability": min(lifts) / max(lifts),
        }
    return edges


@given(worlds, limits, st.booleans(), st.integers(1, 2))
def test_edges_equal_a_count_by_hand(world, limit, directed, threads):
    estimator = (BoughtNext if directed else BoughtTogether)(**limit)
    edges = estimator.fit(matrix(world), Run(threads=threads))
    truth = by_hand(world, directed, **limit)
    assert list(zip(edges.a.tolist(), edges.b.tolist(), strict=True)) == sorted(truth)
    for row, pair in enumerate(sorted(truth)):
        for name, value in truth[pair].items():
            assert getattr(edges, name)[row] == pytest.approx(value, rel=1e-12), (pair, name)
        assert edges.expected(*(np.array([code]) for code in pair))[0] * edges.adjusted_lift[row] == pytest.approx(
            edges.baskets[row]
        )


@given(worlds, st.randoms(), st.booleans())
def test_order_within_baskets_and_threads_change_nothing(world, random, directed):
    estimator = (BoughtNext if directed else BoughtTogether)(min_customers=1)
    once = estimator.fit(matrix(world), Run(threads=1))
    again = estimator.fit(matrix(world, shuffle=random), Run(threads=2))
    assert all(np.array_equal(once.state()[name], again.state()[name]) for name in once.state())


@given(worlds, st.booleans())
def test_state_holds_everything(world, directed):
    edges = (BoughtNext if directed else BoughtTogether)(min_customers=1).fit(matrix(world), Run())
    back = Edges.from_state(edges.state())
    for field in fields(Edges):
        value = getattr(edges, field.name)
        assert type(getattr(back, field.name)) is type(value)
        assert np.array_equal(getattr(back, field.name), value)


@given(worlds, st.booleans())
def test_lookup_finds_each_edge_and_nothing_else(world, directed):
    edges = (BoughtNext if directed else BoughtTogether)(min_customers=1).fit(matrix(world), Run())
    assert edges.lookup(edges.a, edges.b).tolist() == list(range(len(edges)))
    backwards = edges.lookup(edges.b, edges.a)
    if not directed:
        assert backwards.tolist() == list(range(len(edges)))
    a, b = (codes.ravel() for codes in np.meshgrid(np.arange(N_PRODUCTS), np.arange(N_PRODUCTS)))
    assert (edges.lookup(a, b) >= 0).sum() == len(edges) * (1 if directed else 2)


@given(worlds, limits)
def test_what_is_set_aside_is_counted(world, limit):
    edges = BoughtTogether(**limit).fit(matrix(world), Run())
    assert edges.n_baskets + edges.baskets_too_large + edges.baskets_over_cap == len(world)
    assert edges.baskets_too_large == sum(len(items) > limit["max_basket_size"] for _, _, items in world)


def test_p_and_q_see_every_pair_that_could_have_been_an_edge():
    """Products 0, 1, 2 reach two customers each, 3 does not: three pairs are tested though one is seen."""
    world = [
        (0, 1, {0, 1}),
        (1, 1, {0, 1}),
        (2, 1, {2, 3}),
        (3, 1, {2}),
        (4, 1, {4, 0}),
        (5, 1, {5, 1}),
        (6, 1, {0}),
        (7, 1, {1}),
    ]
    edges = BoughtTogether(min_customers=2).fit(matrix(world), Run())
    assert (edges.a.tolist(), edges.b.tolist(), edges.n_tested) == ([0], [1], 3)
    assert edges.q[0] == pytest.approx(min(1.0, 3 * edges.p[0]))


def test_small_groups_behind_a_difference_are_withheld():
    """Of six customers of 0, five buy 1 with it: the edge would tell that exactly one does not."""
    told = [(customer, 1, {0, 1}) for customer in range(5)] + [(5, 1, {0})]
    assert len(BoughtTogether(min_customers=5).fit(matrix(told), Run())) == 0
    assert BoughtTogether(min_customers=5).fit(matrix(told), Run()).edges_withheld == 1
    always = told[:5]
    assert len(BoughtTogether(min_customers=5).fit(matrix(always), Run())) == 1
    once_without = [(0, 0, {0}), *always]
    assert len(BoughtTogether(min_customers=5).fit(matrix(once_without), Run())) == 0
    enough_without = always + [(customer, 1, {0}) for customer in range(5, 10)]
    assert len(BoughtTogether(min_customers=5).fit(matrix(enough_without), Run())) == 1


def test_fake_customers_do_not_make_neighbours():
    """Five fakes among 5,000 customers pair product 0 with each of ten anchors, 300 orders apiece."""
    rng = np.random.default_rng(11)
    honest = [(customer, 1, set(rng.choice(np.arange(1, 60), 8, replace=False).tolist())) for customer in range(5000)]
    honest = [(customer, day, items | ({11} if customer % 2 else {12})) for customer, day, items in honest]
    anchors = range(1, 11)
    fakes = [(5000 + fake, 1 + i, {0, 1 + i % 10}) for fake in range(5) for i in range(3000)]
    world = sorted(honest + fakes, key=lambda row: row[:2])
    baskets = matrix(world)
    baskets = BasketMatrix(baskets.indptr, baskets.items, baskets.customers, baskets.days, 60)

    def top_neighbour(edges, values, anchor):
        mine = np.flatnonzero((edges.a == anchor) | (edges.b == anchor))
        best = mine[np.argmax(values[mine])]
        return edges.a[best] + edges.b[best] - anchor

    naive = BoughtTogether(min_customers=1, max_baskets_per_customer=10**6).fit(baskets, Run())
    taken = [top_neighbour(naive, naive.baskets, anchor) == 0 for anchor in anchors]
    assert sum(taken) > 5
    honest_edges = BoughtTogether().fit(baskets, Run())
    for values in (honest_edges.customers, honest_edges.adjusted_low, honest_edges.lift):
        assert not any(top_neighbour(honest_edges, values, anchor) == 0 for anchor in anchors)


@pytest.mark.parametrize("name", ["min_customers", "max_baskets_per_customer", "max_basket_size"])
def test_hyperparameters_start_at_one_and_say_what_they_are(name):
    with pytest.raises(ValueError, match="starts at 1"):
        BoughtNext(**{name: 0})
    assert all(field.metadata["doc"] for field in fields(BoughtTogether))


def test_no_baskets_give_no_edges():
    for estimator in (BoughtTogether(), BoughtNext()):
        edges = estimator.fit(matrix([]), Run())
        assert (len(edges), edges.n_baskets, edges.n_tested) == (0, 0, 0)
