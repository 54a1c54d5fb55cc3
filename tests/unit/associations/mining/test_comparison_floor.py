"""What may be shown of two sides, against the definition, over small worlds with customers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.mining.comparison import Comparison
from basketry.associations.mining.comparison_floor import within_floors
from basketry.associations.mining.transactions import Transactions
from rule_worlds import RUN, OneItemRules, from_matrix

NAMES = pl.Series("item", list("abcde"))


def world(seed, n, share):
    rng = np.random.default_rng(seed)
    return Transactions(from_matrix(rng.random((n, 5)) < share, np.sort(rng.integers(0, n // 2 + 1, n))), NAMES)


def groups(side, items):
    """Customers and baskets that hold all of `items`."""
    baskets = side.baskets
    rows = [set(baskets.items[a:b].tolist()) for a, b in zip(baskets.indptr, baskets.indptr[1:], strict=False)]
    held = [set(items) <= row for row in rows]
    return len(set(baskets.customers[held].tolist())), sum(held)


def tells(side, whole, floor):
    parts = [set(part) for size in range(1, len(whole) + 1) for part in combinations(whole, size)]
    if any(0 < groups(side, part)[0] < floor for part in parts if part == set(whole)):
        return True
    return any(
        0 < more - less < floor
        for large in parts
        for small in parts
        if small < large
        for more, less in zip(groups(side, small), groups(side, large), strict=True)
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(6, 40), st.floats(0.1, 0.7), st.integers(2, 5))
def test_a_rule_is_shown_where_neither_side_tells_of_few(seed, n_one, n_two, share, floor):
    sides = world(seed, n_one, share), world(seed + 1, n_two, share / 2)
    compared = Comparison(1, 0.0).fit(*sides, OneItemRules(max_antecedent=2), RUN)
    allowed = within_floors(compared, (sides[0].baskets, sides[1].baskets), floor, RUN)
    code = {name: i for i, name in enumerate(NAMES)}
    wholes = [[code[name] for name in each] for each in compared.rules.itemsets.named(compared.rules.whole).to_list()]
    for whole, shown in zip(wholes, allowed, strict=True):
        assert shown == (not any(tells(side, whole, floor) for side in sides))


def test_nobody_is_no_group():
    """Thirty customers buy a and b after the change; before it thirty bought each alone."""
    alone, together = np.zeros((60, 5), dtype=bool), np.zeros((60, 5), dtype=bool)
    alone[:30, 0] = alone[30:, 1] = together[:30, 0] = together[:30, 1] = True
    sides = Transactions(from_matrix(alone), NAMES), Transactions(from_matrix(together), NAMES)
    compared = Comparison(5, 0.1).fit(*sides, OneItemRules(), RUN)
    baskets = (sides[0].baskets, sides[1].baskets)
    assert within_floors(compared, baskets, 20, RUN).tolist() == [True, True]
    assert within_floors(compared, baskets, 31, RUN).tolist() == [False, False]
    assert compared.frame()["status"].to_list() == ["emerging", "emerging"]
