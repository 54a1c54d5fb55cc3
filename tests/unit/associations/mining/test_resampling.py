from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.resampling import bootstrapped, halved, noised
from basketry.core.errors import RequestError
from rule_worlds import packed


def rows_of(baskets):
    return [baskets.items[a:b].tolist() for a, b in zip(baskets.indptr[:-1], baskets.indptr[1:], strict=True)]


@st.composite
def shops(draw):
    per_customer = draw(
        st.lists(st.lists(st.sets(st.integers(0, 6), max_size=5).map(sorted), min_size=1, max_size=3), max_size=6)
    )
    rows = [row for rows in per_customer for row in rows]
    customers = [c for c, rows in enumerate(per_customer) for _ in rows]
    return packed(rows, 7, customers, list(range(len(rows))))


@given(shops(), st.integers(0, 1000))
def test_customers_are_drawn_whole(shop, seed):
    drawn = bootstrapped(shop, np.random.default_rng(seed))
    whole = {}
    for row, customer, day in zip(rows_of(shop), shop.customers.tolist(), shop.days.tolist(), strict=True):
        whole.setdefault(customer, []).append((row, day))
    got = {}
    for row, customer, day in zip(rows_of(drawn), drawn.customers.tolist(), drawn.days.tolist(), strict=True):
        got.setdefault(customer, []).append((row, day))
    assert len(got) == len(whole)
    assert all(each in whole.values() for each in got.values())
    assert (np.diff(drawn.customers) >= 0).all()


@given(shops(), st.integers(0, 1000))
def test_halves_part_the_customers(shop, seed):
    one, two = halved(shop, np.random.default_rng(seed))
    assert sorted(map(str, rows_of(one) + rows_of(two))) == sorted(map(str, rows_of(shop)))
    assert not set(one.customers.tolist()) & set(two.customers.tolist())
    assert abs(len(set(one.customers.tolist())) - len(set(two.customers.tolist()))) <= 1


def test_bootstrap_draws_each_customer_once_on_average():
    shop = packed([[i] for i in range(5)], 5)
    random = np.random.default_rng(1)
    seen = Counter(item for _ in range(2000) for item in bootstrapped(shop, random).items.tolist())
    assert [seen[i] / 2000 for i in range(5)] == pytest.approx([1] * 5, abs=0.08)
    distinct = np.mean([len(set(bootstrapped(shop, random).items.tolist())) for _ in range(2000)])
    assert distinct == pytest.approx(5 * (1 - 0.8**5), abs=0.06), "with replacement"


@given(shops(), st.sampled_from(["drop", "replace", "add"]), st.floats(0, 1), st.integers(0, 100))
def test_noise_leaves_baskets_sound(shop, kind, share, seed):
    wrong = noised(shop, kind, share, np.random.default_rng(seed))
    assert all(row == sorted(set(row)) for row in rows_of(wrong))
    assert len(wrong) == len(shop) and set(wrong.items.tolist()) <= set(shop.items.tolist())
    if share == 0:
        assert rows_of(wrong) == rows_of(shop)
    for before, after in zip(rows_of(shop), rows_of(wrong), strict=True):
        assert kind != "drop" or set(after) <= set(before)
        assert kind != "add" or set(after) >= set(before)
        assert kind != "replace" or len(after) <= len(before)


def test_the_share_of_noise_is_what_was_asked():
    rng = np.random.default_rng(2)
    shop = packed([np.flatnonzero(rng.random(3000) < 0.004).tolist() for _ in range(3000)], 3000)
    n = len(shop.items)
    sizes = {kind: len(noised(shop, kind, 0.1, rng).items) / n for kind in ("drop", "add", "replace")}
    assert sizes == pytest.approx({"drop": 0.9, "add": 1.1, "replace": 1.0}, abs=0.012)
    replaced = noised(shop, "replace", 0.1, rng)
    kept = sum(len(set(a) & set(b)) for a, b in zip(rows_of(shop), rows_of(replaced), strict=True))
    assert kept / n == pytest.approx(0.9, abs=0.012)


def test_unknown_noise_is_refused():
    with pytest.raises(RequestError, match="noise 'odd'"):
        noised(packed([[0]], 1), "odd", 0.1, np.random.default_rng(0))
    with pytest.raises(RequestError, match="no share"):
        noised(packed([[0]], 1), "drop", 1.5, np.random.default_rng(0))
